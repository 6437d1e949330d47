//! A litmus test as a program of the explorer.

use std::cell::OnceCell;
use std::rc::Rc;

use super::call::Call;
use super::machine::{Machine, Seam, Values};
use super::statement::Modify;
use super::{Kind, Litmus, Location};
use crate::atomic::{AtomicI64, Ordering, compiler_fence, fence};
use crate::futex::{Queue, Wait};
use crate::run::with;
use crate::sync::{Mutex, Semaphore};
use crate::{hint, signal, thread};

pub(super) enum Place {
    Word(AtomicI64),
    Futex(AtomicI64, Queue),
    Mutex(Mutex),
    Semaphore(Semaphore),
}

impl Place {
    fn word(&self) -> &AtomicI64 {
        match self {
            Self::Word(word) | Self::Futex(word, _) => word,
            Self::Mutex(_) | Self::Semaphore(_) => panic!("an access to a mutex or a semaphore"),
        }
    }
}

/// The explorer below a test.
struct Graphs {
    threads: Vec<OnceCell<thread::Thread>>,
}

/// Starts the test: a program for [`Explorer::run_with_last`](crate::Explorer::run_with_last).
pub(super) fn start(test: &Rc<Litmus>) -> impl FnOnce() -> Values + use<> {
    let threads = test.threads.iter().map(|_| OnceCell::new()).collect();
    let this = Rc::new(Machine::new(Rc::clone(test), Graphs { threads }));
    for (number, (thread, _)) in test.handlers.iter().enumerate() {
        let inner = Rc::clone(&this);
        signal::action(*thread as u32, move || inner.handler(number));
    }
    let run = |this: &Machine<Graphs, Rc<Litmus>>, is_interrupted: bool, number: usize| {
        if is_interrupted {
            signal::allow(number as u32, 1);
        }
        this.thread(number);
    };
    let is_interrupted = |number: usize| test.handlers.iter().any(|(thread, _)| *thread == number);
    for number in 1..test.threads.len() {
        let inner = Rc::clone(&this);
        let is_interrupted = is_interrupted(number);
        let handle = thread::spawn(move || run(&inner, is_interrupted, number));
        let _ = this.seam.threads[number].set(handle.thread().clone());
    }
    if let Some(first) = this.seam.threads.first() {
        let _ = first.set(thread::current());
        run(&this, is_interrupted(0), 0);
    }
    move || {
        let last = this.places.iter().map(|place| match place {
            Place::Word(word) | Place::Futex(word, _) => word.load(Ordering::Relaxed),
            Place::Mutex(_) | Place::Semaphore(_) => 0,
        });
        this.values(last.collect(), with(|run| run.search.graph.race().is_some()))
    }
}

impl Seam for Graphs {
    type Place = Place;
    type Held<'a> = ();

    fn place(&self, _number: usize, location: &Location) -> Place {
        match location.kind {
            Kind::Word => Place::Word(AtomicI64::new(location.init)),
            Kind::Futex => Place::Futex(AtomicI64::new(location.init), Queue::new()),
            Kind::Mutex => Place::Mutex(Mutex::new()),
            Kind::Semaphore => Place::Semaphore(Semaphore::new(u32::try_from(location.init).unwrap_or(0))),
        }
    }

    fn load(place: &Place, order: Option<Ordering>) -> i64 {
        let word = place.word();
        order.map_or_else(|| word.load_plain(), |order| word.load(order))
    }

    fn store(place: &Place, value: i64, order: Option<Ordering>) {
        let word = place.word();
        match order {
            Some(order) => word.store(value, order),
            None => word.store_plain(value),
        }
    }

    fn modify(place: &Place, modify: Modify, operand: i64, order: Ordering) -> i64 {
        let word = place.word();
        match modify {
            Modify::Add => word.fetch_add(operand, order),
            Modify::Sub => word.fetch_sub(operand, order),
            Modify::And => word.fetch_and(operand, order),
            Modify::Or => word.fetch_or(operand, order),
            Modify::Xor => word.fetch_xor(operand, order),
            Modify::Swap => word.swap(operand, order),
        }
    }

    fn exchange(
        place: &Place,
        old: i64,
        new: i64,
        [success, failure]: [Ordering; 2],
        is_weak: bool,
    ) -> Result<i64, i64> {
        match is_weak {
            true => place.word().compare_exchange_weak(old, new, success, failure),
            false => place.word().compare_exchange(old, new, success, failure),
        }
    }

    fn fence(order: Ordering) {
        fence(order);
    }

    fn compiler_fence(order: Ordering) {
        compiler_fence(order);
    }

    fn turn() {
        hint::spin_loop();
    }

    fn call(&self, call: Call, place: Option<&Place>, value: i64, thread: usize, (): &mut ()) -> i64 {
        match (call, place) {
            (Call::Wait | Call::WaitTimeout, Some(Place::Futex(word, queue))) => {
                match queue.wait_while(word.location(), value as u64, call == Call::WaitTimeout) {
                    Wait::Woken => 0,
                    Wait::Changed => 1,
                    Wait::Interrupted => 2,
                    Wait::TimedOut => 3,
                }
            }
            (Call::Wake, Some(Place::Futex(_, queue))) => {
                queue.wake_after_point(usize::try_from(value).unwrap_or(usize::MAX)) as i64
            }
            (Call::Lock, Some(Place::Mutex(mutex))) => {
                mutex.lock();
                0
            }
            (Call::Unlock, Some(Place::Mutex(mutex))) => {
                mutex.unlock();
                0
            }
            (Call::Take, Some(Place::Semaphore(semaphore))) => {
                i64::from(semaphore.acquire_interruptible() == Wait::Interrupted)
            }
            (Call::Post, Some(Place::Semaphore(semaphore))) => {
                semaphore.release();
                0
            }
            (Call::Park, _) => {
                thread::park();
                0
            }
            (Call::Unpark, _) => {
                let threads = &self.threads;
                let other = usize::try_from(value).ok().and_then(|other| threads.get(other)).and_then(OnceCell::get);
                other.expect("unpark of a thread that is there").unpark();
                0
            }
            (Call::Assume, _) => {
                hint::assume(value != 0);
                0
            }
            // Whoever runs next, it was possible before.
            (Call::Yield, _) => 0,
            (Call::Mask, _) => i64::from(signal::mask(&[thread as u32])),
            (Call::Unmask, _) => i64::from(signal::unmask(&[thread as u32])),
            (Call::Raise, _) => {
                signal::raise(thread as u32);
                0
            }
            _ => panic!("{call:?} of another kind of object"),
        }
    }
}
