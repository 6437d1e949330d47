//! **cpuprof-signal-lock**: a spin lock guards what the profiler's handler shares with changes of the rate. A
//! handler that interrupts the change while it holds the lock spins for it for ever.
//!
//! Upstream: golang/go#25785, golang/go#48782. Two ways out: the signal is blocked around the lock; or the
//! handler only tries, and counts the samples that it loses.
//!
//! ```text
//! cargo xtask stress cpuprof-signal-lock
//! ```
//!
//! | variant | in ordinary code | in the handler | must be seen |
//! |---|---|---|---|
//! | broken | spins | spins | livelock |
//! | fixed/masked | blocks the signal, spins | spins | every sample delivered or counted |
//! | fixed/try-lock | spins | tries, counts what it loses | the same |
//!
//! The window is a change of the rate: mostly one that is refused, which is over soon and holds the lock for
//! much of its time; every so often the profile is switched off and on.
//!
//! In the model a change that is refused and the switching-off are interrupted, while another thread's
//! handler adds a sample.

use sigproof_inspect::rules::bugs;
use sigproof_osnote::Backends;
use sigproof_osnote::cpuprof::{
    Added, CpuProf, Entries, MaskedSpin, Practice, ProfileRead, ProfileReader, RateError, Settings, SignalLock, Sound,
    Switched, TrySpin,
};
use sigproof_osnote::notes::pipe;
use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::hint;
use sigproof_shim::native::atomic::AtomicU64;
use sigproof_shim::os::OsError;
use sigproof_shim::sync::Arc;

use crate::models::tally::{self, Numbers, Tally};
use crate::records::{Account, Ledger, tag_of};
use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject::{Injector, SIGNAL};
use sigproof_harness::model::{self, Model, must};
use sigproof_harness::setup::Setup;
use sigproof_report::{Outcome, Variant};

/// The profile's buffer.
const SETTINGS: Settings = Settings { words: 1 << 10, tags: 1 << 8, ..Settings::new(SIGNAL) };

/// Small, as one is made for each window.
const STEPPED: Settings = Settings { words: 64, tags: 8, ..Settings::new(SIGNAL) };

/// As small as it gets: two records, the first of which is the rate.
const MODELLED: Settings = Settings { words: 8, tags: 2, ..Settings::new(model::SIGNAL) };

/// The rate: any will do, since the signals are the injector's.
const HZ: i64 = 100;

/// How many refused changes one window has.
const CHANGES: usize = 4;

/// Every so many rounds the profile is switched off and on.
const CYCLE: u64 = 50;

/// The name of the other fix.
const TRY_LOCK: &str = "try-lock";

pub(super) static CASE: CpuprofSignalLock = CpuprofSignalLock;

pub(super) struct CpuprofSignalLock;

/// The lock as it was: it spins on both sides and keeps no signal out.
struct NakedSpin(AtomicU32);

impl NakedSpin {
    fn section<R>(&self, section: impl FnOnce() -> R) -> R {
        // Acquire pairs with the release below: each section happens before the next.
        while self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            hint::spin_loop();
        }
        let result = section();
        self.0.store(0, Ordering::Release);
        result
    }
}

// SAFETY: whoever has changed the word from 0 to 1 is alone. That it may never be changed back is the bug,
// and not unsound.
unsafe impl SignalLock for NakedSpin {
    fn new(_signal: i32) -> Result<Self, OsError> {
        Ok(Self(AtomicU32::new(0)))
    }

    fn lock<R>(&self, section: impl FnOnce() -> R) -> R {
        self.section(section)
    }

    unsafe fn enter<R>(&self, section: impl FnOnce() -> R) -> Option<R> {
        Some(self.section(section))
    }
}

