//! Atomics: the engine's, with a signal point before each operation, and a shadow of the value for when the
//! engine cannot be asked.
//!
//! Over execution graphs `compare_exchange_weak` may fail though the value is the expected one; over loom it
//! is the strong one.

use std::fmt;
use std::format;
use std::panic::Location;
use std::string::String;

pub use core::sync::atomic::Ordering;
use core::sync::atomic::Ordering::Relaxed;

use super::below::{self, Made, Readers};
use super::point;
use super::world::{switching, with};
use crate::model::{Access, AccessKind, Role};

/// A compare-and-exchange of the engine, the strong or the weak one.
type Exchange<A, T> = fn(&A, T, T, Ordering, Ordering) -> Result<T, T>;

/// The ordering to use, the site's own or a weaker one.
#[inline]
fn ordering(at: &'static Location<'static>, role: Role, written: Ordering) -> Ordering {
    let Some((ordering, fenced)) = with(|w| (w.ordering(at, role, written), w.is_fenced(at, role).then_some(w.active)))
    else {
        return written;
    };
    if let Some(me) = fenced {
        switching(me, || below::atomic::fence(Ordering::SeqCst));
    }
    ordering
}

#[inline]
fn record(
    at: &'static Location<'static>,
    kind: AccessKind,
    (role, ordering): (Role, Ordering),
    what: impl FnOnce() -> String,
) {
    with(|w| w.record_access(at, Access { kind, role, ordering }, what));
}

/// As the one of `core`.
#[track_caller]
pub fn fence(order: Ordering) {
    let at = Location::caller();
    let Some(me) = point::pass(at) else { return };
    let order = ordering(at, Role::Success, order);
    switching(me, || below::atomic::fence(order));
    record(at, AccessKind::Fence, (Role::Success, order), || format!("fence {order:?}"));
}

macro_rules! atomic {
    ($name:ident, $type:ty, $show:literal, [$($generic:ident)?]) => {
        /// As the one of `core`.
        pub struct $name$(<$generic>)? {
            modelled: below::atomic::$name$(<$generic>)?,
            shadow: core::sync::atomic::$name$(<$generic>)?,
            readers: Readers,
            made: Made,
        }

        impl$(<$generic>)? $name$(<$generic>)? {
            /// A new one. Inside of a model only.
            #[track_caller]
            pub fn new(value: $type) -> Self {
                Self {
                    modelled: below::atomic::$name::new(value),
                    shadow: core::sync::atomic::$name::new(value),
                    readers: Readers::new(),
                    made: Made::here(),
                }
            }

            /// As the one of `core`.
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $type {
                let at = Location::caller();
                let Some(me) = point::pass(at) else { return self.shadow.load(Relaxed) };
                self.made.check(at);
                let order = ordering(at, Role::Success, order);
                self.readers.before_load(me);
                let value = switching(me, || self.modelled.load(order));
                self.readers.after_load(me);
                record(at, AccessKind::Load, (Role::Success, order), || format!(concat!("load {:?} = ", $show), order, value));
                value
            }

            /// As the one of `core`.
            #[track_caller]
            pub fn store(&self, value: $type, order: Ordering) {
                let at = Location::caller();
                let Some(me) = point::pass(at) else { return self.shadow.store(value, Relaxed) };
                self.made.check(at);
                let order = ordering(at, Role::Success, order);
                self.readers.before_write(me);
                switching(me, || self.modelled.store(value, order));
                self.readers.after_write(me);
                self.shadow.store(value, Relaxed);
                record(at, AccessKind::Store, (Role::Success, order), || format!(concat!("store {:?} ", $show), order, value));
            }

            /// As the one of `core`.
            #[track_caller]
            pub fn swap(&self, value: $type, order: Ordering) -> $type {
                let at = Location::caller();
                let Some(me) = point::pass(at) else { return self.shadow.swap(value, Relaxed) };
                self.made.check(at);
                let order = ordering(at, Role::Success, order);
                self.readers.before_write(me);
                let old = switching(me, || self.modelled.swap(value, order));
                self.readers.after_write(me);
                self.shadow.store(value, Relaxed);
                record(at, AccessKind::Update, (Role::Success, order), || {
                    format!(concat!("swap {:?} ", $show, " -> ", $show), order, old, value)
                });
                old
            }

            /// As the one of `core`.
            ///
            /// # Errors
            /// The value, if it is another.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $type,
                new: $type,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$type, $type> {
                self.exchange(current, new, success, failure, below::atomic::$name::compare_exchange)
            }

            /// As the one of `core`: it may fail though the value is `current`.
            ///
            /// # Errors
            /// The value, if it is another, or if the environment chooses so.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $type,
                new: $type,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$type, $type> {
                self.exchange(current, new, success, failure, below::atomic::$name::compare_exchange_weak)
            }

            #[track_caller]
            fn exchange(
                &self,
                current: $type,
                new: $type,
                success: Ordering,
                failure: Ordering,
                by: Exchange<below::atomic::$name$(<$generic>)?, $type>,
            ) -> Result<$type, $type> {
                let at = Location::caller();
                let Some(me) = point::pass(at) else {
                    return self.shadow.compare_exchange(current, new, Relaxed, Relaxed);
                };
                self.made.check(at);
                let success = ordering(at, Role::Success, success);
                let failure = ordering(at, Role::Failure, failure);
                self.readers.before_write(me);
                let result = switching(me, || by(&self.modelled, current, new, success, failure));
                self.readers.after_write(me);
                match result {
                    Ok(old) => {
                        self.shadow.store(new, Relaxed);
                        record(at, AccessKind::Update, (Role::Success, success), || {
                            format!(concat!("exchange {:?} ", $show, " -> ", $show), success, old, new)
                        });
                    }
                    Err(old) => record(at, AccessKind::Update, (Role::Failure, failure), || {
                        let why = if old == current { "no, a weak one may fail though" } else { "no," };
                        format!(
                            concat!("exchange {:?} ", $show, " -> ", $show, ": {} it is ", $show),
                            failure, current, new, why, old
                        )
                    }),
                }
                result
            }
        }

        impl$(<$generic>)? fmt::Debug for $name$(<$generic>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.shadow.load(Relaxed).fmt(f)
            }
        }
    };
}

