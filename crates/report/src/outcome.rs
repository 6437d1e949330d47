//! How an attempt can end, and which of these ends a setup must, may or must never show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// How an attempt ended.
    Outcome, "outcome" {
        /// Every record was delivered or counted as lost, and nothing else happened.
        Delivered = "delivered",
        /// A handler waits for what the code that it interrupted holds.
        SelfDeadlock = "self-deadlock",
        /// Threads wait in a cycle.
        CrossDeadlock = "cross deadlock",
        /// A thread sleeps although another one woke it, or should have.
        LostWakeup = "lost wake-up",
        /// A note was woken twice since it was cleared.
        DoubleWakeup = "double wake-up",
        /// A sleep returned although no thread called wakeup.
        SpuriousWakeup = "spurious wake-up",
        /// A handler spins: it uses processor time, and nothing moves.
        Livelock = "livelock",
        /// A record is wrong, missing or doubled, or the accounts do not add up.
        CorruptRecord = "corrupt record",
        /// A handler left `errno` changed.
        ErrnoSpoiled = "errno spoiled",
        /// A process inherited a descriptor that it must not have.
        DescriptorLeak = "descriptor leak",
        /// A timed sleep went on after its deadline.
        Late = "late",
        /// Two accesses to the same memory are not ordered.
        DataRace = "data race",
        /// Our buffer and the buffer of a real runtime answer the same operations differently.
        Disagreement = "disagreement",
        /// The process died, or what it reported makes no sense.
        Crash = "crash",
        /// The note refused to wake from a signal handler, before it touched a lock.
        Refused = "refused",
    }
}

words! {
    /// What a setup asks of an outcome.
    Grade, "grade" {
        /// The outcome occurs; if it does not, the reproducer no longer reproduces.
        MustOccur = "must-occur",
        /// The outcome may occur.
        MayOccur = "may-occur",
        /// The outcome never occurs.
        Never = "never",
    }
}

/// The grade of every outcome. An outcome that is not listed must never occur.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expected(BTreeMap<Outcome, Grade>);

impl Expected {
    /// Of a fixed variant: every record is delivered.
    pub fn delivered() -> Self {
        Self::default().with(Outcome::Delivered, Grade::MustOccur)
    }

    /// Of a broken variant: `outcome` occurs; an attempt may also end well.
    pub fn broken(outcome: Outcome) -> Self {
        Self::default().with(outcome, Grade::MustOccur).with(Outcome::Delivered, Grade::MayOccur)
    }

    /// Of a fixed variant whose note refuses signal handlers: the refusal occurs; an attempt in which no
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

    /// Whether an outcome other than `delivered` must occur.
    pub fn is_shown_by_an_outcome(&self) -> bool {
        self.must_occur().any(|outcome| outcome != Outcome::Delivered)
    }

    /// The same for an observation that cannot be complete: an outcome that must occur may occur.
    #[must_use]
    pub fn incomplete(&self) -> Self {
        let grade = |grade| if grade == Grade::MustOccur { Grade::MayOccur } else { grade };
        Self(self.0.iter().map(|(o, g)| (*o, grade(*g))).collect())
    }

    /// The outcomes that are listed, with their grades.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, Grade)> + '_ {
        self.0.iter().map(|(o, g)| (*o, *g))
    }
}
