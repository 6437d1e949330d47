//! Formats of one line a frame that programs print themselves: glibc's `backtrace_symbols`, glog and abseil,
//! Rust, Node, Xorg, boost, minidump_stackwalk, Julia, Valgrind, perf, the kernel, Solaris, Dart, folded
//! stacks.

use super::scan;
use crate::stacks::dump::{Tool, TraceFrame};

/// `/usr/lib/libc.so.6(malloc+0x1f) [0x7f01]`, `./app(+0x1f)[0x7f01]`, `(EE) 0: /usr/bin/X (f+0x1f)
/// [0x7f01]`.
pub fn glibc(text: &str) -> Option<TraceFrame> {
    // A mail may have moved Xorg's address to the next line.
    let of_xorg = text.starts_with("(EE) ") && text.ends_with(')') && text.contains("+0x");
    let at = text.rfind("[0x").or(of_xorg.then_some(text.len()))?;
    let address = scan::hex(text.get(at + 1..).unwrap_or_default()).map(|(address, _)| address);
    if address.is_none() && !of_xorg {
        return None;
    }
    let before = text[..at].trim_end();
    let (module, inner) = match scan::last_group(before) {
        Some((module, inner)) => (module.trim_end(), inner),
        None if before.starts_with('/') || before.starts_with("./") => (before, ""),
        None => return None,
    };
    let module = module.rsplit(char::is_whitespace).next().unwrap_or(module);
    if module.is_empty() && !inner.contains("+0x") || inner.contains(", ") && !inner.contains("+0x") {
        return None;
    }
    let (function, offset) = scan::split_offset(inner);
    let mut frame = scan::frame(function, "");
    frame.module = Some(module.to_owned());
    frame.offset = offset;
    frame.address = address;
    Some(frame)
}

/// glog: `@     0x7f01 f()`; abseil: `@ 0x7f01  16  f()`; `PC: @ 0x7f01 f()`.
pub fn glog(text: &str) -> Option<TraceFrame> {
    let at = text.find("@ ").filter(|at| *at == 0 || text[..*at].ends_with([' ', '\t']))?;
    let rest = text[at + 2..].trim_start();
    let (address, rest) = scan::hex(rest).or_else(|| scan::bare_hex(rest).filter(|_| rest.len() > 12))?;
    let mut rest = rest.trim_start();
    // abseil's size of the frame.
    if let Some((_, after)) = scan::decimal(rest).filter(|(_, after)| after.starts_with(' ')) {
        rest = after.trim_start();
    }
    let mut frame = scan::frame(rest, "");
    frame.address = Some(address);
    Some(frame)
}

/// WinDbg: `03 00000002`f61fef80 00007ff8`0487b5f6 ntdll!RtlpEnterCriticalSectionContended+0x1a6`.
pub fn windbg(text: &str) -> Option<TraceFrame> {
    let mut words = text.split_whitespace();
    let (number, one, two) = (words.next()?, words.next()?, words.next()?);
    let address = |word: &str| word.len() == 17 && word.as_bytes()[8] == b'`';
    let place = words.next()?;
    if number.len() != 2 || !address(one) || !address(two) || !place.contains('!') {
        return None;
    }
    let (module, function) = place.split_once('!')?;
    let (function, offset) = scan::split_offset(function);
    let mut frame = scan::frame(function, "");
    frame.number = u32::from_str_radix(number, 16).ok();
    frame.module = Some(module.to_owned());
    frame.offset = offset;
    Some(frame)
}

