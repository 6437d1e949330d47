//! The verdict on what a technique observed: one rule for every technique.
//!
//! | what holds (the first line that does) | verdict |
//! |---|---|
//! | an outcome was observed that must never occur | unexpected |
//! | the machine refused what the technique needs | skipped |
//! | the observation is void: it would be the same whatever the code does | unexpected |
//! | the search ended early | inconclusive |
//! | an outcome that must occur was not observed, and the effort was too small to say that it does not occur | inconclusive |
//! | an outcome that must occur was not observed | unexpected: the reproducer no longer reproduces |
//! | none of these | as expected |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outcome::{Expected, Grade, Outcome};

/// What a run amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What must occur did, what must never occur did not.
    AsExpected,
    /// Something occurred that must never, or a broken variant no longer shows its bug.
    Unexpected,
    /// A budget ran out before it could be told.
    Inconclusive,
    /// It did not run; the reason says why.
    Skipped,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: &'static [Self] = &[Self::AsExpected, Self::Unexpected, Self::Inconclusive, Self::Skipped];

    /// The word for it, the same as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsExpected => "as-expected",
            Self::Unexpected => "unexpected",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
        }
    }
}

impl core::fmt::Display for Verdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a technique looked. Each field that is set weakens what its observation proves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// The machine refused what the technique needs: the call, its error and the remedy.
    pub refused: Option<String>,
    /// The observation shows nothing, for this reason: no signal was ever delivered, say.
    pub void: Option<String>,
    /// The search ended before it was complete, for this reason.
    pub cut: Option<String>,
    /// Too little effort to say that an outcome does not occur, for this reason.
    pub shallow: Option<String>,
    /// Where a missing outcome was searched: "within 2 deliveries", "at 120 boundaries".
    pub within: String,
}

/// The verdict, and its reason unless everything is as expected.
pub fn grade(expected: &Expected, observed: &BTreeMap<Outcome, u64>, looked: Looked) -> (Verdict, Option<String>) {
    let forbidden: Vec<String> = forbidden(expected, observed).map(|(outcome, count)| times(outcome, count)).collect();
    let missing: Vec<&str> = missing(expected, observed).map(Outcome::as_str).collect();
    let missing = missing.join(", ");
    let (verdict, reason) = if !forbidden.is_empty() {
        (Verdict::Unexpected, format!("{}; must never occur", forbidden.join(", ")))
    } else if let Some(refused) = looked.refused {
        (Verdict::Skipped, refused)
    } else if let Some(void) = looked.void {
        (Verdict::Unexpected, void)
    } else if let Some(cut) = looked.cut {
        (Verdict::Inconclusive, cut)
    } else if missing.is_empty() {
        return (Verdict::AsExpected, None);
    } else if let Some(shallow) = looked.shallow {
        (Verdict::Inconclusive, format!("{missing} must occur and was not observed; {shallow}"))
    } else {
        let within = if looked.within.is_empty() { String::new() } else { format!(" {}", looked.within) };
        (Verdict::Unexpected, format!("{missing} must occur and was not observed{within}"))
    };
    (verdict, Some(reason))
}

/// `crash occurred once`, `late occurred 3 times`.
fn times(outcome: Outcome, count: u64) -> String {
    match count {
        1 => format!("{outcome} occurred once"),
        count => format!("{outcome} occurred {count} times"),
    }
}

/// What was observed and must never occur, and how often.
pub(crate) fn forbidden<'a>(
    expected: &'a Expected,
    observed: &'a BTreeMap<Outcome, u64>,
) -> impl Iterator<Item = (Outcome, u64)> + 'a {
    let seen = observed.iter().map(|(outcome, count)| (*outcome, *count)).filter(|(_, count)| *count > 0);
    seen.filter(|(outcome, _)| expected.grade(*outcome) == Grade::Never)
}

/// What must occur and was not observed.
pub(crate) fn missing<'a>(
    expected: &'a Expected,
    observed: &'a BTreeMap<Outcome, u64>,
) -> impl Iterator<Item = Outcome> + 'a {
    expected.must_occur().filter(|outcome| observed.get(outcome).is_none_or(|count| *count == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    use Outcome::{Crash, Delivered, Late};
    use Verdict::{AsExpected, Inconclusive, Skipped, Unexpected};

    fn why() -> Option<String> {
        Some("the reason".to_owned())
    }

    fn all() -> Looked {
        Looked::default()
    }

    #[rstest]
    #[case::the_bug(&[Late], all(), AsExpected)]
    #[case::the_bug_and_well(&[Late, Delivered], all(), AsExpected)]
    #[case::another_bug(&[Late, Crash], all(), Unexpected)]
    #[case::no_bug(&[Delivered], all(), Unexpected)]
    #[case::nothing(&[], all(), Unexpected)]
    #[case::no_bug_with_little_effort(&[Delivered], Looked { shallow: why(), ..all() }, Inconclusive)]
    #[case::the_bug_with_little_effort(&[Late], Looked { shallow: why(), ..all() }, AsExpected)]
    #[case::the_bug_cut(&[Late], Looked { cut: why(), ..all() }, Inconclusive)]
    #[case::another_bug_cut(&[Crash], Looked { cut: why(), ..all() }, Unexpected)]
    #[case::refused(&[Delivered], Looked { refused: why(), ..all() }, Skipped)]
    #[case::another_bug_before_a_refusal(&[Crash], Looked { refused: why(), ..all() }, Unexpected)]
    #[case::refused_and_cut(&[], Looked { refused: why(), cut: why(), ..all() }, Skipped)]
    #[case::void(&[Late], Looked { void: why(), ..all() }, Unexpected)]
    #[case::void_and_cut(&[Late], Looked { void: why(), cut: why(), ..all() }, Unexpected)]
    #[case::cut_and_little_effort(&[Delivered], Looked { cut: why(), shallow: why(), ..all() }, Inconclusive)]
    fn verdicts(#[case] outcomes: &[Outcome], #[case] looked: Looked, #[case] verdict: Verdict) {
        let observed: BTreeMap<Outcome, u64> = outcomes.iter().map(|outcome| (*outcome, 1)).collect();
        let (graded, reason) = grade(&Expected::broken(Late), &observed, looked);
        assert_eq!((graded, reason.is_none()), (verdict, verdict == AsExpected), "{reason:?}");
    }

    #[test]
    fn a_reason_names_the_outcome_and_how_often_or_where() {
        let never = grade(&Expected::delivered(), &[(Crash, 3), (Late, 1)].into(), all());
        assert_eq!(never.1.unwrap(), "late occurred once, crash occurred 3 times; must never occur");
        let looked = Looked { within: "in 20 attempts".to_owned(), ..all() };
        let gone = grade(&Expected::broken(Late), &[(Delivered, 20)].into(), looked);
        assert_eq!(gone.1.unwrap(), "late must occur and was not observed in 20 attempts");
    }

    #[test]
    fn an_outcome_that_was_counted_zero_times_was_not_observed() {
        assert_eq!(grade(&Expected::delivered(), &[(Delivered, 1), (Crash, 0)].into(), all()), (AsExpected, None));
        assert_eq!(grade(&Expected::delivered(), &[(Delivered, 0)].into(), all()).0, Unexpected);
    }
}
