//! Atomics with the names and signatures of std's, and fences.
//!
//! An atomic may be made anywhere in the program. Its initial value is before every access: the program must
//! publish an atomic only to threads that its construction happens before, as safe Rust does.

use std::marker::PhantomData;

use crate::graph::{Op, Until, bits};
use crate::run::{Access, Request, access, after, deliver, fails_weakly, may_fail_weakly, reorder, step, with};

pub use core::sync::atomic::Ordering;

/// The bits of an order for a load, a store or a read-modify-write.
pub(crate) fn order(ordering: Ordering) -> u8 {
    match ordering {
        Ordering::Relaxed => 0,
        Ordering::Acquire => bits::ACQ,
        Ordering::Release => bits::REL,
        Ordering::AcqRel => bits::ACQ | bits::REL,
        _ => bits::ACQ | bits::REL | bits::SC,
    }
}

/// A fence between threads.
///
/// # Panics
///
/// With [`Ordering::Relaxed`], as std's.
pub fn fence(ordering: Ordering) {
    assert!(ordering != Ordering::Relaxed, "there is no such thing as a relaxed fence");
    deliver();
    step(Request::Fence(order(ordering)));
    crate::cell::fence_of_compiler(order(ordering));
    after();
}

/// A fence between a thread and a handler that interrupts it. It orders accesses to
/// [`cell`](crate::cell::Cell)s.
///
/// # Panics
///
/// With [`Ordering::Relaxed`], as std's.
pub fn compiler_fence(ordering: Ordering) {
    assert!(ordering != Ordering::Relaxed, "there is no such thing as a relaxed compiler fence");
    // A handler may come between a delayed store and the fence that keeps the store from going further.
    if reorder::is_out_of_order() {
        deliver();
    }
    reorder::fence_of_compiler(order(ordering));
    crate::cell::fence_of_compiler(order(ordering));
}

/// A new location of the thread that runs.
pub(crate) fn location(init: u64) -> u32 {
    named(init, false)
}

fn named(init: u64, is_opaque: bool) -> u32 {
    with(|run| {
        if run.ended {
            return 0;
        }
        let slot = run.current;
        let number = run.fibers[slot].locations;
        run.fibers[slot].locations += 1;
        let location = run.search.graph.location((slot as u8, number), init);
        run.search.graph.locations[location as usize].is_opaque = is_opaque;
        run.search.graph.locations[location as usize].is_word = true;
        location
    })
}

/// A load or a read-modify-write with a delivery point before it.
pub(crate) fn modify(what: Access) -> u64 {
    deliver();
    modify_now(what)
}

fn modify_now(what: Access) -> u64 {
    if what.op == Op::None
        && what.until == Until::Any
        && what.success == 0
        && let Some(value) = reorder::loaded_ahead(what.loc, what.plain)
    {
        return value;
    }
    let old = access(what);
    crate::cell::read_by_compiler(what.loc, what.success);
    if what.op.apply(old).is_some() {
        crate::cell::written_by_compiler(what.success);
    }
    after();
    old
}

/// A compare-and-exchange that may fail though the value is the expected one, `values[0]`, as the environment
/// chooses.
fn weak(location: u32, values: [u64; 2], success: Ordering, failure: Ordering) -> Result<u64, u64> {
    let [current, new] = values;
    deliver();
    let may_fail = may_fail_weakly();
    if !may_fail || step(Request::Choice(2)) == 0 {
        let old = modify_now(Access::rmw(location, Op::Cas(current, new), order(success), order(failure)));
        if old != current {
            return Err(old);
        }
        with(|run| run.weak_bound_met |= !may_fail && !run.ended);
        return Ok(old);
    }
    fails_weakly();
    // The compiler does not know that it fails: accesses keep to the order of its success.
    reorder::fence_of_compiler(order(success) | order(failure));
    // With another value the strong form fails as well: that is the other branch.
    Err(modify_now(Access::load(location, order(failure)).assume(Until::Is(current))))
}

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
            ///
            /// # Errors
            ///
            /// With the value, if it is not `current`.
            pub fn compare_exchange(
                &self, current: $type, new: $type, success: Ordering, failure: Ordering,
            ) -> Result<$type, $type> {
                let op = Op::Cas(Self::raw(current), Self::raw(new));
                let old = Self::cooked(modify(Access::rmw(self.0, op, order(success), order(failure))));
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
    AtomicI32 i32, u32, false;
    AtomicI64 i64, u64, false;
    // It may hold an address.
    AtomicUsize usize, u64, true;
}