/// Rust, Node: `  12: 0x55d0 - std::rt::lang_start`, ` 1: 0xb090e0 node::Abort() [node]`; boost: ` 3# f at
/// a.cc:3`.
pub fn numbered(text: &str) -> Option<(TraceFrame, Tool)> {
    let (number, rest) = scan::decimal(text)?;
    let (rest, tool) = match (rest.strip_prefix(": "), rest.strip_prefix("# ")) {
        (Some(rest), _) => (rest.trim_start(), Tool::Rust),
        (_, Some(rest)) => (rest.trim_start(), Tool::Other),
        _ => return None,
    };
    let (address, rest) = match scan::hex(rest) {
        Some((address, rest)) => (Some(address), rest.trim_start().trim_start_matches("- ")),
        None => (None, rest),
    };
    let rest = rest.trim();
    let (rest, module) = match rest.strip_suffix(']').and_then(|inner| inner.rsplit_once(" [")) {
        Some((before, module)) => (before, Some(module)),
        None => (rest, None),
    };
    let (rest, source) = match rest.split_once(" at ") {
        Some((before, source)) if scan::is_source(source) => (before, Some(source)),
        _ => (rest, None),
    };
    let (rest, module) = match rest.split_once(" in ") {
        Some((before, module)) if module.starts_with(['/', '.']) || tool == Tool::Other && scan::is_word(module) => {
            (before, Some(module))
        }
        _ => (rest, module),
    };
    let mut frame = scan::frame(rest, "");
    frame.number = u32::try_from(number).ok();
    frame.address = address;
    frame.source = source.map(str::to_owned);
    frame.module = module.map(str::to_owned);
    Some((frame, tool))
}

/// minidump_stackwalk: ` 3  libc.so.6!__lll_lock_wait [a.c : 3 + 0x1]`, ` 3  libc.so.6 + 0x46428`.
pub fn minidump(text: &str) -> Option<TraceFrame> {
    let (number, rest) = scan::decimal(text)?;
    let rest = rest.strip_prefix("  ")?.trim_start();
    let (module, function) = match rest.split_once('!') {
        Some((module, function)) if !module.contains(' ') && !module.is_empty() => (module, function),
        Some(_) => return None,
        None => {
            let (module, offset) = scan::split_offset(rest);
            offset?;
            if module.contains(' ') || module.contains('(') || module.starts_with("0x") || !module.contains('.') {
                return None;
            }
            let mut frame = scan::frame("", "");
            frame.module = Some(module.to_owned());
            frame.offset = offset;
            frame.number = u32::try_from(number).ok();
            return Some(frame);
        }
    };
    let function = function.split(" [").next().unwrap_or(function);
    let (function, offset) = scan::split_offset(function);
    let mut frame = scan::frame(function, "");
    frame.module = Some(module.to_owned());
    frame.offset = offset;
    frame.number = u32::try_from(number).ok();
    Some(frame)
}

/// Julia: `jl_mutex_wait at /buildworker/src/julia.h:12`, `unknown function (ip: 0x7f01)`.
pub fn julia(text: &str) -> Option<TraceFrame> {
    if let Some(rest) = text.strip_prefix("unknown function (ip: ") {
        let mut frame = scan::frame("", "");
        frame.address = scan::hex(rest).map(|(address, _)| address);
        return Some(frame);
    }
    let (function, rest) = text.split_once(" at ")?;
    let place = rest.split(" [").next().unwrap_or(rest);
    let known = scan::is_source(place) || place.starts_with('/') || place.contains("(unknown line)");
    if !known || function.contains(' ') && !function.ends_with(']') {
        return None;
    }
    let function = function.split(" [").next().unwrap_or(function);
    let mut frame = scan::frame(function, "");
    match place.contains("(unknown line)") {
        true => frame.module = Some(place.split(" (").next().unwrap_or(place).to_owned()),
        false => frame.source = Some(place.to_owned()),
    }
    Some(frame)
}

/// Valgrind: `==12==    at 0x4C2B: malloc (vg_replace_malloc.c:299)`; the innermost frame has `at`.
pub fn valgrind(line: &str) -> Option<(TraceFrame, bool)> {
    let rest = line.trim_start().strip_prefix("==")?;
    let (_, rest) = scan::decimal(rest)?;
    let rest = rest.strip_prefix("==")?.trim();
    let (rest, first) = match (rest.strip_prefix("at "), rest.strip_prefix("by ")) {
        (Some(rest), _) => (rest, true),
        (_, Some(rest)) => (rest, false),
        _ => return None,
    };
    let (address, rest) = scan::hex(rest)?;
    let rest = rest.strip_prefix(": ")?;
    let (function, inner) = scan::last_group(rest).map_or((rest, ""), |(function, inner)| (function.trim_end(), inner));
    let mut frame = scan::frame(function, "");
    frame.address = Some(address);
    match inner.strip_prefix("in ") {
        Some(module) => frame.module = Some(module.to_owned()),
        None => frame.source = Some(inner.to_owned()).filter(|inner| !inner.is_empty()),
    }
    Some((frame, first))
}