impl Case for CpuprofSignalLock {
    fn name(&self) -> &'static str {
        "cpuprof-signal-lock"
    }

    fn summary(&self) -> &'static str {
        "the profiler's handler spins for a lock that the rate change which it interrupted holds"
    }

    fn upstream(&self) -> &'static [&'static str] {
        bugs::CPUPROF_SIGNAL_LOCK.upstream
    }

    fn fingerprints(&self) -> &'static [&'static str] {
        &["livelock/-/in:-/-"]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(Outcome::Livelock), Setup::fixed().flavour("masked"), Setup::fixed().flavour(TRY_LOCK)]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        match (setup.variant, setup.flavour) {
            (Variant::Broken, _) => run::<Sound<NakedSpin>>(attempt),
            (Variant::Fixed, Some(TRY_LOCK)) => run::<Sound<TrySpin>>(attempt),
            (Variant::Fixed, _) => run::<Sound<MaskedSpin>>(attempt),
        }
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let play = match (setup.variant, setup.flavour) {
            (Variant::Broken, _) => stepped::<Sound<NakedSpin>>,
            (Variant::Fixed, Some(TRY_LOCK)) => stepped::<Sound<TrySpin>>,
            (Variant::Fixed, _) => stepped::<Sound<MaskedSpin>>,
        };
        let window = |name, change| Window::new(name, move |stage| play(change, stage));
        vec![window("refused", Change::Refused), window("off", Change::Off), window("on", Change::On)]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        Some(match (setup.variant, setup.flavour) {
            (Variant::Broken, _) => modelled::<Sound<NakedSpin>>().depth(1, Some(3)),
            (Variant::Fixed, Some(TRY_LOCK)) => modelled::<Sound<TrySpin>>().depth(2, Some(3)),
            (Variant::Fixed, _) => modelled::<Sound<MaskedSpin>>().depth(2, None),
        })
    }
}

/// A profile whose rate is changed in vain, then switched off; samples come from the handler that interrupts
/// that, and from another thread's.
fn modelled<P: Practice>() -> Model {
    Model::new(|| {
        let prof = Arc::new(must(CpuProf::<P>::new(&pipe::BACKEND, MODELLED)));
        let (numbers, mut tally) = (Numbers::default(), Tally::default());
        let reader = must(on(must(prof.set_rate(HZ))));
        let sample = || {
            let (prof, numbers) = (Arc::clone(&prof), numbers.clone());
            move || {
                let number = numbers.next();
                // SAFETY: in the handler of the settings' signal, or in a thread that nothing interrupts.
                if must(unsafe { prof.add(0, tally::tag(number), &[number]) }) == Added::Off {
                    numbers.refused();
                }
            }
        };
        model::handle("sample", model::SIGNAL, &[], sample());
        let other = model::spawn("other", sample());
        model::interruptible(|| {
            must(refused(&prof));
            must(prof.set_rate(0));
        });
        other.join();
        let mut take = |entries: Entries<'_>| {
            tally.take_profile(entries);
            Ok(())
        };
        must(finish(reader, &mut take));
        // What was lost after the last sample of a profile is reported by the next one.
        let last = must(on(must(prof.set_rate(HZ))));
        must(prof.set_rate(0));
        must(finish(last, &mut take));
        tally.close(numbers.given());
    })
}

