//! The signal queue without signals, and then with real ones: nothing that was enabled is lost, over every
//! note that a handler may wake.

mod support;

use std::ptr;
use std::thread;
use std::time::Duration;

use sigproof_osnote::sigqueue::{Receiver, Sent, SigQueue, queue};
use sigproof_osnote::{Backends, Note, NoteError, Woken, notes};
use sigproof_shim::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use sigproof_shim::os::errno;
use sigproof_shim::sync::Arc;

use support::{Jitter, Watched, exclusive, on_signal, spin};

fn over(name: &str) -> (Arc<SigQueue>, Receiver) {
    queue((Backends::BUILT_IN.find(name).unwrap().make)().unwrap())
}

#[test]
fn what_is_wanted_is_received_once_and_the_rest_is_not() {
    let (queue, mut receiver) = over("sema");
    assert_eq!(queue.send(3), Ok(Sent::NotWanted));
    for signo in [i32::MIN, -1, 0, 65, i32::MAX] {
        assert!(!queue.enable(signo) && !queue.disable(signo));
        assert_eq!(queue.send(signo), Ok(Sent::NotWanted));
    }
    assert_eq!(receiver.try_recv(), None);
    for signo in [64, 1, 3] {
        assert!(queue.enable(signo));
        assert_eq!(queue.send(signo), Ok(Sent::Queued));
        assert_eq!(queue.send(signo), Ok(Sent::Coalesced));
    }
    assert!(queue.disable(3));
    assert_eq!(queue.send(3), Ok(Sent::NotWanted));
    assert_eq!([receiver.recv(), receiver.recv(), receiver.recv()], [Ok(1), Ok(3), Ok(64)]);
    assert_eq!(receiver.try_recv(), None);
    assert_eq!(queue.send(1), Ok(Sent::Queued));
    assert_eq!(receiver.recv(), Ok(1));
}

#[test]
fn a_receiver_sleeps_until_something_is_sent_and_not_longer() {
    let _exclusive = exclusive("receiver sleeps");
    let (queue, mut receiver) = over("pipe");
    queue.enable(5);
    for _ in 0..50 {
        let watched = Watched::new();
        assert!(!queue.is_receiving());
        thread::scope(|scope| {
            let received = scope.spawn(|| watched.run(|| receiver.recv()));
            assert!(watched.asleep(), "returned with nothing");
            assert!(queue.is_receiving());
            errno::set(4242);
            assert_eq!(queue.send(5), Ok(Sent::Queued));
            assert_eq!(errno::get(), 4242);
            assert_eq!(received.join().unwrap(), Ok(5));
        });
    }
}

/// A note that says what the queue asks of it, and in whose wake-up a sender can be held.
struct Probe {
    inner: Box<dyn Note>,
    hold: &'static AtomicBool,
    errors: &'static AtomicU32,
}

impl Note for Probe {
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
        let woken = self.inner.wakeup();
        self.errors.fetch_add(u32::from(woken.is_err()), Ordering::SeqCst);
        while self.hold.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        woken
    }
}

#[test]
fn waiting_until_idle_waits_for_a_send_in_flight() {
    static HOLD: AtomicBool = AtomicBool::new(true);
    static ERRORS: AtomicU32 = AtomicU32::new(0);
    let _exclusive = exclusive("idle");
    let inner = (notes::sema::BACKEND.make)().unwrap();
    let (queue, mut receiver) = queue(Box::new(Probe { inner, hold: &HOLD, errors: &ERRORS }));
    queue.enable(7);
    queue.wait_until_idle();
    thread::scope(|scope| {
        let received = scope.spawn(move || receiver.recv());
        while !queue.is_receiving() {
            thread::yield_now();
        }
        let sender = scope.spawn(|| queue.send(7));
        assert_eq!(received.join().unwrap(), Ok(7));
        // Received, but the sender is still in the wake-up.
        queue.disable(7);
        let waiting = Watched::new();
        thread::scope(|inner| {
            inner.spawn(|| waiting.run(|| queue.wait_until_idle()));
            // It has begun to wait; long enough for one that does not wait to be found out.
            waiting.id();
            for _ in 0..1000 {
                assert!(!waiting.returned(), "idle with a send in flight");
                thread::yield_now();
            }
            HOLD.store(false, Ordering::SeqCst);
        });
        assert_eq!(sender.join().unwrap(), Ok(Sent::Queued));
    });
    assert_eq!(ERRORS.load(Ordering::SeqCst), 0);
}

