//! Wakes a note whose sleep blocks the signal, from another thread: the handler then runs after the sleep.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use sigproof_inspect::refusal::Refusal;
use sigproof_report::Outcome;
use sigproof_shim::native::atomic::Ordering;

use super::{Fault, shield};
use crate::failure::Failure;
use crate::page::Page;

/// So many signals have come to a sleeper before a note counts as one whose sleep lets them in. One alone may
/// have come as the sleep blocked it or let it in again, in that system call.
const LET_IN: u64 = 16;

/// After this time a signal that has not come is taken for blocked. An early rescue does no harm: either one
/// of two wakes the note, and the other does nothing.
const LATE: Duration = Duration::from_millis(20);

/// The same, once a signal was late.
const BLOCKED: Duration = Duration::from_millis(1);

/// See the module.
pub(crate) struct Rescue {
    told: Sender<()>,
    answers: Receiver<Result<bool, Fault>>,
    needed: bool,
    over: bool,
}

impl Rescue {
    /// `wake` wakes the note unless somebody has, and says whether it did.
    pub(crate) fn start(wake: impl Fn() -> Result<bool, Fault> + Send + 'static) -> Result<Self, Failure> {
        let ((told, heard), (answer, answers)) = (channel::<()>(), channel());
        let run = move || {
            // Its own thread takes none of the signals.
            let shielded = shield().is_ok();
            // Between rounds it waits without an end: a thread with a timer would look as if it could still
            // wake somebody.
            let mut patience = LATE;
            while shielded && heard.recv().is_ok() {
                let woken = match heard.recv_timeout(patience) {
                    Ok(()) => Ok(false),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        let woken = wake();
                        if heard.recv().is_err() {
                            break;
                        }
                        woken
                    }
                };
                if woken == Ok(true) {
                    patience = BLOCKED;
                }
                if answer.send(woken).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("rescue".to_owned()).spawn(run).map_err(|error| Refusal::thread(&error))?;
        Ok(Self { told, answers, needed: false, over: false })
    }

    /// The sleep of one round. When this returns, the other thread does not touch the note any more.
    pub(crate) fn around<R>(&mut self, page: &Page, sleep: impl FnOnce() -> R) -> Result<R, Failure> {
        if self.over {
            return Ok(sleep());
        }
        let gone = || Failure::new(Outcome::Crash, "the thread that wakes late sleepers has ended");
        self.told.send(()).map_err(|_| gone())?;
        let result = sleep();
        self.told.send(()).map_err(|_| gone())?;
        self.needed |= self.answers.recv().map_err(|_| gone())??;
        self.over = !self.needed && page.asleep.load(Ordering::Relaxed) >= LET_IN;
        Ok(result)
    }
}
