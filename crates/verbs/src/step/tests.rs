//! Which windows are chosen, which engine is taken, and what each answer amounts to.

use rstest::rstest;
use sigproof_harness::forked::Window;
use sigproof_harness::setup::Setup;
use sigproof_osnote::notes::sema;
use sigproof_report::{Exit, Mode, Variant};

use super::*;

/// Windows that are none: two of a case, one of a hidden one, one of the core.
fn all() -> Vec<Entry> {
    let entry = |name, setup: &Setup, window| {
        let window = Window::new(window, |_| Ok(()));
        Entry { name, hidden: name == "selftest-crash", lacks: None, setup: setup.clone(), window }
    };
    let broken = Setup::broken(Outcome::SelfDeadlock).note(&sema::BACKEND);
    let fixed = Setup::fixed().mode(Mode::NonBlocking);
    vec![
        entry("darwin-sigqueue-note", &broken, "receive"),
        entry("darwin-sigqueue-note", &fixed, "send"),
        entry("selftest-crash", &Setup::fixed(), "sleep"),
        entry("note-cycle", &fixed, "sleep"),
    ]
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn chosen_by(choice: ChoiceArgs) -> StepArgs {
    StepArgs { choice, ..StepArgs::default() }
}

fn named(names: &[&str]) -> StepArgs {
    chosen_by(ChoiceArgs { patterns: strings(names), ..ChoiceArgs::default() })
}

const RECEIVE: &str = "darwin-sigqueue-note/broken/sema@receive";
const SEND: &str = "darwin-sigqueue-note/fixed/non-blocking@send";
const HIDDEN: &str = "selftest-crash/fixed@sleep";
const SLEEP: &str = "note-cycle/fixed/non-blocking@sleep";

#[rstest]
#[case::all_but_hidden(StepArgs::default(), &[RECEIVE, SEND, SLEEP])]
#[case::hidden(named(&["selftest-crash"]), &[HIDDEN])]
#[case::part(named(&["sigqueue"]), &[RECEIVE, SEND])]
#[case::label(named(&[SEND]), &[SEND])]
#[case::label_and_pattern(named(&["cycle", RECEIVE]), &[RECEIVE, SLEEP])]
#[case::window(StepArgs { windows: strings(&["send", "sl*"]), ..StepArgs::default() }, &[SEND, SLEEP])]
#[case::window_of_a_hidden_one(StepArgs { windows: strings(&["sleep"]), ..named(&["selftest-crash"]) }, &[HIDDEN])]
#[case::note(chosen_by(ChoiceArgs { notes: strings(&["sema"]), ..ChoiceArgs::default() }), &[RECEIVE])]
#[case::variant(chosen_by(ChoiceArgs { variant: Some(Variant::Fixed), ..named(&["sigqueue"]).choice }), &[SEND])]
#[case::mode(chosen_by(ChoiceArgs { mode: Some(Mode::NonBlocking), ..ChoiceArgs::default() }), &[SEND, SLEEP])]
#[case::one_boundary(StepArgs { k: Some(46), ..named(&[RECEIVE]) }, &[RECEIVE])]
fn what_is_chosen(#[case] args: StepArgs, #[case] expected: &[&str]) {
    let labels: Vec<_> = chosen(&args, all()).unwrap().iter().map(Entry::label).collect();
    assert_eq!(labels, expected);
}

#[rstest]
#[case::name(named(&["zzz"]), "no case with a window is called 'zzz'")]
#[case::none(StepArgs { windows: strings(&["receive"]), ..named(&["cycle"]) }, "no chosen case has such a window")]
#[case::k_of_several(StepArgs { k: Some(46), ..named(&["sigqueue"]) }, &format!("2 windows are chosen; name one of them:\n  {RECEIVE}\n  {SEND}"))]
fn what_cannot_be_chosen(#[case] args: StepArgs, #[case] said: &str) {
    let trouble = chosen(&args, all()).err().unwrap();
    assert_eq!(trouble.exit, Exit::Usage);
    assert!(trouble.message.contains(said), "{}", trouble.message);
}

#[rstest]
#[case::the_first(&[None, None, None, None], None, Ok(Kind::Undo))]
#[case::the_first_that_works(&[Some("no seccomp"), Some("no slot"), None, None], None, Ok(Kind::SingleStep))]
#[case::as_asked(&[None, None, None, None], Some(Kind::TrapFlag), Ok(Kind::TrapFlag))]
#[case::not_as_asked(&[None, None, Some("no ptrace"), None], Some(Kind::SingleStep), Err("engine 'single-step' does not work here: no ptrace"))]
#[case::none(
    &[Some("a"), Some("b"), Some("c"), Some("d")],
    None,
    Err("no engine works here: undo: a; breakpoint: b; single-step: c; trap-flag: d")
)]
#[case::none_for_one_reason(&[Some("a"), Some("a"), Some("a"), Some("a")], None, Err("no engine works here: a"))]
#[case::untold(&[], Some(Kind::TrapFlag), Err("engine 'trap-flag' does not work here: it was not tried"))]
fn which_engine(#[case] lacks: &[Option<&str>], #[case] asked: Option<Kind>, #[case] expected: Result<Kind, &str>) {
    let probe = |(engine, lacks): (&Kind, &Option<&str>)| Probe {
        engine: *engine,
        lacks: lacks.map(str::to_owned),
        patience: None,
    };
    let probes: Vec<_> = Kind::ALL.iter().zip(lacks).map(probe).collect();
    assert_eq!(pick(&probes, asked), expected.map_err(str::to_owned));
}