/// Ordinary threads as senders: with notes of every kind, each number that was sent is received after it was
/// sent.
#[test]
fn threads_lose_nothing() {
    static NO_HOLD: AtomicBool = AtomicBool::new(false);
    const ROUNDS: u64 = 3000;
    let _exclusive = exclusive("threads");
    for backend in Backends::BUILT_IN.available() {
        static ERRORS: AtomicU32 = AtomicU32::new(0);
        let inner = (backend.make)().unwrap();
        let (queue, mut receiver) = queue(Box::new(Probe { inner, hold: &NO_HOLD, errors: &ERRORS }));
        let posted = [const { AtomicU64::new(0) }; 2];
        let acknowledged = [const { AtomicU64::new(0) }; 2];
        (1..=3).for_each(|signo| assert!(queue.enable(signo)));
        thread::scope(|scope| {
            let (posted, acknowledged, queue) = (&posted, &acknowledged, &queue);
            scope.spawn(move || {
                loop {
                    match receiver.recv().unwrap() {
                        3 => return,
                        signo => {
                            let index = signo as usize - 1;
                            let seen = posted[index].load(Ordering::SeqCst);
                            acknowledged[index].store(seen, Ordering::SeqCst);
                        }
                    }
                }
            });
            let senders = [0_usize, 1].map(|index| {
                scope.spawn(move || {
                    let mut jitter = Jitter(7 + index as u64);
                    for round in 1..=ROUNDS {
                        posted[index].store(round, Ordering::SeqCst);
                        queue.send(index as i32 + 1).unwrap();
                        while acknowledged[index].load(Ordering::SeqCst) < round {
                            thread::yield_now();
                        }
                        spin(Duration::from_nanos(jitter.below(3000)));
                    }
                })
            });
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            queue.send(3).unwrap();
        });
        assert_eq!(ERRORS.load(Ordering::SeqCst), 0, "{}: a wake-up failed", backend.name);
    }
}

static QUEUE: AtomicPtr<SigQueue> = AtomicPtr::new(ptr::null_mut());
static POSTED: [AtomicU64; 65] = [const { AtomicU64::new(0) }; 65];
static HANDLED: [AtomicU64; 65] = [const { AtomicU64::new(0) }; 65];
static FAILED: AtomicI32 = AtomicI32::new(0);

/// Async-signal-safe with a note that is.
extern "C" fn handler(signo: libc::c_int) {
    // SAFETY: null or a queue that outlives the rounds in which signals are sent.
    let Some(queue) = (unsafe { QUEUE.load(Ordering::SeqCst).as_ref() }) else { return };
    if queue.send(signo).is_err() {
        FAILED.fetch_add(1, Ordering::SeqCst);
    }
    if let Some(handled) = HANDLED.get(signo as usize) {
        handled.fetch_add(1, Ordering::SeqCst);
    }
}

/// Two kinds of signal at the receiver itself, which they interrupt wherever it is, and at a bystander. After
/// each one its number must be received.
#[test]
fn real_signals_lose_nothing() {
    const STOP: i32 = 64;
    const ROUNDS: u64 = 1500;
    const SIGNALS: [i32; 2] = [libc::SIGUSR1, libc::SIGUSR2];
    let _exclusive = exclusive("signals");
    SIGNALS.into_iter().for_each(|signo| on_signal(signo, handler));
    for backend in Backends::BUILT_IN.wakes_from_handler().filter(|backend| backend.available()) {
        let (queue, mut receiver) = queue((backend.make)().unwrap());
        let acknowledged = &[const { AtomicU64::new(0) }; 65];
        for signo in SIGNALS {
            queue.enable(signo);
            POSTED[signo as usize].store(0, Ordering::SeqCst);
        }
        queue.enable(STOP);
        QUEUE.store(Arc::as_ptr(&queue).cast_mut(), Ordering::SeqCst);
        let receiving = &Watched::new();
        let done = &support::Gate::new();
        thread::scope(|scope| {
            scope.spawn(move || {
                receiving.run(|| {
                    loop {
                        let signo = receiver.recv().unwrap();
                        if signo == STOP {
                            break;
                        }
                        let seen = POSTED[signo as usize].load(Ordering::SeqCst);
                        acknowledged[signo as usize].store(seen, Ordering::SeqCst);
                    }
                    // Stay: signals are still sent to this thread.
                    done.wait(1);
                });
            });
            let bystander = support::ThreadId::current();
            let mut jitter = Jitter(9);
            for round in 1..=ROUNDS {
                // Both at once, so that a handler may interrupt the other, and the receiver the other's
                // announcement.
                for signo in SIGNALS {
                    POSTED[signo as usize].store(round, Ordering::SeqCst);
                    let target = if (round + signo as u64).is_multiple_of(3) { bystander } else { receiving.id() };
                    target.kill(signo);
                    spin(Duration::from_nanos(jitter.below(5000)));
                }
                for signo in SIGNALS {
                    while acknowledged[signo as usize].load(Ordering::SeqCst) < round {
                        thread::yield_now();
                    }
                }
            }
            assert!(SIGNALS.into_iter().all(|signo| queue.disable(signo)));
            queue.wait_until_idle();
            queue.send(STOP).unwrap();
            done.open(1);
        });
        QUEUE.store(ptr::null_mut(), Ordering::SeqCst);
        assert_eq!(FAILED.load(Ordering::SeqCst), 0, "{}: a wake-up failed", backend.name);
        for signo in SIGNALS {
            assert!(HANDLED[signo as usize].swap(0, Ordering::SeqCst) >= ROUNDS, "signals were not delivered");
        }
    }
}
