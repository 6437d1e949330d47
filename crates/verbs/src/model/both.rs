//! The same models over both engines: where their outcomes differ, one of them is wrong.
//!
//! Two runs differ if one shows an outcome that the other excludes. An engine excludes what it has not seen
//! if it has explored everything; a search that a bound, the time or a failure ended excludes nothing.

use std::fmt;

use sigproof_report::{Outcome, Run, Verdict};

/// What the comparison has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Models that ran over both engines.
    compared: usize,
    /// Models with the same outcomes over both.
    same: usize,
    /// Models whose engines contradict each other.
    contradictions: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compared, same, contradictions } = self;
        let models = if *compared == 1 { "model" } else { "models" };
        write!(f, "{compared} {models} over both engines: {same} with the same outcomes, ")?;
        let others = compared - same - contradictions;
        write!(f, "{others} where a bound or a bug ended a search before, {contradictions} with a contradiction")
    }
}

/// The runs of the second engine, graphs; each that the first contradicts is unexpected, with the reason.
pub(super) fn compared(loom: &[Run], graph: Vec<Run>) -> (Vec<Run>, Tally) {
    let mut tally = Tally::default();
    let join = |mut run: Run| {
        let same = |other: &&Run| other.setup == run.setup && other.technique() == run.technique();
        let Some(other) = loom.iter().find(same) else { return run };
        tally.compared += 1;
        if let Some(why) = difference(other, &run) {
            tally.contradictions += 1;
            run.verdict = Verdict::Unexpected;
            run.reason = Some(match run.reason.take() {
                Some(reason) => format!("{why}; {reason}"),
                None => why,
            });
        } else if other.observed.keys().eq(run.observed.keys()) {
            tally.same += 1;
        }
        run
    };
    (graph.into_iter().map(join).collect(), tally)
}

/// What contradicts each other in two runs of a model.
fn difference(loom: &Run, graph: &Run) -> Option<String> {
    if loom.verdict != graph.verdict && is_decided(loom) && is_decided(graph) {
        return Some(format!("the engines differ: over loom it is {}, over graphs {}", loom.verdict, graph.verdict));
    }
    let only = |this: &Run, other: &Run| -> Vec<Outcome> {
        let excludes = other.model().and_then(|model| model.end.as_ref()).is_some_and(|end| end.exhausted);
        let is_new = |outcome: &Outcome| excludes && !other.observed.contains_key(outcome);
        this.observed.keys().copied().filter(is_new).collect()
    };
    let said = |name: &str, outcomes: Vec<Outcome>| {
        let words: Vec<_> = outcomes.iter().map(|outcome| outcome.as_str()).collect();
        (!words.is_empty()).then(|| format!("{} only over {name}", words.join(", ")))
    };
    let all: Vec<_> =
        [said("loom", only(loom, graph)), said("graphs", only(graph, loom))].into_iter().flatten().collect();
    (!all.is_empty()).then(|| format!("the engines differ: {}", all.join("; ")))
}

fn is_decided(run: &Run) -> bool {
    matches!(run.verdict, Verdict::AsExpected | Verdict::Unexpected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_report::seen::{Exhaustion, Model};
    use sigproof_report::{Expected, Seen, SetupId, Technique, Variant};

    fn run(outcomes: &[Outcome], exhausted: bool, verdict: Verdict) -> Run {
        let id = SetupId::new("a-model", Variant::Fixed);
        let mut run = Run::new(Technique::Model, id, Expected::default());
        run.observed = outcomes.iter().map(|outcome| (*outcome, 1)).collect();
        let end = if exhausted {
            Exhaustion { exhausted: true, not_exhausted: None }
        } else {
            Exhaustion::cut("preemption bound 1")
        };
        run.seen = Seen::Model(Box::new(Model { end: Some(end), ..Model::default() }));
        run.verdict = verdict;
        run
    }

    const WELL: &[Outcome] = &[Outcome::Delivered];
    const BUG: &[Outcome] = &[Outcome::Delivered, Outcome::LostWakeup];

    #[rstest]
    #[case::the_same((WELL, true), (WELL, true), None)]
    #[case::beyond_a_bound((WELL, false), (BUG, true), None)]
    #[case::only_over_loom((BUG, false), (WELL, true), Some("lost wake-up only over loom"))]
    #[case::only_over_graphs((WELL, true), (BUG, false), Some("lost wake-up only over graphs"))]
    fn an_outcome_that_the_other_excludes(
        #[case] loom: (&[Outcome], bool),
        #[case] graph: (&[Outcome], bool),
        #[case] said: Option<&str>,
    ) {
        let [loom, graph] = [loom, graph].map(|(outcomes, whole)| run(outcomes, whole, Verdict::AsExpected));
        let equal = loom.observed.len() == graph.observed.len();
        let (found, tally) = compared(&[loom], vec![graph]);
        let found = &found[0];
        assert_eq!(found.verdict == Verdict::Unexpected, said.is_some());
        let contradictions = usize::from(said.is_some());
        assert_eq!(tally, Tally { compared: 1, same: usize::from(equal), contradictions });
        assert!(said.is_none_or(|said| found.reason.as_ref().unwrap().contains(said)), "{:?}", found.reason);
    }

    #[test]
    fn verdicts_that_differ_are_a_finding() {
        let (loom, graph) = (run(WELL, false, Verdict::AsExpected), run(BUG, false, Verdict::Unexpected));
        let (found, tally) = compared(std::slice::from_ref(&loom), vec![graph]);
        assert_eq!(
            tally.to_string(),
            "1 model over both engines: 0 with the same outcomes, 0 where a bound or a bug ended a search before, 1 with a \
             contradiction"
        );
        assert!(found[0].reason.as_ref().unwrap().contains("the engines differ"), "{:?}", found[0].reason);
        let open = run(WELL, false, Verdict::Inconclusive);
        assert_eq!(compared(&[loom], vec![open]).0[0].reason, None, "what was not decided differs from nothing");
    }
}