macro_rules! arithmetic {
    ($name:ident, $type:ty, $($method:ident)+) => {
        impl $name {
            $(
                /// As the one of `core`.
                #[track_caller]
                pub fn $method(&self, by: $type, order: Ordering) -> $type {
                    let at = Location::caller();
                    let Some(me) = point::pass(at) else { return self.shadow.$method(by, Relaxed) };
                    self.made.check(at);
                    let order = ordering(at, Role::Success, order);
                    self.readers.before_write(me);
                    let old = switching(me, || self.modelled.$method(by, order));
                    self.readers.after_write(me);
                    self.shadow.store(old, Relaxed);
                    self.shadow.$method(by, Relaxed);
                    record(at, AccessKind::Update, (Role::Success, order), || {
                        format!(concat!(stringify!($method), " {:?} {:#x}, was {:#x}"), order, by, old)
                    });
                    old
                }
            )+
        }

        impl Default for $name {
            #[track_caller]
            fn default() -> Self {
                Self::new(0)
            }
        }
    };
}

atomic!(AtomicBool, bool, "{}", []);
atomic!(AtomicI64, i64, "{:#x}", []);
atomic!(AtomicU32, u32, "{:#x}", []);
atomic!(AtomicU64, u64, "{:#x}", []);
atomic!(AtomicUsize, usize, "{:#x}", []);
atomic!(AtomicPtr, *mut T, "{:p}", [T]);
arithmetic!(AtomicU32, u32, fetch_add fetch_sub fetch_or fetch_and fetch_xor);
arithmetic!(AtomicU64, u64, fetch_add fetch_sub fetch_or fetch_and);
arithmetic!(AtomicUsize, usize, fetch_add fetch_sub fetch_or fetch_and);

impl AtomicU32 {
    /// What the kernel finds there. Passes no signal point, orders nothing and writes nothing.
    pub(super) fn seen_by_kernel(&self, me: usize) -> u32 {
        let value = below::seen_by_kernel(me, &self.modelled, &self.shadow);
        self.readers.after_write(me);
        value
    }
}
