//! Signals: handlers that run on the stack of the thread that they interrupt.
//!
//! | how a signal comes | function | when its handler runs |
//! |---|---|---|
//! | the environment sends it | [`allow`] | before any shared access of the thread, or after the last, if not masked |
//! | the thread sends it to itself | [`raise`] | at once; or when the mask lets it in |
//! | another thread sends it | [`send`], to a thread that called [`receive`] | as from the environment, after the sending |
//!
//! A handler runs with its own signal masked, and those of its action. Signals of one number that are pending
//! at the same time are one. What happens before a [`send`] happens before the handler.

use std::rc::Rc;

use crate::graph::{Graph, Op, Until, bits};
use crate::run::{Access, access, deliver, reorder, with};
use crate::thread::Thread;

/// What a signal does.
pub(crate) struct Action {
    run: Box<dyn Fn()>,
    mask: u32,
}

/// The signals of a thread.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) mask: u32,
    left: Vec<(u32, u32)>,
    raised: u32,
    received: u32,
    word: Option<u32>,
}

impl Signals {
    /// The signals that may arrive now.
    pub(crate) fn able(&self) -> u32 {
        let left = self.left.iter().filter(|(_, left)| *left > 0).fold(0, |set, (signal, _)| set | 1 << signal);
        (left | self.received) & !self.mask
    }

    /// Whether a signal that is pending would wake the thread from a blocking call.
    pub(crate) fn would_wake(&self, graph: &Graph) -> bool {
        let sent = self.word.map_or(0, |word| graph.last_value(word));
        sent as u32 & self.received & !self.mask != 0
    }
}

fn bit(signal: u32) -> u32 {
    assert!(signal < 32, "explore: signals are numbered from 0 to 31");
    1 << signal
}

/// Installs a handler for the whole program. Blocking calls that it interrupts return
/// [`Interrupted`](crate::futex::Wait::Interrupted).
pub fn action(signal: u32, handler: impl Fn() + 'static) {
    install(signal, Action { run: Box::new(handler), mask: 0 });
}

/// Installs a handler during which the signals of `mask` are masked, too.
pub fn action_masking(signal: u32, mask: &[u32], handler: impl Fn() + 'static) {
    let mask = mask.iter().fold(0, |set, &signal| set | bit(signal));
    install(signal, Action { run: Box::new(handler), mask });
}

fn install(signal: u32, action: Action) {
    let _ = bit(signal);
    with(|run| {
        if run.actions.len() <= signal as usize {
            run.actions.resize_with(signal as usize + 1, || None);
        }
        run.actions[signal as usize] = Some(Rc::new(action));
    });
}

/// From now on the environment may send `signal` to the thread that runs, `times` times.
pub fn allow(signal: u32, times: u32) {
    let _ = bit(signal);
    with(|run| {
        let fiber = &mut run.fibers[run.current];
        fiber.signals.left.push((signal, times));
        fiber.contexts.barrier();
    });
}

/// From now on other threads may [`send`] `signal` to the thread that runs.
pub fn receive(signal: u32) -> Thread {
    let thread = crate::thread::current();
    let word = with(|run| run.fibers[run.current].signals.word).unwrap_or_else(|| crate::atomic::location(0));
    with(|run| {
        let fiber = &mut run.fibers[run.current];
        fiber.signals.word = Some(word);
        fiber.signals.received |= bit(signal);
        fiber.contexts.barrier();
    });
    thread
}

/// Sends `signal` to a thread that called [`receive`] for it.
///
/// # Panics
///
/// If it did not.
pub fn send(thread: &Thread, signal: u32) {
    deliver();
    let signals = |run: &crate::run::Run| {
        let signals = &run.fibers[thread.slot()].signals;
        (signals.received & bit(signal) != 0).then_some(signals.word).flatten()
    };
    let word = with(|run| signals(run)).expect("explore: the thread must call signal::receive before a signal is sent");
    let ord = bits::ACQ | bits::REL;
    access(Access::rmw(word, Op::Or(u64::from(bit(signal))), ord, ord));
}

/// Sends `signal` to the thread that runs.
pub fn raise(signal: u32) {
    deliver();
    reorder::barrier();
    with(|run| run.fibers[run.current].signals.raised |= bit(signal));
    run_raised();
}

/// Masks the signals of `set`, and gives the old mask.
pub fn mask(set: &[u32]) -> u32 {
    let set = set.iter().fold(0, |set, &signal| set | bit(signal));
    deliver();
    change(|mask| mask | set)
}

/// Lets the signals of `set` in, and gives the old mask.
pub fn unmask(set: &[u32]) -> u32 {
    let set = set.iter().fold(0, |set, &signal| set | bit(signal));
    deliver();
    change(|mask| mask & !set)
}

/// Sets the whole mask, as [`mask`] gave it.
pub fn set_mask(mask: u32) -> u32 {
    deliver();
    change(|_| mask)
}

fn change(new: impl FnOnce(u32) -> u32) -> u32 {
    reorder::barrier();
    let old = with(|run| {
        let fiber = &mut run.fibers[run.current];
        let old = fiber.signals.mask;
        fiber.signals.mask = new(old);
        fiber.contexts.barrier();
        old
    });
    run_raised();
    old
}

fn run_raised() {
    loop {
        let next = with(|run| {
            let signals = &mut run.fibers[run.current].signals;
            let able = if run.ended { 0 } else { signals.raised & !signals.mask };
            let signal = able.trailing_zeros();
            (able != 0).then(|| {
                signals.raised &= !(1 << signal);
                signal
            })
        });
        let Some(signal) = next else { return };
        handle(signal);
    }
}

/// The environment, or another thread, has `signal` arrive here.
pub(crate) fn arrive(signal: u32) {
    let word = with(|run| {
        let signals = &mut run.fibers[run.current].signals;
        let mine = signals.left.iter_mut().find(|(number, left)| *number == signal && *left > 0);
        match mine {
            Some((_, left)) => {
                *left -= 1;
                None
            }
            None => signals.word,
        }
    });
    if let Some(word) = word {
        let set = u64::from(bit(signal));
        let ord = bits::ACQ | bits::REL;
        // The kernel does this: nothing of the thread's stands in its way.
        let outer = reorder::enter();
        access(Access::rmw(word, Op::And(!set), ord, ord).assume(Until::Bits(set)));
        reorder::leave(outer);
    }
    handle(signal);
}

fn handle(signal: u32) {
    let known = with(|run| run.actions.get(signal as usize).cloned().flatten());
    let action = known.unwrap_or_else(|| panic!("signal {signal} arrives, and has no handler"));
    let (mask, interrupted) = with(|run| {
        let fiber = &mut run.fibers[run.current];
        let mask = fiber.signals.mask;
        fiber.signals.mask |= bit(signal) | action.mask;
        (mask, fiber.contexts.enter())
    });
    let outer = reorder::enter();
    (action.run)();
    deliver();
    reorder::leave(outer);
    with(|run| {
        let fiber = &mut run.fibers[run.current];
        fiber.signals.mask = mask;
        fiber.contexts.leave(interrupted);
    });
    run_raised();
}
