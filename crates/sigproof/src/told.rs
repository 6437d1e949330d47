//! What a test says of its run: it passes, it panics with everything that was found, or it says that it was
//! skipped.

use std::fmt::Write as _;
use std::io::Write as _;

use sigproof_harness::model::Engine;
use sigproof_report::{PROGRAM, Run, Verdict};

use crate::named::Call;

/// The variable that says what becomes of a test that cannot run.
const POLICY: &str = "SIGPROOF_WHEN_IMPOSSIBLE";

/// Passes, panics or skips.
pub(crate) fn tell(call: &Call, run: &Run) {
    match run.verdict {
        Verdict::AsExpected => {
            if run.findings().next().is_some() {
                return;
            }
            let end = run.model().and_then(|model| model.end.as_ref());
            // Both as in `skip`.
            if let Some(why) = end.and_then(|end| end.not_exhausted.as_deref()) {
                let _ = writeln!(std::io::stderr().lock(), "not exhausted: {}: {why}", call.test);
            }
            let explored = run.model().and_then(|model| model.explored.as_ref());
            if let Some(most) = explored.and_then(|explored| explored.weak_failures) {
                let _ = writeln!(
                    std::io::stderr().lock(),
                    "bounded: {}: at most {most} weak compare-and-exchange of each thread failed for nothing",
                    call.test
                );
            }
        }
        Verdict::Skipped => skip(call, run.reason.as_deref().unwrap_or("it cannot run here")),
        Verdict::Unexpected | Verdict::Inconclusive => panic!("{}", text(call, run)),
    }
}

/// The test cannot run.
///
/// # Panics
/// If the policy is to fail, or is neither `skip` nor `fail`.
pub(crate) fn skip(call: &Call, why: &str) {
    let policy = std::env::var(POLICY).unwrap_or_else(|_| "skip".to_owned());
    match policy.as_str() {
        "skip" => {
            // Written to the stream itself: what is printed, the test harness captures.
            let _ = writeln!(std::io::stderr().lock(), "skipped: {}: {why}", call.test);
        }
        "fail" => panic!("{} cannot run here, and {POLICY} is 'fail': {why}", call.test),
        other => panic!("{POLICY} is '{other}'; it is 'skip' or 'fail'"),
    }
}

/// The variables with which a test does again what this command of the tool does.
fn variables(command: &str) -> Option<String> {
    if let Some((_, token)) = command.split_once(" replay ") {
        // The build that explores models is another one.
        let flags = Engine::own().map_or_else(String::new, |engine| match engine {
            Engine::Graph => "RUSTFLAGS=\"--cfg sigproof_graph\" ".to_owned(),
            Engine::Loom => "RUSTFLAGS=\"--cfg loom\" ".to_owned(),
        });
        return Some(format!("{flags}SIGPROOF_REPLAY={token}"));
    }
    let (_, rest) = command.split_once(" --seed ")?;
    Some(format!("SIGPROOF_SEED={}", rest.split(' ').next()?))
}

/// Everything that was found, with commands that this test's user can run.
pub(crate) fn text(call: &Call, run: &Run) -> String {
    let mut text = format!("{}: {}", call.test, run.verdict);
    if let Some(reason) = &run.reason {
        let _ = write!(text, ": {reason}");
    }
    text.push('\n');
    if let Some(map) = run.step().and_then(|step| step.map.as_ref()) {
        let _ = writeln!(text, "\n{map}");
    }
    for finding in run.findings() {
        let _ = writeln!(text, "\n{}: {}", finding.outcome, finding.sentence);
        if !finding.text.is_empty() {
            let _ = writeln!(text, "{}", finding.text.trim_end());
        }
        if let Some(variables) = finding.replay.as_deref().and_then(variables) {
            let _ = writeln!(text, "repeat with: {variables} cargo test {}", call.test);
        }
    }
    text.replace(&format!("{PROGRAM} replay "), "SIGPROOF_REPLAY=")
}
