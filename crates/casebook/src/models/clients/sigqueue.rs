//! The queue of signals: no signal is lost, and none is received more often than it was queued.

use std::sync::Arc;
use std::time::Duration;

use sigproof_osnote::sigqueue::{Receiver, Sent, SigQueue, queue};
use sigproof_osnote::{Backends, Note, NoteError, Woken};
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::native::atomic::{AtomicBool, AtomicU32, Ordering};

use super::super::contract::Contract;
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_report::Outcome;

/// How many signals a model has: 1 to 4.
const SIGNALS: usize = 4;

/// The queue, how often each signal was queued, and what its sender wrote before.
struct Post {
    queue: Arc<SigQueue>,
    queued: [AtomicU32; SIGNALS],
    payloads: [UnsafeCell<u32>; SIGNALS],
}

// SAFETY: the model checks that the accesses to the cells are ordered; under the checker one that is not ends
// the execution first.
unsafe impl Sync for Post {}

impl Post {
    fn new(note: Box<dyn Note>) -> (Arc<Self>, Inbox) {
        let (queue, receiver) = queue(note);
        let all = (1..=SIGNALS as i32).all(|signo| queue.enable(signo));
        ensure(all, Outcome::Crash, || "a number that cannot be queued".to_owned());
        let post = Self { queue, queued: Default::default(), payloads: Default::default() };
        let post = Arc::new(post);
        (post.clone(), Inbox { post, receiver, received: [0; SIGNALS] })
    }

