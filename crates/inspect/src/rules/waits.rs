//! The functions that wait, and what for.
//!
//! Sources: the symbol tables and sources of glibc 2.12 to 2.43 (`nptl/`, `sysdeps/`), LinuxThreads, musl
//! 1.2, bionic, Apple's Libc, libpthread and libplatform, FreeBSD's libthr, illumos' libc, Go's `runtime`,
//! Rust's std, parking_lot, abseil, tcmalloc, jemalloc, V8, HotSpot, CPython.

use std::sync::OnceLock;

use super::name::Name;
use super::table::{Table, Words, words};

/// What a function waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The kernel's part of a wait: a futex, a port, a parked thread. The caller says what for.
    Kernel,
    /// A lock, which somebody holds.
    Lock,
    /// A turn of a spin lock: no sleep in the kernel.
    Spin,
    /// A condition variable, or an event.
    Condition,
    /// A note of Go's runtime.
    Note,
    /// A channel of Go's.
    Channel,
    /// A count of a semaphore.
    Semaphore,
    /// The other threads of a barrier.
    Barrier,
    /// An initialisation that another call has begun.
    Once,
    /// The end of a thread.
    Join,
    /// The end of a child process.
    Child,
    /// Data, or a connection.
    Input,
    /// Room for data.
    Output,
    /// A signal of any kind.
    Signal,
    /// An end of a sleep.
    Sleep,
}

impl Wait {
    /// In words, behind "waits for".
    pub fn what(self) -> &'static str {
        match self {
            Self::Kernel => "a futex",
            Self::Lock => "a lock",
            Self::Spin => "a spin lock",
            Self::Condition => "a condition variable",
            Self::Note => "a note of the Go runtime",
            Self::Channel => "a channel",
            Self::Semaphore => "a semaphore",
            Self::Barrier => "a barrier",
            Self::Once => "the end of an initialisation",
            Self::Join => "the end of a thread",
            Self::Child => "the end of a child process",
            Self::Input => "data",
            Self::Output => "room for data",
            Self::Signal => "a signal",
            Self::Sleep => "a time",
        }
    }

    /// Whether somebody holds what is waited for.
    pub fn is_held(self) -> bool {
        matches!(self, Self::Lock | Self::Spin | Self::Once)
    }
}

/// What the function with this name waits for; `None` for a function that does not wait itself.
pub fn of(name: &Name) -> Option<Wait> {
    let key = name.key.as_str();
    if key.contains("::") {
        return of_path(name);
    }
    if let Some(rest) = key.strip_prefix("runtime.") {
        return of_go(rest);
    }
    of_c(key)
}

fn of_c(key: &str) -> Option<Wait> {
    static WORDS: OnceLock<Words<Wait>> = OnceLock::new();
    let numbered = ["L_lock_", "L_cond_lock_", "L_mutex_lock_", "L_robust_lock_"];
    if numbered.iter().any(|start| key.starts_with(start)) {
        return Some(Wait::Lock);
    }
    let found = WORDS.get_or_init(|| words(C)).get(key).copied();
    found.or_else(|| (key.starts_with("futex_") && key.contains("wait")).then_some(Wait::Kernel))
}

