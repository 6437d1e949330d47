//! What each thing that may be seen of a window amounts to.

use rstest::rstest;

use sigproof_inspect::hang::Stuck;
use sigproof_report::{Expected, SetupId, Technique, Variant};

use super::super::run_of;
use super::*;
use crate::token::Located;
use crate::{Boundary, Ended, Notes, Slate, Swept};

const WELL: Option<Outcome> = Some(Outcome::Delivered);
const LATE: Option<Outcome> = Some(Outcome::Late);
const CRASH: Option<Outcome> = Some(Outcome::Crash);

fn swept(outcomes: &[Option<Outcome>]) -> Swept {
    let boundary = |number| Boundary { pc: 16 + number as u64, depth: 0, asleep: false };
    let judged = |outcome: &Option<Outcome>| Judged { outcome: *outcome, detail: "it was so".to_owned(), retries: 1 };
    Swept { path: (0..outcomes.len()).map(boundary).collect(), judged: outcomes.iter().map(judged).collect() }
}

/// A sweep that saw this, and nothing without a signal.
fn seen(outcomes: &[Option<Outcome>]) -> Seen {
    Seen { swept: swept(outcomes), without: WELL, executions: outcomes.len() as u64, ..Seen::default() }
}

/// The same with a second signal after one at the first boundary.
fn nested(outcomes: &[Option<Outcome>], of_two: &[Option<Outcome>]) -> Seen {
    Seen { nested: vec![Nested { first: 0, swept: swept(of_two) }], ..seen(outcomes) }
}

/// One boundary of three.
fn only(outcome: Option<Outcome>) -> Seen {
    let Swept { path, .. } = swept(&[WELL; 3]);
    let Swept { judged, .. } = swept(&[outcome]);
    Seen { only: Some(Located { k: 1, moved: None }), swept: Swept { path, judged }, ..seen(&[]) }
}

fn token() -> Which {
    Which::Named("a-window/broken@sleep@k1@libc.so.6+0x9@lock+0x4#1".parse().unwrap())
}

/// A subject of which this is expected, and that is never run.
struct Sample(Expected);

impl Subject for Sample {
    fn label(&self) -> String {
        "a-window/broken@sleep".to_owned()
    }

    fn run(&self) -> Run {
        Run::new(Technique::Step, SetupId::new("a-window", Variant::Broken), self.0.clone())
    }

    fn signal(&self) -> libc::c_int {
        libc::SIGPROF
    }

    fn notes(&self) -> std::io::Result<&'static dyn Notes> {
        unreachable!("nothing runs")
    }

    fn perform(&self, _slate: &'static Slate) -> ! {
        unreachable!("nothing runs")
    }

    fn ended(&self, _status: std::process::ExitStatus) -> Result<Ended, Trouble> {
        unreachable!("nothing runs")
    }

    fn stuck(&self, _stuck: Stuck) -> (Outcome, String) {
        unreachable!("nothing runs")
    }

    fn diagnosed(&self, _pid: u32, _stuck: Stuck) -> (Outcome, Finding) {
        unreachable!("nothing runs")
    }
}

fn judged(expected: Expected, seen: &Seen, which: &Which) -> Run {
    let subject = Sample(expected);
    let mut run = run_of(&subject, Kind::Breakpoint);
    judge(&mut run, &subject, Kind::Breakpoint, seen, which);
    run
}

fn counts(run: &Run) -> &Counts {
    run.step().unwrap().counts.as_ref().unwrap()
}

fn map(run: &Run) -> &str {
    run.step().unwrap().map.as_ref().unwrap()
}

fn strip(run: &Run) -> &str {
    &run.step().unwrap().folded.as_ref().unwrap().strip
}

