//! What a lock inside the C library guards, by the functions that wait for it.

use crate::diagnose::{Frame, ResourceKind};

/// Functions of the C library that take a lock of its own, and what it guards. The innermost one decides; a
/// name that ends in `*` is the beginning of one.
const GUARDS: &[(&str, &[&str])] = &[
    (
        "malloc's arena",
        &[
            "malloc",
            "calloc",
            "realloc",
            "free",
            "cfree",
            "memalign",
            "int_malloc",
            "int_free*",
            "arena_get2*",
            "arena_get_retry",
            "tcache_init*",
            "mid_memalign",
            "libc_malloc",
            "libc_free",
            "malloc_*",
            "mallopt",
        ],
    ),
    (
        "a stream",
        &[
            "flockfile",
            "funlockfile",
            "IO_*",
            "fwrite*",
            "fread*",
            "fputs*",
            "fputc*",
            "putc*",
            "puts",
            "getc*",
            "fgets*",
            "fgetc*",
            "printf*",
            "fprintf*",
            "vfprintf*",
            "fflush*",
            "fclose",
            "fseek*",
            "ftell*",
            "getline",
            "getdelim",
            "perror",
            "lockfile",
        ],
    ),
    ("the loader", &["dl_*", "dlopen*", "dlsym*", "dlclose*", "dlerror*", "rtld_*"]),
    ("the time zone", &["tz_convert", "tzset*", "localtime*", "gmtime*", "mktime*", "strftime*", "timelocal"]),
    ("the environment", &["setenv", "unsetenv", "putenv", "clearenv", "add_to_environ"]),
    ("exit", &["exit", "run_exit_handlers", "cxa_atexit", "on_exit", "internal_atexit", "atexit", "cxa_finalize"]),
    ("the random numbers", &["random", "srandom", "rand", "srand", "initstate", "setstate"]),
    ("syslog", &["syslog*", "vsyslog*", "openlog", "closelog"]),
    ("the handlers of fork", &["run_fork_handlers", "register_atfork", "pthread_atfork", "run_prefork_handlers"]),
    ("the locale", &["setlocale", "newlocale", "freelocale", "duplocale", "nl_*"]),
    ("the resolver", &["getaddrinfo", "gethostby*", "res_*", "nss_*", "getpw*", "getgr*"]),
    ("the threads' stacks", &["pthread_create*", "nptl_*", "allocate_stack", "deallocate_stack"]),
];

/// Functions that wait for any lock.
const WAIT: &[&str] = &["lll_", "futex", "syscall", "pthread_mutex_", "GI_"];

/// What the lock guards that these functions, the innermost first, wait for: the first one that waits for it
/// in particular decides, or the ones of the library that have called it.
pub(super) fn guards(frames: &[Frame]) -> Option<&'static str> {
    for frame in frames.iter().filter(|frame| !frame.signal_frame).take(super::waits::WAITER_DEPTH) {
        let of_library =
            frame.object.as_ref().is_none_or(|object| object.starts_with("libc") || object.starts_with("ld-"));
        let Some(name) = frame.symbol.as_deref() else { if of_library { continue } else { return None } };
        if let Some(guards) = guarded_by(name) {
            return Some(guards);
        }
        let plain = name.trim_start_matches('_');
        if !of_library && !WAIT.iter().any(|wait| plain.starts_with(wait)) {
            return None;
        }
    }
    None
}

fn guarded_by(function: &str) -> Option<&'static str> {
    let function = function.trim_start_matches('_');
    let is = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(beginning) => function.starts_with(beginning),
        None => function == *pattern,
    };
    GUARDS.iter().find(|(_, functions)| functions.iter().any(is)).map(|(guards, _)| *guards)
}

/// Whether they wait for the lock of a stream.
pub(super) fn of_stream(frames: &[Frame]) -> bool {
    guards(frames) == Some("a stream")
}

/// The name of a lock: what it guards if it is the C library's own, and the variable that holds it.
pub(super) fn name(kind: ResourceKind, frames: &[Frame], variable: Option<String>) -> Option<String> {
    let of_loader = kind == ResourceKind::Mutex && guards(frames) == Some("the loader");
    if kind != ResourceKind::LibcLock && !of_loader {
        return variable;
    }
    match (guards(frames), variable) {
        (Some(guards), Some(variable)) => Some(format!("of {guards} ({variable})")),
        (Some(guards), None) => Some(format!("of {guards}")),
        (None, variable) => variable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lock_guards() {
        let of = |names: &[&str]| {
            let frame = |name: &&str| Frame { symbol: Some((*name).to_owned()), ..Frame::default() };
            guards(&names.iter().map(frame).collect::<Vec<_>>())
        };
        assert_eq!(of(&["__lll_lock_wait_private", "_int_malloc", "malloc", "a"]), Some("malloc's arena"));
        assert_eq!(of(&["__lll_lock_wait_private", "puts", "a"]), Some("a stream"));
        assert_eq!(of(&["__lll_lock_wait_private", "__tz_convert", "localtime_r"]), Some("the time zone"));
        assert_eq!(of(&["__lll_lock_wait", "pthread_mutex_lock", "dl_iterate_phdr"]), Some("the loader"));
        assert_eq!(of(&["__lll_lock_wait", "pthread_mutex_lock", "update"]), None);
        let own = Frame { symbol: Some("callback".to_owned()), object: Some("a.out".to_owned()), ..Frame::default() };
        let library = |name: &str| Frame {
            symbol: Some(name.to_owned()),
            object: Some("libc.so.6".to_owned()),
            ..Frame::default()
        };
        let frames = [library("__lll_lock_wait"), library("pthread_mutex_lock"), own, library("dl_iterate_phdr")];
        assert_eq!(guards(&frames), None, "the lock of a function that the library has called");
    }
}
