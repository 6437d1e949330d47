//! **darwin-sigqueue-note**: a signal handler puts the signal into a queue and wakes the receiver's note.
//! Where the note is a pthread mutex and condition variable, the handler waits for the mutex that the
//! receiver, which it has interrupted, was holding.
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
//! | fixed, `refuses` | `sema` that refuses signal handlers | refused |
//!
//! `refuses` is what Go does on macOS from 1.22 on ([`Refusing`](sigproof_osnote::semaphore::Refusing)): no
//! signal deadlocks it; an attempt ends with the first one whose handler must wake the receiver. Broken and
//! fixed differ in the note and in nothing else; which is which follows from the backends' own claims, and
//! this puts the claims to the test.
//!
//! In the model another thread sends too, but only if it has not seen that the handler has: so that the
//! handler's wake-up is needed where it comes first, and the receiver is not alone with a signal that comes
//! too late for its sleep.

use std::sync::{Mutex, PoisonError, mpsc};

use sigproof_inspect::rules::bugs;
use sigproof_osnote::notes::sema::REFUSING;
use sigproof_osnote::sigqueue::{self, Sent, SigQueue};
use sigproof_osnote::{Backend, Backends, SignalSafety};
use sigproof_shim::atomic::{AtomicBool, Ordering};
use sigproof_shim::native::atomic::AtomicU32;
use sigproof_shim::sync::Arc;

use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject::{Fault, SIGNAL};
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::{REFUSES, Setup};
use sigproof_report::{Expected, Outcome};

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
        bugs::DARWIN_SIGQUEUE_NOTE.upstream
    }

    fn fingerprints(&self) -> &'static [&'static str] {
        // The second is that of musl, whose `pthread_mutex_lock` is a jump to this function.
        &["self-deadlock/mutex/in:pthread_mutex_lock/mutex", "self-deadlock/mutex/in:pthread_mutex_timedlock/mutex"]
    }

    fn setups(&self, notes: Backends) -> Vec<Setup> {
        let setup = |safety| match safety {
            SignalSafety::Unsafe => Setup::broken(Outcome::SelfDeadlock),
            SignalSafety::Safe => Setup::fixed(),
        };
        let refuses = [Setup::refuses().note(&REFUSING)];
        notes.iter().map(|b| setup(b.wakeup).note(b)).chain(refuses).collect()
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

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let Some(note) = setup.note else { return Vec::new() };
        let elsewhere = if setup.flavour == Some(REFUSES) { Expected::refused() } else { Expected::delivered() };
        let receive = move |stage: &mut Stage| stepped_receive(note, stage);
        vec![
            Window::new("receive", receive).nests(),
            Window::new("receive-bystander", receive).on_bystander().expect(elsewhere.clone()),
            // The handler wakes the note only if the receiver sleeps: not yet woken, or again, and then the
            // interrupted send has let go of its mutex.
            Window::new("send", move |stage| stepped_send(note, stage)).expect(elsewhere),
        ]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        // A note over a descriptor takes more steps.
        setup.note.map(|note| modelled(note).depth(2, Some(if note.descriptors == 0 { 3 } else { 2 })))
    }
}

/// The receiver, which the handler interrupts, receives one signal; what is left when all is over it receives
/// without sleeping.
fn modelled(backend: &'static Backend) -> Model {
    Model::new(move || {
        let (queue, mut receiver) = sigqueue::queue(must((backend.make)()));
        // Not modelled: what was put into the queue.
        let sent = Arc::new(Mutex::new(Vec::new()));
        let send = |signo| {
            let (queue, sent) = (Arc::clone(&queue), Arc::clone(&sent));
            queue.enable(signo);
            move || match must(queue.send(signo)) {
                Sent::Queued => sent.lock().unwrap_or_else(PoisonError::into_inner).push(signo),
                Sent::Coalesced => {}
                Sent::NotWanted => ensure(false, Outcome::CorruptRecord, || format!("signal {signo} was turned away")),
            }
        };
        let handled = Arc::new(AtomicBool::new(false));
        model::handle("signal", model::SIGNAL, &[], {
            let (send, handled) = (send(model::SIGNAL), Arc::clone(&handled));
            move || {
                send();
                // Relaxed: it must order nothing.
                handled.store(true, Ordering::Relaxed);
            }
        });
        let sender = model::spawn("sender", {
            let send = send(model::OTHER);
            move || {
                if !handled.load(Ordering::Relaxed) {
                    send();
                }
            }
        });
        let mut received = vec![model::interruptible(|| must(receiver.recv()))];
        sender.join();
        queue.wait_until_idle();
        received.extend(std::iter::from_fn(|| receiver.try_recv()));
        let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sent.sort_unstable();
        received.sort_unstable();
        ensure(sent == received, Outcome::CorruptRecord, || {
            format!("signals {sent:?} were queued, and {received:?} came out")
        });
    })
}

