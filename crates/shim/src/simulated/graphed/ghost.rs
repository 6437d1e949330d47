//! The bookkeeping of a model: see [`ghost`](crate::model::ghost).

use core::sync::atomic::Ordering;
use core::sync::atomic::Ordering::Relaxed;
use std::fmt;

use sigproof_explore::system::Hidden;

use crate::simulated::world::{switching, with};

macro_rules! ghost {
    ($($name:ident $type:ty, $to:expr, $from:expr;)*) => {$(
        /// As the one of `core`; the ordering does not count.
        pub struct $name {
            modelled: Hidden,
            shadow: core::sync::atomic::$name,
        }

        impl $name {
            /// A new one. Inside of a model only.
            #[must_use]
            pub fn new(value: $type) -> Self {
                Self { modelled: Hidden::new($to(value)), shadow: core::sync::atomic::$name::new(value) }
            }

            /// As the one of `core`.
            pub fn load(&self, _ordering: Ordering) -> $type {
                let Some(me) = with(|w| w.active) else { return self.shadow.load(Relaxed) };
                $from(switching(me, || self.modelled.load()))
            }

            /// As the one of `core`.
            pub fn store(&self, value: $type, _ordering: Ordering) {
                self.shadow.store(value, Relaxed);
                if let Some(me) = with(|w| w.active) {
                    switching(me, || self.modelled.store($to(value)));
                }
            }

            /// As the one of `core`.
            pub fn swap(&self, value: $type, _ordering: Ordering) -> $type {
                let old = self.shadow.swap(value, Relaxed);
                let Some(me) = with(|w| w.active) else { return old };
                $from(switching(me, || self.modelled.swap($to(value))))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(<$type>::default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.shadow.load(Relaxed).fmt(f)
            }
        }
    )*};
}

ghost! {
    AtomicBool bool, u64::from, (|value: u64| value != 0);
    AtomicU32 u32, u64::from, (|value: u64| value as u32);
    AtomicU64 u64, core::convert::identity, core::convert::identity;
}

macro_rules! counts {
    ($($name:ident $type:ty;)*) => {$(
        impl $name {
            /// As the one of `core`.
            pub fn fetch_add(&self, by: $type, _ordering: Ordering) -> $type {
                let old = self.shadow.fetch_add(by, Relaxed);
                let Some(me) = with(|w| w.active) else { return old };
                switching(me, || self.modelled.add(u64::from(by))) as $type
            }
        }
    )*};
}

counts! {
    AtomicU32 u32;
    AtomicU64 u64;
}
