//! The one pipeline of the verbs. A verb is a function of its arguments and a [`Session`].
//!
//! | step | who | what |
//! |---|---|---|
//! | open | [`perform`] | the reports can be written, and where the text for people goes |
//! | select | the verb | a [`Trouble`] for names that do not exist |
//! | run | the verb | with progress, until its end or an interruption |
//! | grade | the verb | each run gets its verdict |
//! | conclude | [`Session::conclude`] | the table or text, the findings, the reports, the exit code |
//! | end | [`run`] | the message of a trouble; 130 after an interruption, whatever was found |

use std::time::Instant;

use serde::Serialize;
use sigproof_report::write::Target;
use sigproof_report::{Exit, Program, Report, Run, Technique};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::findings::View;
use crate::model::process::Place;
use crate::output::{self, Out};
use crate::trouble::Trouble;
use crate::{interrupt, reports};

/// The executable that runs the verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// What the user types before the verb.
    pub program: Program,
    /// Where its models are.
    pub explorer: Place,
}

/// What every verb has.
pub struct Session<'a> {
    /// The executable that runs the verb.
    pub tool: Tool,
    /// Where the text for people goes.
    pub out: Out,
    /// Set by an interruption.
    pub stop: &'a AtomicBool,
    reports: &'a [Target],
    found: &'a mut Vec<Run>,
    started: Instant,
}

/// How a verb ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit code.
    pub exit: Exit,
    /// What this machine lacks, if that is why the verb ran nothing: the reason and the remedy.
    pub lacks: Option<String>,
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Self {
        Self { exit, lacks: None }
    }
}

/// What comes of a verb: how it ended, or why it did not begin or go on.
pub type Concluded = Result<Ended, Trouble>;

/// The text for people.
pub enum Text {
    /// A table of the runs, their findings and a summary.
    Table(Technique, View),
    /// A text that the verb has made.
    Of(String),
}

