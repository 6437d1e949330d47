//! What a body calls, and what the engines share.

use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;
use std::string::String;
use std::sync::Once;
use std::{boxed::Box, format};

use super::below;
use super::point;
use super::world::{self, Handler, switching, with};
use crate::model::{FailureKind, Waiting};

pub use below::check::{explore, lacking, replay};

/// What is said of a deadlock.
pub(super) const STUCK: &str = "no thread can go on";

/// What is said of a livelock.
pub(super) const SPINS: &str = "a thread spins, and no thread is left to end that";

/// Whether this build has models: it has.
#[must_use]
pub const fn available() -> bool {
    true
}

thread_local! {
    /// Whether this thread explores: a panic in an execution is a result, and is not printed.
    static EXPLORES: Cell<bool> = const { Cell::new(false) };
}

/// As long as this exists, the panics of this thread are not printed.
pub(super) struct Quiet;

impl Quiet {
    pub(super) fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let loud = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if !EXPLORES.with(Cell::get) {
                    loud(info);
                }
            }));
        });
        EXPLORES.with(|e| e.set(true));
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        EXPLORES.with(|e| e.set(false));
    }
}

/// A started thread.
#[derive(Debug)]
pub struct Joiner<R> {
    inner: below::JoinHandle<R>,
    number: usize,
    name: &'static str,
}

/// Starts a thread. At most five run in a model, the first included.
pub fn spawn<R: Send + 'static>(name: &'static str, body: impl FnOnce() -> R + Send + 'static) -> Joiner<R> {
    let number = with(|w| w.add_thread(name)).unwrap_or_default();
    let me = with(|w| w.active).unwrap_or_default();
    let begin = move || {
        with(|w| w.active = number);
        below::thread_begins(number);
        let result = body();
        below::thread_ends();
        with(|w| w.threads[number].ended = true);
        result
    };
    let inner = switching(me, || below::spawn(begin));
    Joiner { inner, number, name }
}

impl<R> Joiner<R> {
    /// Waits for its end.
    ///
    /// # Panics
    /// Never: a thread that panics ends the execution.
    #[track_caller]
    pub fn join(self) -> R {
        let me = with(|w| {
            let waiting = Waiting {
                what: format!("the end of {}", self.name),
                owner: Some(self.number),
                lock: false,
                call: "pthread_join",
            };
            w.me().waits_for = Some(waiting);
            w.active
        })
        .unwrap_or_default();
        let result = switching(me, || below::join(self.inner));
        with(|w| w.me().waits_for = None);
        result
    }
}

/// Installs a handler of `signal`, which is blocked while it runs, as are `masks`. Its number in
/// [`Plan::signals`] is how many were installed before it.
pub fn handle(name: &'static str, signal: i32, masks: &[i32], handler: impl Fn() + 'static) {
    let all = masks.iter().copied().chain([signal]).fold(0, |all, n| all | super::os::sigmask::bit(n));
    let handler = Handler { name, masks: all, signal: super::os::sigmask::bit(signal), body: Rc::new(handler) };
    with(|w| w.handlers.push(handler));
}

/// Runs `target` as what the plan's perturbations happen to. Once in an execution.
#[track_caller]
pub fn interruptible<R>(target: impl FnOnce() -> R) -> R {
    let at = Location::caller();
    with(|w| w.target = Some(w.active));
    let result = target();
    // The point after the last operation.
    point::pass(at);
    with(|w| w.target = None);
    result
}

/// Ends the execution as a failure of this outcome.
///
/// # Panics
/// It does not return.
pub fn fail(outcome: &'static str, message: String) -> ! {
    world::fail(FailureKind::Reported(outcome), message)
}
