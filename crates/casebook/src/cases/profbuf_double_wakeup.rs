//! **profbuf-double-wakeup**: the writer publishes an overflow and wakes the reader, but leaves its
//! announcement READER_SLEEPING in the write word. The next commit finds it and wakes a second time. A note
//! allows one wake-up between two clears: the process dies.
//!
//! Upstream: reproduced on Go 1.19.8, 1.21.13 and 1.24.4 (one thread writing flat out, one blocked in read:
//! 10 of 10 runs), not on 1.27.3 (0 of 10), whose publishing path clears the flag.
//!
//! ```text
//! cargo xtask stress profbuf-double-wakeup
//! ```
//!
//! | variant | publishing | must be seen |
//! |---|---|---|
//! | broken | wakes, keeps READER_SLEEPING | double wake-up |
//! | fixed | wakes and clears READER_SLEEPING | every record delivered or counted |
//!
//! The flag is there to be kept only if the reader announces its sleep between the writer's look at a full
//! ring and its publishing: a matter of nanoseconds. A signal in between makes it a matter of course: the
//! window is a burst of writes, and the handler does nothing but take its time, as a profiler's does that
//! unwinds a stack.
//!
//! The model needs no signal for that: it preempts the writer there.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use sigproof_osnote::{Backend, Backends, Note};
use sigproof_profbuf::{Config, EveryRecord, HalfFull, KeepsFlag, Read, ReadMode, Reader, WakePolicy, Written};
use sigproof_shim::native::hint;

use crate::models::tally::{self, Numbers, Tally};
use crate::records::{Account, Ledger, tag_of};
use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::{Mode, Outcome, Variant};

/// A ring that one record fills, so that every other write overflows and the reader sleeps between all of
/// them.
const CONFIG: Config = Config { header: 1, words: 8, tags: 2 };

/// The same, as small as it gets: a record has three words.
const MODELLED: Config = Config { header: 0, words: 4, tags: 2 };

/// How many records are written in one window: flat out.
const WRITES: usize = 8;

/// How long the handler takes, in nanoseconds: enough for a woken reader to find nothing and go to sleep
/// again.
const HANDLER_NS: u128 = 20_000;

/// The name of the other wake policy.
const HALF_FULL: &str = "half-full";

pub(super) static CASE: ProfbufDoubleWakeup = ProfbufDoubleWakeup;

pub(super) struct ProfbufDoubleWakeup;

impl Case for ProfbufDoubleWakeup {
    fn name(&self) -> &'static str {
        "profbuf-double-wakeup"
    }

    fn summary(&self) -> &'static str {
        "publishing an overflow wakes the reader but keeps READER_SLEEPING, so the next commit wakes it again"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &["https://github.com/golang/go/blob/go1.24.4/src/runtime/profbuf.go"]
    }

    fn setups(&self, notes: Backends) -> Vec<Setup> {
        let safe = || notes.wakes_from_handler();
        let broken = safe().map(|b| Setup::broken(Outcome::DoubleWakeup).note(b).mode(Mode::Blocking));
        let fixed = safe().map(|b| Setup::fixed().note(b).mode(Mode::Blocking));
        // The other policy meets the same notes in the same way: one of them will do.
        let half_full = safe().take(1).map(|b| Setup::fixed().note(b).mode(Mode::Blocking).flavour(HALF_FULL));
        broken.chain(fixed).chain(half_full).collect()
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        match (setup.variant, setup.flavour) {
            (Variant::Broken, _) => run::<KeepsFlag>(setup, attempt),
            (Variant::Fixed, Some(HALF_FULL)) => run::<HalfFull>(setup, attempt),
            (Variant::Fixed, _) => run::<EveryRecord>(setup, attempt),
        }
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let Some(backend) = setup.note else { return Vec::new() };
        let play = match (setup.variant, setup.flavour) {
            (Variant::Broken, _) => stepped::<KeepsFlag>,
            (Variant::Fixed, Some(HALF_FULL)) => stepped::<HalfFull>,
            (Variant::Fixed, _) => stepped::<EveryRecord>,
        };
        vec![Window::new("write", move |stage| play(backend, stage)).alone()]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        let backend = setup.note?;
        Some(match (setup.variant, setup.flavour) {
            (Variant::Broken, _) => modelled::<KeepsFlag>(backend),
            (Variant::Fixed, Some(HALF_FULL)) => modelled::<HalfFull>(backend),
            (Variant::Fixed, _) => modelled::<EveryRecord>(backend),
        })
    }
}

