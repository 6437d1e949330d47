//! **lost-count-not-reset**: the profiler counts the samples that it cannot keep and reports the count with
//! the next one that it can. A count that is not reset when it is reported is reported again with every
//! sample after it.
//!
//! Upstream: golang/go#21836.
//!
//! ```text
//! cargo xtask stress lost-count-not-reset
//! ```
//!
//! | variant | the reporter | must be seen |
//! |---|---|---|
//! | broken | reads the count | corrupt record: more is accounted for than was written |
//! | fixed | takes the count | every sample delivered or counted, once |
//!
//! The samples come from signals that the thread raises itself: more foreign stacks than the array for them
//! holds, then two of its own. The window is the time in which the profile is on, so every signal is inside.
//!
//! In the model a foreign stack is as long as the whole array, and so lost at once. The reader is interrupted
//! by either kind of sample, while another thread adds one of its own and switches off: two chances to report
//! a loss.

use sigproof_osnote::Backends;
use sigproof_osnote::cpuprof::{Added, CpuProf, MaskedSpin, Practice, ProfileRead, Settings, Sound, Switched};
use sigproof_osnote::notes::pipe;
use sigproof_profbuf::{EveryRecord, ReadMode};
use sigproof_shim::atomic::{AtomicU64, Ordering};
use sigproof_shim::native::atomic::AtomicBool;
use sigproof_shim::sync::Arc;

use crate::models::tally::{self, Numbers, Tally};
use crate::records::{Account, Ledger, tag_of};
use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject::{self, Fault, SIGNAL};
use sigproof_harness::model::{self, Model, must};
use sigproof_harness::setup::Setup;
use sigproof_report::{Outcome, Variant};

/// The profile's buffer: with room for all the foreign stacks that are kept.
const SETTINGS: Settings = Settings { words: 1 << 14, tags: 1 << 11, ..Settings::new(SIGNAL) };

/// As small as it gets, but for the array of foreign stacks, which is as it is.
const MODELLED: Settings = Settings { words: 8, tags: 2, ..Settings::new(model::SIGNAL) };

/// A stack that the array of foreign stacks cannot hold.
const TOO_LONG: &[u64] = &[1; 1000];

/// So many foreign samples overflow the array of 1000 words, at three words each and more.
const FOREIGN: usize = 400;

/// So many samples of the program's own follow, each a chance to report the losses.
const OWN: usize = 2;

/// A cycle has many signals; so many rounds make one.
const ROUNDS_A_CYCLE: usize = 100;

pub(super) static CASE: LostCountNotReset = LostCountNotReset;

pub(super) struct LostCountNotReset;

/// Reports what it does not take.
enum Reads {}

impl Practice for Reads {
    type Policy = EveryRecord;
    type Lock = MaskedSpin;

    fn take_lost(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

impl Case for LostCountNotReset {
    fn name(&self) -> &'static str {
        "lost-count-not-reset"
    }

    fn summary(&self) -> &'static str {
        "a count of lost samples is reported again and again, as reporting does not reset it"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &["https://github.com/golang/go/issues/21836"]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(Outcome::CorruptRecord), Setup::fixed()]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        match setup.variant {
            Variant::Broken => run::<Reads>(attempt),
            Variant::Fixed => run::<Sound>(attempt),
        }
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let play = match setup.variant {
            Variant::Broken => stepped::<Reads>,
            Variant::Fixed => stepped::<Sound>,
        };
        vec![Window::new("read", play)]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        Some(match setup.variant {
            Variant::Broken => modelled::<Reads>(),
            Variant::Fixed => modelled::<Sound>(),
        })
    }
}

