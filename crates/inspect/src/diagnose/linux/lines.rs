//! Source lines and inlined functions from DWARF, and source paths that do not tell where this machine keeps
//! its files.

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, RunTimeEndian};
use object::{Object, ObjectSection};
use std::sync::Mutex;

type Reader = EndianSlice<'static, RunTimeEndian>;

/// The line tables of one object file.
///
/// The context fills itself as it is asked, through cells that are not for several threads: hence the mutex.
pub(super) struct Lines(Mutex<Context<Reader>>);

/// One function at an address, innermost first.
#[derive(Debug)]
pub(super) struct SourceFrame {
    pub function: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
}

impl Lines {
    /// The line tables of `file`; `None` if it has none, or compressed ones.
    pub(super) fn of(file: &object::File<'static>) -> Option<Self> {
        file.section_by_name(".debug_line")?;
        let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let dwarf = Dwarf::load(|id| {
            let bytes: &'static [u8] = match file.section_by_name(id.name()) {
                Some(section)
                    if section
                        .compressed_file_range()
                        .is_ok_and(|range| range.format == object::CompressionFormat::None) =>
                {
                    section.data().unwrap_or_default()
                }
                _ => &[],
            };
            Ok::<_, addr2line::gimli::Error>(EndianSlice::new(bytes, endian))
        })
        .ok()?;
        Context::from_dwarf(dwarf).ok().map(|context| Self(Mutex::new(context)))
    }

    /// The functions at `address`, innermost inlined one first, the one that has the code last. Empty if
    /// nothing is known.
    pub(super) fn at(&self, address: u64) -> Vec<SourceFrame> {
        let context = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Ok(mut frames) = context.find_frames(address).skip_all_loads() else { return Vec::new() };
        let mut found = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let name =
                frame.function.as_ref().and_then(|function| function.raw_name().ok().map(|name| demangled(&name)));
            let (file, line) =
                frame.location.map_or((None, None), |location| (location.file.map(portable), location.line));
            found.push(SourceFrame { function: name, file, line });
        }
        found
    }
}

/// A symbol as its author wrote it, without the hash and without the arguments of its generics, which can be
/// longer than all the rest: `<T as Trait>::f` keeps both names, `f<A, B>` and `f::<A, B>` become `f`.
/// Anything else is unchanged.
pub fn demangled(name: &str) -> String {
    if let Some(cpp) = of_cpp(name) {
        return cpp;
    }
    let full = format!("{:#}", rustc_demangle::demangle(name));
    let mut short = String::with_capacity(full.len());
    // The depth inside arguments that are left out, where `->` closes nothing.
    let mut depth = 0_usize;
    let mut last = ' ';
    for (at, letter) in full.char_indices() {
        match letter {
            // After a name (or `::`) these are arguments; elsewhere, `<T as Trait>`.
            '<' if depth > 0 || last.is_alphanumeric() || matches!(last, '_' | '}') || full[..at].ends_with("::") => {
                depth += 1
            }
            '>' if depth > 0 && last != '-' => depth -= 1,
            _ if depth == 0 => short.push(letter),
            _ => {}
        }
        last = letter;
    }
    // What was left of `f::<A>`.
    short.replace("::::", "::").trim_end_matches("::").to_owned()
}

/// The name of a function of C++, without its parameters. `_ZN..17h<16 hex digits>E` is Rust's older form.
fn of_cpp(name: &str) -> Option<String> {
    if !name.starts_with("_Z") || rustc_demangle::try_demangle(name).is_ok() {
        return None;
    }
    let options = cpp_demangle::DemangleOptions::new().no_params().no_return_type();
    cpp_demangle::Symbol::new(name).ok()?.demangle_with_options(&options).ok()
}

/// A source path that is the same on every machine: `library/..` for std's own files, `registry/..` for
/// dependencies, `musl/..` for that libc, relative to the workspace for ours, and the file name alone for
/// what lies elsewhere.
pub(super) fn portable(path: &str) -> String {
    if let Some((_, rest)) = path.split_once("/rustc/") {
        // The commit that the compiler was built from comes first.
        return rest.split_once('/').map_or(rest, |(_, rest)| rest).to_owned();
    }
    if let Some((_, rest)) = path.split_once("/lib/rustlib/src/rust/") {
        return rest.to_owned();
    }
    if let Some((_, rest)) = path.split_once("/registry/src/") {
        return format!("registry/{}", rest.split_once('/').map_or(rest, |(_, rest)| rest));
    }
    if let Some(rest) = path.strip_prefix(workspace()).and_then(|rest| rest.strip_prefix('/')) {
        return rest.to_owned();
    }
    if let Some(rest) = musl(path) {
        return format!("musl/{rest}");
    }
    if path.starts_with('/') {
        return path.rsplit('/').next().unwrap_or_default().to_owned();
    }
    path.to_owned()
}

