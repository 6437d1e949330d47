//! **darwin-sigqueue-note**: a signal handler puts the signal into a queue and wakes the receiver's note. Where the note is a pthread mutex and
//! condition variable, the handler waits for the mutex that the receiver, which it has interrupted, was holding.
//!
//! Upstream: golang/go#31264; since 2019 the queue sleeps on the pipe note on Darwin.
//!
//! ```text
//! cargo xtask stress darwin-sigqueue-note
//! ```
//!
//! | variant | the queue sleeps on | must be seen |
//! |---|---|---|
//! | broken | a note whose wake-up is not async-signal-safe | self-deadlock |
//! | fixed | one whose wake-up is | every signal received |
//!
//! Broken and fixed differ in the note and in nothing else; which is which follows from the backends' own claims, and this puts
//! the claims to the test.

use sigproof_osnote::sigqueue::{self, Sent, SigQueue};
use sigproof_osnote::{SignalSafety, backends};

use crate::case::{Case, Failure, Outcome, Setup};
use crate::inject::{Fault, SIGNAL};
use crate::worker::Attempt;

/// The case.
pub(super) static CASE: DarwinSigqueueNote = DarwinSigqueueNote;

pub(super) struct DarwinSigqueueNote;

impl Case for DarwinSigqueueNote {
    fn name(&self) -> &'static str {
        "darwin-sigqueue-note"
    }

    fn summary(&self) -> &'static str {
        "a handler that queues a signal wakes the receiver's note, whose mutex the interrupted receiver holds"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &["https://github.com/golang/go/issues/31264"]
    }

    fn setups(&self) -> Vec<Setup> {
        let setup = |safety| match safety {
            SignalSafety::Unsafe => Setup::broken(Outcome::SelfDeadlock),
            SignalSafety::Safe => Setup::fixed(),
        };
        backends().iter().map(|b| setup(b.wakeup).note(b)).collect()
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        let (queue, mut receiver) = sigqueue::queue(setup.make_note()?);
        queue.enable(SIGNAL);
        let sender: &'static SigQueue = {
            let leaked: &'static _ = Box::leak(Box::new(queue));
            leaked
        };
        let mut injector = attempt.injector(|| match sender.send(SIGNAL)? {
            Sent::Queued => Ok(()),
            // One signal a round, received before the next is armed.
            Sent::Coalesced => {
                Err(Fault { outcome: Outcome::CorruptRecord, detail: "a signal was in the queue already" })
            }
            Sent::NotWanted => {
                Err(Fault { outcome: Outcome::CorruptRecord, detail: "a wanted signal was turned away" })
            }
        })?;
        for _ in attempt.rounds() {
            let received = injector.round(|| receiver.recv())??;
            if received != SIGNAL {
                return Err(Failure::new(
                    Outcome::CorruptRecord,
                    format!("signal {received} came out, {SIGNAL} was sent"),
                ));
            }
            injector.settle();
        }
        sender.wait_until_idle();
        match receiver.try_recv() {
            None => Ok(()),
            Some(n) => {
                Err(Failure::new(Outcome::CorruptRecord, format!("signal {n} came out once more than it was sent")))
            }
        }
    }
}
