//! The atomic integers.

use super::{Ordering, failure_order, modify, named, order, update, weak};
use crate::graph::{Op, Until};
use crate::run::{Access, Request, after, deliver, reorder, step};

macro_rules! atomic {
    ($($name:ident $type:ty, $unsigned:ty, $is_opaque:literal;)*) => {$(
        #[doc = concat!("As std's `", stringify!($name), "`.")]
        #[derive(Debug)]
        pub struct $name(u32);

        impl $name {
            /// A new atomic.
            pub fn new(value: $type) -> Self {
                Self(named(Self::raw(value), $is_opaque))
            }

            fn raw(value: $type) -> u64 {
                (value as $unsigned) as u64
            }

            fn cooked(value: u64) -> $type {
                value as $unsigned as $type
            }

            fn rmw(&self, op: Op, ordering: Ordering) -> $type {
                Self::cooked(modify(Access::rmw(self.0, op, order(ordering), order(ordering))))
            }

            /// As std's.
            pub fn load(&self, ordering: Ordering) -> $type {
                assert!(!matches!(ordering, Ordering::Release | Ordering::AcqRel), "there is no such load");
                Self::cooked(modify(Access::load(self.0, order(ordering))))
            }

            /// As std's.
            pub fn store(&self, value: $type, ordering: Ordering) {
                assert!(!matches!(ordering, Ordering::Acquire | Ordering::AcqRel), "there is no such store");
                deliver();
                if ordering == Ordering::Relaxed && reorder::delays(self.0, Self::raw(value), false) {
                    return;
                }
                step(Request::Store { loc: self.0, val: Self::raw(value), ord: order(ordering), kernel: false });
                crate::cell::written_by_compiler(order(ordering));
                after();
            }

            /// As std's.
            pub fn swap(&self, value: $type, ordering: Ordering) -> $type {
                self.rmw(Op::Swap(Self::raw(value)), ordering)
            }

            /// As std's; wraps around.
            pub fn fetch_add(&self, value: $type, ordering: Ordering) -> $type {
                self.rmw(Op::Add(Self::raw(value), <$unsigned>::MAX as u64), ordering)
            }

            /// As std's; wraps around.
            pub fn fetch_sub(&self, value: $type, ordering: Ordering) -> $type {
                self.rmw(Op::Add(Self::raw(value).wrapping_neg(), <$unsigned>::MAX as u64), ordering)
            }

            /// As std's.
            pub fn fetch_and(&self, value: $type, ordering: Ordering) -> $type {
                self.rmw(Op::And(Self::raw(value)), ordering)
            }

            /// As std's.
            pub fn fetch_or(&self, value: $type, ordering: Ordering) -> $type {
                self.rmw(Op::Or(Self::raw(value)), ordering)
            }

            /// As std's.
            pub fn fetch_xor(&self, value: $type, ordering: Ordering) -> $type {
                self.rmw(Op::Xor(Self::raw(value)), ordering)
            }

            /// As std's.
            pub fn fetch_nand(&self, value: $type, ordering: Ordering) -> $type {
                Self::cooked(update(self.0, ordering, |old| Self::raw(!(Self::cooked(old) & value))))
            }

            /// As std's.
            pub fn fetch_max(&self, value: $type, ordering: Ordering) -> $type {
                Self::cooked(update(self.0, ordering, |old| Self::raw(Self::cooked(old).max(value))))
            }

            /// As std's.
            pub fn fetch_min(&self, value: $type, ordering: Ordering) -> $type {
                Self::cooked(update(self.0, ordering, |old| Self::raw(Self::cooked(old).min(value))))
            }

            /// As std's.
            ///
            /// # Errors
            ///
            /// With the value, if it is not `current`.
            pub fn compare_exchange(
                &self, current: $type, new: $type, success: Ordering, failure: Ordering,
            ) -> Result<$type, $type> {
                let op = Op::Cas(Self::raw(current), Self::raw(new));
                let old = Self::cooked(modify(Access::rmw(self.0, op, order(success), failure_order(failure))));
                if old == current { Ok(old) } else { Err(old) }
            }

            /// As std's: may fail though the value is `current`.
            ///
            /// # Errors
            ///
            /// With the value, if it is not `current`, or if the environment chooses so.
            pub fn compare_exchange_weak(
                &self, current: $type, new: $type, success: Ordering, failure: Ordering,
            ) -> Result<$type, $type> {
                let values = [Self::raw(current), Self::raw(new)];
                weak(self.0, values, success, failure).map(Self::cooked).map_err(Self::cooked)
            }

            /// As std's.
            ///
            /// # Errors
            ///
            /// With the value for which `update` gives nothing.
            pub fn fetch_update(
                &self, set: Ordering, fetch: Ordering, mut update: impl FnMut($type) -> Option<$type>,
            ) -> Result<$type, $type> {
                let mut old = self.load(fetch);
                while let Some(new) = update(old) {
                    match self.compare_exchange(old, new, set, fetch) {
                        Ok(old) => return Ok(old),
                        Err(newer) => old = newer,
                    }
                }
                Err(old)
            }

            /// Waits, without a delivery point meanwhile, until the value is another than `value`: the
            /// specification of a loop that spins.
            pub fn load_other_than(&self, value: $type, ordering: Ordering) -> $type {
                let until = Until::Not(Self::raw(value));
                Self::cooked(modify(Access::load(self.0, order(ordering)).until(until)))
            }
        }
    )*};
}

atomic! {
    AtomicU8 u8, u8, false;
    AtomicU16 u16, u16, false;
    AtomicU32 u32, u32, false;
    AtomicU64 u64, u64, false;
    AtomicI8 i8, u8, false;
    AtomicI16 i16, u16, false;
    AtomicI32 i32, u32, false;
    AtomicI64 i64, u64, false;
    // These may hold an address.
    AtomicUsize usize, u64, true;
    AtomicIsize isize, u64, true;
}

impl AtomicI64 {
    /// Its location.
    pub(crate) fn location(&self) -> u32 {
        self.0
    }

    /// A load that must not race with a store.
    #[doc(hidden)]
    pub fn load_plain(&self) -> i64 {
        modify(Access { plain: true, ..Access::load(self.0, 0) }) as i64
    }

    /// A store that must not race with any access.
    #[doc(hidden)]
    pub fn store_plain(&self, value: i64) {
        deliver();
        if reorder::delays(self.0, value as u64, true) {
            return;
        }
        step(Request::Plain { loc: self.0, val: value as u64 });
        after();
    }
}

impl AtomicU32 {
    /// Its location.
    pub(crate) fn location(&self) -> u32 {
        self.0
    }
}
