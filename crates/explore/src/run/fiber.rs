//! Fibers: a stack of its own for each thread of the program. Stacks are used again by later executions.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use corosensei::stack::DefaultStack;

use super::reorder::Order;
use super::{Fiber, Status, Stop, with};
use crate::cell::Contexts;
use crate::end::End;
use crate::signal::Signals;

pub(crate) type Stack = DefaultStack;
pub(crate) type Coroutine = corosensei::Coroutine<(), (), (), DefaultStack>;
pub(crate) type Yielder = corosensei::Yielder<(), ()>;

/// A panic inside a fiber needs more than 64 KB.
const STACK: usize = 256 * 1024;

/// Makes the thread with `key` in `slot`, which runs `body`.
pub(crate) fn start(slot: usize, key: u64, body: Box<dyn FnOnce()>) {
    with(|run| {
        let known = run.search.graph.slot(key);
        assert_eq!(known, slot, "explore: the slot of a thread");
        let stack = run.stacks.pop().unwrap_or_else(|| {
            DefaultStack::new(STACK).expect("explore: the system gives no memory for another stack")
        });
        let coroutine = corosensei::Coroutine::with_stack(stack, move |yielder: &Yielder, ()| {
            with(|run| run.fibers[slot].yielder = yielder);
            let result = catch_unwind(AssertUnwindSafe(|| {
                body();
                super::deliver();
                super::step(super::Request::End);
            }));
            if let Err(payload) = result {
                // The end of the run unwinds the fibers that are left.
                if with(|run| run.ended) {
                    resume_unwind(payload);
                }
                let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
                let text = text.unwrap_or_else(|| "a panic without a text".to_owned());
                with(|run| run.halt(Stop::At(End::Panic(text))));
            }
            with(|run| run.fibers[slot].status = Status::Done);
        });
        while run.fibers.len() <= slot {
            run.fibers.push(Fiber::absent());
        }
        run.fibers[slot] = Fiber { coroutine: Some(coroutine), status: Status::Ready, ..Fiber::absent() };
    });
}

impl Fiber {
    /// A slot whose thread this execution has not started: another branch of the search did.
    fn absent() -> Self {
        Self {
            coroutine: None,
            yielder: std::ptr::null(),
            status: Status::Done,
            done: 0,
            joins: None,
            assumes: false,
            children: 0,
            locations: 0,
            turn: 0,
            turns: 0,
            spurious: 0,
            weak_failures: 0,
            signals: Signals::default(),
            contexts: Contexts::default(),
            order: Order::default(),
            thread: None,
        }
    }
}

/// Lets the fiber in `slot` go on until it switches back or ends.
pub(crate) fn resume(slot: usize) {
    let mut coroutine = with(|run| {
        run.current = slot;
        run.fibers[slot].coroutine.take().expect("a thread that has not ended")
    });
    let _ = coroutine.resume(());
    with(|run| {
        if coroutine.done() {
            run.stacks.push(coroutine.into_stack());
        } else {
            run.fibers[slot].coroutine = Some(coroutine);
        }
    });
}

/// Switches from the current fiber back to the driver.
pub(crate) fn switch() {
    let yielder = with(|run| run.fibers[run.current].yielder);
    // SAFETY: the pointer is that of the coroutine that runs: `start` stored it before the thread's first
    // operation, and it lives as long as the coroutine's function.
    unsafe { (*yielder).suspend(()) }
}

/// Unwinds the fibers that have not ended.
pub(crate) fn unwind_all() {
    for slot in 0..with(|run| run.fibers.len()) {
        let Some(mut coroutine) = with(|run| {
            run.current = slot;
            run.fibers[slot].coroutine.take()
        }) else {
            continue;
        };
        if !coroutine.done() {
            coroutine.force_unwind();
        }
        with(|run| run.stacks.push(coroutine.into_stack()));
    }
}
