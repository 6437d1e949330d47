//! Which wake policy a runtime has: found out by asking it, so that a development tree is told apart as a
//! release is.

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ours::{self, ASLEEP};
use super::sequence::Sequence;
use super::single::Single;

/// A wake policy seen in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Every record wakes, and publishing an overflow or the end of the file leaves the announcement
    /// standing: Go up to 1.24.
    KeepsFlag,
    /// Every record wakes.
    EveryRecord,
    /// A ring that is half full wakes: Go 1.26.10 and 1.27.3.
    HalfFull,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::KeepsFlag, Self::EveryRecord, Self::HalfFull];

    /// As it is called in the command line and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeepsFlag => "every-record-keeps-flag",
            Self::EveryRecord => "every-record",
            Self::HalfFull => "half-full",
        }
    }

    /// The one by which this runtime wakes its reader; `None` if it is none of ours.
    ///
    /// # Errors
    /// The driver cannot be started.
    pub fn of(single: &mut Single<'_>) -> io::Result<Option<Self>> {
        for rule in Self::ALL {
            let mut fits = true;
            for probe in PROBES {
                let Ok(sequence) = probe.parse::<Sequence>() else { continue };
                let (theirs, silence) = single.ask(&sequence)?;
                let Ok(ours) = ours::run(&sequence, rule) else { continue };
                // A reader that cannot even announce its sleep tells nothing of a policy.
                fits &= theirs.first().is_some_and(|answer| answer.first() == Some(&ASLEEP));
                fits &= theirs.concat() == ours.words && silence.is_some() == ours.fatal;
            }
            if fits {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }
}

/// What tells the policies apart: one record in a large ring, and a record after a drop.
const PROBES: [&str; 2] = [
    "new header=0 words=64 tags=8 at=0,0; sleep; write time=1 tag=1 header=0 stack=1",
    "new header=0 words=64 tags=8 at=0,0; sleep; write time=1 tag=1 header=0 stack=99; write time=2 tag=1 header=0 stack=1",
];

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such wake policy")]
pub struct NoSuchRule;

impl FromStr for Rule {
    type Err = NoSuchRule;

    fn from_str(text: &str) -> Result<Self, NoSuchRule> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text).ok_or(NoSuchRule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_tell_the_policies_apart() {
        let answers = |rule| PROBES.map(|probe| ours::run(&probe.parse().unwrap(), rule).unwrap());
        for (at, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule.as_str().parse(), Ok(rule));
            assert!(Rule::ALL[at + 1..].iter().all(|other| answers(rule) != answers(*other)), "{rule}");
        }
    }
}
