//! What a case is.

use sigproof_osnote::{Backends, Platform};

use crate::attempt::{Attempt, EXIT_ORDER};
use crate::failure::Failure;
use crate::forked::Window;
use crate::model::Model;
use crate::setup::Setup;

/// A historical bug, rebuilt broken and fixed.
pub trait Case: Sync {
    /// Its name: platform, primitive, mechanism.
    fn name(&self) -> &'static str;

    /// What goes wrong, in one line.
    fn summary(&self) -> &'static str;

    /// Where it was reported and mended.
    fn upstream(&self) -> &'static [&'static str];

    /// The fingerprints of its hangs: what a diagnosis gives to any process that hangs by the same mechanism.
    /// Several bugs may have one mechanism.
    fn fingerprints(&self) -> &'static [&'static str] {
        &[]
    }

    /// The ways to run it over these notes. Their expectations follow from the capabilities of the notes
    /// wherever they can, so that a new note is covered the day it is registered.
    fn setups(&self, notes: Backends) -> Vec<Setup>;

    /// Runs one attempt, in a process of its own.
    ///
    /// # Errors
    /// The bad outcome that the attempt has seen itself. A hang or a crash is seen by the parent.
    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure>;

    /// The model of a setup, if it has one.
    fn model(&self, _setup: &Setup) -> Option<Model> {
        None
    }

    /// The windows of a setup in which a signal is to be delivered at every instruction.
    fn windows(&self, _setup: &Setup) -> Vec<Window> {
        Vec::new()
    }

    /// What this machine lacks for a setup, beyond its note: the reason and the remedy.
    fn lacks(&self, _setup: &Setup) -> Option<String> {
        None
    }

    /// What a process does that the case has started itself, with [`of_case`](crate::worker::of_case); its
    /// exit code.
    fn child(&self, _argument: &str) -> u8 {
        EXIT_ORDER
    }

    /// Where it can run.
    fn platforms(&self) -> &'static [Platform] {
        &[Platform::Linux, Platform::Darwin, Platform::Bsd]
    }

    /// Whether it is driven by signals that are aimed at a window; if so, a fixed variant has to see enough
    /// of them there.
    fn aimed(&self) -> bool {
        true
    }

    /// Whether it is a test of the harness itself, run by its exact name only.
    fn hidden(&self) -> bool {
        false
    }
}
