//! A function's name in the spelling of the tables.
//!
//! Tools print one function in many ways: `__GI___libc_malloc`, `malloc@@GLIBC_2.2.5`,
//! `__interceptor_malloc`, `_IO_new_file_write`, `std::vec::Vec<T,A>::push::h0123456789abcdef`,
//! `_ZN3Log5writeEi`. [`Name::of`] removes what a compiler, a linker or a tool has added.

use std::borrow::Cow;

/// A function's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// With its scopes, without parameters, template arguments, symbol versions and hashes.
    pub path: String,
    /// What the tables are searched for: the path of a C function without leading underscores and without
    /// the prefixes that libraries add; the path itself if it has scopes.
    pub key: String,
    /// The parameter types between parentheses, if the tool prints them.
    pub parameters: Option<String>,
}

/// Longer names are cut: a name of megabytes is no name.
const LONGEST: usize = 4096;

impl Name {
    /// The name in `text`, which is what a tool prints for a function.
    pub fn of(text: &str) -> Self {
        let text = cut(text.trim().trim_matches('*'), LONGEST);
        let text = demangled(text);
        let text = without_decoration(&text);
        let (text, parameters) = without_parameters(text);
        let text = without_templates(text);
        let path = last_word(text.trim()).trim_start_matches("::").trim().to_owned();
        let key = key_of(&path);
        Self { path, key, parameters }
    }

    /// The last component: `lock` of `std::mutex::lock`.
    pub fn last(&self) -> &str {
        let at = self.path.rfind("::").map_or(0, |at| at + 2);
        let last = &self.path[at..];
        match last.rfind('.') {
            // Go: `runtime.(*profBuf).read`; a suffix such as `.part.0` is gone by now.
            Some(at) if at + 1 < last.len() => &last[at + 1..],
            _ => last,
        }
    }

    /// Whether the name says nothing: `??`, `n/a`, `<unknown>`, an address.
    pub fn is_unknown(&self) -> bool {
        is_unknown(&self.path)
    }
}

fn cut(text: &str, longest: usize) -> &str {
    let mut end = text.len().min(longest);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether a tool's text for a function says that it has no name.
pub fn is_unknown(text: &str) -> bool {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>').trim();
    let bare = text.strip_prefix("0x").unwrap_or(text);
    matches!(
        text,
        "" | "?"
            | "??"
            | "???"
            | "n/a"
            | "unknown"
            | "null"
            | "unknown function"
            | "(unknown)"
            | "(null)"
            | "_"
            | "[unknown]"
            | "redacted"
            | "unknown binary"
            | "no symbol"
            | "unknown symbol"
            | "unnamed"
    ) || (text.starts_with("0x") && !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_hexdigit()))
        || text.starts_with("??")
        || text.starts_with("unknown function")
        || text.starts_with("___lldb_unnamed_symbol")
}

/// Removes what follows a name and is no part of it.
fn without_decoration(text: &str) -> &str {
    let mut text = text;
    // lldb: `outer() [inlined] inner(args)`: the frame is `inner`.
    if let Some((_, inner)) = text.rsplit_once("[inlined] ") {
        text = inner;
    }
    for mark in [
        " [clone",
        " (.",
        " [inlined",
        "@@",
        "@GLIBC",
        "@plt",
        "@LIBC",
        "@CXXABI",
        "$NOCANCEL",
        "$UNIX2003",
        "$VARIANT",
        "$INODE",
    ] {
        if let Some(at) = text.find(mark).filter(|at| *at > 0) {
            text = &text[..at];
        }
    }
    if let Some((before, hash)) = text.rsplit_once("::h")
        && hash.len() == 16
        && hash.bytes().all(|b| b.is_ascii_hexdigit())
    {
        text = before;
    }
    loop {
        let Some((before, last)) = text.rsplit_once('.') else { return text };
        let number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
        if number
            || matches!(last, "part" | "isra" | "constprop" | "cold" | "lto_priv" | "llvm" | "localalias" | "abi0")
        {
            text = before;
        } else {
            return text;
        }
    }
}

/// Splits `f(int, char*)` into `f` and `int, char*`. The parentheses of `operator()`, of `(anonymous
/// namespace)`, of lambdas and of Go's receivers `(*T)` belong to the name.
fn without_parameters(text: &str) -> (&str, Option<String>) {
    let bytes = text.as_bytes();
    let mut angle = 0_i32;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'<' if !text[..at].ends_with("operator") && !text[..at].ends_with("operator<") => angle += 1,
            b'>' if angle > 0 && !text[..at].ends_with('-') => angle -= 1,
            b'(' if angle == 0 => {
                let end = closing(bytes, at);
                let inner = text[at + 1..end.unwrap_or(text.len())].trim();
                let after = end.map_or("", |end| &text[end + 1..]);
                let of_name = inner.starts_with("anonymous")
                    || text[..at].ends_with("operator")
                    || after.starts_with("::")
                    || (after.starts_with('.') && text[..at].ends_with('.'))
                    || at == 0;
                match end {
                    Some(end) if of_name => at = end,
                    _ => return (&text[..at], Some(inner.to_owned())),
                }
            }
            _ => {}
        }
        at += 1;
    }
    (text, None)
}

