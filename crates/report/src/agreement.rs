//! Three independent ways to the same truth: do they agree on what is possible?
//!
//! For each setup of each case, the bad outcomes that stress, the models and the sweeps have seen are
//! compared. An outcome that one of them has seen and another one, which ran, has not is a *disagreement*:
//! one of the three is wrong, or looks at something else. It is told with all witnesses.
//!
//! | not compared | why |
//! |---|---|
//! | an outcome that some technique grades as one that may occur | other threads take part there, and are caught in the cycle or not |
//! | data race | only a model sees one |
//! | a technique that was skipped, or did not come to a verdict | it has not looked |

use std::collections::{BTreeMap, BTreeSet};

use crate::grade::Verdict;
use crate::outcome::{Grade, Outcome};
use crate::run::Run;
use crate::seen::Technique;
use crate::setup::SetupId;

/// What one technique has seen of a setup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often each outcome.
    pub observed: BTreeMap<Outcome, u64>,
    /// Why it cannot be relied on, if it cannot.
    pub silent: Option<String>,
    /// What it has to say of each bad outcome: a sentence, and the command that repeats it.
    pub witnesses: BTreeMap<Outcome, String>,
}

/// A setup, and what each technique has seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Which setup.
    pub setup: SetupId,
    /// By technique; one that has no run is not there.
    pub seen: BTreeMap<Technique, Seen>,
    /// Outcomes that are not compared.
    pub optional: BTreeSet<Outcome>,
}

impl Compared {
    /// The outcomes that one technique has seen and another has not.
    pub fn disputed(&self) -> Vec<Outcome> {
        let looked: Vec<&Seen> = self.seen.values().filter(|seen| seen.silent.is_none()).collect();
        let all: BTreeSet<Outcome> = looked.iter().flat_map(|seen| seen.observed.keys().copied()).collect();
        let bad = all.into_iter().filter(|outcome| *outcome != Outcome::Delivered && !self.optional.contains(outcome));
        bad.filter(|outcome| looked.iter().any(|seen| !seen.observed.contains_key(outcome))).collect()
    }

    /// Whether fewer than two techniques have looked.
    pub fn is_alone(&self) -> bool {
        self.seen.values().filter(|seen| seen.silent.is_none()).count() < 2
    }
}

/// Compares the runs of these cases, of any techniques, by setup, in the order of the cases.
pub fn compare(cases: &[&str], runs: &[Run]) -> Vec<Compared> {
    let mut compared: Vec<Compared> = Vec::new();
    for case in cases {
        for run in runs.iter().filter(|run| run.setup.case == *case) {
            let place = compared.iter().position(|other| other.setup == run.setup);
            let place = place.unwrap_or_else(|| {
                let (seen, optional) = (BTreeMap::new(), [Outcome::DataRace].into());
                compared.push(Compared { setup: run.setup.clone(), seen, optional });
                compared.len() - 1
            });
            take(&mut compared[place], run);
        }
    }
    compared
}

/// Takes in one run. A technique may have several of a setup: the windows of a sweep.
fn take(compared: &mut Compared, run: &Run) {
    compared
        .optional
        .extend(run.expected.iter().filter(|(_, grade)| *grade == Grade::MayOccur).map(|(outcome, _)| outcome));
    let seen = compared.seen.entry(run.technique()).or_default();
    for (outcome, count) in run.observed.iter().filter(|(_, count)| **count > 0) {
        *seen.observed.entry(*outcome).or_default() += count;
    }
    if matches!(run.verdict, Verdict::Skipped | Verdict::Inconclusive) {
        let why = run.reason.clone().unwrap_or_else(|| run.verdict.to_string());
        seen.silent.get_or_insert(why);
    }
    for finding in run.findings() {
        let replay = finding.replay.as_ref().or(run.replay.as_ref());
        let replay = replay.map(|replay| format!("\n    {replay}")).unwrap_or_default();
        seen.witnesses.entry(finding.outcome).or_insert_with(|| format!("{}{replay}", finding.sentence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Expected;
    use crate::setup::Variant;
    use rstest::rstest;

    fn run(technique: Technique, observed: &[Outcome], verdict: Verdict) -> Run {
        let expected = Expected::broken(Outcome::Livelock).with(Outcome::CrossDeadlock, Grade::MayOccur);
        let mut run = Run::new(technique, SetupId::new("a-case", Variant::Broken), expected);
        run.observed = observed.iter().map(|outcome| (*outcome, 1)).collect();
        run.verdict = verdict;
        run
    }

    #[rstest]
    #[case::all_the_same(&[Outcome::Livelock], &[Outcome::Livelock], Verdict::AsExpected, &[])]
    #[case::one_has_not_seen_it(&[Outcome::Livelock], &[Outcome::Delivered], Verdict::Unexpected, &[Outcome::Livelock])]
    #[case::one_has_seen_more(&[Outcome::Livelock], &[Outcome::Livelock, Outcome::Crash], Verdict::Unexpected, &[Outcome::Crash])]
    #[case::one_has_not_looked(&[Outcome::Livelock], &[], Verdict::Skipped, &[])]
    #[case::one_has_not_looked_enough(&[Outcome::Livelock], &[Outcome::Delivered], Verdict::Inconclusive, &[])]
    #[case::may_occur(&[Outcome::Livelock, Outcome::CrossDeadlock], &[Outcome::Livelock], Verdict::AsExpected, &[])]
    #[case::only_a_model_sees_races(&[Outcome::Livelock, Outcome::DataRace], &[Outcome::Livelock], Verdict::AsExpected, &[])]
    fn disputes(
        #[case] model: &[Outcome],
        #[case] step: &[Outcome],
        #[case] verdict: Verdict,
        #[case] disputed: &[Outcome],
    ) {
        let runs = [run(Technique::Model, model, Verdict::AsExpected), run(Technique::Step, step, verdict)];
        let compared = compare(&["a-case"], &runs);
        assert_eq!(compared.len(), 1);
        assert_eq!(compared[0].disputed(), disputed);
        assert_eq!(compared[0].is_alone(), matches!(verdict, Verdict::Skipped | Verdict::Inconclusive));
    }

    #[test]
    fn the_windows_of_a_setup_are_one() {
        let runs = [
            run(Technique::Stress, &[Outcome::Livelock], Verdict::AsExpected),
            run(Technique::Step, &[Outcome::Delivered], Verdict::AsExpected),
            run(Technique::Step, &[Outcome::Livelock], Verdict::AsExpected),
        ];
        assert_eq!(compare(&["a-case"], &runs)[0].disputed(), []);
    }
}
