//! **darwin-profbuf-blocking-read**: the profiler's handler writes a sample into the buffer and wakes the
//! sleeping reader through a note. On Darwin a note is a pthread mutex and condition variable: the handler
//! waits for the mutex that the reader, which it has interrupted on its way into or out of its sleep, was
//! holding.
//!
//! Upstream: golang/go#61768, mended by go.dev/cl/518836: where notes are not async-signal-safe, the reader
//! does not sleep on one.
//!
//! ```text
//! cargo xtask stress darwin-profbuf-blocking-read
//! ```
//!
//! | variant | note | mode | must be seen |
//! |---|---|---|---|
//! | broken | wake-up unsafe | blocking, as before the fix | self-deadlock |
//! | fixed | wake-up unsafe | non-blocking, chosen by the fix | every sample delivered or counted |
//! | fixed, `refuses` | `sema` that refuses signal handlers | blocking, as before the fix | refused |
//! | fixed | wake-up safe | blocking, chosen by the fix | the same |
//! | fixed | wake-up safe | non-blocking | the same |
//!
//! ```text
//! cargo xtask model darwin-profbuf-blocking-read
//! ```
//!
//! The model delivers one sample at every point of the reader's way into and out of its sleep: the
//! self-deadlock of the broken variant is found without a preemption, and none of the fixed ones has it.
//!
//! Broken and fixed differ in one function, [`Practice::read_mode`], and in the note. `refuses` differs from
//! broken in the note alone: it is what Go does on macOS from 1.22 on to a blocking reader, and is told in
//! [`osnote`](sigproof_osnote::semaphore::Refusing). No signal deadlocks it; an attempt ends with the first
//! one whose handler must wake the reader.

use sigproof_inspect::rules::bugs;
use sigproof_osnote::cpuprof::{Added, CpuProf, MaskedSpin, Practice, ProfileRead, Settings, Sound, Switched};
use sigproof_osnote::notes::sema::REFUSING;
use sigproof_osnote::{Backend, Backends, SignalSafety};
use sigproof_profbuf::{EveryRecord, ReadMode};
use sigproof_shim::sync::Arc;

use crate::models::tally::{self, Numbers, Tally};
use crate::records::{Account, Ledger, tag_of};
use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject::{Fault, SIGNAL};
use sigproof_harness::model::{self, Model, must};
use sigproof_harness::setup::{REFUSES, Setup};
use sigproof_report::{Expected, Grade, Mode, Outcome, Variant};

/// A ring that wraps often. The reader keeps up: one signal a round.
const SETTINGS: Settings = Settings { words: 256, tags: 32, ..Settings::new(SIGNAL) };

/// As small as it gets: a record of four words fits twice.
const MODELLED: Settings = Settings { words: 8, tags: 2, ..Settings::new(model::SIGNAL) };

pub(super) static CASE: DarwinProfbufBlockingRead = DarwinProfbufBlockingRead;

pub(super) struct DarwinProfbufBlockingRead;

/// Before the fix: blocking, whatever the note.
enum Blocks {}

impl Practice for Blocks {
    type Policy = EveryRecord;
    type Lock = MaskedSpin;

    fn read_mode(_wakeup: SignalSafety) -> ReadMode {
        ReadMode::Blocking
    }
}

/// Non-blocking, whatever the note.
enum Polls {}

impl Practice for Polls {
    type Policy = EveryRecord;
    type Lock = MaskedSpin;

    fn read_mode(_wakeup: SignalSafety) -> ReadMode {
        ReadMode::NonBlocking
    }
}

