//! Per-thread storage, through a macro so that a model checker's threads can have theirs.
//!
//! Not async-signal-safe: the first touch in a thread may allocate and registers a destructor. Nothing that a signal handler reaches may
//! use it (rust-lang/rust#133698 is what happens otherwise).

/// Declares per-thread statics with the syntax of `std::thread_local!`. For crates that have std.
#[macro_export]
macro_rules! per_thread {
    ($($declaration:tt)*) => {
        ::std::thread_local! { $($declaration)* }
    };
}

/// Lets another thread run, if one wants to. Async-signal-safe on Linux (a bare system call).
pub fn yield_now() {
    // SAFETY: no arguments; its only failure is a platform that lacks it, which is no harm.
    unsafe { libc::sched_yield() };
}
