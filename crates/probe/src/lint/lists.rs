//! What the lists of async-signal-safe functions say about a symbol, as a linker or a loader spells it.

use sigproof_inspect::rules::name::Name;
use sigproof_inspect::rules::safety;

/// What the lists say about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It is async-signal-safe.
    Safe,
    /// It is known not to be.
    Unsafe,
    /// It is on no list, and is a bare system call or keeps no state.
    Bare,
    /// Nothing.
    Neither,
}

/// Ends of names that a libc gives to implementations of one function for different processors.
const VARIANTS: &[&str] = &["_avx", "_sse", "_evex", "_erms", "_unaligned", "_ssse", "_generic", "_ifunc"];

/// Helpers that a compiler or a loader calls by itself, and that take no lock once symbols are bound.
const HELPERS: &[&str] = &[
    "errno_location",
    "stack_chk_fail",
    "tls_get_addr",
    "pthread_enable_asynccancel",
    "pthread_disable_asynccancel",
    "syscall_cancel",
    "restore_rt",
    "setjmp",
    "sigsetjmp",
    "sigjmp_save",
    "longjmp_chk",
    "sigprocmask",
    "longjmp_unwind",
];

/// Beginnings of names that a libc gives to a function for a version of the C language.
const EDITIONS: &[&str] = &["isoc99_", "isoc23_", "xpg_", "posix_"];

/// What the lists say about a function of this name.
pub fn listed(symbol: &str) -> Listed {
    let name = Name::of(symbol);
    let key = name.key.as_str();
    let mut plain = VARIANTS.iter().filter_map(|end| key.find(end)).min().map_or(key, |at| &key[..at]);
    // POSIX.1-2024 has added the one, and removed the other: it takes the allocator's locks.
    if symbol == "_Fork" {
        return Listed::Safe;
    }
    let is_helper = |name: &Name| HELPERS.contains(&name.key.as_str());
    // As it stands; then without what a compiler's checks, large files or an edition of C add to it.
    loop {
        if plain == "fork" {
            return Listed::Unsafe;
        }
        let known = Name::of(plain);
        if safety::is_safe(&known) || is_helper(&known) {
            return Listed::Safe;
        }
        if safety::is_unsafe(&known) {
            return Listed::Unsafe;
        }
        if safety::is_bare(&known) {
            return Listed::Bare;
        }
        let less = plain.strip_suffix("_chk").or_else(|| plain.strip_suffix("64"));
        let less = less.or_else(|| EDITIONS.iter().find_map(|start| plain.strip_prefix(start)));
        match less.filter(|less| less.len() > 2) {
            Some(less) => plain = less,
            None => break,
        }
    }
    if safety::is_unsafe(&name) { Listed::Unsafe } else { Listed::Neither }
}

/// Libraries whose functions are on the lists, or on none.
pub fn is_system(object: &str) -> bool {
    const SYSTEM: &[&str] = &[
        "libc.",
        "libc-",
        "ld-",
        "libpthread",
        "librt",
        "libdl",
        "libresolv",
        "libstdc++",
        "libgcc_s",
        "libm.",
        "libmvec.",
        "libutil.",
        "libcrypt.",
        "libnsl.",
        "libanl.",
    ];
    SYSTEM.iter().any(|name| object.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("write", Listed::Safe)]
    #[case("__memcpy_avx_unaligned_erms", Listed::Safe)]
    #[case("__strlen_avx2", Listed::Safe)]
    #[case("__errno_location", Listed::Safe)]
    #[case("__read_chk", Listed::Safe)]
    #[case("__strncpy_chk", Listed::Safe)]
    #[case("open64", Listed::Safe)]
    #[case("fork", Listed::Unsafe)]
    #[case("_Fork", Listed::Safe)]
    #[case("_exit", Listed::Safe)]
    #[case("exit", Listed::Unsafe)]
    #[case("syslog", Listed::Unsafe)]
    #[case("__syslog_chk", Listed::Unsafe)]
    #[case("__printf_chk", Listed::Unsafe)]
    #[case("__snprintf_chk", Listed::Unsafe)]
    #[case("__isoc99_sscanf", Listed::Unsafe)]
    #[case("_Znwm", Listed::Unsafe)]
    #[case("__vsyslog_internal", Listed::Unsafe)]
    #[case("malloc", Listed::Unsafe)]
    #[case("mmap64", Listed::Bare)]
    #[case("gettid", Listed::Bare)]
    #[case("strtol", Listed::Neither)]
    #[case("on_alarm", Listed::Neither)]
    fn lists(#[case] name: &str, #[case] expected: Listed) {
        assert_eq!(listed(name), expected);
    }
}