/// perf script: `7f01aa f+0x1f (/usr/lib/libc.so.6)`; bpftrace: `f+31 (/lib/x.so)`, `f+0x1f`; `jhsdb jstack
/// --mixed`: `0x7f01 f + 0x1f`.
pub fn perf(text: &str) -> Option<TraceFrame> {
    let (address, rest) = match scan::hex(text).or_else(|| scan::bare_hex(text).filter(|_| text.len() > 8)) {
        Some((address, rest)) if rest.starts_with([' ', '\t']) => (Some(address), rest.trim()),
        Some(_) | None => (None, text),
    };
    let (rest, module) = match scan::last_group(rest) {
        Some((before, inner))
            if before.ends_with(' ')
                && (inner.starts_with('/')
                    || inner.contains(".so")
                    || inner.starts_with('[')
                    || inner.starts_with("inlined")) =>
        {
            (before.trim_end(), Some(inner))
        }
        _ => (rest, None),
    };
    let (function, offset) = scan::split_offset(rest);
    let whole =
        (address.is_some() && (offset.is_some() || module.is_some())) || (offset.is_some() && scan::is_word(function));
    if !whole || function.matches(' ').count() > 6 {
        return None;
    }
    let mut frame = scan::frame(function, "");
    frame.address = address;
    frame.offset = offset;
    frame.module = module.map(str::to_owned);
    Some(frame)
}

/// `/proc/PID/stack` and oopses: `[<0>] futex_wait_queue+0x60/0xa0`, `[<ffffffff8110>] ? schedule+0x29/0x70`.
pub fn is_kernel(text: &str) -> bool {
    let text = text.trim_start_matches("? ");
    let rest = match text.strip_prefix("[<") {
        Some(rest) => match rest.split_once(">]") {
            Some((address, rest)) if address.bytes().all(|b| b.is_ascii_hexdigit()) => {
                return rest.contains("+0x") || rest.trim().starts_with("0x");
            }
            _ => return false,
        },
        None => text,
    };
    // `schedule+0x29/0x70 [module]`
    let word = rest.split_whitespace().next().unwrap_or_default();
    word.split_once("+0x").is_some_and(|(function, offset)| scan::is_word(function) && offset.contains("/0x"))
}

/// Solaris: ` fef0f4d5 sigacthandler (10, 0, 8046d50) + 1d`.
pub fn solaris(text: &str) -> Option<TraceFrame> {
    let (address, rest) = scan::bare_hex(text)?;
    let rest = rest.strip_prefix(' ')?.trim_start();
    let (function, rest) = rest.split_once('(')?;
    let (args, rest) = rest.split_once(')')?;
    let function = function.trim_end();
    let rest = rest.trim();
    if !scan::is_word(function) || !(rest.is_empty() || rest.starts_with('+')) || text.len() < 9 {
        return None;
    }
    let plain = args.is_empty()
        || args.split(',').all(|arg| arg.trim().bytes().all(|b| b.is_ascii_hexdigit() || b == b'x' || b == b'?'));
    if !plain {
        return None;
    }
    let mut frame = scan::frame(function, args);
    frame.address = Some(address);
    frame.offset = rest.strip_prefix("+ ").and_then(|rest| scan::bare_hex(rest)).map(|(offset, _)| offset);
    Some(frame)
}