/// Where the parenthesis that opens at `open` closes.
fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Removes `<...>`. Rust's `<T as Trait>::f` becomes `T::f`.
fn without_templates(text: &str) -> Cow<'_, str> {
    if !text.contains('<') {
        return Cow::Borrowed(text);
    }
    let text = match text.strip_prefix('<') {
        Some(rest) => {
            let end = after_angle(rest);
            let inner = rest[..end].trim_end_matches('>');
            let kind = inner.split_once(" as ").map_or(inner, |(kind, _)| kind);
            Cow::Owned(format!("{kind}{}", &rest[end..]))
        }
        None => Cow::Borrowed(text),
    };
    let mut kept = String::with_capacity(text.len());
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '<' if kept.ends_with("operator") || kept.ends_with("operator<") => kept.push(c),
            '<' => depth += 1,
            '>' if depth > 0 => depth -= 1,
            c if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    Cow::Owned(kept.replace("::::", "::"))
}

/// Behind the `>` that closes an angle bracket which was opened before `text`.
fn after_angle(text: &str) -> usize {
    let mut depth = 1_u32;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// A demangled template function begins with its return type.
fn last_word(text: &str) -> &str {
    if let Some(at) = text.find("operator") {
        let from = text[..at].rfind(' ').map_or(0, |space| space + 1);
        return &text[from..];
    }
    if text.starts_with("-[") || text.starts_with("+[") || text.starts_with('[') {
        return text;
    }
    // `(anonymous namespace)::f` has a space of its own.
    let from = text.find("(anonymous").unwrap_or(text.len());
    match text[..from].rfind(' ') {
        Some(space) if from == text.len() => &text[space + 1..],
        _ => text,
    }
}

fn key_of(path: &str) -> String {
    if path.contains("::") {
        return path.trim_start_matches("::").to_owned();
    }
    // It ends the process without the exit functions: not `exit`.
    if matches!(path, "_exit" | "__GI__exit" | "_Exit" | "__GI__Exit") {
        return "_exit".to_owned();
    }
    let mut key = path;
    loop {
        let before = key;
        key = key.trim_start_matches('_');
        for prefix in [
            "GI_",
            "libc_",
            "interceptor_",
            "interceptor_trampoline_",
            "wrap_",
            "real_",
            "pthread_sanitizer_",
            "nptl_",
            "old_",
            "new_IO_",
            "libpthread_",
            "tsan_interceptor_",
            "asan_interceptor_",
        ] {
            if let Some(rest) = key.strip_prefix(prefix).filter(|rest| rest.len() > 2) {
                key = match prefix {
                    // `__libc_start_main` is a root with that name.
                    "libc_" if rest.starts_with("start") => break,
                    "libc_" if rest.starts_with("message") => break,
                    "libc_" if rest.starts_with("fatal") => break,
                    _ => rest,
                };
            }
        }
        if key == before {
            break;
        }
    }
    for suffix in ["_nocancel", "_cancel", "$NOCANCEL"] {
        if let Some(rest) = key.strip_suffix(suffix).filter(|rest| rest.len() > 2) {
            key = rest;
        }
    }
    key.to_owned()
}

/// The name inside a mangled symbol of the Itanium ABI or of Rust; only scopes and parameters that are
/// simple.
fn demangled(text: &str) -> Cow<'_, str> {
    // Every symbol of bionic's linker begins so.
    let text = text.strip_prefix("__dl_").filter(|rest| rest.starts_with('_') || *rest == "syscall").unwrap_or(text);
    let Some(start) = ["_ZN", "_Z", "__ZN", "__Z"].into_iter().find(|start| text.starts_with(start)) else {
        if text.starts_with("_R") && text.len() > 3 {
            let rust = format!("{:#}", rustc_demangle::demangle(text));
            return if rust == text { Cow::Borrowed(text) } else { Cow::Owned(rust) };
        }
        return Cow::Borrowed(text);
    };
    if text.contains("17h") {
        let rust = format!("{:#}", rustc_demangle::demangle(text));
        if rust != text {
            return Cow::Owned(rust);
        }
    }
    itanium(&text[start.len()..], start.ends_with('N')).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn itanium(text: &str, nested: bool) -> Option<String> {
    let mut rest = text.trim_start_matches(['K', 'V', 'L']);
    let mut parts: Vec<String> = Vec::new();
    loop {
        if nested && rest.starts_with('E') {
            rest = &rest[1..];
            break;
        }
        if let Some(after) = rest.strip_prefix("St") {
            parts.push("std".to_owned());
            rest = after;
            continue;
        }
        if rest.starts_with(['C', 'D']) && nested && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            let class = parts.last()?.clone();
            parts.push(if rest.starts_with('D') { format!("~{class}") } else { class });
            rest = &rest[2..];
            continue;
        }
        for (code, name) in [
            ("nwm", "operator new"),
            ("nam", "operator new[]"),
            ("dlPv", "operator delete"),
            ("daPv", "operator delete[]"),
        ] {
            if rest.starts_with(code) {
                return Some(name.to_owned());
            }
        }
        if nested && rest.starts_with('I') {
            // Template arguments: simple ones are skipped, others end the name.
            let end = rest.find('E')?;
            rest = &rest[end + 1..];
            continue;
        }
        rest = rest.strip_prefix('L').unwrap_or(rest);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let length: usize = rest.get(..digits)?.parse().ok()?;
        let name = rest.get(digits..digits + length)?;
        parts.push(if name.starts_with("_GLOBAL__N") { "(anonymous namespace)".to_owned() } else { name.to_owned() });
        rest = &rest[digits + length..];
        if !nested {
            break;
        }
    }
    let parameters = match rest {
        "i" => Some("int"),
        "iP9siginfo_tPv" | "iP7siginfoPv" | "iP9__siginfoPv" => Some("int, siginfo_t*, void*"),
        "v" => Some(""),
        _ => None,
    };
    let path = parts.join("::");
    Some(parameters.map_or_else(|| path.clone(), |types| format!("{path}({types})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("__GI___libc_malloc", "__GI___libc_malloc", "malloc")]
    #[case("malloc@@GLIBC_2.2.5", "malloc", "malloc")]
    #[case("pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait", "pthread_cond_wait")]
    #[case("___interceptor_malloc", "___interceptor_malloc", "malloc")]
    #[case("_IO_new_file_write", "_IO_new_file_write", "IO_new_file_write")]
    #[case("__read_nocancel", "__read_nocancel", "read")]
    #[case("operator new(unsigned long)", "operator new", "operator new")]
    #[case("icinga::Log::~Log() [clone .part.0]", "icinga::Log::~Log", "icinga::Log::~Log")]
    #[case("runtime.(*profBuf).read", "runtime.(*profBuf).read", "runtime.(*profBuf).read")]
    #[case(
        "(anonymous namespace)::on_signal(int)",
        "(anonymous namespace)::on_signal",
        "(anonymous namespace)::on_signal"
    )]
    #[case("void foo<int, std::vector<int> >(int)", "foo", "foo")]
    #[case(
        "<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop::h0123456789abcdef",
        "alloc::vec::Vec::drop",
        "alloc::vec::Vec::drop"
    )]
    #[case("<std::io::Stderr as std::io::Write>::write", "std::io::Stderr::write", "std::io::Stderr::write")]
    #[case(
        "a::b() [inlined] v8::base::LockGuard<v8::base::Mutex>::LockGuard(mutex=<unavailable>)",
        "v8::base::LockGuard::LockGuard",
        "v8::base::LockGuard::LockGuard"
    )]
    #[case("_ZN6logger5flushEv", "logger::flush", "logger::flush")]
    #[case("_Z10on_sigprofi", "on_sigprof", "on_sigprof")]
    #[case("_Znwm", "operator new", "operator new")]
    #[case(
        "std::ostream& operator<< <std::char_traits<char> >(std::ostream&, char const*)",
        "operator<<",
        "operator<<"
    )]
    #[case("foo.constprop.0.isra.3", "foo", "foo")]
    fn a_name_is_reduced_to_the_spelling_of_the_tables(#[case] text: &str, #[case] path: &str, #[case] key: &str) {
        let name = Name::of(text);
        assert_eq!((name.path.as_str(), name.key.as_str()), (path, key));
    }

    #[rstest]
    #[case("handler(int, siginfo_t*, void*)", Some("int, siginfo_t*, void*"))]
    #[case("_ZN3app6handleEiP9siginfo_tPv", Some("int, siginfo_t*, void*"))]
    #[case("main", None)]
    fn parameters_are_kept_apart(#[case] text: &str, #[case] parameters: Option<&str>) {
        assert_eq!(Name::of(text).parameters.as_deref(), parameters);
    }

    #[rstest]
    #[case("??")]
    #[case("n/a")]
    #[case("0x0000000000000000")]
    #[case("<unknown>")]
    fn no_name_is_known_as_such(#[case] text: &str) {
        assert!(is_unknown(text));
    }
}