#[test]
fn an_engine_that_cannot_look_at_its_children_is_told_of_once() {
    let probe = |engine| Probe { engine, lacks: None, patience: (engine == Kind::TrapFlag).then(|| "why".to_owned()) };
    let probes: Vec<_> = Kind::ALL.iter().copied().map(probe).collect();
    assert_eq!(patience(&probes, Kind::Breakpoint), None);
    let warning = patience(&probes, Kind::TrapFlag).unwrap();
    assert!(warning.starts_with("warning: ") && warning.ends_with(": why") && warning.contains("10 s"), "{warning}");
}

#[test]
fn every_answer_is_a_run_or_none() {
    let entry = &all()[0];
    let of = |answer, k| run_of(entry, Kind::Breakpoint, answer, k, Instant::now());
    let died =
        || Answer::Died { sentence: "it was killed by signal 11 (SIGSEGV)".into(), words: "oh".into(), outside: false };
    let run = of(died(), None).unwrap().unwrap();
    assert_eq!(
        (run.technique(), run.verdict, run.title().as_str()),
        (Technique::Step, Verdict::Unexpected, "broken/sema@receive")
    );
    assert_eq!(run.forbidden().collect::<Vec<_>>(), [(Outcome::Crash, 1)]);
    assert!(run.reason.unwrap().contains("SIGSEGV"));
    assert_eq!(run.replay.unwrap(), format!("{PROGRAM} step {RECEIVE} --engine breakpoint"));
    let run = of(died(), Some(46)).unwrap().unwrap();
    assert_eq!(run.replay.unwrap(), format!("{PROGRAM} step {RECEIVE} --k 46 --engine breakpoint"));
    let refused = || Answer::Refused("there are only 40".to_owned());
    assert_eq!(of(refused(), None).unwrap().unwrap().verdict, Verdict::Unexpected);
    assert_eq!(of(refused(), Some(46)).unwrap_err().exit, Exit::Usage);
    assert!(of(Answer::Stopped, None).unwrap().is_none());
    let skipped = skipped(entry, "it is too late");
    assert_eq!((skipped.verdict, skipped.reason.as_deref()), (Verdict::Skipped, Some("it is too late")));
    assert_eq!(of(Answer::Done(Box::new(skipped.clone())), None).unwrap(), Some(skipped));
}

/// It would be called a crash of the window otherwise.
#[test]
fn a_process_that_others_ended_is_no_verdict() {
    let killed = Answer::Died { sentence: "was killed by signal 9".into(), words: String::new(), outside: true };
    let trouble = run_of(&all()[0], Kind::Breakpoint, killed, None, Instant::now()).unwrap_err();
    assert_eq!(trouble.exit, Exit::Environment);
    assert!(trouble.message.contains("signal 9"), "{}", trouble.message);
}

#[rstest]
#[case::of_a_boundary("a-case/fixed@send@k46@libc.so.6+0x9@lock+0x4#1", true)]
#[case::of_a_model("a-case/fixed@s6h0@A3bqz", false)]
#[case::nonsense("nonsense", false)]
fn tokens(#[case] text: &str, #[case] is: bool) {
    assert_eq!(is_token(text), is);
}
