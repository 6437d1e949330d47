//! The names of signal frames and of stack roots, and the functions that call nothing of the program.
//!
//! Sources: gdb and its documentation (`<signal handler called>`), glibc
//! (`sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c`: `__restore_rt`), the Linux vDSO
//! (`__kernel_rt_sigreturn` on arm64, `__kernel_sigreturn` on x86 and PowerPC), musl
//! (`src/signal/x86_64/restore.s`: `__restore_rt`), Apple's libplatform (`_sigtramp`), FreeBSD's libthr
//! (`thr_sighandler`), illumos' libc (`sigacthandler`), Go (`runtime.sigtramp`), HotSpot, the sanitizers.

use super::name::Name;
use super::table::listed;

/// How surely a frame is a signal frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Marker {
    /// A symbol that tools print for the restorer when the libc has no debug symbols: the nearest symbol
    /// before it.
    Misnamed,
    /// The frame is a signal frame.
    Shown,
}

/// Whether a frame with this name is a signal frame. `innermost`: nothing stands above it.
pub fn marker(function: &str, name: &Name, innermost: bool) -> Option<Marker> {
    if function.contains("signal handler called") {
        return Some(Marker::Shown);
    }
    let path = name.path.as_str();
    let shown = listed!(
        path,
        "__restore_rt __restore restore_rt __GI___restore_rt __default_rt_sa_restorer __default_sa_restorer \
        __default_rt_sa_restorer_v2 __kernel_rt_sigreturn __kernel_sigreturn __vdso_rt_sigreturn \
        __kernel_sigtramp_rt64 __kernel_sigtramp64 __kernel_sigtramp32 __kernel_start_sigtramp_rt64 _sigtramp \
        __sigtramp sigacthandler __sigacthandler __sigtramp_siginfo_2 __sigtramp_sigcontext runtime.sigtramp \
        runtime.sigtramp.abi0 runtime.sigtrampgo runtime.cgoSigtramp runtime.sighandler runtime.sigfwdgo runtime.sigreturn__sigaction thr_sighandler \
        __sigjmp_tramp _sigtramp_siginfo sigcode __sighandler __rt_sigreturn __sigreturn sigreturn_trampoline \
        rt_sigreturn runtime.sigreturn runtime.sigreturn.abi0"
    );
    // glibc's restorer follows these functions and has no symbol in a stripped library.
    let misnamed = listed!(
        path,
        "killpg __GI_killpg __killpg __sigaction __GI___sigaction sigaction __libc_sigaction __GI___libc_sigaction \
        funlockfile __funlockfile _IO_funlockfile __GI_funlockfile __pthread_sigaction"
    );
    match (shown, misnamed && !innermost) {
        (true, _) => Some(Marker::Shown),
        (false, true) => Some(Marker::Misnamed),
        (false, false) => None,
    }
}

/// Functions of a runtime between the signal frame and the handler that the program has installed.
pub fn is_relay(name: &Name) -> bool {
    listed!(
        name.path.as_str(),
        "\
        runtime.sigfwdgo runtime.sigfwd runtime.sigtrampgo runtime.sighandler runtime.sigtramp \
        runtime.cgoSigtramp runtime.adjustSignalStack runtime.sigtramp.abi0 thr_sighandler \
        call_user_handler sigacthandler __sighndlr sigtramp_user signalHandler javaSignalHandler \
        JVM_handle_linux_signal JVM_handle_bsd_signal rtl_generic_sighandler sighandler \
        CallUserSignalHandler SignalAction chained_handler call_chained_handler jniSignalHandler \
        art_sigsegv_handler"
    ) || listed!(
        name.path.as_str(),
        "__tsan::CallUserSignalHandler __tsan::sighandler SignalHandler art::SignalChain::Handler \
            PosixSignals::chained_handler os::Posix::chained_handler signal_hook_registry::handler \
            uv__signal_handler os::Linux::chained_handler __sanitizer::SignalHandler"
    ) || name.path.starts_with("signal_hook_registry::handler")
}