impl Case for DarwinProfbufBlockingRead {
    fn name(&self) -> &'static str {
        "darwin-profbuf-blocking-read"
    }

    fn summary(&self) -> &'static str {
        "the SIGPROF handler wakes the profile's reader, whose note's mutex the interrupted reader holds"
    }

    fn upstream(&self) -> &'static [&'static str] {
        bugs::DARWIN_PROFBUF_BLOCKING_READ.upstream
    }

    fn fingerprints(&self) -> &'static [&'static str] {
        // The second is that of musl, whose `pthread_mutex_lock` is a jump to this function.
        &["self-deadlock/mutex/in:pthread_mutex_lock/mutex", "self-deadlock/mutex/in:pthread_mutex_timedlock/mutex"]
    }

    fn setups(&self, notes: Backends) -> Vec<Setup> {
        let setup = |safety, mode| match (safety, mode) {
            (SignalSafety::Unsafe, Mode::Blocking) => Setup::broken(Outcome::SelfDeadlock),
            _ => Setup::fixed(),
        };
        let modes = |mode| notes.iter().map(move |b| setup(b.wakeup, mode).note(b).mode(mode));
        let refuses = [Setup::refuses().note(&REFUSING).mode(Mode::Blocking)];
        let mut setups: Vec<_> = modes(Mode::Blocking).chain(modes(Mode::NonBlocking)).chain(refuses).collect();
        setups.sort_by_key(|s| s.variant);
        setups
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        let safe = setup.note.is_some_and(|n| n.wakeup == SignalSafety::Safe);
        match setup.mode {
            _ if blocks(setup) => run::<Blocks>(setup, attempt),
            Some(Mode::NonBlocking) if safe => run::<Polls>(setup, attempt),
            _ => run::<Sound>(setup, attempt),
        }
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let Some(backend) = setup.note else { return Vec::new() };
        let safe = backend.wakeup == SignalSafety::Safe;
        let play = match setup.mode {
            _ if blocks(setup) => stepped::<Blocks>,
            Some(Mode::NonBlocking) if safe => stepped::<Polls>,
            _ => stepped::<Sound>,
        };
        let play = move |stage: &mut Stage| play(backend, stage);
        // A handler that interrupts another thread than the reader waits for its mutex, and gets it; a note
        // that refuses handlers refuses it too.
        let bystander = if refuses(setup) { Expected::refused() } else { Expected::delivered() };
        vec![Window::new("read", play), Window::new("read-bystander", play).on_bystander().expect(bystander)]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        let backend = setup.note?;
        let safe = backend.wakeup == SignalSafety::Safe;
        // A reader that polls takes few steps, so that nothing need be left out.
        let bound = match setup.mode {
            Some(Mode::NonBlocking) => None,
            _ if has_second_handler(backend) => Some(2),
            _ => Some(3),
        };
        let model = match (setup.variant, setup.mode) {
            (Variant::Broken, _) => modelled::<Blocks>(backend).expect(
                // Other threads take part: they may be caught in the cycle.
                setup
                    .expected
                    .clone()
                    .with(Outcome::CrossDeadlock, Grade::MayOccur)
                    .with(Outcome::Livelock, Grade::MayOccur),
            ),
            _ if refuses(setup) => modelled::<Blocks>(backend),
            (Variant::Fixed, Some(Mode::NonBlocking)) if safe => modelled::<Polls>(backend),
            (Variant::Fixed, _) => modelled::<Sound>(backend),
        };
        Some(model.depth(1, bound))
    }
}

/// Whether the note refuses signal handlers.
fn refuses(setup: &Setup) -> bool {
    setup.flavour == Some(REFUSES)
}

/// Whether the reader blocks although its note is not safe.
fn blocks(setup: &Setup) -> bool {
    setup.variant == Variant::Broken || refuses(setup)
}

/// Whether a sample of another thread's handler takes part in the model.
fn has_second_handler(backend: &Backend) -> bool {
    backend.descriptors == 0
}

