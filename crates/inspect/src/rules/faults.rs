//! The functions in which a program ends itself, and why.

use std::sync::OnceLock;

use super::name::Name;
use super::table::{Table, Words, words};

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A function that sends a signal to the process itself: the cause stands further out.
    Raise,
    /// A check has failed; the text says which.
    Check(&'static str),
}

/// Functions of C and of runtimes.
const C: Table<End> = &[
    (
        End::Raise,
        "\
        raise abort kill tgkill tkill pthread_kill pthread_kill_implementation pthread_kill_internal \
        gsignal libc_kill thr_kill lwp_kill abort_msg rt_tgsigqueueinfo sigqueue exit_group Exit \
        libc_do_syscall_abort",
    ),
    (
        End::Check("the allocator found its data damaged"),
        "\
        libc_message malloc_printerr malloc_printerr_tail libc_fatal malloc_error_break szone_error \
        malloc_report malloc_vreport malloc_zone_error tiny_free_list_remove_ptr_error zone_error \
        ptmalloc_error",
    ),
    (
        End::Check("a thread took an unfair lock that it holds already"),
        "\
        os_unfair_lock_recursive_abort os_unfair_lock_corruption_abort os_lock_recursive_abort \
        os_unfair_lock_unowned_abort",
    ),
    (
        End::Check("a check of libc failed"),
        "\
        stack_chk_fail fortify_fail chk_fail fortify_fatal",
    ),
    (
        End::Check("an assertion failed"),
        "\
        assert_fail assert_rtn assert assert_perror_fail assert2 assert_fail_base g_assertion_message \
        g_assertion_message_expr Assert assfail ExceptionalCondition PyDebug_fatal DebugAssert eassert",
    ),
    (
        End::Check("the Go runtime stopped the program"),
        "\
        runtime.throw runtime.fatalthrow runtime.fatal runtime.fatalthrow.func1 runtime.badsignal \
        runtime.badsignal2 runtime.badmorestackg0 runtime.badmorestackgsignal runtime.morestack \
        runtime.abort runtime.badctxt runtime.throw.func1 runtime.nosplit_overflow runtime.noSignalStack \
        runtime.sigNotOnStack",
    ),
    (
        End::Check("a Go panic"),
        "\
        runtime.gopanic runtime.panicmem runtime.goPanicIndex runtime.panicdivide runtime.panicwrap",
    ),
    (
        End::Check("a Rust panic"),
        "\
        rust_panic rust_begin_unwind rust_panic_with_hook rust_start_panic panic_abort",
    ),
    (
        End::Check("an exception that nothing catches"),
        "\
        terminate cxa_pure_virtual cxa_call_unexpected cxa_call_terminate clang_call_terminate \
        cxa_bad_cast",
    ),
    (
        End::Check("the dynamic loader stopped the program"),
        "\
        dl_signal_error dl_fatal_printf rtld_fatal",
    ),
    (
        End::Check("the interpreter stopped the program"),
        "\
        Py_FatalError Py_FatalErrorFunc fatal_error fatal_error_exit Py_FatalErrorFormat rb_bug \
        rb_bug_for_fatal_signal rb_fatal",
    ),
    (
        End::Check("libc found a lock damaged"),
        "\
        pthread_tpp_change_priority futex_fatal_error pthread_mutex_lock_error",
    ),
];

/// Whether a function ends the program.
pub fn of(name: &Name) -> Option<End> {
    static WORDS: OnceLock<Words<End>> = OnceLock::new();
    if let Some(end) = WORDS.get_or_init(|| words(C)).get(name.key.as_str()) {
        return Some(*end);
    }
    let check = |text| Some(End::Check(text));
    let path = name.path.as_str();
    if path.starts_with("std::terminate")
        || path.starts_with("__cxxabiv1::__terminate")
        || path.starts_with("std::__terminate")
        || path.starts_with("__gnu_cxx::__verbose_terminate_handler")
    {
        return check("an exception that nothing catches");
    }
    if path.starts_with("core::panicking::")
        || path.starts_with("std::panicking::")
        || path.starts_with("std::process::abort")
        || path.starts_with("std::sys::pal::unix::abort_internal")
        || path.starts_with("std::rt::panic")
    {
        return check("a Rust panic");
    }
    const CHECKS: &[&str] = &[
        "V8_Fatal",
        "FatalProcessOutOfMemory",
        "node::Assert",
        "node::Abort",
        "logging::CheckError",
        "LogMessageFatal",
        "ReportCheckFailure",
        "RawLog",
        "CheckFailed",
        "__sanitizer::Die",
        "__asan::ReportGenericError",
        "OnFatalError",
        "google::LogMessage::Fail",
    ];
    CHECKS.iter().any(|part| path.contains(part)).then_some(End::Check("a check of the program failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_from_their_causes() {
        assert_eq!(of(&Name::of("__GI_raise")), Some(End::Raise));
        assert!(matches!(of(&Name::of("malloc_printerr")), Some(End::Check(_))));
        assert!(matches!(of(&Name::of("std::terminate()")), Some(End::Check(_))));
        assert_eq!(of(&Name::of("malloc")), None);
    }
}
