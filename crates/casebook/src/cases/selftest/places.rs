//! Whether a signal comes at the instruction that is told: a window of ten hand-written instructions, whose
//! handler looks up which of them it has interrupted.
//!
//! The engine tells where boundary k lies; the handler says, from the program counter that the kernel saved,
//! where it was. `cargo xtask step selftest-step-places` is as expected if every signal came at one of the
//! ten, and a test compares the two texts: at boundary k the signal interrupted `sigproof_place_k`, and there
//! are ten boundaries. Neighbours have different outcomes, so that each boundary is a range of its own in the
//! report.
//!
//! An engine that is late by one instruction, or that leaves out the first or the last one, is seen by this.

use sigproof_harness::attempt::Attempt;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject::{self, Fault};
use sigproof_harness::{Case, Setup};
use sigproof_osnote::Backends;
use sigproof_report::{Grade, Outcome};

mod target;

pub(in crate::cases) struct Places;

pub(in crate::cases) static PLACES: Places = Places;

impl Case for Places {
    fn name(&self) -> &'static str {
        "selftest-step-places"
    }

    fn summary(&self) -> &'static str {
        "each instruction of the window has a label, and the handler says which of them it has interrupted"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        // Without a signal all is delivered. That none of the ten boundaries is, the test asks.
        vec![Setup::broken(Outcome::Late).expect(Outcome::SpuriousWakeup, Grade::MustOccur)]
    }

    fn attempt(&self, _setup: &Setup, _attempt: &Attempt) -> Result<(), Failure> {
        Err(Failure::new(Outcome::Crash, "there is nothing but a window: cargo xtask step selftest-step-places"))
    }

    fn windows(&self, _setup: &Setup) -> Vec<Window> {
        vec![Window::new("places", places)]
    }

    fn lacks(&self, _setup: &Setup) -> Option<String> {
        target::LACKS.map(str::to_owned)
    }

    fn aimed(&self) -> bool {
        false
    }

    fn hidden(&self) -> bool {
        true
    }
}

fn places(stage: &mut Stage) -> Result<(), Failure> {
    let labels = target::addresses();
    stage.handler(move |_| {
        let at = labels.iter().position(|label| *label == inject::interrupted_at());
        Err(match at.and_then(|at| Some((at, *target::LABELS.get(at)?))) {
            Some((at, detail)) if at % 2 == 0 => Fault { outcome: Outcome::Late, detail },
            Some((_, detail)) => Fault { outcome: Outcome::SpuriousWakeup, detail },
            None => Fault { outcome: Outcome::CorruptRecord, detail: "the signal interrupted no labelled instruction" },
        })
    })?;
    while stage.another()? {
        target::run();
    }
    Ok(())
}