/// Dart: `pc 0x00007f01 fp 0x00007f02 dart::f()+0x1f`.
pub fn dart(text: &str) -> Option<TraceFrame> {
    let rest = text.strip_prefix("pc 0x").map(|_| &text[3..])?;
    let (address, rest) = scan::hex(rest)?;
    let rest = rest.trim_start().strip_prefix("fp ")?;
    let (_, rest) = scan::hex(rest)?;
    let (function, offset) = scan::split_offset(rest.trim());
    let mut frame = scan::frame(function, "");
    frame.address = Some(address);
    frame.offset = offset;
    Some(frame)
}

/// A folded stack: `app;main;work;read 12`, outermost first.
pub fn folded(text: &str) -> Option<Vec<TraceFrame>> {
    let (frames, count) = text.rsplit_once(' ')?;
    count.parse::<u64>().ok()?;
    if frames.matches(';').count() < 3 || frames.contains("; ") {
        return None;
    }
    Some(frames.split(';').rev().map(|function| scan::frame(function.trim_end_matches("_[k]"), "")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "/lib/x86_64-linux-gnu/libc.so.6(__libc_malloc+0x9e) [0x7f01]",
        "__libc_malloc",
        Some("/lib/x86_64-linux-gnu/libc.so.6")
    )]
    #[case("./app(+0x1f)[0x55d0]", "", Some("./app"))]
    #[case("(EE) 0: /usr/lib/xorg/Xorg (OsLookupColor+0x139) [0x55d0]", "OsLookupColor", Some("/usr/lib/xorg/Xorg"))]
    #[case("mysqld(_Z19handle_fatal_signali+0x1f)[0x7f01]", "_Z19handle_fatal_signali", Some("mysqld"))]
    fn glibcs_lines(#[case] line: &str, #[case] function: &str, #[case] module: Option<&str>) {
        let frame = glibc(line).unwrap();
        assert_eq!((frame.function.as_str(), frame.module.as_deref()), (function, module));
    }

    #[rstest]
    #[case(
        "@     0x7f0123456789 google::(anonymous namespace)::FailureSignalHandler()",
        "google::(anonymous namespace)::FailureSignalHandler()"
    )]
    #[case("@     0x7f0123456789  928  absl::AbslFailureSignalHandler()", "absl::AbslFailureSignalHandler()")]
    #[case("@     0x7f0123456789 (unknown)", "(unknown)")]
    fn glogs_lines(#[case] line: &str, #[case] function: &str) {
        assert_eq!(glog(line).unwrap().function, function);
    }

    #[rstest]
    #[case("12: std::rt::lang_start::{{closure}}", "std::rt::lang_start::{{closure}}")]
    #[case("3: 0x55d0aa - app::handler", "app::handler")]
    #[case("1: 0xb090e0 node::Abort() [node]", "node::Abort()")]
    #[case("4# handler(int) at /src/a.cc:9", "handler(int)")]
    fn numbered_lines(#[case] line: &str, #[case] function: &str) {
        assert_eq!(numbered(line).unwrap().0.function, function);
    }

    #[test]
    fn the_rest() {
        assert_eq!(minidump("3  libc.so.6!__lll_lock_wait [a.c : 3 + 0x1]").unwrap().function, "__lll_lock_wait");
        assert_eq!(julia("jl_mutex_wait at /build/src/julia.h:12").unwrap().function, "jl_mutex_wait");
        assert_eq!(valgrind("==12==    at 0x4C2B: malloc (vg_replace_malloc.c:299)").unwrap().0.function, "malloc");
        assert_eq!(perf("7f01aabbccdd __lll_lock_wait+0x1f (/usr/lib/libc.so.6)").unwrap().function, "__lll_lock_wait");
        assert_eq!(solaris("fef0f4d5 sigacthandler (10, 0, 8046d50) + 1d").unwrap().function, "sigacthandler");
        assert!(is_kernel("[<0>] futex_wait_queue+0x60/0xa0") && !is_kernel("malloc+0x1f"));
        assert_eq!(folded("app;main;work;read 12").unwrap()[0].function, "read");
        assert_eq!(
            dart("pc 0x00007f01 fp 0x00007f02 dart::Profiler::Dump()+0x1f").unwrap().function,
            "dart::Profiler::Dump()"
        );
    }
}