/// Whether a stack ends with this function.
pub fn is_root(name: &Name) -> bool {
    listed!(
        name.key.as_str(),
        "\
        main libc_start_main libc_start_main_impl libc_start_call_main start_call_main start_main start \
        start_thread clone clone3 thread_start pthread_start pthread_body GI_clone libc_start_main_stage2 \
        pthread_create_start runtime.goexit runtime.sysmon runtime.mstart runtime.mstart0 runtime.mstart1 runtime.rt0_go \
        runtime.main runtime.gcBgMarkWorker runtime.goexit.abi0 runtime.mcall runtime.mstart.abi0 \
        runtime.mstart_stub module bootstrap thread_native_entry java_start start_wqthread wqthread \
        libc_init RtlUserThreadStart BaseThreadInitThunk lwp_start thr_setup thrp_setup process_initialize \
        ld_start dl_start_user NSApplicationMain asan_thread_start std::rt::lang_start \
        std::rt::lang_start_internal java.lang.Thread.run java.lang.Thread.run()V pthread_start_thread \
        pthread_start_thread_event libc_csu_init ret_from_fork app_process_main zygote_main"
    ) || name.path == "<module>"
        || name.path.contains("<module>")
        || name.path.starts_with("created by")
}

/// Functions that call nothing of the program: a function of the program above one of them came by a signal.
pub fn calls_nothing(name: &Name) -> bool {
    listed!(
        name.key.as_str(),
        "\
        int_malloc int_free int_realloc malloc_consolidate unlink_chunk sysmalloc systrim \
        int_free_merge_chunk free_tiny free_small tiny_malloc_from_free_list tiny_malloc_should_clear \
        small_malloc_should_clear szone_malloc_should_clear szone_free tcache_get tcache_put memcpy \
        memmove memset memcmp strlen strcmp strcpy strncpy memchr strchr memcpy_avx_unaligned_erms \
        memmove_avx_unaligned_erms memset_avx2_unaligned_erms poll ppoll select pselect epoll_wait \
        epoll_pwait kevent read write readv writev recvmsg recvfrom recv accept accept4 nanosleep \
        clock_nanosleep pause sigsuspend rt_sigsuspend wait4 waitpid sendto sendmsg pwrite pread openat \
        open64 close fsync munmap mmap mprotect brk psynch_cvwait psynch_mutexwait mach_msg_trap \
        mach_msg2_trap semaphore_wait_trap ulock_wait workq_kernreturn lll_lock_wait lll_lock_wait_private \
        lll_unlock_wake futex_wait futex_abstimed_wait_common futex_wait_cancelable syscall_cancel_arch \
        kernel_vsyscall pthread_cond_wait pthread_cond_timedwait pthread_mutex_lock pthread_mutex_unlock \
        pthread_mutex_unlock_usercnt pthread_mutex_trylock sem_wait new_sem_wait sem_post \
        pthread_cond_signal pthread_cond_broadcast vdso_clock_gettime clock_gettime gettimeofday lwp_park \
        umtx_op semop sched_yield tz_convert offtime getpid"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("<signal handler called>", false, Some(Marker::Shown))]
    #[case("<signal handler called>", true, Some(Marker::Shown))]
    #[case("__restore_rt", false, Some(Marker::Shown))]
    #[case("_sigtramp", false, Some(Marker::Shown))]
    #[case("__kernel_rt_sigreturn", false, Some(Marker::Shown))]
    #[case("runtime.sigtrampgo", false, Some(Marker::Shown))]
    #[case("killpg", false, Some(Marker::Misnamed))]
    #[case("killpg", true, None)]
    #[case("funlockfile", false, Some(Marker::Misnamed))]
    #[case("_L_lock_12", false, None)]
    fn signal_frames_are_known_by_name(#[case] function: &str, #[case] innermost: bool, #[case] known: Option<Marker>) {
        assert_eq!(marker(function, &Name::of(function), innermost), known);
    }
}
