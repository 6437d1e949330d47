//! The conformance suite, second part: a timed sleep that gives up while it is being woken, for every
//! registered backend.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use sigproof_osnote::{Backend, Note, Woken};
use sigproof_shim::atomic::{AtomicU64, Ordering};

use support::{Gate, Jitter, each_backend, pin, spin};

const ROUNDS: i32 = 2000;

/// One kind of race: how long the sleeper sleeps, and how the waker aims at the end of that.
struct Aim {
    rounds: i32,
    timeout: Duration,
    /// The waker's first delay, in nanoseconds, and by how much it changes from round to round. Below zero
    /// the sleeper is delayed instead.
    start: i64,
    step: i64,
    /// How much is added to it at random.
    jitter: u64,
}

const AIMS: [Aim; 2] = [
    // Without a real sleep nothing blurs the moment of giving up, so that the few instructions of it are hit.
    Aim { rounds: 2000, timeout: Duration::ZERO, start: 3000, step: 100, jitter: 600 },
    Aim { rounds: 500, timeout: Duration::from_micros(20), start: 60_000, step: 500, jitter: 4000 },
];

/// Whichever comes first, the wake-up is there exactly once: in this sleep or for the next one, and nothing
/// stays behind.
///
/// The delays follow the outcome (the waker comes later after a wake-up, earlier after a time-out), so that
/// most rounds are close calls on any machine, and both outcomes occur.
fn race(backend: &Backend, note: &dyn Note, aim: &Aim) {
    let (start, done, delay) = (Gate::new(), Gate::new(), AtomicU64::new(0));
    let mut outcomes = [0_u32; 2];
    thread::scope(|scope| {
        let (start, done, delay) = (&start, &done, &delay);
        scope.spawn(move || {
            if aim.timeout.is_zero() {
                pin(1);
            }
            let mut jitter = Jitter(1);
            for round in 1..=aim.rounds {
                start.wait(round);
                spin(Duration::from_nanos(delay.load(Ordering::SeqCst) + jitter.below(aim.jitter)));
                note.wakeup().unwrap();
                done.open(round);
            }
        });
        if aim.timeout.is_zero() {
            pin(0);
        }
        let mut next = aim.start;
        for round in 1..=aim.rounds {
            delay.store(u64::try_from(next).unwrap_or(0), Ordering::SeqCst);
            start.open(round);
            if next < 0 {
                yield_for(Duration::from_nanos(next.unsigned_abs()));
            }
            let woken = note.sleep_timeout(aim.timeout).unwrap();
            outcomes[usize::from(woken == Woken::ByWakeup)] += 1;
            next = match woken {
                Woken::ByWakeup => next + aim.step,
                Woken::ByTimeout => {
                    note.sleep().expect("the wake-up stays for the next sleep");
                    next - aim.step
                }
            };
            done.wait(round);
            note.clear();
            let after = note.sleep_timeout(Duration::from_nanos(100));
            assert_eq!(after, Ok(Woken::ByTimeout), "{}: something was left behind", backend.name);
        }
    });
    pin(None);
    println!("{}, {:?}: {outcomes:?} time-outs and wake-ups", backend.name, aim.timeout);
    assert!(outcomes.iter().all(|&count| count > 0), "{}: {outcomes:?}", backend.name);
}

/// Lets other threads run for this long: on a single processor the waker could not be first otherwise.
fn yield_for(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        thread::yield_now();
    }
}

#[test]
fn giving_up_and_waking_race_without_loss_or_leftover() {
    each_backend("give up", |backend, note| {
        if backend.timed_sleep {
            AIMS.iter().for_each(|aim| race(backend, note, aim));
        }
    });
}

/// The same without a time-out: wake-ups at every offset from the beginning of the sleep.
#[test]
fn no_wake_up_is_lost_whenever_it_comes() {
    each_backend("wake at any time", |_, note| {
        let (start, done) = (Gate::new(), Gate::new());
        thread::scope(|scope| {
            let (start, done) = (&start, &done);
            scope.spawn(move || {
                let mut jitter = Jitter(2);
                for round in 1..=ROUNDS {
                    start.wait(round);
                    spin(Duration::from_nanos(jitter.below(20_000)));
                    note.wakeup().unwrap();
                    done.open(round);
                }
            });
            for round in 1..=ROUNDS {
                start.open(round);
                note.sleep().unwrap();
                // Not waiting for the waker to be out of `wakeup`: its sleeper has returned, so the note may
                // be cleared.
                note.clear();
                done.wait(round);
            }
        });
    });
}