/// Functions of C, without leading underscores.
const C: Table<Wait> = &[
    (
        Wait::Kernel,
        "\
        futex futex_wait futex_wait_cancelable futex_wait_simple futex_abstimed_wait futex_abstimed_wait64 \
        futex_abstimed_wait_cancelable futex_abstimed_wait_cancelable64 futex_abstimed_wait_common \
        futex_abstimed_wait_common64 futex_reltimed_wait futex_reltimed_wait_cancelable futex_wait_ex \
        do_futex_wait do_futex_wait.constprop futex_wait_queue futex_wait_queue_me futex_syscall3 \
        futexwait syscall3 syscall4 syscall5 futex_syscall4 syscall syscall6 internal_syscall internal_syscall_cancel syscall_cancel_arch \
        syscall_cancel_arch_end syscall_cancel kernel_vsyscall syscall_cp syscall_cp_asm syscall_cp_c \
        sccp syscall_cp_end cp_end wait timedwait timedwait_cp ulock_wait ulock_wait2 umtx_op umtx_op_err \
        umtx_wait futex4_cp futex4 sys_futex futex_wait_time64 lwp_park lwp_wait thrsleep thr_sleep mach_msg_trap mach_msg2_trap mach_msg_overwrite \
        mach_msg mach_msg2_internal workq_kernreturn bsdthread_ctl futex_call fast_futex_wait do_sigwait \
        pthread_park lll_timedwait park_thread INT_sysenter KiFastSystemCallRet",
    ),
    (
        Wait::Lock,
        "\
        lll_lock_wait_private lll_lock_wait lll_lock lll_mutex_lock_optimized pthread_mutex_lock_with_timeout \
        pthread_rwlock_timedrdlock_full pthread_rwlock_wrlock_full64 lll_cond_wait lll_timedlock_wait lll_robust_lock_wait \
        lll_lock_elision lll_mutex_lock_wait lll_clocklock_wait psynch_mutexwait psynch_rw_wrlock \
        psynch_rw_rdlock psynch_rw_longrdlock pthread_mutex_lock pthread_mutex_lock_full \
        pthread_mutex_lock_wait pthread_mutex_lock_slow pthread_mutex_firstfit_lock_wait \
        pthread_mutex_firstfit_lock_slow pthread_mutex_ulock_lock pthread_mutex_fairshare_lock_wait \
        pthread_mutex_fairshare_lock_slow pthread_mutex_lock_init_slow pthread_mutex_timedlock \
        pthread_mutex_clocklock pthread_mutex_cond_lock pthread_mutex_droplock pthread_rwlock_rdlock \
        pthread_rwlock_wrlock pthread_rwlock_timedrdlock pthread_rwlock_rdlock_full \
        pthread_rwlock_wrlock_full pthread_rwlock_rdlock_slow pthread_rwlock_wrlock_slow \
        pthread_rwlock_lock_slow pthread_rwlock_rdlock_full64 pthread_rwlock_wrlock_full64 \
        pthread_rwlock_lock_wait pthread_lock pthread_alt_lock mtx_lock thrd_mtx_lock mutex_lock \
        mutex_lock_impl mutex_lock_queue mutex_lock_internal mutex_lock_common mutex_lock_sleep \
        thr_umutex_lock thr_umutex_lock_spin thr_rwlock_rdlock thr_rwlock_wrlock rw_lock rwlock_lock \
        lwp_mutex_timedlock lwp_mutex_lock os_unfair_lock_lock os_unfair_lock_lock_slow \
        os_unfair_lock_lock_with_options os_unfair_lock_lock_with_flags \
        os_unfair_recursive_lock_lock_with_options os_lock_lock os_lock_unfair_lock os_lock_unfair_lock_slow \
        os_lock_handoff_lock os_lock_handoff_lock_slow os_ulock_lock objc_sync_enter lock lockfile \
        recursive_mutex_lock cxa_guard_mutex gthread_mutex_lock gthrw_pthread_mutex_lock \
        gthread_recursive_mutex_lock gthread_active_p uv_mutex_lock uv_rwlock_rdlock uv_rwlock_wrlock \
        g_mutex_lock g_mutex_lock_slowpath g_rec_mutex_lock g_static_rec_mutex_lock PR_Lock PR_EnterMonitor \
        RtlEnterCriticalSection RtlpEnterCriticalSection RtlpWaitForCriticalSection EnterCriticalSection \
        sqlite3_mutex_enter pthreadMutexEnter SDL_LockMutex je_malloc_mutex_lock_slow malloc_mutex_lock_slow \
        je_malloc_mutex_lock malloc_mutex_lock malloc_mutex_lock_final mono_os_mutex_lock \
        mono_coop_mutex_lock qemu_mutex_lock_impl qemu_mutex_lock_iothread_impl CRYPTO_THREAD_write_lock \
        CRYPTO_THREAD_read_lock apr_thread_mutex_lock thread_mutex_lock unix_mutex_lock my_mutex_lock \
        inline_mysql_mutex_lock safe_mutex_lock GC_lock GC_generic_lock GC_acquire_mark_lock take_gil \
        PyThread_acquire_lock PyThread_acquire_lock_timed PyThread_acquire_lock_timed_with_retries \
        PyMutex_LockTimed PyMutex_LockSlow PyParkingLot_Park rb_mutex_lock rb_nativethread_lock_lock \
        rb_native_mutex_lock native_mutex_lock gvl_acquire thread_sched_to_running \
        caml_thread_leave_blocking_section caml_plat_lock_blocking st_masterlock_acquire flockfile \
        ftrylockfile IO_flockfile lock_file LWLockAcquire PGSemaphoreLock scudo_mutex_lock absl_lock \
        AbslInternalSpinLockDelay jl_mutex_lock jl_mutex_wait jl_mutex_lock_nogc uv_key_lock PALLOC_LOCK",
    ),
    (
        Wait::Spin,
        "\
        pthread_spin_lock OSSpinLockLock OSSpinLockLockSlow OSSpinLockLock$VARIANT$mp spin_lock os_spin_lock \
        os_lock_spin_lock sched_yield swtch_pri swtch thread_switch syscall_thread_switch s_lock \
        perform_spin_delay pthread_yield os_lock_handoff_spin spin_lock_slowpath SwitchToThread cpu_relax \
        spinlock_lock mi_atomic_yield",
    ),
    (
        Wait::Condition,
        "\
        pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait pthread_cond_wait_common \
        pthread_cond_timedwait64 pthread_cond_timedwait_relative_np psynch_cvwait cond_wait cond_wait_common \
        cond_wait_queue cond_timedwait cnd_wait lwp_cond_wait cond_wait_user cond_wait_kernel thr_ucond_wait \
        uv_cond_wait uv_cond_timedwait g_cond_wait g_cond_wait_until PR_WaitCondVar qemu_cond_wait_impl \
        PyCOND_TIMEDWAIT pthread_wait_for_restart_signal pthread_suspend event_wait dispatch_group_wait \
        dispatch_sync_wait dispatch_sync_f_slow DISPATCH_WAIT_FOR_QUEUE dispatch_thread_event_wait_slow \
        dispatch_block_wait rb_native_cond_wait native_cond_wait native_sleep apr_thread_cond_wait \
        ZwWaitForAlertByThreadId ZwWaitForKeyedEvent",
    ),
    (
        Wait::Semaphore,
        "\
        sem_wait sem_timedwait sem_clockwait new_sem_wait new_sem_wait_slow new_sem_wait_slow64 \
        sem_wait_common old_sem_wait sem_wait_fallback semop semtimedop semaphore_wait_trap semaphore_wait \
        semaphore_timedwait_trap semaphore_timedwait semaphore_wait_signal_trap semaphore_wait_signal \
        semwait_signal dispatch_semaphore_wait dispatch_semaphore_wait_slow dispatch_sema4_wait uv_sem_wait \
        mono_os_sem_wait sema_wait qemu_sem_wait os_semaphore_wait NtWaitForSingleObject \
        ZwWaitForSingleObject WaitForSingleObject WaitForSingleObjectEx WaitForMultipleObjects \
        WaitForMultipleObjectsEx ZwWaitForMultipleObjects",
    ),
    (
        Wait::Barrier,
        "\
        pthread_barrier_wait uv_barrier_wait",
    ),
    (
        Wait::Once,
        "\
        pthread_once pthread_once_slow call_once cxa_guard_acquire cxa_guard_acquire_pthread \
        dispatch_once_wait dispatch_once_f_slow os_once_wait dispatch_once_f",
    ),
    (
        Wait::Join,
        "\
        pthread_join pthread_timedjoin_ex pthread_clockjoin_ex pthread_timedjoin_np thrd_join join \
        uv_thread_join pthread_clockjoin_np lll_wait_tid lll_timedwait_tid thr_join apr_thread_join",
    ),
    (
        Wait::Child,
        "\
        wait3 wait4 waitpid waitid wait4_internal do_waitid",
    ),
    (
        Wait::Input,
        "\
        read pread pread64 readv recv recvfrom recvmsg recvmmsg accept accept4 connect poll ppoll select \
        pselect pselect6 select_internal new_select newselect epoll_wait epoll_pwait epoll_pwait2 kevent \
        kevent64 kevent_qos kevent_id port_getn getmsg io_getevents io_uring_enter msgrcv poll_chk getrandom \
        libc_poll flock fcntl_setlkw lockf open_fifo",
    ),
    (
        Wait::Output,
        "\
        write pwrite pwrite64 writev send sendto sendmsg msgsnd fsync fdatasync tcdrain",
    ),
    (
        Wait::Signal,
        "\
        pause sigsuspend sigsuspend_internal rt_sigsuspend sigwait sigwaitinfo sigtimedwait rt_sigtimedwait \
        sigsuspend$NOCANCEL sigpause ptrace_stop",
    ),
    (
        Wait::Sleep,
        "\
        sleep usleep nanosleep nanosleep_nocancel clock_nanosleep clock_nanosleep_time64 clock_nanosleep_2 \
        thrd_sleep pthread_delay_np g_usleep Sleep SleepEx ZwDelayExecution NtDelayExecution",
    ),
];

