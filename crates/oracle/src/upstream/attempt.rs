//! One attempt: a child runs a reproducer until it ends, or until it is stuck: then it is asked why, and
//! killed.

use std::io;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sigproof_inspect::hang::Deadline;
use sigproof_inspect::hang::Stuck;
use sigproof_inspect::process::lines::{Broken, Dialect, How, Talk};
use sigproof_inspect::process::{Group, interrupted};
use sigproof_report::Finding;
use sigproof_report::Outcome;
use sigproof_report::traceback;

use crate::driver::Driver;

/// How often the parent looks, if nothing comes.
const PERIOD: Duration = Duration::from_millis(20);

/// How long a traceback may take. The runtime gives threads that do not answer five seconds.
const TRACEBACK: Duration = Duration::from_secs(12);

/// How much of what a child says when it dies is kept, in bytes.
const WORDS: u64 = 1 << 20;

/// What a child tells while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What the thing under test has done.
    pub progress: u64,
    /// Signals sent.
    pub signals: u64,
    /// Records or signals delivered.
    pub delivered: u64,
    /// Records counted as lost.
    pub lost: u64,
    /// Whether somebody was in the section of the profile that a handler enters.
    pub handling: bool,
}

/// What a child tells. `upstream.go` of the driver writes it. The order is the child's arguments.
#[derive(Debug)]
struct Reproducing;

impl Dialect for Reproducing {
    const NAME: &'static str = "upstream";
    const VERSION: u32 = 1;
    type Order = ();
    type Event = Event;
}

/// An event of a child.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Event {
    /// It is at work.
    Told(Told),
    /// It has done its work.
    Done,
    /// It has seen a bad outcome.
    Failed { outcome: String, sentence: String },
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// Its outcome; none if it was to stop before it had one.
    pub outcome: Option<Outcome>,
    /// What is to be said of a bad outcome.
    pub finding: Option<Finding>,
    /// The last that it told.
    pub told: Told,
    /// From its start to its outcome.
    pub elapsed: Duration,
}

/// Runs the reproducer of that name for so long, if nothing bad comes of it. `look` sees what it tells, and
/// says whether to go on.
///
/// # Errors
/// The child cannot be started or waited for.
pub fn attempt(
    driver: &Driver,
    name: &str,
    budget: Duration,
    mut look: impl FnMut(&Told) -> bool,
) -> io::Result<Attempted> {
    let mut command = Command::new(&driver.program);
    command.args(["upstream", name, &budget.as_millis().to_string()]).env("GOTRACEBACK", "crash");
    let started = Instant::now();
    // Its standard input stays open as long as the talk: the child ends with this process.
    let mut talk = Talk::<Reproducing>::start("the process", &mut command)?;
    let mut deadline = Deadline::new(talk.group().pid());
    let mut told = Told::default();
    let mut last = None;
    // The number of lines in a row in which nothing has moved and somebody was in the section.
    let mut handling = 0_u32;
    let broken = loop {
        if !look(&told) {
            talk.group().end();
            return Ok(Attempted { outcome: None, finding: None, told, elapsed: started.elapsed() });
        }
        match talk.hear(PERIOD) {
            Ok(Some(Event::Told(now))) => {
                handling = if now.handling && now.progress == told.progress { handling + 1 } else { 0 };
                told = now;
            }
            Ok(Some(other)) => last = Some(other),
            Ok(None) => {}
            Err(broken) => break broken,
        }
        if let Some(stuck) = deadline.look(told.progress) {
            let elapsed = started.elapsed();
            let (outcome, sentence) = hang(stuck, &deadline, handling);
            let finding = ask(talk.group(), outcome, sentence);
            let finding = Finding { seconds: Some(elapsed.as_secs_f64()), ..finding };
            return Ok(Attempted { outcome: Some(outcome), finding: Some(finding), told, elapsed });
        }
    };
    let elapsed = started.elapsed();
    // An interruption reaches this process a moment later, or the child alone.
    if matches!(broken.how, How::Ended(status) if interrupted(status)) && !still(&mut look, &told) {
        return Ok(Attempted { outcome: None, finding: None, told, elapsed });
    }
    if matches!(broken.how, How::Stranger(_) | How::Unwatchable(_)) {
        return Err(io::Error::other(broken));
    }
    let (outcome, finding) = judge(last, &broken, &talk.group().words(WORDS));
    let finding = finding.map(|finding| Finding { seconds: Some(elapsed.as_secs_f64()), ..finding });
    Ok(Attempted { outcome: Some(outcome), finding, told, elapsed })
}

