//! What a litmus test runs over: the atomics, the cells and the simulated kernel of the shim.

use std::mem;
use std::time::Duration;

use sigproof_explore::litmus::machine::Seam;
use sigproof_explore::litmus::{Call, Kind, Location, Modify};
use sigproof_shim::atomic::{self, AtomicU32, Ordering};
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::hint;
use sigproof_shim::os::futex::{self, FutexWait};
use sigproof_shim::os::pthread::{self, MutexGuard};
use sigproof_shim::os::sem::{SemWait, Semaphore};
use sigproof_shim::os::sigmask::{self, MaskGuard};
use sigproof_shim::os::thread;

use super::super::super::{SIGNAL, must};

/// The shim below a test.
pub(super) struct Loom {
    /// The locations with plain accesses.
    pub(super) plain: Vec<bool>,
}

pub(super) enum Place {
    Word(AtomicU32),
    Plain(UnsafeCell<i64>),
    Mutex(pthread::Mutex),
    Semaphore(Semaphore),
}

impl Place {
    fn word(&self) -> &AtomicU32 {
        match self {
            Self::Word(word) => word,
            Self::Plain(_) | Self::Mutex(_) | Self::Semaphore(_) => unreachable!("`target` refuses it"),
        }
    }

    /// The last value, once all threads have ended.
    pub(super) fn last(&self) -> i64 {
        match self {
            Self::Word(word) => wide(word.load(Ordering::Relaxed)),
            Self::Plain(_) => Loom::load(self, None),
            Self::Mutex(_) | Self::Semaphore(_) => 0,
        }
    }
}

/// A word of the shim has 32 bits.
fn narrow(value: i64) -> u32 {
    value as u32
}

fn wide(value: u32) -> i64 {
    i64::from(value as i32)
}

/// What a body of a test holds. What it holds at its end stays held.
#[derive(Default)]
pub(super) struct Held<'a> {
    locks: Vec<(&'a pthread::Mutex, MutexGuard<'a>)>,
    mask: Option<MaskGuard>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.locks.drain(..).for_each(mem::forget);
        mem::forget(self.mask.take());
    }
}

impl Seam for Loom {
    type Place = Place;
    type Held<'a> = Held<'a>;

    fn place(&self, number: usize, location: &Location) -> Place {
        match location.kind {
            Kind::Word if self.plain[number] => Place::Plain(UnsafeCell::new(location.init)),
            Kind::Word | Kind::Futex => Place::Word(AtomicU32::new(narrow(location.init))),
            Kind::Mutex => Place::Mutex(must(pthread::Mutex::new())),
            Kind::Semaphore => {
                let semaphore = must(Semaphore::new());
                (0..location.init).for_each(|_| must(semaphore.post()));
                Place::Semaphore(semaphore)
            }
        }
    }

    fn load(place: &Place, order: Option<Ordering>) -> i64 {
        match (place, order) {
            // SAFETY: the shim checks that no other access is unordered; all threads are one of the system.
            (Place::Plain(cell), None) => cell.with(|value| unsafe { *value }),
            (place, order) => wide(place.word().load(order.unwrap_or(Ordering::Relaxed))),
        }
    }

    fn store(place: &Place, value: i64, order: Option<Ordering>) {
        match (place, order) {
            // SAFETY: as in `load`.
            (Place::Plain(cell), None) => cell.with_mut(|place| unsafe { *place = value }),
            (place, order) => place.word().store(narrow(value), order.unwrap_or(Ordering::Relaxed)),
        }
    }

    fn modify(place: &Place, modify: Modify, operand: i64, order: Ordering) -> i64 {
        let (word, operand) = (place.word(), narrow(operand));
        wide(match modify {
            Modify::Add => word.fetch_add(operand, order),
            Modify::Sub => word.fetch_sub(operand, order),
            Modify::And => word.fetch_and(operand, order),
            Modify::Or => word.fetch_or(operand, order),
            Modify::Xor => word.fetch_xor(operand, order),
            Modify::Swap => word.swap(operand, order),
        })
    }

    fn exchange(place: &Place, old: i64, new: i64, orders: [Ordering; 2], _is_weak: bool) -> Result<i64, i64> {
        let result = place.word().compare_exchange(narrow(old), narrow(new), orders[0], orders[1]);
        result.map(wide).map_err(wide)
    }

    fn fence(order: Ordering) {
        atomic::fence(order);
    }

    /// A handler finds the accesses of its thread in the order of the text.
    fn compiler_fence(_order: Ordering) {}

    fn turn() {
        hint::spin_loop();
    }

    fn call<'a>(&'a self, call: Call, place: Option<&'a Place>, value: i64, thread: usize, held: &mut Held<'a>) -> i64 {
        match (call, place) {
            (Call::Wait | Call::WaitTimeout, Some(Place::Word(word))) => {
                let timeout = (call == Call::WaitTimeout).then_some(Duration::from_secs(1));
                match must(futex::wait(word, narrow(value), timeout)) {
                    FutexWait::Woken => 0,
                    FutexWait::Changed => 1,
                    FutexWait::Interrupted => 2,
                    FutexWait::TimedOut => 3,
                }
            }
            (Call::Wake, Some(Place::Word(word))) => {
                must(futex::wake(word, u32::try_from(value).unwrap_or(u32::MAX))) as i64
            }
            (Call::Lock, Some(Place::Mutex(mutex))) => {
                held.locks.push((mutex, must(mutex.lock())));
                0
            }
            (Call::Unlock, Some(Place::Mutex(mutex))) => {
                let place = held.locks.iter().rposition(|(own, _)| std::ptr::eq(*own, mutex));
                drop(place.map(|place| held.locks.remove(place)));
                0
            }
            (Call::Take, Some(Place::Semaphore(semaphore))) => {
                i64::from(must(semaphore.wait()) == SemWait::Interrupted)
            }
            (Call::Post, Some(Place::Semaphore(semaphore))) => {
                must(semaphore.post());
                0
            }
            (Call::Yield, _) => {
                thread::yield_now();
                0
            }
            (Call::Mask | Call::Unmask, _) => {
                let was_blocked = must(sigmask::is_blocked(SIGNAL));
                match call {
                    Call::Mask if held.mask.is_none() => held.mask = Some(must(sigmask::block(SIGNAL))),
                    Call::Unmask => drop(held.mask.take()),
                    _ => {}
                }
                i64::from(was_blocked) << thread
            }
            _ => unreachable!("`target` refuses it"),
        }
    }
}
