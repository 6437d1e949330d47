//! What is taken in of explorations, when a search ends, and the verdicts.

use rstest::rstest;
use sigproof_shim::model::{Chances, Failure, FailureKind};

use super::*;
use crate::model::Model;
use crate::setup::Setup;
use sigproof_report::Verdict;

#[rstest]
#[case(Some(0), &[Some(0)])]
#[case(Some(2), &[Some(0), Some(1), Some(2)])]
#[case(Some(9), &[Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), Some(9)])]
#[case(None, &[Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), None])]
fn bounds_rise_to_what_was_asked_for(#[case] bound: Option<u8>, #[case] all: &[Option<u8>]) {
    assert_eq!(rising(bound), all);
}

/// What a model whose body installs one handler amounts to.
fn judged(setup: Setup, found: &Found, deliveries: u32) -> Run {
    let entry = Entry { name: "a-model", hidden: false, setup, model: Model::new(|| {}) };
    let mut run = run_of(&entry);
    judge(&mut run, found, &entry, Depth { deliveries, ..Depth::DEFAULT });
    run
}

fn failing(outcome: Outcome) -> BTreeMap<Outcome, (u64, Failing)> {
    let failing = Failing {
        perturbed: Perturbed::Plan(Plan::default()),
        choices: None,
        sentence: "it failed".to_owned(),
        seconds: 0.1,
    };
    [(outcome, (1, failing))].into()
}

fn well() -> Found {
    Found { executions: 9, plans: 3, signals: 2, well: 9, ..Found::default() }
}

#[rstest]
#[case::all_well(Setup::fixed(), well(), 1, Verdict::AsExpected)]
#[case::no_signal_came(Setup::fixed(), Found { signals: 0, ..well() }, 1, Verdict::Unexpected)]
#[case::none_was_to_come(Setup::fixed(), Found { signals: 0, ..well() }, 0, Verdict::AsExpected)]
#[case::a_bug(Setup::fixed(), Found { failing: failing(Outcome::Crash), ..well() }, 1, Verdict::Unexpected)]
#[case::the_bug(Setup::broken(Outcome::Late), Found { failing: failing(Outcome::Late), ..well() }, 1, Verdict::AsExpected)]
#[case::another_bug(Setup::broken(Outcome::Late), Found { failing: failing(Outcome::Crash), ..well() }, 1, Verdict::Unexpected)]
#[case::no_bug(Setup::broken(Outcome::Late), well(), 1, Verdict::Unexpected)]
#[case::no_bug_so_far(Setup::broken(Outcome::Late), well(), 0, Verdict::Inconclusive)]
#[case::out_of_time(Setup::fixed(), Found { stopped: Some("time budget".to_owned()), ..well() }, 1, Verdict::Inconclusive)]
#[case::no_models(Setup::fixed(), Found { unsupported: true, ..Found::default() }, 1, Verdict::Skipped)]
fn verdicts(#[case] setup: Setup, #[case] found: Found, #[case] deliveries: u32, #[case] verdict: Verdict) {
    let run = judged(setup, &found, deliveries);
    assert_eq!(run.verdict, verdict, "{:?}", run.reason);
    assert_eq!(run.reason.is_some(), verdict != Verdict::AsExpected);
}

/// What is taken in of a plan whose third execution fails.
fn take_failing(found: &mut Found, entry: &Entry, plan: &Plan) {
    let failure = Failure {
        kind: FailureKind::Deadlock,
        message: String::new(),
        threads: Vec::new(),
        steps: Vec::new(),
        graph: None,
    };
    let end = End::Failed(failure);
    let chances = Chances::default();
    let explored = Exploration {
        executions: 3,
        carried_out: 3,
        deliveries: 3,
        chances,
        end,
        sites: Vec::new(),
        discarded: 0,
        weak_bound_met: false,
        distinct: None,
        left: 0,
        waiting: Vec::new(),
        remaining: None,
    };
    take(found, entry, plan, &explored, None, Instant::now());
}

#[test]
fn each_failure_of_a_kind_counts_once_and_the_shortest_plan_is_kept() {
    let model = Model::new(|| {});
    let entry = Entry { name: "a-model", hidden: false, setup: Setup::broken(Outcome::LostWakeup), model };
    let mut found = Found::default();
    for (count, points) in (1..).zip([&[2, 2][..], &[2], &[1], &[3]]) {
        let signals = points.iter().map(|&point| (point, 0)).collect();
        take_failing(&mut found, &entry, &Plan { signals, ..Plan::default() });
        let mut run = run_of(&entry);
        judge(&mut run, &found, &entry, Depth::DEFAULT);
        assert_eq!(run.observed[&Outcome::LostWakeup], count);
        assert_eq!(run.observed[&Outcome::Delivered], 2 * count);
        assert_eq!(run.attempts, 3 * count);
    }
    let kept = Plan { signals: vec![(1, 0)], ..Plan::default() };
    assert_eq!(found.failing[&Outcome::LostWakeup].1.perturbed, Perturbed::Plan(kept));
}

#[rstest]
#[case::forbidden(Setup::fixed(), failing(Outcome::Crash), true)]
#[case::forbidden_before_the_bug(Setup::broken(Outcome::Late), failing(Outcome::Crash), true)]
#[case::the_bug(Setup::broken(Outcome::Late), failing(Outcome::Late), true)]
#[case::a_fix_is_explored_to_the_end(Setup::fixed(), BTreeMap::new(), false)]
#[case::no_bug_so_far(Setup::broken(Outcome::Late), BTreeMap::new(), false)]
fn a_search_ends_when_the_verdict_is_decided(
    #[case] setup: Setup,
    #[case] failing: BTreeMap<Outcome, (u64, Failing)>,
    #[case] ends: bool,
) {
    assert_eq!(satisfied(&Found { failing, ..well() }, &setup.expected), ends);
}

#[test]
fn a_bound_is_never_called_exhausted() {
    let run = judged(Setup::fixed(), &well(), 1);
    assert_eq!(run.model().unwrap().end, Some(Exhaustion::cut("preemption bound 3")));
}

/// The machine makes no threads: this one does the work. Without loom it comes to skipped runs.
#[cfg(target_os = "linux")]
#[test]
fn refused_threads_leave_the_work_to_the_caller() {
    let entry = || Entry { name: "a-model", hidden: false, setup: Setup::fixed(), model: Model::new(|| {}) };
    for entries in [vec![entry()], vec![entry(), entry(), entry()]] {
        let options = Options { jobs: 2, ..Options::default() };
        let done = Mutex::new(Vec::new());
        sigproof_tests::refuse::without_threads(|| {
            explore_all(&entries, &options, &(), |n, run, _| done.lock().unwrap().push((n, run.verdict)));
        });
        let all: Vec<_> = (0..entries.len()).map(|n| (n, Verdict::Skipped)).collect();
        assert_eq!(done.into_inner().unwrap(), all);
    }
}