/// Whether to go on is asked for a while.
fn still(look: &mut impl FnMut(&Told) -> bool, told: &Told) -> bool {
    let started = Instant::now();
    while look(told) {
        if started.elapsed() > Duration::from_secs(1) {
            return true;
        }
        thread::sleep(PERIOD);
    }
    false
}

/// The outcome of a child that has ended, by its last event, its end and what it said on its standard error.
fn judge(last: Option<Event>, broken: &Broken, words: &str) -> (Outcome, Option<Finding>) {
    let died = |sentence: String| {
        let cause = traceback::cause(words);
        let outcome = match cause {
            Some(cause) if cause.contains("double wakeup") => Outcome::DoubleWakeup,
            Some(cause) if traceback::is_refusal(cause) => Outcome::Refused,
            _ => Outcome::Crash,
        };
        let sentence = cause.map_or(sentence.clone(), |cause| format!("{cause} ({sentence})"));
        (outcome, Some(finding(outcome, sentence, words)))
    };
    match (&broken.how, last) {
        (How::Ended(status), Some(Event::Done)) if status.success() => (Outcome::Delivered, None),
        (How::Ended(status), Some(Event::Failed { outcome, sentence })) if status.success() => match outcome.parse() {
            Ok(outcome) => (outcome, Some(Finding::new(outcome, sentence))),
            Err(_) => died(format!("the process told of an outcome that is none: {outcome}")),
        },
        (How::Ended(status), _) if status.success() => died("the process ended in the midst of its work".to_owned()),
        (how, _) => died(format!("the process {how}")),
    }
}

/// What a child that is stuck amounts to.
fn hang(stuck: Stuck, deadline: &Deadline, handling: u32) -> (Outcome, String) {
    let time = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let used = match deadline.used() {
        Some(used) => format!("{} of processor time used", time(used)),
        None => "processor time unknown".to_owned(),
    };
    let still = format!("no progress for {}, {used}", time(deadline.still()));
    // A line each 100 ms: most of the time, and to its end.
    match stuck {
        _ if handling >= 30 => (
            Outcome::SelfDeadlock,
            format!(
                "{still}: all the time somebody was in the section of the profile that handlers enter, and did not leave it"
            ),
        ),
        Stuck::Spinning { .. } => (Outcome::Livelock, format!("{still}: it spins")),
        Stuck::AllAsleep => (Outcome::LostWakeup, format!("{still}: it sleeps, and no thread wakes it")),
    }
}

/// Has a child that is stuck say why, and ends it.
fn ask(group: &mut Group, outcome: Outcome, sentence: String) -> Finding {
    // Fails only if it has just ended; then it has said what there is.
    let asked = kill(Pid::from_raw(group.pid().cast_signed()), Signal::SIGQUIT).is_ok();
    let answered = asked && group.wait(TRACEBACK).is_ok_and(|status: Option<ExitStatus>| status.is_some());
    group.end();
    let words = group.words(WORDS);
    let sentence = match answered && !words.is_empty() {
        true => sentence,
        false if words.is_empty() => format!("{sentence} (SIGQUIT brought no traceback)"),
        false => format!("{sentence} (the traceback is not complete)"),
    };
    finding(outcome, sentence, &words)
}

