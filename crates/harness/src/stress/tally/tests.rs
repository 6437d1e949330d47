//! The table at the head of the module, line by line, and when a setup has seen enough.

use rstest::rstest;

use super::*;
use crate::attempt::Attempt;
use crate::case::Case;
use crate::failure::Failure;
use crate::setup::{REFUSES, Setup};
use crate::supervise::End;
use sigproof_osnote::Backends;
use sigproof_report::Finding;

use Outcome::{Delivered, LostWakeup, Refused, SelfDeadlock};

const GOAL: Goal = Goal { attempts: None, coverage: 100, time: Duration::from_secs(3600), use_all_time: false };

/// A case that deadlocks, with a window that signals are aimed at, or without one.
struct Sample {
    aimed: bool,
}

impl Case for Sample {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn summary(&self) -> &'static str {
        "it deadlocks"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(SelfDeadlock), Setup::fixed(), Setup::refuses()]
    }

    fn attempt(&self, _setup: &Setup, _attempt: &Attempt) -> Result<(), Failure> {
        unreachable!("nothing is attempted here")
    }

    fn aimed(&self) -> bool {
        self.aimed
    }
}

fn planned_of(case: &'static dyn Case, is: impl Fn(&Setup) -> bool) -> Planned {
    let setup = case.setups(Backends::BUILT_IN).into_iter().find(is).unwrap();
    Planned { index: 0, case, setup, skip: None }
}

fn planned(variant: Variant) -> Planned {
    planned_of(&Sample { aimed: true }, |setup| setup.variant == variant)
}

fn order(planned: &Planned) -> Order {
    Order::new(planned.case, &planned.setup, Delivery::best(), ROUNDS, 7)
}

/// Counts `n` attempts of this outcome, each with ten signals inside the window.
fn count(tally: &mut Tally<'_>, order: &Order, outcome: Outcome, n: u64) {
    (0..n).for_each(|seed| count_one(tally, order, outcome, seed, 10));
}

/// Counts one attempt that took `seed` milliseconds.
fn count_one(tally: &mut Tally<'_>, order: &Order, outcome: Outcome, seed: u64, inside: u64) {
    let attempted = Attempted {
        end: End::Outcome(outcome),
        finding: (outcome != Delivered).then(|| Finding::new(outcome, "seen")),
        elapsed: Duration::from_millis(seed),
        signals: 20,
        inside,
    };
    tally.count(outcome, &attempted, seed, order);
}

#[rstest]
#[case::well(Variant::Fixed, &[(Delivered, 10)], Verdict::AsExpected)]
#[case::too_few_signals(Variant::Fixed, &[(Delivered, 9)], Verdict::Inconclusive)]
#[case::hung_once(Variant::Fixed, &[(Delivered, 10_000), (SelfDeadlock, 1)], Verdict::Unexpected)]
#[case::nothing_ran(Variant::Fixed, &[], Verdict::Inconclusive)]
#[case::shows_its_bug(Variant::Broken, &[(Delivered, 3), (SelfDeadlock, 1)], Verdict::AsExpected)]
#[case::shows_another(Variant::Broken, &[(SelfDeadlock, 5), (LostWakeup, 1)], Verdict::Unexpected)]
#[case::no_longer_shows_it(Variant::Broken, &[(Delivered, EFFORT)], Verdict::Unexpected)]
#[case::not_tried_enough(Variant::Broken, &[(Delivered, EFFORT - 1)], Verdict::Inconclusive)]
fn verdicts(#[case] variant: Variant, #[case] seen: &[(Outcome, u64)], #[case] verdict: Verdict) {
    let planned = planned(variant);
    let order = order(&planned);
    let mut tally = Tally::new(&planned, GOAL);
    seen.iter().for_each(|(outcome, n)| count(&mut tally, &order, *outcome, *n));
    let run = tally.into_run(Delivery::best());
    assert_eq!(run.verdict, verdict, "{:?}", run.reason);
    assert_eq!(run.reason.is_some(), verdict != Verdict::AsExpected, "what is not as expected has a reason");
    assert_eq!(run.observed.values().sum::<u64>(), run.attempts);
    assert_eq!((run.signals, run.signals_in_window), (20 * run.attempts, 10 * run.attempts), "each counted once");
}

