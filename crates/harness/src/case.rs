//! The vocabulary of the casebook: what a case is, which ways there are to run it, what can come of it and what must.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sigproof_osnote::{Backend, Note, Platform};

use crate::model::Model;
use crate::step::Window;
use crate::worker::Attempt;

mod failure;

pub use failure::Failure;

/// An enumeration whose values are written as words: in reports, on the command line, and by a child on the shared page.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every value, in the order of the casebook.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::case::UnknownWord;

            fn from_str(word: &str) -> Result<Self, $crate::case::UnknownWord> {
                Self::ALL.iter().copied().find(|v| v.as_str() == word).ok_or_else(|| $crate::case::UnknownWord {
                    what: $what,
                    word: word.to_owned(),
                    known: Self::ALL.iter().map(|v| v.as_str()).collect(),
                })
            }
        }
    };
}

/// A word that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} '{word}' (one of: {})", known.join(", "))]
pub struct UnknownWord {
    /// What it should have named.
    pub what: &'static str,
    /// What was written.
    pub word: String,
    /// What could have been.
    pub known: Vec<&'static str>,
}

pub(crate) use words;

words! {
    /// The side of a case.
    Variant, "variant" {
        /// As the bug was.
        Broken = "broken",
        /// As it was mended, or by a means that never had it.
        Fixed = "fixed",
    }
}

words! {
    /// How the profile's reader reads.
    Mode, "mode" {
        /// It sleeps on its note until there is something.
        Blocking = "blocking",
        /// It returns at once, and is called again after an interval.
        NonBlocking = "non-blocking",
    }
}

words! {
    /// What came of an attempt.
    Outcome, "outcome" {
        /// All that was written was delivered or counted as lost, and nothing else happened.
        Delivered = "delivered",
        /// A handler waits for what the code that it interrupted holds.
        SelfDeadlock = "self-deadlock",
        /// Threads wait in a cycle.
        CrossDeadlock = "cross deadlock",
        /// A sleeper sleeps though it was, or should have been, woken.
        LostWakeup = "lost wake-up",
        /// A note was woken twice since it was cleared.
        DoubleWakeup = "double wake-up",
        /// A sleep returned though nobody had woken it.
        SpuriousWakeup = "spurious wake-up",
        /// A handler spins: processor time is used, nothing moves.
        Livelock = "livelock",
        /// A record is wrong, missing, doubled, or the accounts do not add up.
        CorruptRecord = "corrupt record",
        /// A handler left `errno` changed.
        ErrnoSpoiled = "errno spoiled",
        /// A descriptor reached a process that should not have it.
        DescriptorLeak = "descriptor leak",
        /// A timed sleep went on beyond its deadline.
        Late = "late",
        /// Two accesses to the same memory are not ordered.
        DataRace = "data race",
        /// Our buffer and a real runtime's answer the same operations differently.
        Disagreement = "disagreement",
        /// The process died, or what it reported makes no sense.
        Crash = "crash",
        /// The note refused to wake from a signal handler, before it touched a lock.
        Refused = "refused",
    }
}

words! {
    /// What is asked of an outcome.
    Grade, "grade" {
        /// It is seen, or the reproducer has stopped reproducing.
        MustOccur = "must-occur",
        /// It may be seen.
        MayOccur = "may-occur",
        /// It is never seen.
        Never = "never",
    }
}

/// The grade of every outcome; what is not listed must never occur.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expected(BTreeMap<Outcome, Grade>);

impl Expected {
    /// Of a fixed variant: what is written is delivered.
    pub fn delivered() -> Self {
        Self::default().with(Outcome::Delivered, Grade::MustOccur)
    }

    /// Of a broken variant: `outcome` is seen; an attempt may also end well.
    pub fn broken(outcome: Outcome) -> Self {
        Self::default().with(outcome, Grade::MustOccur).with(Outcome::Delivered, Grade::MayOccur)
    }

    /// Of a fixed variant whose note refuses signal handlers: the refusal is seen; an attempt in which no
    /// handler had to wake may end well.
    pub fn refused() -> Self {
        Self::default().with(Outcome::Refused, Grade::MustOccur).with(Outcome::Delivered, Grade::MayOccur)
    }

    /// Adds or changes one grade.
    #[must_use]
    pub fn with(mut self, outcome: Outcome, grade: Grade) -> Self {
        self.0.insert(outcome, grade);
        self
    }

    /// The grade of an outcome.
    pub fn grade(&self, outcome: Outcome) -> Grade {
        self.0.get(&outcome).copied().unwrap_or(Grade::Never)
    }

    /// The outcomes that must occur.
    pub fn must_occur(&self) -> impl Iterator<Item = Outcome> + '_ {
        self.0.iter().filter(|(_, g)| **g == Grade::MustOccur).map(|(o, _)| *o)
    }

    /// The outcomes that are listed, with their grades.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, Grade)> + '_ {
        self.0.iter().map(|(o, g)| (*o, *g))
    }
}

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
    /// What must come of it, and what never.
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

    /// The name of its note.
    pub fn note_name(&self) -> Option<&'static str> {
        self.note.map(|n| n.name)
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.variant)?;
        for part in [self.flavour, self.note_name(), self.mode.map(Mode::as_str)].into_iter().flatten() {
            write!(f, "/{part}")?;
        }
        Ok(())
    }
}

/// A historical bug, rebuilt broken and fixed.
pub trait Case: Sync {
    /// Its name: platform, primitive, mechanism.
    fn name(&self) -> &'static str;

    /// What goes wrong, in one line.
    fn summary(&self) -> &'static str;

    /// Where it was reported and mended.
    fn upstream(&self) -> &'static [&'static str];

    /// The ways to run it. Their expectations follow from the capabilities of the notes wherever they can, so that a new backend
    /// is covered the day it is registered.
    fn setups(&self) -> Vec<Setup>;

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

    /// Where it can run.
    fn platforms(&self) -> &'static [Platform] {
        &[Platform::Linux, Platform::Darwin, Platform::Bsd]
    }

    /// Whether it is driven by signals that are aimed at a window; if so, a fixed variant has to see enough of them there.
    fn aimed(&self) -> bool {
        true
    }

    /// Whether it is a test of the harness itself, run by its exact name only.
    fn hidden(&self) -> bool {
        false
    }
}
