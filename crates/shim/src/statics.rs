//! Macros for what a model has differently: constructors that run at compile time, statics of the process,
//! statics of a thread, a lock that `core` does not have.

/// Defines functions that are `const`, but for models, whose atomics are registered with the checker when
/// they are made.
#[cfg(not(any(loom, sigproof_graph)))]
#[macro_export]
macro_rules! const_fn {
    ($($(#[$meta:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty $body:block)+) => {
        $($(#[$meta])* $visibility const fn $name($($argument: $type),*) -> $result $body)+
    };
}

/// Defines functions that are `const`, but for models, whose atomics are registered with the checker when
/// they are made.
#[cfg(any(loom, sigproof_graph))]
#[macro_export]
macro_rules! const_fn {
    ($($(#[$meta:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty $body:block)+) => {
        $($(#[$meta])* $visibility fn $name($($argument: $type),*) -> $result $body)+
    };
}

/// Defines a function that gives a reference to the process's one value of its kind, made at compile time. In
/// a model each execution has one, made when it is first asked for: let the first thread ask before it starts
/// others, or the making orders them.
#[cfg(not(any(loom, sigproof_graph)))]
#[macro_export]
macro_rules! process_static {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident() -> $type:ty = $value:expr;) => {
        $(#[$meta])*
        $visibility fn $name() -> &'static $type {
            static VALUE: $type = $value;
            &VALUE
        }
    };
}

/// Defines a function that gives a reference to the process's one value of its kind, made at compile time. In
/// a model each execution has one, made when it is first asked for: let the first thread ask before it starts
/// others, or the making orders them.
#[cfg(loom)]
#[macro_export]
macro_rules! process_static {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident() -> $type:ty = $value:expr;) => {
        $(#[$meta])*
        $visibility fn $name() -> &'static $type {
            static VALUE: $crate::loom::lazy_static::Lazy<$type> = $crate::loom::lazy_static::Lazy {
                init: || $value,
                _p: ::core::marker::PhantomData,
            };
            VALUE.get()
        }
    };
}

/// Declares per-thread statics with the syntax of `std::thread_local!`. For crates that have std.
///
/// Not async-signal-safe: the first touch in a thread may allocate and registers a destructor. Nothing that a
/// signal handler reaches may use it (rust-lang/rust#133698 is what happens otherwise).
#[cfg(not(any(loom, sigproof_graph)))]
#[macro_export]
macro_rules! per_thread {
    ($($declaration:tt)*) => {
        ::std::thread_local! { $($declaration)* }
    };
}

/// Declares per-thread statics with the syntax of `std::thread_local!`, one for each thread of a model.
#[cfg(loom)]
#[macro_export]
macro_rules! per_thread {
    ($($(#[$meta:meta])* $visibility:vis static $name:ident: $type:ty = const $value:block;)+) => {
        $crate::loom::thread_local! { $($(#[$meta])* $visibility static $name: $type = $value;)+ }
    };
}

/// Declares per-thread statics with the syntax of `std::thread_local!`, one for each thread of a model.
#[cfg(all(sigproof_graph, not(loom)))]
#[macro_export]
macro_rules! per_thread {
    ($($(#[$meta:meta])* $visibility:vis static $name:ident: $type:ty = const $value:block;)+) => {
        $($(#[$meta])* $visibility static $name: $crate::LocalKey<$type> = $crate::LocalKey::new(|| $value);)+
    };
}

/// Defines a function that gives a reference to the process's one value of its kind, made at compile time. In
/// a model each execution has one, made when it is first asked for: let the first thread ask before it starts
/// others.
#[cfg(all(sigproof_graph, not(loom)))]
#[macro_export]
macro_rules! process_static {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident() -> $type:ty = $value:expr;) => {
        $(#[$meta])*
        $visibility fn $name() -> &'static $type {
            static VALUE: $crate::PerExecution<$type> = $crate::PerExecution::new(|| $value);
            VALUE.get()
        }
    };
}

/// Brings `RwLock` and its guards into scope: std's; `RwLock<()>` is what a model has, too. For crates that
/// have std.
#[cfg(not(any(loom, sigproof_graph)))]
#[macro_export]
macro_rules! use_rw_lock {
    () => {
        use ::std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
    };
}

/// Brings `RwLock` and its guards into scope: simulated ones, of no value.
#[cfg(any(loom, sigproof_graph))]
#[macro_export]
macro_rules! use_rw_lock {
    () => {
        use $crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
    };
}