/// A finding: its text is the part of the traceback that is worth reading, its details have all of it.
fn finding(outcome: Outcome, sentence: String, words: &str) -> Finding {
    let details = if words.is_empty() { serde_json::Value::Null } else { json!({ "traceback": words }) };
    Finding { text: traceback::trim(words), details, ..Finding::new(outcome, sentence) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_tests::executable;
    use std::os::unix::process::ExitStatusExt;

    /// What comes of a script in the driver's place.
    fn run(script: &str, look: impl FnMut(&Told) -> bool) -> Attempted {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("driver");
        let hello = r#"echo '{"hello":{"speaks":"upstream","version":1}}'"#;
        executable::script(&program, &format!("#!/bin/sh\n{hello}\n{script}\n"));
        let driver = Driver { program, version: crate::toolchain::Version::new("go1.0.0") };
        attempt(&driver, "a-name", Duration::from_millis(7), look).unwrap()
    }

    const DONE: &str = r#"echo '"done"'"#;

    #[rstest]
    #[case::done(DONE, Outcome::Delivered, "")]
    #[case::not_done("true", Outcome::Crash, "in the midst")]
    #[case::done_and_died(r#"echo '"done"'; exit 3"#, Outcome::Crash, "exited with code 3")]
    #[case::killed("kill -9 $$", Outcome::Crash, "SIGKILL")]
    #[case::failed(r#"echo '{"failed":{"outcome":"corrupt record","sentence":"oh"}}'"#, Outcome::CorruptRecord, "oh")]
    #[case::no_outcome(r#"echo '{"failed":{"outcome":"bad hair","sentence":"oh"}}'"#, Outcome::Crash, "bad hair")]
    #[case::nonsense("echo gibberish", Outcome::Crash, "wrote a line that is no event")]
    #[case::fatal("echo 'fatal error: all is lost' >&2; exit 2", Outcome::Crash, "fatal error: all is lost")]
    #[case::twice("echo 'fatal error: notewakeup - double wakeup' >&2; exit 2", Outcome::DoubleWakeup, "double wakeup")]
    #[case::refused(
        "echo 'fatal error: semawakeup on Darwin signal stack' >&2; kill -6 $$",
        Outcome::Refused,
        "fatal error: semawakeup on Darwin signal stack (the process was killed by signal 6 (SIGABRT))"
    )]
    #[case::refused_sleep(
        "echo 'fatal error: semasleep on Darwin signal stack' >&2; exit 2",
        Outcome::Refused,
        "semasleep on Darwin signal stack"
    )]
    #[case::refused_after_another_error(
        "echo 'fatal error: all is lost' >&2; echo 'fatal error: semawakeup on Darwin signal stack' >&2; exit 2",
        Outcome::Crash,
        "all is lost"
    )]
    #[case::message_without_a_throw("echo 'semawakeup on Darwin signal stack' >&2; exit 2", Outcome::Crash, "code 2")]
    #[case::panic_with_the_message(
        "echo 'panic: semawakeup on Darwin signal stack' >&2; exit 2",
        Outcome::Crash,
        "panic"
    )]
    #[case::message_of_one_that_ends_well(
        r#"echo 'fatal error: semawakeup on Darwin signal stack' >&2; echo '"done"'"#,
        Outcome::Delivered,
        ""
    )]
    fn how_it_ends_is_an_outcome(#[case] script: &str, #[case] outcome: Outcome, #[case] sentence: &str) {
        let attempted = run(script, |_| true);
        assert_eq!(attempted.outcome, Some(outcome), "{attempted:?}");
        assert_eq!(attempted.finding.is_some(), outcome != Outcome::Delivered);
        let said = attempted.finding.map(|finding| finding.sentence).unwrap_or_default();
        assert!(said.contains(sentence), "{said}");
    }

    #[test]
    fn what_it_is_asked_and_what_it_tells() {
        let counts = r#"{"told":{"progress":3,"signals":7,"delivered":5,"lost":2,"handling":true}}"#;
        let script =
            format!(r#"[ "$*" = "upstream a-name 7" ] && [ $GOTRACEBACK = crash ] && echo '{counts}'; {DONE}"#);
        let attempted = run(&script, |_| true);
        let told = Told { progress: 3, signals: 7, delivered: 5, lost: 2, handling: true };
        assert_eq!((attempted.outcome, attempted.told), (Some(Outcome::Delivered), told));
    }

    #[test]
    fn it_stops_when_it_is_to() {
        let counts = r#"{"told":{"progress":1,"signals":0,"delivered":0,"lost":0,"handling":false}}"#;
        let attempted = run(&format!("echo '{counts}'; sleep 600"), |told| told.progress == 0);
        assert_eq!((attempted.outcome, attempted.told.progress), (None, 1));
    }

    #[test]
    fn an_interruption_is_no_outcome() {
        // Who starts the tests in the background has them ignore it, and their children, too.
        // SAFETY: the default action is no function; no handler is replaced here.
        unsafe { nix::sys::signal::signal(Signal::SIGINT, nix::sys::signal::SigHandler::SigDfl) }.unwrap();
        let mut looks = 0;
        let attempted = run("kill -2 $$", |_| {
            looks += 1;
            looks < 4
        });
        assert!(attempted.outcome.is_none(), "{attempted:?}");
        assert!(interrupted(ExitStatus::from_raw(2)), "or this tells nothing");
    }
}
