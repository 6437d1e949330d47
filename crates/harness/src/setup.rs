//! One way to run a case, and what must happen then.

use sigproof_osnote::{Backend, Note};
use sigproof_report::{Expected, Grade, Mode, Outcome, SetupId, Variant};

use crate::failure::Failure;

/// The flavour of fixed variants whose note refuses to be woken by a signal handler.
pub const REFUSES: &str = "refuses";

/// One way to run a case.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Broken or fixed.
    pub variant: Variant,
    /// The note that it runs over, for a case that runs over several.
    pub note: Option<&'static Backend>,
    /// The read mode, for a case that has one.
    pub mode: Option<Mode>,
    /// What tells apart setups that agree in all of the above: which of several fixes, say.
    pub flavour: Option<&'static str>,
    /// The outcomes that must, may and must never occur.
    pub expected: Expected,
}

impl Setup {
    /// The broken variant, in which `outcome` must occur.
    pub fn broken(outcome: Outcome) -> Self {
        Self { variant: Variant::Broken, expected: Expected::broken(outcome), ..Self::fixed() }
    }

    /// The fixed variant, in which all is delivered.
    pub fn fixed() -> Self {
        Self { variant: Variant::Fixed, note: None, mode: None, flavour: None, expected: Expected::delivered() }
    }

    /// The fixed variant whose note refuses signal handlers: the flavour [`REFUSES`].
    pub fn refuses() -> Self {
        Self { flavour: Some(REFUSES), expected: Expected::refused(), ..Self::fixed() }
    }

    /// Over this note.
    #[must_use]
    pub fn note(mut self, note: &'static Backend) -> Self {
        self.note = Some(note);
        self
    }

    /// In this mode.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// In this flavour.
    #[must_use]
    pub fn flavour(mut self, flavour: &'static str) -> Self {
        self.flavour = Some(flavour);
        self
    }

    /// A case's own grade for one outcome.
    #[must_use]
    pub fn expect(mut self, outcome: Outcome, grade: Grade) -> Self {
        self.expected = self.expected.with(outcome, grade);
        self
    }

    /// A fresh note of its kind.
    ///
    /// # Errors
    /// [`Outcome::Crash`]: the setup has none, or it cannot be made.
    pub fn make_note(&self) -> Result<Box<dyn Note>, Failure> {
        let backend = self.note.ok_or_else(|| Failure::new(Outcome::Crash, "the setup names no note"))?;
        Ok((backend.make)()?)
    }

    /// Its identity, as a setup of this case.
    pub fn id(&self, case: &str) -> SetupId {
        SetupId {
            case: case.to_owned(),
            variant: self.variant,
            flavour: self.flavour.map(str::to_owned),
            note: self.note_name().map(str::to_owned),
            mode: self.mode,
        }
    }

    /// The name of its note.
    pub fn note_name(&self) -> Option<&'static str> {
        self.note.map(|n| n.name)
    }
}