/// A writer writes two records, of which the second finds no room or does, and closes; a reader reads to the
/// end, asleep in between.
fn modelled<P: WakePolicy>(backend: &'static Backend) -> Model {
    Model::new(move || {
        let (mut writer, mut reader) = must(sigproof_profbuf::new::<_, P>(MODELLED, must((backend.make)())));
        let numbers = Numbers::default();
        let writing = model::spawn("writer", {
            let numbers = numbers.clone();
            move || {
                for _ in 0..2 {
                    let number = numbers.next();
                    must(writer.write(0, tally::tag(number), &[], &[number]));
                }
                must(writer.close());
            }
        });
        let mut tally = Tally::default();
        loop {
            match must(reader.read(ReadMode::Blocking)) {
                Read::Records(records) => tally.take(records),
                Read::Empty => {
                    ensure(false, Outcome::SpuriousWakeup, || "a blocking read returned empty-handed".to_owned());
                }
                Read::EndOfFile => break,
            }
        }
        writing.join();
        tally.close_in_order(numbers.given());
    })
    .handlers(0)
    // A note over a descriptor takes more steps.
    .depth(0, Some(2))
}

fn run<P: WakePolicy>(setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
    let (mut writer, reader) = sigproof_profbuf::new::<_, P>(CONFIG, setup.make_note()?)?;
    let reading = thread::Builder::new().spawn(move || read_to_end(reader));
    let reading = reading.map_err(|error| Refusal::thread(&error))?;
    let mut injector = attempt.injector(|| {
        let started = Instant::now();
        while started.elapsed().as_nanos() < HANDLER_NS {
            hint::spin_loop();
        }
        Ok(())
    })?;
    let ledger = Ledger::new();
    for _ in attempt.rounds() {
        injector.round(|| {
            (0..WRITES).try_for_each(|_| {
                let stack = ledger.next();
                writer.write(0, tag_of(&stack), &[], &stack).map(drop)
            })
        })??;
        injector.settle();
    }
    writer.close()?;
    let account = reading.join().map_err(|_| Failure::new(Outcome::Crash, "the reader panicked"))??;
    account.close(ledger.written())
}

fn read_to_end<P: WakePolicy>(mut reader: Reader<Box<dyn Note>, P>) -> Result<Account, Failure> {
    let mut account = Account::default();
    loop {
        match reader.read(ReadMode::Blocking)? {
            Read::Records(records) => account.take(records)?,
            Read::Empty => return Err(Failure::new(Outcome::SpuriousWakeup, "a blocking read returned empty-handed")),
            Read::EndOfFile => return Ok(account),
        }
    }
}

/// The window is three writes. The reader is held, so that the second finds no room; the signal lets the
/// reader go until it sleeps again, and its handler does nothing.
fn stepped<P: WakePolicy>(backend: &'static Backend, stage: &mut Stage) -> Result<(), Failure> {
    let (mut writer, mut reader) = sigproof_profbuf::new::<_, P>(CONFIG, (backend.make)()?)?;
    let (tell, told) = mpsc::channel();
    stage.other("reader", move || {
        let mut account = Account::default();
        loop {
            match reader.read(ReadMode::Blocking)? {
                Read::Records(records) => account.take(records)?,
                Read::Empty => {
                    return Err(Failure::new(Outcome::SpuriousWakeup, "a blocking read returned empty-handed"));
                }
                Read::EndOfFile => return Ok(()),
            }
            // The receiver is dropped only while the process exits.
            if tell.send((account.delivered, account.lost)).is_err() {
                return Ok(());
            }
        }
    })?;
    stage.handler(|_| Ok(()))?;
    let ledger = Ledger::new();
    let (mut stored, mut dropped) = (0, 0);
    let mut write = || -> Result<(u64, u64), Failure> {
        for _ in 0..3 {
            let stack = ledger.next();
            match writer.write(0, tag_of(&stack), &[], &stack)? {
                Written::Stored => stored += 1,
                Written::Dropped => dropped += 1,
            }
        }
        Ok((stored, dropped))
    };
    let mut seen = (0, 0);
    while stage.another()? {
        let due = stage.window(&mut write)?;
        // What is stored comes out, and what was dropped is reported, without another write.
        while seen.0 < due.0 || seen.1 < due.1 {
            seen = told.recv().map_err(|_| Failure::new(Outcome::Crash, "the reader is gone"))?;
        }
        if seen != due {
            let detail = format!("of {due:?} stored and dropped, {seen:?} came out and were reported");
            return Err(Failure::new(Outcome::CorruptRecord, detail));
        }
    }
    Ok(())
}
