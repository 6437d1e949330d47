//! Each line of the table of verdicts.

use super::*;
use rstest::rstest;
use sigproof_report::seen::{Counts, Folded, Spot};
use sigproof_report::{Expected, Finding, Looked, SetupId, Technique, Variant};

fn spot(k: usize) -> Spot {
    Spot {
        k,
        asleep: false,
        place: format!("wake+{k:#x}"),
        object: String::new(),
        source: None,
        instruction: String::new(),
    }
}

/// A sweep of ten boundaries, these of them bad.
fn sweep(window: &str, bad: &[usize]) -> Run {
    let mut run = Run::new(Technique::Step, SetupId::new("library-note", Variant::Fixed), Expected::delivered());
    let range = |k: &usize| Range {
        outcome: Some(Outcome::SelfDeadlock),
        count: 1,
        first: spot(*k),
        last: spot(*k),
        token: None,
        detail: String::new(),
    };
    let counts = Counts { boundaries: 10, injected: 10, vulnerable: bad.len(), ..Counts::default() };
    let step = run.step_mut().unwrap();
    step.window = Some(window.to_owned());
    step.counts = Some(counts);
    step.folded = Some(Folded { ranges: bad.iter().map(range).collect(), ..Folded::default() });
    run.observed = [(Outcome::Delivered, 10)].into();
    if !bad.is_empty() {
        run.observed.insert(Outcome::SelfDeadlock, bad.len() as u64);
    }
    run.grade(Looked::default());
    run
}

fn check(outcome: Outcome) -> Run {
    let id = SetupId { flavour: Some("clear".to_owned()), ..SetupId::new("library-contract", Variant::Fixed) };
    let mut run = Run::new(Technique::Stress, id, Expected::delivered());
    run.observed = [(outcome, 1)].into();
    if outcome != Outcome::Delivered {
        run.add_finding(Finding::new(outcome, "it is still woken".to_owned()));
    }
    run.grade(Looked::default());
    run
}

#[rstest]
#[case::safe(true, &[], &[], Judgement::SafeAsClaimed, "safe as claimed (1 checks of its contract, a signal at each of 20 boundaries of 2 windows)")]
#[case::not_safe(true, &[2, 5], &[], Judgement::ClaimsSafe, "claims to be safe; self-deadlocks at 2 of 10 boundaries, first at wake+0x2 (k 2), last at wake+0x5 (k 5)")]
#[case::as_claimed(false, &[2], &[], Judgement::UnsafeAsClaimed, "unsafe as claimed; self-deadlocks at 1 of 10 boundaries, first at wake+0x2")]
#[case::modest(false, &[], &[], Judgement::NotSeenToFail, "claims to be unsafe; was not seen to fail (1 checks")]
#[case::apart(false, &[], &[3], Judgement::Forbidden, "does what its contract forbids: woken by another thread, self-deadlocks at 1 of 10")]
fn the_claim_is_compared_with_what_was_seen(
    #[case] claims_safety: bool,
    #[case] bad: &[usize],
    #[case] apart: &[usize],
    #[case] judgement: Judgement,
    #[case] sentence: &str,
) {
    let sweeps = [sweep("sleep", bad), sweep("bystander", apart)];
    let contract = [check(Outcome::Delivered)];
    let evidence = Evidence { claims_safety, contract: &contract, sweeps: &sweeps, ..Evidence::default() };
    let (found, said) = judge(&evidence);
    assert_eq!(found, judgement, "{said}");
    assert!(said.starts_with(sentence), "{said}");
}

#[test]
fn a_broken_contract_comes_first() {
    let (sweeps, contract) = ([sweep("sleep", &[1])], [check(Outcome::SpuriousWakeup)]);
    let evidence = Evidence { claims_safety: true, contract: &contract, sweeps: &sweeps, ..Evidence::default() };
    let (found, said) = judge(&evidence);
    assert_eq!(found, Judgement::Forbidden);
    assert_eq!(
        said,
        "does what its contract forbids: it is still woken (check clear: a clear forgets a wake-up, whether a sleep has \
         returned for it or not)"
    );
}

#[test]
fn what_was_not_looked_at_decides_nothing() {
    let mut cut = sweep("sleep", &[]);
    cut.verdict = Verdict::Inconclusive;
    cut.reason = Some("3 boundaries were not reached".to_owned());
    let evidence = Evidence { claims_safety: true, sweeps: std::slice::from_ref(&cut), ..Evidence::default() };
    assert_eq!(judge(&evidence).0, Judgement::Undecided);
    cut.verdict = Verdict::Skipped;
    let evidence = Evidence { claims_safety: true, sweeps: std::slice::from_ref(&cut), ..Evidence::default() };
    assert_eq!(judge(&evidence).0.exit(), Exit::Environment);
}
