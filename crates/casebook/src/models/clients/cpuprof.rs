//! The profile log: handlers that add samples, ordinary code that changes the rate.

use std::time::Duration;

use sigproof_osnote::cpuprof::{
    Added, CpuProf, Entry, Lost, MaskedSpin, Practice, ProfileRead, ProfileReader, RateError, Settings, Sound,
    Switched, TrySpin,
};
use sigproof_osnote::{NoteError, SignalSafety};
use sigproof_profbuf::{ReadMode, Tag};
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::sync::Arc;

use super::super::contract::Contract;
use crate::models::tally::{self, Numbers, Tally};
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_report::Outcome;

/// A sample takes four words, the rate three. Of these rings the smaller is soon full.
const SMALL: Settings = Settings { words: 8, tags: 2, poll: Duration::ZERO, ..Settings::new(model::SIGNAL) };
const ROOMY: Settings = Settings { words: 64, tags: 16, poll: Duration::ZERO, ..Settings::new(model::SIGNAL) };

/// A log over notes that check their use, and numbered samples for it.
struct Log<P: Practice> {
    prof: CpuProf<P>,
    numbers: Numbers,
}

impl<P: Practice> Log<P> {
    fn new(settings: Settings) -> Arc<Self> {
        let note = || Ok::<_, NoteError>(Contract::over_any().0);
        let prof = must(CpuProf::with_notes(note, SignalSafety::Safe, settings));
        Arc::new(Self { prof, numbers: Numbers::default() })
    }

    /// Adds a sample.
    ///
    /// # Safety
    /// That of [`CpuProf::add`].
    unsafe fn add(&self) {
        let number = self.numbers.next();
        // SAFETY: passed on to the caller.
        self.count(must(unsafe { self.prof.add(0, tally::tag(number), &[number]) }));
    }

    /// Adds a sample of a foreign thread, so many words long, of which the first is its number.
    ///
    /// # Safety
    /// That of [`CpuProf::add_foreign`].
    unsafe fn add_foreign(&self, stack: &mut [u64]) -> Added {
        let number = self.numbers.next();
        stack[0] = number;
        // SAFETY: passed on to the caller.
        let added = unsafe { self.prof.add_foreign(stack) };
        self.count(added);
        added
    }

    fn count(&self, added: Added) {
        if added == Added::Off {
            self.numbers.refused();
        }
    }

    fn switch_on(&self) -> ProfileReader<'_, P> {
        match must(self.prof.set_rate(100)) {
            Switched::On(reader) => reader,
            other => {
                ensure(false, Outcome::Crash, || format!("switching on gave {other:?}"));
                unreachable!("the execution has ended")
            }
        }
    }

    /// Another profile, of which only the losses that the last one did not report matter; then the accounts.
    fn close(&self, tally: &mut Tally) {
        let mut reader = self.switch_on();
        must(self.prof.set_rate(0));
        read_all(&mut reader, tally);
        tally.close(self.numbers.given());
    }
}

/// Reads to the end: the profile is switched off, or will be.
fn read_all<P: Practice>(reader: &mut ProfileReader<'_, P>, tally: &mut Tally) {
    loop {
        match must(reader.read_with(ReadMode::Blocking)) {
            ProfileRead::Entries(entries) => tally.take_profile(entries),
            ProfileRead::Empty => ensure(false, Outcome::CorruptRecord, || "a blocking read gave nothing".to_owned()),
            ProfileRead::EndOfProfile => return,
        }
    }
}

/// One look.
fn look<P: Practice>(reader: &mut ProfileReader<'_, P>, tally: &mut Tally) {
    if let ProfileRead::Entries(entries) = must(reader.read_with(ReadMode::NonBlocking)) {
        tally.take_profile(entries);
    }
}

/// The setups under both locks.
fn both(masked: Model, tries: Model) -> Vec<(Setup, Model)> {
    let setup = |flavour| Setup::fixed().flavour(flavour);
    vec![(setup("masked"), masked), (setup("try-lock"), tries)]
}