#[rstest]
#[case::all_well(Expected::delivered(), seen(&[WELL, WELL]), Verdict::AsExpected)]
#[case::a_bug(Expected::delivered(), seen(&[WELL, CRASH]), Verdict::Unexpected)]
#[case::the_bug(Expected::broken(Outcome::Late), seen(&[WELL, LATE]), Verdict::AsExpected)]
#[case::another_bug(Expected::broken(Outcome::Late), seen(&[LATE, CRASH]), Verdict::Unexpected)]
#[case::no_bug(Expected::broken(Outcome::Late), seen(&[WELL, WELL]), Verdict::Unexpected)]
#[case::not_reached(Expected::delivered(), seen(&[WELL, None]), Verdict::Inconclusive)]
#[case::the_bug_and_not_reached(Expected::broken(Outcome::Late), seen(&[LATE, None]), Verdict::Inconclusive)]
#[case::a_bug_and_not_reached(Expected::delivered(), seen(&[CRASH, None]), Verdict::Unexpected)]
#[case::a_bug_of_two(Expected::delivered(), nested(&[WELL], &[WELL, CRASH]), Verdict::Unexpected)]
#[case::the_bug_of_two(Expected::broken(Outcome::Late), nested(&[WELL], &[WELL, LATE]), Verdict::AsExpected)]
#[case::two_not_reached(Expected::delivered(), nested(&[WELL], &[WELL, None]), Verdict::Inconclusive)]
#[case::no_path_of_the_handler(
    Expected::delivered(), Seen { unrecorded: vec![(0, "it was so".to_owned())], ..seen(&[WELL]) }, Verdict::Inconclusive
)]
#[case::a_bug_and_no_path_of_the_handler(
    Expected::delivered(), Seen { unrecorded: vec![(0, "it was so".to_owned())], ..seen(&[CRASH]) }, Verdict::Unexpected
)]
#[case::without_a_signal(Expected::delivered(), Seen { without: CRASH, ..seen(&[WELL]) }, Verdict::Unexpected)]
#[case::the_bug_without(Expected::broken(Outcome::Late), Seen { without: LATE, ..seen(&[WELL]) }, Verdict::AsExpected)]
#[case::no_second_signal(
    Expected::broken(Outcome::Late), Seen { without_nested: Some("no".to_owned()), ..seen(&[WELL]) }, Verdict::Inconclusive
)]
#[case::none_needed(
    Expected::broken(Outcome::Late), Seen { without_nested: Some("no".to_owned()), ..seen(&[LATE]) }, Verdict::AsExpected
)]
fn verdicts_of_all(#[case] expected: Expected, #[case] seen: Seen, #[case] verdict: Verdict) {
    let run = judged(expected, &seen, &Which::All);
    assert_eq!(run.verdict, verdict, "{:?}", run.reason);
    assert_eq!(run.reason.is_some(), verdict != Verdict::AsExpected);
}

#[rstest]
#[case::the_bug(Expected::broken(Outcome::Late), LATE, Which::Number(1), Verdict::AsExpected)]
#[case::no_bug_there(Expected::broken(Outcome::Late), WELL, Which::Number(1), Verdict::AsExpected)]
#[case::a_bug(Expected::delivered(), CRASH, Which::Number(1), Verdict::Unexpected)]
#[case::not_reached(Expected::delivered(), None, Which::Number(1), Verdict::Inconclusive)]
#[case::the_bug_again(Expected::broken(Outcome::Late), LATE, token(), Verdict::AsExpected)]
#[case::not_again(Expected::broken(Outcome::Late), WELL, token(), Verdict::Inconclusive)]
#[case::a_bug_again(Expected::delivered(), CRASH, token(), Verdict::Unexpected)]
#[case::well_again(Expected::delivered(), WELL, token(), Verdict::AsExpected)]
fn verdicts_of_one(
    #[case] expected: Expected,
    #[case] outcome: Option<Outcome>,
    #[case] which: Which,
    #[case] verdict: Verdict,
) {
    let run = judged(expected, &only(outcome), &which);
    assert_eq!(run.verdict, verdict, "{:?}", run.reason);
    assert_eq!(run.reason.is_some(), verdict != Verdict::AsExpected);
    assert!(map(&run).starts_with("k 1 of 3: "), "{}", map(&run));
}

/// A sweep that patience ended after these, of so many boundaries.
fn ended_early(outcomes: &[Option<Outcome>], boundaries: usize) -> Seen {
    let Swept { path, .. } = swept(&vec![WELL; boundaries]);
    let Swept { judged, .. } = swept(outcomes);
    let unwatchable = Some("it is hidden".to_owned());
    Seen { swept: Swept { path, judged }, presumed: vec![1, 2], unwatchable, ..seen(&[]) }
}