fn run<P: Practice>(attempt: &Attempt) -> Result<(), Failure> {
    static LEDGER: Ledger = Ledger::new();
    static OFF: AtomicU64 = AtomicU64::new(0);
    let prof: &'static CpuProf<P> = Box::leak(Box::new(CpuProf::new(&pipe::BACKEND, SETTINGS)?));
    let mut injector = attempt.injector(move || {
        let stack = LEDGER.next();
        // SAFETY: in the handler of the settings' signal, which is installed without SA_NODEFER.
        if unsafe { prof.add(0, tag_of(&stack), &stack) }? == Added::Off {
            OFF.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    let mut account = Account::default();
    let mut reader = on(prof.set_rate(HZ)?)?;
    for round in attempt.rounds() {
        if round % CYCLE == CYCLE - 1 {
            reader = cycle(prof, &mut injector, reader, &mut account)?;
        } else {
            injector.round(|| (0..CHANGES).try_for_each(|_| refused(prof)))??;
        }
        injector.settle();
        if let ProfileRead::Entries(entries) = reader.read_with(sigproof_profbuf::ReadMode::NonBlocking)? {
            account.take_profile(entries)?;
        }
    }
    prof.set_rate(0)?;
    finish(reader, |entries| account.take_profile(entries))?;
    // What was lost after the last sample of a profile is reported by the next one.
    let last = on(prof.set_rate(HZ)?)?;
    prof.set_rate(0)?;
    finish(last, |entries| account.take_profile(entries))?;
    account.lose(OFF.load(Ordering::Relaxed));
    account.close(LEDGER.written())
}

/// Off and on again, one of the two in the window.
fn cycle<P: Practice>(
    prof: &'static CpuProf<P>,
    injector: &mut Injector,
    reader: ProfileReader<'static, P>,
    account: &mut Account,
) -> Result<ProfileReader<'static, P>, Failure> {
    injector.round(|| prof.set_rate(0))??;
    finish(reader, |entries| account.take_profile(entries))?;
    on(prof.set_rate(HZ)?)
}

/// A change that is refused, as the profile is on.
fn refused<P: Practice>(prof: &CpuProf<P>) -> Result<(), Failure> {
    match prof.set_rate(HZ) {
        Err(RateError::On) => Ok(()),
        other => Err(Failure::new(Outcome::Crash, format!("a rate change that must be refused gave {other:?}"))),
    }
}

fn on<P: Practice>(switched: Switched<'_, P>) -> Result<ProfileReader<'_, P>, Failure> {
    match switched {
        Switched::On(reader) => Ok(reader),
        other => Err(Failure::new(Outcome::Crash, format!("the profile did not switch on: {other:?}"))),
    }
}

/// Reads a profile that is over to its end.
fn finish<P: Practice>(
    mut reader: ProfileReader<'_, P>,
    mut take: impl FnMut(Entries<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    loop {
        match reader.read_with(sigproof_profbuf::ReadMode::NonBlocking)? {
            ProfileRead::Entries(entries) => take(entries)?,
            ProfileRead::Empty => {
                return Err(Failure::new(Outcome::CorruptRecord, "a profile that is over read empty"));
            }
            ProfileRead::EndOfProfile => return Ok(()),
        }
    }
}

/// A change of the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Refused,
    Off,
    On,
}

/// The window is one change of the rate; each execution has a profile of its own, and one after it, which
/// reports what was lost.
fn stepped<P: Practice>(change: Change, stage: &mut Stage) -> Result<(), Failure> {
    let ledger: &'static Ledger = Box::leak(Box::default());
    let off: &'static AtomicU64 = Box::leak(Box::default());
    let prof: &'static CpuProf<P> = Box::leak(Box::new(CpuProf::new(&pipe::BACKEND, STEPPED)?));
    stage.handler(move |_| {
        let stack = ledger.next();
        // SAFETY: in the handler of the settings' signal, which is installed without SA_NODEFER.
        if unsafe { prof.add(0, tag_of(&stack), &stack) }? == Added::Off {
            off.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    let mut account = Account::default();
    while stage.another()? {
        let reader = match change {
            Change::On => on(stage.window(|| prof.set_rate(HZ))?)?,
            Change::Refused => {
                let reader = on(prof.set_rate(HZ)?)?;
                stage.window(|| refused(prof))?;
                reader
            }
            Change::Off => {
                let reader = on(prof.set_rate(HZ)?)?;
                stage.window(|| prof.set_rate(0))?;
                reader
            }
        };
        // A second time it is without effect.
        prof.set_rate(0)?;
        finish(reader, |entries| account.take_profile(entries))?;
        // What was lost after the last sample of a profile is reported by the next one.
        let last = on(prof.set_rate(HZ)?)?;
        prof.set_rate(0)?;
        finish(last, |entries| account.take_profile(entries))?;
        account.lose(off.swap(0, Ordering::Relaxed));
        account.close(ledger.written())?;
    }
    Ok(())
}
