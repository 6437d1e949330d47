//! Atomics with the names and signatures of std's, and fences.
//!
//! An atomic may be made anywhere in the program. Its initial value is before every access: the program must
//! publish an atomic only to threads that its construction happens before, as safe Rust does.

use crate::end::Limit;
use crate::graph::{Op, Until, bits};
use crate::run::{
    Access, Request, access, after, deliver, fails_weakly, halt_here, limit, may_fail_weakly, reorder, step,
    store_later, with,
};

pub use core::sync::atomic::Ordering;
pub use integer::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
};
pub use others::{AtomicBool, AtomicPtr};

mod integer;
mod others;

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

/// The bits of the order of a compare-and-exchange that fails.
fn failure_order(ordering: Ordering) -> u8 {
    assert!(!matches!(ordering, Ordering::Release | Ordering::AcqRel), "there is no such order of a failure");
    order(ordering)
}

/// A read-modify-write that stores what `update` makes of the old value, which it gives.
fn update(location: u32, ordering: Ordering, update: impl FnOnce(u64) -> u64) -> u64 {
    deliver();
    let old = access(Access::rmw(location, Op::Later, order(ordering), order(ordering)));
    crate::cell::read_by_compiler(location, order(ordering));
    store_later(location, update(old), order(ordering), false);
    crate::cell::written_by_compiler(order(ordering));
    after();
    old
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

/// A new location of the thread that runs, for an object that is no atomic of the program.
pub(crate) fn location(init: u64) -> u32 {
    make(init, false, false)
}

fn named(init: u64, is_opaque: bool) -> u32 {
    make(init, is_opaque, true)
}

fn make(init: u64, is_opaque: bool, is_word: bool) -> u32 {
    let made = with(|run| {
        if run.ended {
            return Some(0);
        }
        let slot = run.current;
        let number = run.fibers[slot].locations;
        let Some(next) = number.checked_add(1) else {
            run.halt(limit(Limit::Objects));
            return None;
        };
        run.fibers[slot].locations = next;
        // Most executions make the same objects in the same order.
        let guess = run.made.get(run.made_now).copied().unwrap_or(0);
        let location = run.search.graph.location((slot as u8, number), init, guess);
        match run.made.get_mut(run.made_now) {
            Some(known) => *known = location,
            None => run.made.push(location),
        }
        run.made_now += 1;
        run.search.graph.locations[location as usize].is_opaque = is_opaque;
        run.search.graph.locations[location as usize].is_word = is_word;
        Some(location)
    });
    made.unwrap_or_else(|| {
        halt_here();
        0
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
        let old = modify_now(Access::rmw(location, Op::Cas(current, new), order(success), failure_order(failure)));
        if old != current {
            return Err(old);
        }
        with(|run| run.weak_bound_met |= !may_fail && !run.ended);
        return Ok(old);
    }
    fails_weakly();
    // The compiler does not know that it fails: accesses keep to the order of its success.
    reorder::fence_of_compiler(order(success) | failure_order(failure));
    // With another value the strong form fails as well: that is the other branch.
    Err(modify_now(Access::load(location, order(failure)).assume(Until::Is(current))))
}