/// As std's `AtomicBool`.
#[derive(Debug)]
pub struct AtomicBool(AtomicU8);

impl AtomicBool {
    /// A new atomic.
    pub fn new(value: bool) -> Self {
        Self(AtomicU8::new(value.into()))
    }

    /// As std's.
    pub fn load(&self, ordering: Ordering) -> bool {
        self.0.load(ordering) != 0
    }

    /// As std's.
    pub fn store(&self, value: bool, ordering: Ordering) {
        self.0.store(value.into(), ordering);
    }

    /// As std's.
    pub fn swap(&self, value: bool, ordering: Ordering) -> bool {
        self.0.swap(value.into(), ordering) != 0
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// With the value, if it is not `current`.
    pub fn compare_exchange(
        &self,
        current: bool,
        new: bool,
        success: Ordering,
        failure: Ordering,
    ) -> Result<bool, bool> {
        let exchanged = self.0.compare_exchange(current.into(), new.into(), success, failure);
        exchanged.map(|old| old != 0).map_err(|old| old != 0)
    }

    /// As std's: may fail though the value is `current`.
    ///
    /// # Errors
    ///
    /// With the value, if it is not `current`, or if the environment chooses so.
    pub fn compare_exchange_weak(
        &self,
        current: bool,
        new: bool,
        success: Ordering,
        failure: Ordering,
    ) -> Result<bool, bool> {
        let exchanged = self.0.compare_exchange_weak(current.into(), new.into(), success, failure);
        exchanged.map(|old| old != 0).map_err(|old| old != 0)
    }
}

/// As std's `AtomicPtr`. The addresses may differ from one run of an execution to the next; which of them are
/// equal may not.
#[derive(Debug)]
pub struct AtomicPtr<T> {
    location: u32,
    pointer: PhantomData<fn(*mut T) -> *mut T>,
}

impl<T> AtomicPtr<T> {
    /// A new atomic.
    pub fn new(value: *mut T) -> Self {
        Self { location: named(raw(value), true), pointer: PhantomData }
    }

    /// As std's.
    pub fn load(&self, ordering: Ordering) -> *mut T {
        cooked(modify(Access::load(self.location, order(ordering))))
    }

    /// As std's.
    pub fn store(&self, value: *mut T, ordering: Ordering) {
        deliver();
        if ordering == Ordering::Relaxed && reorder::delays(self.location, raw(value), false) {
            return;
        }
        step(Request::Store { loc: self.location, val: raw(value), ord: order(ordering), kernel: false });
        crate::cell::written_by_compiler(order(ordering));
        after();
    }

    /// As std's.
    pub fn swap(&self, value: *mut T, ordering: Ordering) -> *mut T {
        let ord = order(ordering);
        cooked(modify(Access::rmw(self.location, Op::Swap(raw(value)), ord, ord)))
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// With the value, if it is not `current`.
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        let op = Op::Cas(raw(current), raw(new));
        let old = cooked(modify(Access::rmw(self.location, op, order(success), order(failure))));
        if old == current { Ok(old) } else { Err(old) }
    }

    /// As std's: may fail though the value is `current`.
    ///
    /// # Errors
    ///
    /// With the value, if it is not `current`, or if the environment chooses so.
    pub fn compare_exchange_weak(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        weak(self.location, [raw(current), raw(new)], success, failure).map(cooked).map_err(cooked)
    }
}

fn raw<T>(pointer: *mut T) -> u64 {
    pointer.expose_provenance() as u64
}

fn cooked<T>(address: u64) -> *mut T {
    std::ptr::with_exposed_provenance_mut(address as usize)
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