/// On and off, with a handler at every point of both, and a sample from another thread.
pub(super) fn rate() -> Vec<(Setup, Model)> {
    fn model<P: Practice>() -> Model {
        Model::new(|| {
            let log = Log::<P>::new(SMALL);
            model::handle("sample", model::SIGNAL, &[], {
                let log = Arc::clone(&log);
                // SAFETY: in the handler of the settings' signal.
                move || unsafe { log.add() }
            });
            let other = model::spawn("other thread", {
                let log = Arc::clone(&log);
                // SAFETY: this thread is not interrupted.
                move || unsafe { log.add() }
            });
            let mut tally = Tally::default();
            model::interruptible(|| {
                let mut reader = log.switch_on();
                must(log.prof.set_rate(0));
                read_all(&mut reader, &mut tally);
            });
            other.join();
            log.close(&mut tally);
        })
        .depth(1, Some(2))
    }
    both(model::<Sound<MaskedSpin>>(), model::<Sound<TrySpin>>())
}

/// Foreign samples in the handler, which the other thread's sample writes, or the switching-off; and some
/// that find no room.
pub(super) fn foreign() -> Vec<(Setup, Model)> {
    fn kept<P: Practice>() -> Model {
        Model::new(|| {
            let log = Log::<P>::new(SMALL);
            model::handle("foreign sample", model::SIGNAL, &[], {
                let log = Arc::clone(&log);
                move || {
                    // SAFETY: in the handler of the settings' signal.
                    let _ = unsafe { log.add_foreign(&mut [0]) };
                }
            });
            let mut tally = Tally::default();
            let mut reader = log.switch_on();
            let other = model::spawn("other thread", {
                let log = Arc::clone(&log);
                // SAFETY: this thread is not interrupted.
                move || unsafe { log.add() }
            });
            model::interruptible(|| {
                look(&mut reader, &mut tally);
                must(log.prof.set_rate(0));
            });
            read_all(&mut reader, &mut tally);
            other.join();
            drop(reader);
            log.close(&mut tally);
        })
        .depth(2, Some(1))
    }
    // In order, since there is nothing to interleave: the array is full, the losses are reported once, the
    // reports may be dropped themselves.
    fn full(settings: Settings) -> Model {
        Model::new(move || {
            let log = Log::<Sound>::new(settings);
            let mut tally = Tally::default();
            let mut long = vec![0; 998];
            for _ in 0..2 {
                let mut reader = log.switch_on();
                // SAFETY: no handler of the signal is installed.
                unsafe {
                    // Fills the array; itself too long for the rings.
                    ensure(log.add_foreign(&mut long) == Added::Kept, Outcome::CorruptRecord, || "no room".to_owned());
                    for _ in 0..3 {
                        let added = log.add_foreign(&mut [0]);
                        ensure(added == Added::Lost(Lost::Foreign), Outcome::CorruptRecord, || format!("{added:?}"));
                    }
                    log.add();
                    log.add();
                }
                must(log.prof.set_rate(0));
                let mut losses = 0;
                loop {
                    match must(reader.read_with(ReadMode::Blocking)) {
                        ProfileRead::Entries(entries) => {
                            losses +=
                                entries.clone().filter(|e| matches!(e, Entry::Lost { at: Lost::Foreign, .. })).count();
                            tally.take_profile(entries);
                        }
                        ProfileRead::Empty => {}
                        ProfileRead::EndOfProfile => break,
                    }
                }
                ensure(losses <= 1, Outcome::CorruptRecord, || format!("one loss was reported {losses} times"));
            }
            log.close(&mut tally);
        })
        .handlers(0)
        .depth(0, None)
    }
    let mut setups = both(kept::<Sound<MaskedSpin>>(), kept::<Sound<TrySpin>>());
    setups.push((Setup::fixed().flavour("full-small"), full(SMALL)));
    setups.push((Setup::fixed().flavour("full-roomy"), full(ROOMY)));
    setups
}

