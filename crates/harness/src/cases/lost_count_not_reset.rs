//! **lost-count-not-reset**: the profiler counts the samples that it cannot keep and reports the count with the next one that it can. A count
//! that is not reset when it is reported is reported again with every sample after it.
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
//! The samples come from signals that the thread raises itself: more foreign stacks than the array for them holds, then two of its own.
//! The window is the time in which the profile is on, so every signal is inside.

use sigproof_osnote::cpuprof::{CpuProf, MaskedSpin, Practice, ProfileRead, Settings, Sound, Switched};
use sigproof_profbuf::{EveryRecord, ReadMode};
use sigproof_shim::atomic::{AtomicU64, Ordering};
use sigproof_shim::native::atomic::AtomicBool;

use crate::case::{Case, Failure, Outcome, Setup, Variant};
use crate::inject::{self, SIGNAL};
use crate::records::{Account, Ledger, tag_of};
use crate::worker::Attempt;

/// The profile's buffer: with room for all the foreign stacks that are kept.
const SETTINGS: Settings = Settings { words: 1 << 14, tags: 1 << 11, ..Settings::new(SIGNAL) };

/// So many foreign samples overflow the array of 1000 words, at three words each and more.
const FOREIGN: usize = 400;

/// So many samples of the program's own follow, each a chance to report the losses.
const OWN: usize = 2;

/// A cycle has many signals; so many rounds make one.
const ROUNDS_A_CYCLE: usize = 100;

/// The case.
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

    fn setups(&self) -> Vec<Setup> {
        vec![Setup::broken(Outcome::CorruptRecord), Setup::fixed()]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        match setup.variant {
            Variant::Broken => run::<Reads>(attempt),
            Variant::Fixed => run::<Sound>(attempt),
        }
    }
}

fn run<P: Practice>(attempt: &Attempt) -> Result<(), Failure> {
    static LEDGER: Ledger = Ledger::new();
    static FROM_OUTSIDE: AtomicBool = AtomicBool::new(false);
    let backend =
        sigproof_osnote::backend("pipe").ok_or_else(|| Failure::new(Outcome::Crash, "there is no pipe note"))?;
    let prof: &'static CpuProf<P> = Box::leak(Box::new(CpuProf::new(backend, SETTINGS)?));
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