fn modelled<P: Practice>() -> Model {
    Model::new(|| {
        let prof = Arc::new(must(CpuProf::<P>::new(&pipe::BACKEND, MODELLED)));
        let (numbers, mut tally) = (Numbers::default(), Tally::default());
        let Switched::On(mut reader) = must(prof.set_rate(100)) else { return };
        let sample = |outside: bool| {
            let (prof, numbers) = (Arc::clone(&prof), numbers.clone());
            move || {
                let number = numbers.next();
                // SAFETY: in the handler of the settings' signal, or in a thread that nothing interrupts.
                let added = unsafe {
                    if outside { Ok(prof.add_foreign(TOO_LONG)) } else { prof.add(0, tally::tag(number), &[number]) }
                };
                if must(added) == Added::Off {
                    numbers.refused();
                }
            }
        };
        model::handle("foreign sample", model::SIGNAL, &[], sample(true));
        model::handle("sample", model::SIGNAL, &[], sample(false));
        let other = model::spawn("other", {
            let (prof, own) = (Arc::clone(&prof), sample(false));
            move || {
                own();
                must(prof.set_rate(0));
            }
        });
        model::interruptible(|| {
            if let ProfileRead::Entries(entries) = must(reader.read_with(ReadMode::NonBlocking)) {
                tally.take_profile(entries);
            }
        });
        other.join();
        while let ProfileRead::Entries(entries) = must(reader.read_with(ReadMode::NonBlocking)) {
            tally.take_profile(entries);
        }
        // A count that found no room at the end is for the next profile to report.
        let Switched::On(mut next) = must(prof.set_rate(100)) else { return };
        must(prof.set_rate(0));
        while let ProfileRead::Entries(entries) = must(next.read_with(ReadMode::NonBlocking)) {
            tally.take_profile(entries);
        }
        tally.close(numbers.given());
    })
    .handlers(2)
    .depth(2, Some(1))
}

fn run<P: Practice>(attempt: &Attempt) -> Result<(), Failure> {
    static LEDGER: Ledger = Ledger::new();
    static FROM_OUTSIDE: AtomicBool = AtomicBool::new(false);
    let prof: &'static CpuProf<P> = Box::leak(Box::new(CpuProf::new(&pipe::BACKEND, SETTINGS)?));
    let Switched::On(mut reader) = prof.set_rate(100)? else {
        return Err(Failure::new(Outcome::Crash, "the profile did not switch on"));
    };
    attempt.handler(move || {
        let stack = LEDGER.next();
        // SAFETY: both in the handler of the settings' signal, which is installed without SA_NODEFER.
        unsafe {
            if FROM_OUTSIDE.load(Ordering::Relaxed) {
                prof.add_foreign(&stack);
            } else {
                prof.add(0, tag_of(&stack), &stack)?;
            }
        }
        Ok(())
    })?;
    let mut account = Account::default();
    for _ in attempt.rounds().step_by(ROUNDS_A_CYCLE) {
        for (outside, signals) in [(true, FOREIGN), (false, OWN)] {
            FROM_OUTSIDE.store(outside, Ordering::Relaxed);
            inject::window(|| (0..signals).for_each(|_| inject::raise(attempt.page)));
        }
        while let ProfileRead::Entries(entries) = reader.read_with(ReadMode::NonBlocking)? {
            account.take_profile(entries)?;
        }
        attempt.page.rounds.fetch_add(1, Ordering::Relaxed);
    }
    prof.set_rate(0)?;
    while let ProfileRead::Entries(entries) = reader.read_with(ReadMode::NonBlocking)? {
        account.take_profile(entries)?;
    }
    account.close(LEDGER.written())
}

/// The window is a read after a foreign stack was lost. The handler's sample is the first chance to report
/// that, another one after the window the second.
fn stepped<P: Practice>(stage: &mut Stage) -> Result<(), Failure> {
    let ledger: &'static Ledger = Box::leak(Box::default());
    let prof: &'static CpuProf<P> = Box::leak(Box::new(CpuProf::new(&pipe::BACKEND, SETTINGS)?));
    let Switched::On(mut reader) = prof.set_rate(100)? else {
        return Err(Failure::new(Outcome::Crash, "the profile did not switch on"));
    };
    let sample = move || -> Result<(), Fault> {
        let stack = ledger.next();
        // SAFETY: in the handler of the settings' signal, which is installed without SA_NODEFER, or where no
        // signal comes.
        unsafe { prof.add(0, tag_of(&stack), &stack) }?;
        Ok(())
    };
    stage.handler(move |_| sample())?;
    let mut account = Account::default();
    let mut foreign = 0;
    while stage.another()? {
        // SAFETY: no signal comes outside of the window.
        unsafe { prof.add_foreign(TOO_LONG) };
        foreign += 1;
        if let ProfileRead::Entries(entries) = stage.window(|| reader.read_with(ReadMode::NonBlocking))? {
            account.take_profile(entries)?;
        }
        sample().map_err(Failure::from)?;
        while let ProfileRead::Entries(entries) = reader.read_with(ReadMode::NonBlocking)? {
            account.take_profile(entries)?;
        }
        account.close(ledger.written() + foreign)?;
    }
    Ok(())
}