/// A cell that belongs to whoever has the profile.
#[derive(Default)]
struct Owned(UnsafeCell<()>);

// SAFETY: nothing is in the cell; the model checks that its accesses are ordered and do not overlap.
unsafe impl Sync for Owned {}

/// Two threads, each of which switches on, off, and reads to the end: if it may.
pub(super) fn turns() -> Vec<(Setup, Model)> {
    fn turn<P: Practice>(prof: &CpuProf<P>, owned: &Owned) -> bool {
        match prof.set_rate(100) {
            Ok(Switched::On(mut reader)) => {
                owned.0.with_mut(|_| ());
                must(prof.set_rate(0));
                let refused = prof.set_rate(100);
                ensure(matches!(refused, Err(RateError::Unread)), Outcome::Crash, || {
                    format!("unread, and {refused:?}")
                });
                owned.0.with_mut(|_| {
                    let first = must(reader.read());
                    ensure(matches!(first, ProfileRead::Entries(_)), Outcome::CorruptRecord, || format!("{first:?}"));
                });
                let end = must(reader.read());
                ensure(matches!(end, ProfileRead::EndOfProfile), Outcome::CorruptRecord, || format!("{end:?}"));
                true
            }
            Err(RateError::On | RateError::Unread) => false,
            other => {
                ensure(false, Outcome::Crash, || format!("switching on gave {other:?}"));
                false
            }
        }
    }
    fn model<P: Practice>() -> Model {
        Model::new(|| {
            let log = Log::<P>::new(SMALL);
            let owned = Arc::new(Owned::default());
            let other = model::spawn("other thread", {
                let (log, owned) = (Arc::clone(&log), Arc::clone(&owned));
                move || turn(&log.prof, &owned)
            });
            let here = turn(&log.prof, &owned);
            let there = other.join();
            ensure(here || there, Outcome::Crash, || "both were refused".to_owned());
            ensure(turn(&log.prof, &owned), Outcome::Crash, || "refused though all was read".to_owned());
        })
        .handlers(0)
        .depth(0, Some(4))
    }
    both(model::<Sound<MaskedSpin>>(), model::<Sound<TrySpin>>())
}

/// The reader goes before the end, while a handler and another thread add.
pub(super) fn dropped() -> Vec<(Setup, Model)> {
    fn model<P: Practice>() -> Model {
        Model::new(|| {
            let log = Log::<P>::new(ROOMY);
            model::handle("sample", model::SIGNAL, &[], {
                let log = Arc::clone(&log);
                // SAFETY: in the handler of the settings' signal.
                move || unsafe { log.add() }
            });
            let reader = log.switch_on();
            let other = model::spawn("other thread", {
                let log = Arc::clone(&log);
                // SAFETY: this thread is not interrupted.
                move || unsafe { log.add() }
            });
            model::interruptible(|| {
                drop(reader);
                let again = log.prof.set_rate(100);
                ensure(matches!(again, Err(RateError::On)), Outcome::Crash, || format!("on, and {again:?}"));
                must(log.prof.set_rate(0));
            });
            other.join();
            // The first profile's samples went with its reader; the next has what it is given.
            let mut reader = log.switch_on();
            // SAFETY: no thread is interrupted any more.
            must(unsafe { log.prof.add(0, Tag(7), &[7]) });
            must(log.prof.set_rate(0));
            let mut sevens = 0;
            while let ProfileRead::Entries(entries) = must(reader.read_with(ReadMode::Blocking)) {
                sevens += entries.filter(|e| matches!(e, Entry::Sample { stack: [7], .. })).count();
            }
            ensure(sevens == 1, Outcome::CorruptRecord, || format!("one sample came out {sevens} times"));
        })
        .depth(1, Some(2))
    }
    both(model::<Sound<MaskedSpin>>(), model::<Sound<TrySpin>>())
}
