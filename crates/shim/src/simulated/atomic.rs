//! Atomics: loom's, with a signal point before each operation, and a shadow of the value for when loom cannot
//! be asked.
//!
//! `compare_exchange_weak` is the strong one: loom has no failures for nothing.
//!
//! Loom remembers one access of each atomic, the last, to find out which orders of two operations matter. A
//! load hides the loads before it: of a load by one thread, and a load and a store by another, loom tries
//! only the order that it came to first. So each thread has a gate of its own at each atomic, passed by the
//! thread before it loads, and by others before they write.

use std::fmt;
use std::format;
use std::panic::Location;
use std::string::String;

use core::sync::atomic::AtomicU8;
pub use core::sync::atomic::Ordering;
use core::sync::atomic::Ordering::Relaxed;

use super::gate::Gate;
use super::point;
use super::world::{switching, with};
use crate::model::Role;

/// The ordering to use, the site's own or a weaker one.
#[inline]
fn ordering(at: &'static Location<'static>, role: Role, written: Ordering) -> Ordering {
    with(|w| w.ordering(at, role, written)).unwrap_or(written)
}

#[inline]
fn record(at: &'static Location<'static>, what: impl FnOnce() -> String) {
    with(|w| w.record(at, what));
}

/// The gates between those who load an atomic and those who write it.
struct Readers {
    gates: [Gate; loom::MAX_THREADS],
    /// The bits of the threads that have loaded it since it was written.
    loaded: AtomicU8,
    /// Who has accessed it last: that access is the one that loom remembers.
    last: AtomicU8,
}

impl Readers {
    fn new() -> Self {
        let gates = core::array::from_fn(|_| Gate::new());
        Self { gates, loaded: AtomicU8::new(0), last: AtomicU8::new(0) }
    }

    /// `me` is about to load.
    fn before_load(&self, me: usize) {
        self.gates[me].again(me, Relaxed);
    }

    /// `me` has loaded.
    fn after_load(&self, me: usize) {
        self.loaded.fetch_or(1 << me, Relaxed);
        self.last.store(me as u8, Relaxed);
    }

    /// `me` is about to write. Loads that loom remembers, or that come while `me` waits for its turn, it sees
    /// itself.
    fn before_write(&self, me: usize) {
        let remembered = 1 << self.last.load(Relaxed);
        let hidden = self.loaded.load(Relaxed) & !(1 << me) & !remembered;
        for (_, gate) in self.gates.iter().enumerate().filter(|(n, _)| hidden & (1 << n) != 0) {
            gate.again(me, Relaxed);
        }
    }

    /// `me` has written.
    fn after_write(&self, me: usize) {
        self.loaded.store(0, Relaxed);
        self.last.store(me as u8, Relaxed);
    }
}

macro_rules! atomic {
    ($name:ident, $type:ty, $show:literal, [$($generic:ident)?]) => {
        /// As the one of `core`.
        pub struct $name$(<$generic>)? {
            modelled: loom::sync::atomic::$name$(<$generic>)?,
            shadow: core::sync::atomic::$name$(<$generic>)?,
            readers: Readers,
        }

        impl$(<$generic>)? $name$(<$generic>)? {
            /// A new one. Inside of a model only.
            #[track_caller]
            pub fn new(value: $type) -> Self {
                Self {
                    modelled: loom::sync::atomic::$name::new(value),
                    shadow: core::sync::atomic::$name::new(value),
                    readers: Readers::new(),
                }
            }

            /// As the one of `core`.
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $type {
                let at = Location::caller();
                let Some(me) = point::pass(at) else { return self.shadow.load(Relaxed) };
                let order = ordering(at, Role::Success, order);
                self.readers.before_load(me);
                let value = switching(me, || self.modelled.load(order));
                self.readers.after_load(me);
                record(at, || format!(concat!("load {:?} = ", $show), order, value));
                value
            }

            /// As the one of `core`.
            #[track_caller]
            pub fn store(&self, value: $type, order: Ordering) {
                let at = Location::caller();
                let Some(me) = point::pass(at) else { return self.shadow.store(value, Relaxed) };
                let order = ordering(at, Role::Success, order);
                self.readers.before_write(me);
                switching(me, || self.modelled.store(value, order));
                self.readers.after_write(me);
                self.shadow.store(value, Relaxed);
                record(at, || format!(concat!("store {:?} ", $show), order, value));
            }

            /// As the one of `core`.
            #[track_caller]
            pub fn swap(&self, value: $type, order: Ordering) -> $type {
                let at = Location::caller();
                let Some(me) = point::pass(at) else { return self.shadow.swap(value, Relaxed) };
                let order = ordering(at, Role::Success, order);
                self.readers.before_write(me);
                let old = switching(me, || self.modelled.swap(value, order));
                self.readers.after_write(me);
                self.shadow.store(value, Relaxed);
                record(at, || format!(concat!("swap {:?} ", $show, " -> ", $show), order, old, value));
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
                let at = Location::caller();
                let Some(me) = point::pass(at) else {
                    return self.shadow.compare_exchange(current, new, Relaxed, Relaxed);
                };
                let success = ordering(at, Role::Success, success);
                let failure = ordering(at, Role::Failure, failure);
                self.readers.before_write(me);
                let result = switching(me, || self.modelled.compare_exchange(current, new, success, failure));
                self.readers.after_write(me);
                match result {
                    Ok(old) => {
                        self.shadow.store(new, Relaxed);
                        record(at, || format!(concat!("exchange {:?} ", $show, " -> ", $show), success, old, new));
                    }
                    Err(old) => record(at, || {
                        format!(
                            concat!("exchange {:?} ", $show, " -> ", $show, ": no, it is ", $show),
                            failure, current, new, old
                        )
                    }),
                }
                result
            }

            /// As [`compare_exchange`](Self::compare_exchange).
            ///
            /// # Errors
            /// The value, if it is another.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $type,
                new: $type,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$type, $type> {
                self.compare_exchange(current, new, success, failure)
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
                    let order = ordering(at, Role::Success, order);
                    self.readers.before_write(me);
                    let old = switching(me, || self.modelled.$method(by, order));
                    self.readers.after_write(me);
                    self.shadow.store(old, Relaxed);
                    self.shadow.$method(by, Relaxed);
                    record(at, || format!(concat!(stringify!($method), " {:?} {:#x}, was {:#x}"), order, by, old));
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
arithmetic!(AtomicU32, u32, fetch_add fetch_sub fetch_or fetch_and);
arithmetic!(AtomicU64, u64, fetch_add fetch_sub fetch_or fetch_and);
arithmetic!(AtomicUsize, usize, fetch_add fetch_sub fetch_or fetch_and);

impl AtomicU32 {
    /// What the kernel finds there: the newest value. Passes no signal point, orders nothing and writes
    /// nothing. A write, even of the value that is there, would compete with a store of another thread that
    /// loom does not order after it.
    pub(super) fn seen_by_kernel(&self, me: usize) -> u32 {
        // An exchange that fails gives the newest value; a load might give an older one.
        let absent = !self.shadow.load(Relaxed);
        let looked = switching(me, || self.modelled.compare_exchange(absent, absent, Relaxed, Relaxed));
        self.readers.after_write(me);
        looked.unwrap_or_else(|value| value)
    }
}