#[rstest]
#[case::seen(Expected::broken(Outcome::Late), LATE, Verdict::AsExpected)]
#[case::not_seen_yet(Expected::broken(Outcome::Crash).with(Outcome::Late, Grade::MayOccur), LATE, Verdict::Inconclusive)]
#[case::never(Expected::delivered(), LATE, Verdict::Unexpected)]
fn a_sweep_that_patience_ended_is_not_called_exhaustive(
    #[case] expected: Expected,
    #[case] outcome: Option<Outcome>,
    #[case] verdict: Verdict,
) {
    let run = judged(expected, &ended_early(&[WELL, outcome, outcome], 7), &Which::All);
    assert_eq!((run.verdict, counts(&run).not_visited), (verdict, Some(4)));
    assert_eq!((strip(&run), counts(&run).diverged), (".TT----", 0));
    let reason = run.reason.unwrap();
    let said = reason.contains("not exhaustive: 4 boundaries") && reason.contains("it is hidden");
    assert!(said || verdict == Verdict::Unexpected, "{reason}");
}

/// The reason names the missing signal: the outcome is not called the effect of one.
#[test]
fn a_crash_without_a_signal_is_told_as_such() {
    let run = judged(Expected::delivered(), &Seen { without: CRASH, ..seen(&[WELL]) }, &Which::All);
    assert_eq!(run.verdict, Verdict::Unexpected);
    assert_eq!(run.reason.as_deref(), Some("without any signal: crash"));
}

#[test]
fn what_is_counted() {
    let seen = Seen { without: LATE, ..nested(&[WELL, LATE, LATE, None], &[WELL, LATE, None]) };
    let run = judged(Expected::broken(Outcome::Late), &seen, &Which::All);
    let Counts { boundaries, injected, vulnerable, diverged, retries, nested, without_signal, .. } =
        counts(&run).clone();
    assert_eq!((boundaries, injected, vulnerable, diverged, retries, nested), (4, 3, 2, 2, 7, 2));
    assert_eq!(run.observed, [(Outcome::Delivered, 2), (Outcome::Late, 4)].into(), "with the one without a signal");
    assert_eq!((run.attempts, run.signals_in_window), (4, 3));
    assert_eq!((strip(&run), without_signal), (".TT?", LATE));
    assert!(run.reason.unwrap().contains("2 boundaries were not reached; the first: it was so"));
}

#[test]
fn what_two_signals_do_is_a_finding_without_a_token() {
    let run = judged(Expected::broken(Outcome::Late), &nested(&[WELL], &[WELL, LATE, LATE]), &Which::All);
    let findings: Vec<_> = run.findings().collect();
    assert_eq!((findings.len(), findings[0].outcome, findings[0].sentence.as_str()), (1, Outcome::Late, "it was so"));
    assert!(findings[0].text.contains("the first signal came at boundary 0, the second one at boundary 1"));
    assert_eq!(findings[0].replay.as_deref(), Some("{program} step a-window/broken@sleep"));
    assert!(!map(&run).contains("{program} replay"), "{}", map(&run));
}

#[rstest]
#[case::incapable(Trouble::Incapable { engine: Kind::TrapFlag, what: "fly" }, Verdict::Skipped, "an engine that traces can")]
#[case::astray(Trouble::Astray("another path".to_owned()), Verdict::Inconclusive, "another path")]
#[case::refused(
    Trouble::System { call: "fork", error: std::io::Error::from_raw_os_error(libc::EAGAIN) }, Verdict::Skipped, "ulimit -u"
)]
#[case::refused_to_the_child(Trouble::Refused("no more threads".to_owned()), Verdict::Skipped, "no more threads")]
#[case::gone(Trouble::NotOnThePath { symbol: "lock".to_owned() }, Verdict::Inconclusive, "lock any more")]
#[case::too_long(Trouble::TooLong(7), Verdict::Inconclusive, "more than 7 boundaries")]
fn what_cannot_be_swept(#[case] trouble: Trouble, #[case] verdict: Verdict, #[case] said: &str) {
    let mut run = run_of(&Sample(Expected::delivered()), Kind::TrapFlag);
    refuse(&mut run, &trouble);
    assert_eq!(run.verdict, verdict);
    // What an engine cannot do is no refusal: another one can.
    let refused = matches!(trouble, Trouble::System { .. } | Trouble::Refused(_));
    assert_eq!(run.refused, refused, "a machine that refuses ends with exit code 4");
    assert!(run.reason.as_ref().unwrap().contains(said), "{:?}", run.reason);
}