/// Ten attempts that never met the window are no honest effort.
#[rstest]
#[case::none(Delivery::best(), 1, 0, Verdict::Inconclusive)]
#[case::too_few(Delivery::best(), 1, 9, Verdict::Inconclusive)]
#[case::enough(Delivery::best(), 1, 10, Verdict::Unexpected)]
#[case::less_than_was_asked_for(Delivery::best(), 1_000, 99, Verdict::Inconclusive)]
#[case::a_blunt_delivery_none(Delivery::IntervalTimer, 1, 0, Verdict::Inconclusive)]
#[case::a_blunt_delivery(Delivery::IntervalTimer, 1, 1, Verdict::Unexpected)]
fn a_bug_is_missing_only_where_its_window_was_hit(
    #[case] delivery: Delivery,
    #[case] coverage: u64,
    #[case] inside: u64,
    #[case] verdict: Verdict,
) {
    let planned = planned(Variant::Broken);
    let order = order(&planned);
    let mut tally = Tally::new(&planned, Goal { coverage, ..GOAL });
    (0..EFFORT).for_each(|seed| count_one(&mut tally, &order, Delivered, seed, inside));
    let run = tally.into_run(delivery);
    assert_eq!(run.verdict, verdict, "{:?}", run.reason);
    let hits = format!("{} signal", EFFORT * inside);
    assert!(verdict == Verdict::Unexpected || run.reason.as_ref().unwrap().contains(&hits), "{:?}", run.reason);
}

/// A case without a window shows its effort by its rounds.
#[rstest]
#[case::full(ROUNDS, Verdict::Unexpected)]
#[case::short(1, Verdict::Inconclusive)]
fn attempts_of_few_rounds_are_no_effort(#[case] rounds: u64, #[case] verdict: Verdict) {
    let planned = planned_of(&Sample { aimed: false }, |setup| setup.variant == Variant::Broken);
    let order = Order { rounds, ..order(&planned) };
    let mut tally = Tally::new(&planned, Goal { coverage: 0, ..GOAL });
    (0..EFFORT).for_each(|seed| count_one(&mut tally, &order, Delivered, seed, 0));
    let run = tally.into_run(Delivery::best());
    assert_eq!(run.verdict, verdict, "{:?}", run.reason);
}

#[rstest]
#[case::nothing_seen(&[], Verdict::Skipped)]
#[case::well_so_far(&[Delivered, Delivered], Verdict::Skipped)]
#[case::a_bug_seen_before(&[Delivered, SelfDeadlock], Verdict::Unexpected)]
fn a_refusal_hides_no_bug(#[case] seen: &[Outcome], #[case] verdict: Verdict) {
    let planned = planned(Variant::Fixed);
    let order = order(&planned);
    let mut tally = Tally::new(&planned, GOAL);
    seen.iter().for_each(|outcome| count_one(&mut tally, &order, *outcome, 0, 10));
    tally.refuse("no timer".to_owned());
    let run = tally.into_run(Delivery::best());
    assert_eq!((run.verdict, run.refused), (verdict, verdict == Verdict::Skipped), "{:?}", run.reason);
}

/// From the start of the setup, not from that of the attempt.
#[test]
fn the_first_bad_outcome_is_timed_from_the_start_of_the_setup() {
    let planned = planned(Variant::Broken);
    let order = order(&planned);
    let mut tally = Tally::new(&planned, GOAL);
    tally.started -= Duration::from_secs(7);
    count_one(&mut tally, &order, Delivered, 0, 10);
    count_one(&mut tally, &order, SelfDeadlock, 1, 10);
    let run = tally.into_run(Delivery::best());
    assert!(
        run.first_seconds.unwrap() >= 7.001,
        "{:?}: the first attempt took 7 s, the second 1 ms",
        run.first_seconds
    );
    assert_eq!(run.first_seconds_median, Some(0.001), "of the attempts alone");
}