    /// Sends.
    fn send(&self, signo: i32) {
        if must(self.queue.send(signo)) == Sent::Queued {
            self.queued[signo as usize - 1].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes something, then sends: by one thread for each signal, once.
    fn send_with(&self, signo: i32) {
        // SAFETY: see above.
        self.payloads[signo as usize - 1].with_mut(|cell| unsafe { *cell = 1 });
        self.send(signo);
    }
}

/// The receiver, and how often it has received each.
struct Inbox {
    post: Arc<Post>,
    receiver: Receiver,
    received: [u32; SIGNALS],
}

impl Inbox {
    fn take(&mut self, signo: i32, with_payload: &[i32]) {
        self.received[signo as usize - 1] += 1;
        if with_payload.contains(&signo) {
            // SAFETY: as in `send_with`.
            let found = self.post.payloads[signo as usize - 1].with(|cell| unsafe { *cell });
            ensure(found == 1, Outcome::CorruptRecord, || format!("signal {signo} came without what its sender wrote"));
        }
    }

    /// Sleeps until each of these has come.
    fn until(&mut self, all: &[i32], with_payload: &[i32]) {
        while all.iter().any(|signo| self.received[*signo as usize - 1] == 0) {
            let signo = must(self.receiver.recv());
            self.take(signo, with_payload);
        }
    }

    /// After the last signal: receives the rest, and checks the accounts.
    fn close(mut self, with_payload: &[i32]) {
        while let Some(signo) = self.receiver.try_recv() {
            self.take(signo, with_payload);
        }
        let queued = self.post.queued.each_ref().map(|n| n.load(Ordering::Relaxed));
        ensure(queued == self.received, Outcome::LostWakeup, || {
            format!("queued {queued:?} times, received {:?} times", self.received)
        });
    }
}

/// Both send 1; and each one of its own, with something written before.
pub(super) fn senders() -> Vec<(Setup, Model)> {
    let model = Model::new(|| {
        let (post, mut inbox) = Post::new(Contract::over_any().0);
        let senders = [("sender", 2), ("other sender", 3)].map(|(name, own)| {
            let post = post.clone();
            model::spawn(name, move || {
                post.send(1);
                post.send_with(own);
            })
        });
        inbox.until(&[1, 2, 3], &[2, 3]);
        senders.into_iter().for_each(sigproof_shim::model::Joiner::join);
        inbox.close(&[]);
    });
    let alone = Model::new(|| {
        let (post, mut inbox) = Post::new(Contract::over_any().0);
        let sender = model::spawn("sender", {
            let post = post.clone();
            move || {
                post.send_with(2);
                post.send(1);
                post.send_with(3);
            }
        });
        inbox.until(&[1, 2, 3], &[2, 3]);
        sender.join();
        inbox.close(&[]);
    });
    let setup = |flavour| Setup::fixed().flavour(flavour);
    vec![(setup("two"), model.handlers(0).depth(0, Some(2))), (setup("one"), alone.handlers(0).depth(0, Some(4)))]
}

/// A handler on the receiver's thread sends 4, the first time with something written before; another thread
/// sends 1.
pub(super) fn handler(notes: Backends) -> Vec<(Setup, Model)> {
    let model = |make: fn() -> Result<Box<dyn Note>, NoteError>| {
        Model::new(move || {
            let (post, mut inbox) = Post::new(Contract::over(must(make())).0);
            model::handle("sender", model::SIGNAL, &[], {
                let (post, again) = (post.clone(), AtomicBool::new(false));
                // What was written is the receiver's from the first time on.
                move || if again.swap(true, Ordering::Relaxed) { post.send(4) } else { post.send_with(4) }
            });
            let sender = model::spawn("other sender", {
                let post = post.clone();
                move || post.send_with(1)
            });
            model::interruptible(|| inbox.until(&[1], &[1, 4]));
            sender.join();
            inbox.close(&[4]);
        })
        .depth(1, Some(3))
    };
    notes.wakes_from_handler().map(|backend| (Setup::fixed().note(backend), model(backend.make))).collect()
}

/// Two handlers: the one interrupts the other, which does not block its signal, or runs when it has returned,
/// which does.
pub(super) fn nested() -> Vec<(Setup, Model)> {
    let model = |masks: &'static [i32]| {
        Model::new(move || {
            let (post, mut inbox) = Post::new(Contract::over_any().0);
            for (name, signal, signo) in [("first", model::SIGNAL, 3), ("second", model::OTHER, 4)] {
                model::handle(name, signal, masks, {
                    let post = post.clone();
                    move || {
                        post.send(2);
                        post.send(signo);
                    }
                });
            }
            let sender = model::spawn("other sender", {
                let post = post.clone();
                move || post.send_with(1)
            });
            model::interruptible(|| inbox.until(&[1], &[1]));
            sender.join();
            inbox.close(&[]);
        })
        .handlers(2)
        .depth(2, Some(1))
    };
    let setup = |flavour| Setup::fixed().flavour(flavour);
    vec![(setup("nesting"), model(&[])), (setup("masked"), model(&[model::SIGNAL, model::OTHER]))]
}

/// Disabled while it is sent, by another thread or by a handler on the sender's thread.
pub(super) fn disable() -> Vec<(Setup, Model)> {
    let model = Model::new(|| {
        let (post, mut inbox) = Post::new(Contract::over_any().0);
        model::handle("sender", model::SIGNAL, &[], {
            let post = post.clone();
            move || post.send(2)
        });
        let sender = model::spawn("other sender", {
            let post = post.clone();
            move || {
                post.send(1);
                post.send(1);
            }
        });
        model::interruptible(|| {
            for signo in [1, 2] {
                post.queue.disable(signo);
            }
            post.queue.wait_until_idle();
        });
        while let Some(signo) = inbox.receiver.try_recv() {
            inbox.take(signo, &[]);
        }
        // The other sender may still be about to send: it is refused.
        sender.join();
        let late = inbox.receiver.try_recv();
        ensure(late.is_none(), Outcome::CorruptRecord, || format!("{late:?} was queued after the queue was idle"));
        ensure(must(post.queue.send(1)) == Sent::NotWanted, Outcome::CorruptRecord, || "1 is wanted".to_owned());
        inbox.close(&[]);
    });
    vec![(Setup::fixed(), model.depth(1, Some(3)))]
}

/// What is set up before a signal is enabled is seen by the sender that finds it wanted.
pub(super) fn enable() -> Vec<(Setup, Model)> {
    let model = Model::new(|| {
        let (post, mut inbox) = Post::new(Contract::over_any().0);
        post.queue.disable(1);
        let sender = model::spawn("sender", {
            let post = post.clone();
            move || {
                if must(post.queue.send(1)) != Sent::NotWanted {
                    // SAFETY: as in `send_with`.
                    let set_up = post.payloads[0].with(|cell| unsafe { *cell });
                    ensure(set_up == 1, Outcome::CorruptRecord, || "1 was wanted before it was set up".to_owned());
                }
            }
        });
        // SAFETY: as in `send_with`.
        post.payloads[0].with_mut(|cell| unsafe { *cell = 1 });
        post.queue.enable(1);
        sender.join();
        let late = inbox.receiver.try_recv();
        ensure(late.is_none_or(|signo| signo == 1), Outcome::CorruptRecord, || format!("{late:?} was never sent"));
    });
    vec![(Setup::fixed(), model.handlers(0).depth(0, None))]
}

/// A note whose wake-up touches what the user takes away once the queue is idle.
struct Touched {
    inner: Box<dyn Note>,
    cell: Arc<Cell>,
}

struct Cell(UnsafeCell<()>);

// SAFETY: nothing is in the cell; the model checks that its accesses are ordered.
unsafe impl Sync for Cell {}

impl Note for Touched {
    fn clear(&self) {
        self.inner.clear();
    }

    fn sleep(&self) -> Result<(), NoteError> {
        self.inner.sleep()
    }

    fn sleep_timeout(&self, timeout: Duration) -> Result<Woken, NoteError> {
        self.inner.sleep_timeout(timeout)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        // In this order: the receiver may be gone when this thread is still in here.
        let woken = self.inner.wakeup();
        self.cell.0.with(|_| ());
        woken
    }
}

/// Disabled and idle: no handler is inside the note's wake-up any more, and none gets there.
pub(super) fn idle() -> Vec<(Setup, Model)> {
    let model = Model::new(|| {
        let cell = Arc::new(Cell(UnsafeCell::new(())));
        let note = Touched { inner: Contract::over_any().0, cell: cell.clone() };
        let (post, mut inbox) = Post::new(Box::new(note));
        let senders = [1, 2].map(|signo| {
            let post = post.clone();
            model::spawn("sender", move || post.send(signo))
        });
        // Asleep when one of them comes, so that it wakes.
        inbox.until(&[1], &[]);
        (1..=2).for_each(|signo| {
            post.queue.disable(signo);
        });
        post.queue.wait_until_idle();
        cell.0.with_mut(|_| ());
        senders.into_iter().for_each(sigproof_shim::model::Joiner::join);
    });
    vec![(Setup::fixed(), model.handlers(0).depth(0, Some(2)))]
}