/// Runs a verb as the command, and returns the exit code of the process.
pub fn run(tool: Tool, reports: &[Target], verb: impl FnOnce(&mut Session<'_>) -> Concluded) -> Exit {
    told(perform(tool, reports, interrupt::flag(), &mut Vec::new(), verb))
}

/// Runs a verb as a part of a command. Its runs are added to `found`.
///
/// # Errors
/// A report cannot be written, and nothing was run; or the verb's trouble, which is not told yet.
pub fn perform(
    tool: Tool,
    reports: &[Target],
    stop: &AtomicBool,
    found: &mut Vec<Run>,
    verb: impl FnOnce(&mut Session<'_>) -> Concluded,
) -> Concluded {
    let out = reports::stream(reports)?;
    let ended = verb(&mut Session { tool, out, stop, reports, found, started: Instant::now() });
    match ended {
        Ok(ended) if stop.load(Ordering::Relaxed) => Ok(Ended { exit: Exit::Interrupted, ..ended }),
        Err(trouble) if stop.load(Ordering::Relaxed) => {
            Err(Trouble { exit: Exit::Interrupted, ..trouble.told_by(tool.program) })
        }
        ended => ended.map_err(|trouble| trouble.told_by(tool.program)),
    }
}

/// The exit code of a verb. The user is told its trouble.
pub fn told(concluded: Concluded) -> Exit {
    concluded.map_or_else(|trouble| complain(&trouble), |ended| ended.exit)
}

fn complain(trouble: &Trouble) -> Exit {
    output::complain(&trouble.message);
    trouble.exit
}

impl Session<'_> {
    /// Whether the user has interrupted the command.
    pub fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A report of these runs, with the time since the session began.
    pub fn report(&self, runs: Vec<Run>) -> Report {
        self.named(Report {
            runs,
            elapsed_seconds: self.started.elapsed().as_secs_f64(),
            interrupted: self.interrupted(),
            ..Report::new()
        })
    }

    /// The report with the command that the user runs in each of its commands.
    #[must_use]
    pub fn named(&self, mut report: Report) -> Report {
        report.runs.iter_mut().for_each(|run| self.tool.program.name_in(run));
        report
    }

    /// Prints the text, writes the reports, keeps the runs, and grades the command. `asked` tells whether a
    /// run was asked for by name. With a `trouble`, its exit code counts in the place of the runs'.
    ///
    /// # Errors
    /// The trouble, if there is no run to tell of.
    pub fn conclude(
        &mut self,
        report: &Report,
        text: Text,
        trouble: Option<Trouble>,
        asked: impl Fn(&Run) -> bool,
    ) -> Concluded {
        let trouble = match trouble {
            Some(trouble) if report.runs.is_empty() && !report.interrupted => return Err(trouble),
            Some(_) if report.interrupted => None,
            trouble => trouble,
        };
        let written = match text {
            Text::Table(technique, view) => reports::tell(technique, report, self.reports, self.out, view),
            Text::Of(text) => {
                let shown = self.out.say(&text);
                reports::write_all(report, self.reports, self.out).worst(shown)
            }
        };
        self.found.extend_from_slice(&report.runs);
        let exit = match trouble {
            _ if report.interrupted => Exit::Interrupted,
            Some(trouble) => complain(&trouble.told_by(self.tool.program)).worst(written),
            None => Exit::of_runs(&report.runs, asked).worst(written),
        };
        Ok(exit.into())
    }

    /// Writes the report of a verb whose answer is not a list of runs.
    ///
    /// # Errors
    /// The answer cannot be rendered.
    pub fn write_json(&self, answer: &impl Serialize) -> Result<Exit, Trouble> {
        let text = serde_json::to_string_pretty(answer)
            .map_err(|error| Trouble::environment(format!("cannot render the report: {error}")))?;
        Ok(self.write_text(&(text + "\n")))
    }

    /// Writes this text as every report.
    pub fn write_text(&self, text: &str) -> Exit {
        reports::write_text(text, self.reports, self.out)
    }

    /// Keeps a run that a false verb of a test has found.
    #[doc(hidden)]
    pub fn keep(&mut self, run: Run) {
        self.found.push(run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_report::write::Format;
    use sigproof_report::{Expected, SetupId, Variant, Verdict};

    const ME: Tool = Tool { program: Program("sigproof"), explorer: Place::Checkout };

    fn run_with(verdict: Verdict) -> Run {
        let run = Run::new(Technique::Stress, SetupId::new("a-case", Variant::Fixed), Expected::delivered());
        Run { verdict, ..run }
    }

    fn text() -> Text {
        Text::Of(String::new())
    }

    #[rstest]
    #[case::well(Verdict::AsExpected, None, false, 0)]
    #[case::unexpected(Verdict::Unexpected, None, false, 1)]
    #[case::trouble_counts(Verdict::AsExpected, Some(Exit::Environment), false, 4)]
    #[case::interrupted(Verdict::AsExpected, None, true, 130)]
    #[case::interrupted_and_unexpected(Verdict::Unexpected, None, true, 130)]
    #[case::interrupted_with_trouble(Verdict::AsExpected, Some(Exit::Environment), true, 130)]
    fn every_verb_concludes_alike(
        #[case] verdict: Verdict,
        #[case] trouble: Option<Exit>,
        #[case] stopped: bool,
        #[case] code: u8,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let targets = [Target { format: Format::Json, path: Some(path.clone()) }];
        let stop = AtomicBool::new(false);
        let mut found = Vec::new();
        let ended = perform(ME, &targets, &stop, &mut found, |session| {
            stop.store(stopped, Ordering::Relaxed);
            let report = session.report(vec![run_with(verdict)]);
            let trouble = trouble.map(|exit| Trouble { exit, ..Trouble::environment("trouble".to_owned()) });
            session.conclude(&report, text(), trouble, |_| true)
        });
        assert_eq!(told(ended).code(), code);
        assert_eq!(found.len(), 1, "what was found is kept");
        let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(report["interrupted"], stopped);
        assert_eq!(report["runs"].as_array().unwrap().len(), 1);
    }

    /// A verb that has not seen the flag, and one whose trouble is the interruption's doing: a build that
    /// died.
    #[test]
    fn an_interruption_counts_whatever_the_verb_says() {
        let stop = AtomicBool::new(true);
        let of = |concluded: Concluded| told(perform(ME, &[], &stop, &mut Vec::new(), |_| concluded));
        assert_eq!(of(Ok(Exit::AsExpected.into())), Exit::Interrupted);
        assert_eq!(of(Err(Trouble::environment("the compiler was killed".to_owned()))), Exit::Interrupted);
    }

    #[test]
    fn a_trouble_without_a_run_is_told_without_a_table_and_without_a_report() {
        let folder = tempfile::tempdir().unwrap();
        let targets = [Target { format: Format::Json, path: Some(folder.path().join("report.json")) }];
        let stop = AtomicBool::new(false);
        let ended = perform(ME, &targets, &stop, &mut Vec::new(), |session| {
            let report = session.report(Vec::new());
            session.conclude(&report, text(), Some(Trouble::environment("no room".to_owned())), |_| true)
        });
        assert_eq!(told(ended), Exit::Environment);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_report_that_cannot_be_written_costs_no_run() {
        let targets = [Target { format: Format::Json, path: Some("/nonexistent/report.json".into()) }];
        let stop = AtomicBool::new(false);
        let ended = perform(ME, &targets, &stop, &mut Vec::new(), |_| panic!("the verb runs"));
        assert_eq!(told(ended), Exit::Environment);
    }
}