#[rstest]
#[case::broken_shown(Variant::Broken, &[(SelfDeadlock, ATTEMPTS)], None, true)]
#[case::broken_not_yet_often(Variant::Broken, &[(SelfDeadlock, ATTEMPTS - 1)], None, false)]
#[case::broken_not_shown(Variant::Broken, &[(Delivered, 1000)], None, false)]
#[case::fixed_covered(Variant::Fixed, &[(Delivered, 10)], None, true)]
#[case::fixed_not_covered(Variant::Fixed, &[(Delivered, 9)], None, false)]
#[case::fixed_fails(Variant::Fixed, &[(SelfDeadlock, ATTEMPTS)], None, true)]
#[case::attempts_are_exact(Variant::Fixed, &[(Delivered, 99)], Some(100), false)]
#[case::attempts_are_done(Variant::Broken, &[(Delivered, 100)], Some(100), true)]
fn when_it_is_enough(
    #[case] variant: Variant,
    #[case] seen: &[(Outcome, u64)],
    #[case] attempts: Option<u64>,
    #[case] enough: bool,
) {
    let planned = planned(variant);
    let order = order(&planned);
    let mut tally = Tally::new(&planned, Goal { attempts, ..GOAL });
    assert!(!tally.enough(), "nothing was tried");
    seen.iter().for_each(|(outcome, n)| count(&mut tally, &order, *outcome, *n));
    assert_eq!(tally.enough(), enough);
}

#[rstest]
#[case::goal_reached_but_all_time_is_to_be_used(Variant::Fixed, true, false)]
#[case::goal_reached(Variant::Fixed, false, true)]
#[case::a_broken_variant_needs_no_more(Variant::Broken, true, true)]
fn a_duration_is_used_up_by_fixed_variants(#[case] variant: Variant, #[case] all: bool, #[case] enough: bool) {
    let planned = planned(variant);
    let order = order(&planned);
    let mut tally = Tally::new(&planned, Goal { use_all_time: all, ..GOAL });
    let outcome = if variant == Variant::Broken { SelfDeadlock } else { Delivered };
    count(&mut tally, &order, outcome, 20);
    assert_eq!(tally.enough(), enough);
    let late = Tally::new(&planned, Goal { use_all_time: all, time: Duration::ZERO, ..GOAL });
    assert!(late.enough(), "the time is over");
}

#[test]
fn the_first_of_a_kind_is_kept_with_its_seed() {
    let planned = planned(Variant::Broken);
    let mut tally = Tally::new(&planned, GOAL);
    let order = order(&planned);
    count(&mut tally, &order, SelfDeadlock, 3);
    count(&mut tally, &order, LostWakeup, 2);
    let run = tally.into_run(Delivery::best());
    let kinds: Vec<_> = run.findings().map(|f| f.outcome).collect();
    assert_eq!(kinds, [SelfDeadlock, LostWakeup]);
    for finding in run.findings() {
        let replay = finding.replay.as_deref().unwrap();
        assert!(replay.ends_with("--seed 0 --attempts 1"), "{replay}");
        assert!(replay.contains("sample --variant broken"), "{replay}");
    }
    assert_eq!(run.first_seconds_median, Some(0.001), "of 0, 0, 1, 1 and 2 ms");
    assert_eq!(run.first_seconds_p95, Some(0.002));
}

#[test]
fn quantiles() {
    assert_eq!(quantile(&[], 0.5), None);
    assert_eq!(quantile(&[1.0], 0.95), Some(1.0));
    let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
    assert_eq!(quantile(&hundred, 0.5), Some(50.0));
    assert_eq!(quantile(&hundred, 0.95), Some(95.0));
}

#[rstest]
#[case::shown(&[(Refused, ATTEMPTS)], true, Verdict::AsExpected)]
#[case::not_yet_often(&[(Refused, ATTEMPTS - 1)], false, Verdict::AsExpected)]
#[case::deadlocked(&[(Refused, ATTEMPTS - 1), (SelfDeadlock, 1)], true, Verdict::Unexpected)]
#[case::never_refused(&[(Delivered, 100)], false, Verdict::Unexpected)]
fn a_note_that_refuses_is_shown_by_its_refusals(
    #[case] seen: &[(Outcome, u64)],
    #[case] enough: bool,
    #[case] verdict: Verdict,
) {
    let planned = planned_of(&Sample { aimed: true }, |setup| setup.flavour == Some(REFUSES));
    let order = order(&planned);
    let mut tally = Tally::new(&planned, GOAL);
    seen.iter().for_each(|(outcome, n)| count(&mut tally, &order, *outcome, *n));
    // Fewer signals in the window than a variant that delivers would need.
    assert_eq!(tally.enough(), enough);
    assert_eq!(tally.into_run(Delivery::best()).verdict, verdict);
}
