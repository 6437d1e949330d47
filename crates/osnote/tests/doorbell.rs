//! The doorbell algorithm over a bell that counts: every ring is answered, and none is rung twice.

mod support;

use std::sync::{Condvar, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use sigproof_osnote::doorbell::{Doorbell, DoorbellNote, Heard};
use sigproof_osnote::testing::{Fill, Provocation, provoke};
use sigproof_osnote::{Deadline, Note, NoteError, Woken, cloexec, notes};

use support::{Gate, Jitter, Watched, count, exclusive, on_signal, sleeper, spin};

#[derive(Default)]
struct CountingBell {
    pending: Mutex<u64>,
    rung: Condvar,
}

impl Doorbell for CountingBell {
    const TIMED: bool = true;

    fn ring(&self) -> Result<(), NoteError> {
        *self.pending.lock().unwrap() += 1;
        self.rung.notify_all();
        Ok(())
    }

    fn answer(&self, timeout: Option<Duration>) -> Result<Heard, NoteError> {
        let deadline = Deadline::after(timeout);
        let mut pending = self.pending.lock().unwrap();
        loop {
            if *pending > 0 {
                *pending -= 1;
                return Ok(Heard::Ring);
            }
            match deadline.left() {
                Some(Duration::ZERO) => return Ok(Heard::Nothing),
                Some(left) => pending = self.rung.wait_timeout(pending, left).unwrap().0,
                None => pending = self.rung.wait(pending).unwrap(),
            }
        }
    }

    fn hush(&self) -> Result<(), NoteError> {
        *self.pending.lock().unwrap() = 0;
        Ok(())
    }
}

impl Fill for CountingBell {
    fn fill(&self) -> Result<(), NoteError> {
        *self.pending.lock().unwrap() += 10;
        Ok(())
    }
}

impl CountingBell {
    fn pending(&self) -> u64 {
        *self.pending.lock().unwrap()
    }
}

#[test]
fn nothing_is_left_in_the_bell_after_a_race() {
    let _exclusive = exclusive("counting bell");
    let note = &DoorbellNote::new(CountingBell::default());
    let (start, done) = (&Gate::new(), &Gate::new());
    let mut outcomes = [0; 2];
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut jitter = Jitter(5);
            for round in 1..=2000 {
                start.wait(round);
                spin(Duration::from_nanos(jitter.below(60_000)));
                note.wakeup().unwrap();
                done.open(round);
            }
        });
        for round in 1..=2000 {
            // Every fourth without a time-out at all, and from the zero one to one that is too long for the
            // waker's delay.
            let timeout = Duration::from_micros(u64::try_from(round % 4).unwrap() * 20);
            start.open(round);
            let woken = note.sleep_timeout(timeout).unwrap();
            outcomes[usize::from(woken == Woken::ByWakeup)] += 1;
            done.wait(round);
            if woken == Woken::ByWakeup {
                assert_eq!(note.bell().pending(), 0, "left in the bell");
            } else {
                assert_eq!(note.bell().pending(), 1, "taken by a sleeper that was not woken");
            }
            note.clear();
            assert_eq!(note.bell().pending(), 0);
        }
    });
    assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?} is no race");
}

/// The wake-up comes exactly between the end of the time and the giving up.
#[test]
fn a_wake_up_at_the_moment_of_giving_up_is_taken() {
    static NOTE: LazyLock<DoorbellNote<WakesAtTheEnd>> = LazyLock::new(|| DoorbellNote::new(WakesAtTheEnd::default()));
    #[derive(Default)]
    struct WakesAtTheEnd(CountingBell);
    impl Doorbell for WakesAtTheEnd {
        const TIMED: bool = true;
        fn ring(&self) -> Result<(), NoteError> {
            self.0.ring()
        }
        fn answer(&self, timeout: Option<Duration>) -> Result<Heard, NoteError> {
            let heard = if timeout.is_some() { Heard::Nothing } else { self.0.answer(None)? };
            if heard == Heard::Nothing {
                NOTE.wakeup()?;
            }
            Ok(heard)
        }
        fn hush(&self) -> Result<(), NoteError> {
            self.0.hush()
        }
    }

    impl Fill for WakesAtTheEnd {
        fn fill(&self) -> Result<(), NoteError> {
            self.0.fill()
        }
    }
    let _exclusive = exclusive("moment of giving up");
    assert_eq!(NOTE.sleep_timeout(Duration::ZERO), Ok(Woken::ByWakeup));
    assert_eq!(NOTE.bell().0.pending(), 0, "left in the bell");
    assert_eq!(NOTE.sleep(), Ok(()), "it stays woken until cleared");
}