/// The signals that are sent, stepped: by the window's own code, or its helper; by the handler; by one that
/// has interrupted that.
const SENT: [i32; 3] = [model::OTHER, SIGNAL, libc::SIGHUP];

/// What was put into a queue, a bit for each of [`SENT`], and is to come out.
#[derive(Default)]
struct Due(AtomicU32);

impl Due {
    fn send(&self, queue: &SigQueue, which: usize) -> Result<(), Fault> {
        // Before it can come out.
        self.0.fetch_or(1 << which, Ordering::Relaxed);
        match queue.send(SENT[which])? {
            Sent::Queued => Ok(()),
            Sent::Coalesced | Sent::NotWanted => Err(Fault {
                outcome: Outcome::CorruptRecord,
                detail: "a signal was in the queue already, or turned away",
            }),
        }
    }

    fn come_out(&self, signo: i32) -> Result<(), Failure> {
        let bit = SENT.iter().position(|sent| *sent == signo).map_or(0, |which| 1 << which);
        match self.0.fetch_and(!bit, Ordering::Relaxed) & bit {
            0 => Err(Failure::new(Outcome::CorruptRecord, format!("signal {signo} came out and was not sent"))),
            _ => Ok(()),
        }
    }

    fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// The window is a receive from an empty queue; once the receiver sleeps, another thread sends.
fn stepped_receive(note: &'static Backend, stage: &mut Stage) -> Result<(), Failure> {
    let (queue, mut receiver) = sigqueue::queue((note.make)()?);
    for signo in SENT {
        queue.enable(signo);
    }
    let due = Arc::new(Due::default());
    stage.handler({
        let (queue, due) = (Arc::clone(&queue), Arc::clone(&due));
        move |begun| due.send(&queue, if begun == 0 { 1 } else { 2 })
    })?;
    stage.helper({
        let (queue, due) = (Arc::clone(&queue), Arc::clone(&due));
        move || due.send(&queue, 0).map_err(Failure::from)
    })?;
    while stage.another()? {
        while let Some(late) = receiver.try_recv() {
            due.come_out(late)?;
        }
        if !due.is_none() {
            return Err(Failure::new(Outcome::CorruptRecord, "a signal that was queued did not come out"));
        }
        let received = stage.window(|| receiver.recv())?;
        due.come_out(received)?;
    }
    Ok(())
}

/// The window is a send while another thread sleeps in a receive; the handler sends, too.
fn stepped_send(note: &'static Backend, stage: &mut Stage) -> Result<(), Failure> {
    let (queue, mut receiver) = sigqueue::queue((note.make)()?);
    for signo in SENT {
        queue.enable(signo);
    }
    let due = Arc::new(Due::default());
    let (tell, received) = mpsc::channel();
    stage.other("receiver", move || {
        // The receiver is dropped only while the process exits.
        while tell.send(receiver.recv()?).is_ok() {}
        Ok(())
    })?;
    stage.handler({
        let (queue, due) = (Arc::clone(&queue), Arc::clone(&due));
        move |_| due.send(&queue, 1)
    })?;
    while stage.another()? {
        stage.window(|| due.send(&queue, 0))?;
        while !due.is_none() {
            due.come_out(received.recv().map_err(|_| Failure::new(Outcome::Crash, "the receiver is gone"))?)?;
        }
    }
    Ok(())
}