/// The path of a file of musl within its sources, which lie in `src` below a folder of that name, with or
/// without a version. A static executable has its code beside the program's own.
fn musl(path: &str) -> Option<&str> {
    let at = path.match_indices("/musl").map(|(at, _)| at).find(|at| {
        let name = path[at + 1..].split('/').next().unwrap_or_default();
        name == "musl" || name.starts_with("musl-")
    })?;
    let below = &path[at..];
    below.rfind("/src/").map(|src| &below[src + 1..])
}

/// Where this workspace was compiled, two folders above this crate.
fn workspace() -> &'static str {
    let here = env!("CARGO_MANIFEST_DIR");
    here.strip_suffix("/crates/inspect").unwrap_or(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_do_not_tell_where_they_are() {
        let std = "/rustc/0123abcd/library/core/src/hint.rs";
        assert_eq!(portable(std), "library/core/src/hint.rs");
        assert_eq!(portable("/opt/t/lib/rustlib/src/rust/library/std/src/rt.rs"), "library/std/src/rt.rs");
        assert_eq!(portable("/home/u/.cargo/registry/src/index-1/nix-0.1/src/lib.rs"), "registry/nix-0.1/src/lib.rs");
        // The folder of this crate, as cargo tells it to the compiler: not by way of `workspace`.
        assert_eq!(portable(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")), "crates/inspect/src/lib.rs");
        assert_eq!(
            portable(concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/src/a.rs")),
            "crates/inspect/../../xtask/src/a.rs"
        );
        // A folder beside the workspace whose name begins like the workspace's is elsewhere.
        let beside = env!("CARGO_MANIFEST_DIR").replace("/crates/inspect", "-other/crates/a/src/b.rs");
        assert_eq!(portable(&beside), "b.rs");
        assert_eq!(portable("crates/a/src/b.rs"), "crates/a/src/b.rs");
        assert_eq!(portable("/opt/zig/lib/libc/musl/src/select/poll.c"), "musl/src/select/poll.c");
        assert_eq!(portable("/build/musl-1.2.5/src/thread/i386/clone.s"), "musl/src/thread/i386/clone.s");
        assert_eq!(portable("/home/u/muslin/src/poll.c"), "poll.c");
        assert_eq!(portable("/build/glibc/nptl/lowlevellock.c"), "lowlevellock.c");
    }

    #[test]
    fn names_lose_their_hash() {
        assert_eq!(demangled("_ZN4core4hint9spin_loop17h0123456789abcdefE"), "core::hint::spin_loop");
        assert_eq!(demangled("pthread_mutex_lock"), "pthread_mutex_lock");
    }

    #[test]
    fn names_of_cpp_lose_their_parameters() {
        assert_eq!(demangled("_ZN5cache6lookupEi"), "cache::lookup");
        assert_eq!(demangled("_ZNSt5mutex4lockEv"), "std::mutex::lock");
        assert_eq!(demangled("_Znot_a_name"), "_Znot_a_name");
    }

    #[test]
    fn names_lose_the_arguments_of_their_generics() {
        for (full, short) in [
            ("run<core::iter::Peekable<std::env::ArgsOs>>", "run"),
            ("a::Writer<W,P>::append", "a::Writer::append"),
            ("<a::SemaNote<S,L> as a::Note>::sleep", "<a::SemaNote as a::Note>::sleep"),
            ("section<fn(u8) -> u8, {closure_env#0}<B>>", "section"),
            ("f::<u8>", "f"),
            ("f::<u8>::{{closure}}", "f::{{closure}}"),
            ("{closure#0}<T>", "{closure#0}"),
            ("operator<", "operator"),
        ] {
            assert_eq!(demangled(full), short, "{full}");
        }
    }
}