/// A signal ends the listening at the moment when the bell is rung; the ring stays in the bell. The sleep
/// goes on and answers it.
#[test]
fn nothing_is_left_in_the_bell_after_an_interrupted_sleep() {
    static NOTE: LazyLock<DoorbellNote<Interrupted>> = LazyLock::new(|| DoorbellNote::new(Interrupted::default()));
    #[derive(Default)]
    struct Interrupted {
        bell: CountingBell,
        answers: Mutex<u32>,
    }
    impl Doorbell for Interrupted {
        const TIMED: bool = true;
        fn ring(&self) -> Result<(), NoteError> {
            self.bell.ring()
        }
        fn answer(&self, timeout: Option<Duration>) -> Result<Heard, NoteError> {
            let first = {
                let mut answers = self.answers.lock().unwrap();
                *answers += 1;
                *answers == 1
            };
            if first {
                NOTE.wakeup()?;
                return Ok(Heard::Nothing);
            }
            self.bell.answer(timeout)
        }
        fn hush(&self) -> Result<(), NoteError> {
            self.bell.hush()
        }
    }

    impl Fill for Interrupted {
        fn fill(&self) -> Result<(), NoteError> {
            self.bell.fill()
        }
    }
    let _exclusive = exclusive("interrupted sleep");
    assert_eq!(NOTE.sleep(), Ok(()));
    assert_eq!(NOTE.bell().bell.pending(), 0, "left in the bell by the sleep");
    NOTE.clear();
    assert_eq!(NOTE.bell().bell.pending(), 0, "left in the bell by the clear");
}

/// A signal handler ends the wait of `bell` for a ring that never comes.
fn interrupted_answer(bell: &impl Doorbell) -> Result<Heard, NoteError> {
    on_signal(libc::SIGUSR1, count);
    let watched = Watched::new();
    thread::scope(|scope| {
        let listener = scope.spawn(|| watched.run(|| bell.answer(None)));
        // A signal that comes before the wait interrupts nothing.
        while watched.asleep() {
            watched.id().kill(libc::SIGUSR1);
        }
        listener.join().unwrap()
    })
}

#[test]
fn a_signal_handler_that_ends_the_wait_is_no_ring() {
    let _exclusive = exclusive("interrupted answer");
    let pipe = notes::pipe::with_recipe(cloexec::best()).unwrap();
    assert_eq!(interrupted_answer(pipe.bell()), Ok(Heard::Nothing), "pipe");
    match notes::eventfd::new() {
        Ok(eventfd) => assert_eq!(interrupted_answer(eventfd.bell()), Ok(Heard::Nothing), "eventfd"),
        Err(error) => {
            let here = notes::eventfd::BACKEND.available();
            assert!(!here && matches!(error, NoteError::Unsupported { .. }), "{error}");
        }
    }
}

#[test]
fn stray_rings_are_answered_and_not_believed() {
    let _exclusive = exclusive("stray rings");
    let note = DoorbellNote::new(CountingBell::default());
    provoke(&note, Provocation::FullDoorbell).unwrap();
    let watched = Watched::new();
    thread::scope(|scope| {
        let sleeper = sleeper(scope, &note, &watched);
        assert!(watched.asleep());
        while note.bell().pending() > 0 {
            thread::yield_now();
        }
        assert!(watched.asleep());
        assert_eq!(note.wakeup(), Ok(()));
        assert_eq!(note.wakeup(), Err(NoteError::DoubleWakeup));
        sleeper.join().unwrap().unwrap();
    });
    assert_eq!(note.bell().pending(), 0, "a second wake-up must not ring");
}