fn of_go(name: &str) -> Option<Wait> {
    static WORDS: OnceLock<Words<Wait>> = OnceLock::new();
    WORDS.get_or_init(|| words(GO)).get(name).copied()
}

/// Functions of Go's runtime, without `runtime.`. `semasleep` stands below locks and below notes, so its
/// caller decides.
const GO: Table<Wait> = &[
    (
        Wait::Kernel,
        "\
        futex futex.abi0 futexsleep futexsleep1 semasleep semasleep1 semasleep.func1 pthread_cond_wait \
        pthread_cond_wait_trampoline pthread_cond_timedwait_relative_np \
        pthread_cond_timedwait_relative_np_trampoline libcCall asmcgocall asmcgocall.abi0 systemstack_switch \
        systemstack mach_semaphore_wait gopark goparkunlock park_m mcall lwp_park thrsleep umtx_op \
        sys_umtx_op entersyscallblock notetsleep_internal.func1 futexsleep.func1",
    ),
    (
        Wait::Lock,
        "\
        lock lock2 lockWithRank lock2.func1 (*mLockProfile).captureStack (*rwmutex).rlock (*rwmutex).lock",
    ),
    (
        Wait::Spin,
        "\
        procyield osyield osyield_no_g procyieldAsm usleep usleep_no_g usleep_trampoline",
    ),
    (
        Wait::Note,
        "\
        notesleep notetsleep notetsleepg notetsleep_internal mPark stopm findrunnable findRunnable schedule \
        sigNoteSleep (*profBuf).read",
    ),
    (
        Wait::Channel,
        "\
        selectgo chanrecv chanrecv1 chanrecv2 chansend chansend1 block",
    ),
    (
        Wait::Semaphore,
        "\
        semacquire semacquire1 sync_runtime_Semacquire",
    ),
    (
        Wait::Input,
        "\
        netpoll netpollblock epollwait kevent epollwait.abi0 kevent_trampoline",
    ),
    (
        Wait::Sleep,
        "\
        timeSleep",
    ),
];