/// The reader, which the handler interrupts, reads to the end; another thread switches off, which wakes the
/// reader as a sample does. A sample of another thread's handler takes part as well where the note holds no
/// descriptor: such a note has few steps, and the kind of note makes no difference to that sample.
fn modelled<P: Practice>(backend: &'static Backend) -> Model {
    Model::new(move || {
        let prof = Arc::new(must(CpuProf::<P>::new(backend, MODELLED)));
        let numbers = Numbers::default();
        let Switched::On(mut reader) = must(prof.set_rate(100)) else { return };
        let sample = |prof: &Arc<CpuProf<P>>| {
            let (prof, numbers) = (Arc::clone(prof), numbers.clone());
            move || {
                let number = numbers.next();
                // SAFETY: in the handler of the settings' signal, or in a thread that nothing interrupts.
                if must(unsafe { prof.add(0, tally::tag(number), &[number]) }) == Added::Off {
                    numbers.refused();
                }
            }
        };
        model::handle("sample", model::SIGNAL, &[], sample(&prof));
        let writer = model::spawn("writer", {
            let (prof, sample) = (Arc::clone(&prof), sample(&prof));
            move || {
                if has_second_handler(backend) {
                    sample();
                }
                must(prof.set_rate(0));
            }
        });
        let mut tally = Tally::default();
        let polls = reader.mode() == ReadMode::NonBlocking;
        model::interruptible(|| {
            // A reader that polls is between two looks for most of its time: one look, before the end of the
            // profile or after.
            for _ in 0..if polls { 1 } else { usize::MAX } {
                match must(reader.read()) {
                    ProfileRead::Entries(entries) => tally.take_profile(entries),
                    ProfileRead::Empty => {}
                    ProfileRead::EndOfProfile => break,
                }
            }
        });
        writer.join();
        while let ProfileRead::Entries(entries) = must(reader.read_with(ReadMode::NonBlocking)) {
            tally.take_profile(entries);
        }
        tally.close(numbers.given());
    })
}

fn run<P: Practice>(setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
    static LEDGER: Ledger = Ledger::new();
    let backend = setup.note.ok_or_else(|| Failure::new(Outcome::Crash, "the setup names no note"))?;
    let prof: &'static CpuProf<P> = Box::leak(Box::new(CpuProf::new(backend, SETTINGS)?));
    let Switched::On(mut reader) = prof.set_rate(100)? else {
        return Err(Failure::new(Outcome::Crash, "the profile did not switch on"));
    };
    let mut injector = attempt.injector(move || {
        let stack = LEDGER.next();
        // SAFETY: in the handler of the settings' signal, which is installed without SA_NODEFER.
        unsafe { prof.add(0, tag_of(&stack), &stack) }?;
        Ok(())
    })?;
    let mut account = Account::default();
    for _ in attempt.rounds() {
        match injector.round(|| reader.read())?? {
            ProfileRead::Entries(entries) => account.take_profile(entries)?,
            ProfileRead::Empty => {}
            ProfileRead::EndOfProfile => {
                return Err(Failure::new(Outcome::CorruptRecord, "the profile ended before it did"));
            }
        }
        injector.settle();
    }
    prof.set_rate(0)?;
    loop {
        match reader.read()? {
            ProfileRead::Entries(entries) => account.take_profile(entries)?,
            ProfileRead::Empty => {
                return Err(Failure::new(Outcome::CorruptRecord, "a profile that is over read empty"));
            }
            ProfileRead::EndOfProfile => return account.close(LEDGER.written()),
        }
    }
}

/// The window is a read of an empty buffer; once the reader sleeps, another thread's sample wakes it.
fn stepped<P: Practice>(backend: &'static Backend, stage: &mut Stage) -> Result<(), Failure> {
    let ledger: &'static Ledger = Box::leak(Box::default());
    let prof: &'static CpuProf<P> = Box::leak(Box::new(CpuProf::new(backend, SETTINGS)?));
    let Switched::On(mut reader) = prof.set_rate(100)? else {
        return Err(Failure::new(Outcome::Crash, "the profile did not switch on"));
    };
    let sample = move || -> Result<(), Fault> {
        let stack = ledger.next();
        // SAFETY: in the handler of the settings' signal, which is installed without SA_NODEFER; or in the
        // helper, which no signal reaches.
        unsafe { prof.add(0, tag_of(&stack), &stack) }?;
        Ok(())
    };
    stage.handler(move |_| sample())?;
    stage.helper(move || sample().map_err(Failure::from))?;
    let mut account = Account::default();
    let mut first = true;
    while stage.another()? {
        // The rate, and what came too late for the last window.
        while let ProfileRead::Entries(entries) = reader.read_with(ReadMode::NonBlocking)? {
            account.take_profile(entries)?;
        }
        if !core::mem::take(&mut first) {
            account.close(ledger.written())?;
        }
        match stage.window(|| reader.read())? {
            ProfileRead::Entries(entries) => account.take_profile(entries)?,
            ProfileRead::Empty => {}
            ProfileRead::EndOfProfile => {
                return Err(Failure::new(Outcome::CorruptRecord, "the profile ended before it did"));
            }
        }
    }
    Ok(())
}