/// Names with scopes: the class and the function decide.
fn of_path(name: &Name) -> Option<Wait> {
    let path = name.path.as_str();
    let last = name.last();
    // Under every lock of parking_lot: who asked decides.
    if path.trim_start_matches('<').starts_with("parking_lot_core::") {
        return Some(Wait::Kernel);
    }
    let mut scopes = path.rsplit("::").skip(1);
    let (scope, outer) = (scopes.next().unwrap_or_default(), scopes.next().unwrap_or_default());
    let lower = scope.to_ascii_lowercase();
    let outer_lower = outer.to_ascii_lowercase();
    let about = |words: &[&str]| words.iter().any(|word| lower.contains(word) || outer_lower.contains(word));
    let locks = about(&["mutex", "lock", "critical", "monitor"]) || matches!(scope, "unique_lock");
    match last {
        "lock_contended"
        | "lock_slow"
        | "LockSlow"
        | "LockSlowLoop"
        | "SlowLock"
        | "lock_exclusive_slow"
        | "lock_shared_slow"
        | "LockSlowCommon"
        | "lockSlow"
        | "lockSlowImpl"
        | "MutexLockWithTimeout"
        | "acquire_slow"
        | "read_contended"
        | "write_contended"
        | "lockInternal"
        | "lock_without_safepoint_check"
        | "lock_shared_contended"
        | "IWait"
        | "ILock"
        | "wait_for_readers"
        | "rlock_contended" => Some(if locks || path.contains("Lock") { Wait::Lock } else { Wait::Kernel }),
        "SpinLoop" | "SpinLockDelay" | "spin_loop" | "backoff" | "yield_now" | "yield" | "SpinPause" => {
            Some(Wait::Spin)
        }
        "lock" | "Lock" | "lock_shared" | "ReaderLock" | "WriterLock" | "LockImpl" | "Acquire" | "acquire"
        | "AcquireImpl" | "LockExclusive" | "LockShared" | "ExclusiveLock" | "SharedLock" | "lock_exclusive"
        | "lockForWrite" | "lockForRead" | "Enter" | "enter" | "read" | "write" | "EnterMonitor" | "MutexLock"
        | "scoped_lock" | "ScopedLock" | "AutoLock" | "Locker" | "do_lock" | "spin_acquire" | "LockWhen"
        | "lock_full" => locks.then_some(Wait::Lock),
        "LockGuard"
        | "lock_guard"
        | "unique_lock"
        | "MutexLocker"
        | "MutexLockerEx"
        | "ScopedMutexLock"
        | "MutexLockerImpl"
        | "AbslMutexLock"
        | "ScopedCriticalSection"
        | "SpinLockHolder"
        | "CritScope"
        | "QMutexLocker"
        | "GenericScopedLock"
        | "MutexGuard"
            if scope == last =>
        {
            Some(Wait::Lock)
        }
        "wait"
        | "Wait"
        | "wait_until"
        | "wait_for"
        | "WaitUntil"
        | "WaitFor"
        | "TimedWait"
        | "wait_impl"
        | "do_wait_until"
        | "wait_optional_timeout"
        | "wait_timeout"
        | "wait_once"
        | "Await"
        | "wait_no_relink"
        | "WaitForever"
        | "wait_until_internal"
        | "do_wait" => {
            if about(&[
                "condition",
                "condvar",
                "cond_var",
                "event",
                "future",
                "latch",
                "waiter",
                "notification",
                "promise",
                "waitcond",
                "parker",
                "threadpark",
            ]) {
                Some(Wait::Condition)
            } else if about(&["sem"]) {
                Some(Wait::Semaphore)
            } else if about(&["barrier"]) {
                Some(Wait::Barrier)
            } else if about(&["command", "process", "child"]) {
                Some(Wait::Child)
            } else if about(&["futex"]) {
                Some(Wait::Kernel)
            } else {
                None
            }
        }
        "futex_wait"
        | "park"
        | "park_timeout"
        | "park_until"
        | "_park"
        | "parkConditionallyImpl"
        | "parkConditionally"
        | "Park"
        | "WaitOnAddress"
        | "platform_park"
        | "FutexWait"
        | "futexWait"
        | "futexWaitImpl"
        | "nativeFutexWaitImpl"
        | "atomic_wait"
        | "__atomic_wait"
        | "_M_do_wait"
        | "__platform_wait"
        | "WaitUntilImpl"
        | "__libcpp_thread_poll_with_backoff"
        | "internal_futex" => {
            Some(if path.starts_with("std::thread") || last.starts_with("park") && path.contains("thread::") {
                Wait::Condition
            } else {
                Wait::Kernel
            })
        }
        "call" | "call_inner" | "call_once_slow" | "call_once_force" | "call_once" | "CallOnceImpl" | "CallOnce"
        | "initialize" | "WaitForInstance" | "initialize_or_wait" => about(&["once"]).then_some(Wait::Once),
        "join" | "Join" | "_S_join" => about(&["thread", "joinhandle", "native"]).then_some(Wait::Join),
        "sleep"
        | "Sleep"
        | "sleep_for"
        | "sleep_until"
        | "naked_sleep"
        | "naked_short_sleep"
        | "naked_short_nanosleep" => Some(Wait::Sleep),
        "poll" | "epoll_wait" if about(&["sys", "epoll", "mio", "selector"]) => Some(Wait::Input),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
