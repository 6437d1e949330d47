//! The phases of a command that has several, one after another, and what their results come to: an exit code
//! and a line.
//!
//! `test` and `agree` are lists of phases. This file runs them and folds their results; it knows nothing of
//! what a phase does, so its tests give it phases of their own.
//!
//! | a phase | and then |
//! |---|---|
//! | is interrupted, or ends while the flag is set | the rest does not run, but for those that tell what was found |
//! | ends with wrong usage | nothing else runs |
//! | ends in any other way | the next phase runs |

use sigproof_report::write::Target;
use sigproof_report::{Exit, Run};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::session::{self, Concluded, Ended, Session};
use crate::trouble::Trouble;
use crate::{TOOL, output};

/// How a phase ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// With this exit code.
    Ended(Exit),
    /// This machine cannot run it, and the user did not name it: the reason and the remedy. Not a failure.
    Skipped(String),
    /// It did not run, because the command ended before.
    NotRun,
}

impl Part {
    /// What it adds to the exit code of the command. A phase that did not run leaves the command without a
    /// verdict.
    fn exit(&self) -> Exit {
        match self {
            Self::Ended(exit) => *exit,
            Self::Skipped(_) => Exit::AsExpected,
            Self::NotRun => Exit::Inconclusive,
        }
    }

    fn word(&self) -> String {
        match self {
            Self::Ended(Exit::AsExpected) => "ok".to_owned(),
            Self::Ended(Exit::Unexpected) => "FAILED".to_owned(),
            Self::Ended(Exit::Usage) => "refused its arguments".to_owned(),
            Self::Ended(Exit::Inconclusive) => "inconclusive".to_owned(),
            Self::Ended(Exit::Environment) => "lacks something".to_owned(),
            Self::Ended(Exit::Interrupted) => "interrupted".to_owned(),
            Self::Skipped(why) => format!("skipped ({why})"),
            Self::NotRun => "not run".to_owned(),
        }
    }
}

/// What a phase does.
type Work<'a> = Box<dyn FnOnce(&mut Vec<Run>, &AtomicBool) -> Part + 'a>;

/// A phase of a command.
pub struct Phase<'a> {
    /// Its name in the line at the end.
    pub name: &'static str,
    /// What is said before it runs.
    pub title: String,
    /// Whether it tells what the others found: it runs after an interruption, too, if anything was found.
    pub tells: bool,
    /// Runs it, until the flag is set. It adds its runs to those that were found.
    pub run: Work<'a>,
}

impl<'a> Phase<'a> {
    /// A phase that is itself a check.
    pub fn new(name: &'static str, title: String, run: impl FnOnce(&mut Vec<Run>, &AtomicBool) -> Part + 'a) -> Self {
        Self { name, title, tells: false, run: Box::new(run) }
    }

    /// A phase that is a verb, with these reports.
    pub fn of_verb(
        name: &'static str,
        title: String,
        reports: &'a [Target],
        verb: impl FnOnce(&mut Session<'_>) -> Concluded + 'a,
    ) -> Self {
        Self::new(name, title, move |found, stop| {
            Part::Ended(session::told(session::perform(TOOL, reports, stop, found, verb)))
        })
    }

    /// A phase that is a verb, and that is skipped where this machine lacks what the verb needs.
    pub fn of_verb_if_possible(
        name: &'static str,
        title: String,
        verb: impl FnOnce(&mut Session<'_>) -> Concluded + 'a,
    ) -> Self {
        Self::new(name, title, move |found, stop| match session::perform(TOOL, &[], stop, found, verb) {
            Ok(Ended { lacks: Some(why), .. }) => Part::Skipped(why),
            Err(Trouble { skips: true, message, .. }) => Part::Skipped(message),
            concluded => Part::Ended(session::told(concluded)),
        })
    }

    /// A phase that tells what the others found.
    pub fn telling(name: &'static str, run: impl FnOnce(&mut Vec<Run>, &AtomicBool) -> Part + 'a) -> Self {
        Self { tells: true, ..Self::new(name, name.to_owned(), run) }
    }
}

/// The results of all phases, by name, in their order.
pub type Parts = Vec<(&'static str, Part)>;

/// Runs the phases in turn.
pub fn carry_out(phases: Vec<Phase<'_>>, stop: &AtomicBool) -> Parts {
    let mut found = Vec::new();
    let mut refused = false;
    let carry = |phase: Phase<'_>| {
        let stopped = stop.load(Ordering::Relaxed);
        let has_to_tell = phase.tells && !found.is_empty();
        if refused || stopped && !has_to_tell {
            return (phase.name, Part::NotRun);
        }
        output::tell(&format!("== {}", phase.title));
        let part = (phase.run)(&mut found, stop);
        refused = part == Part::Ended(Exit::Usage);
        (phase.name, part)
    };
    phases.into_iter().map(carry).collect()
}

/// The exit code of the command: the worst of its phases, or 130 if it was interrupted. Of no phases: nothing
/// was told.
pub fn exit(parts: &Parts, interrupted: bool) -> Exit {
    let worst = parts.iter().map(|(_, part)| part.exit()).reduce(Exit::worst).unwrap_or(Exit::Inconclusive);
    if interrupted { Exit::Interrupted } else { worst }
}

/// The line that says how each phase ended.
pub fn line(command: &str, parts: &Parts, exit: Exit) -> String {
    let verdict = match exit {
        Exit::AsExpected => "ok",
        Exit::Interrupted => "interrupted",
        Exit::Inconclusive => "inconclusive",
        Exit::Environment | Exit::Usage | Exit::Unexpected => "FAILED",
    };
    let parts: Vec<_> = parts.iter().map(|(name, part)| format!("{name} {}", part.word())).collect();
    format!("{command}: {verdict}; {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_report::{Expected, SetupId, Technique, Variant};

    const NAMES: [&str; 3] = ["first", "second", "third"];

    /// The phases of these results, each of which finds something; the last one tells.
    fn phases(parts: [Part; 3]) -> Vec<Phase<'static>> {
        let all = NAMES.into_iter().zip(parts).map(|(name, part)| {
            Phase::new(name, name.to_owned(), move |found, _| {
                found.push(Run::new(Technique::Stress, SetupId::new(name, Variant::Fixed), Expected::delivered()));
                part
            })
        });
        let mut all: Vec<_> = all.collect();
        all[2].tells = true;
        all
    }

    const OK: Part = Part::Ended(Exit::AsExpected);

    #[rstest]
    #[case::failed(Part::Ended(Exit::Unexpected), 1, "FAILED", "FAILED")]
    #[case::inconclusive(Part::Ended(Exit::Inconclusive), 3, "inconclusive", "inconclusive")]
    #[case::lacking(Part::Ended(Exit::Environment), 4, "FAILED", "lacks something")]
    #[case::interrupted(Part::Ended(Exit::Interrupted), 130, "interrupted", "interrupted")]
    #[case::skipped(Part::Skipped("no Go".to_owned()), 0, "ok", "skipped (no Go)")]
    #[case::not_run(Part::NotRun, 3, "inconclusive", "not run")]
    #[case::well(OK, 0, "ok", "ok")]
    fn each_phase_counts_and_is_told(
        #[values(0, 1, 2)] bad: usize,
        #[case] part: Part,
        #[case] code: u8,
        #[case] verdict: &str,
        #[case] word: &str,
    ) {
        let mut parts = [OK, OK, OK];
        parts[bad] = part.clone();
        let done = carry_out(phases(parts), &AtomicBool::new(false));
        assert_eq!(done.iter().map(|(name, _)| *name).collect::<Vec<_>>(), NAMES);
        assert_eq!(done[bad].1, part);
        let exit = exit(&done, false);
        assert_eq!(exit.code(), code);
        let mut words = ["ok"; 3];
        words[bad] = word;
        let [first, second, third] = words;
        assert_eq!(
            line("test", &done, exit),
            format!("test: {verdict}; first {first}, second {second}, third {third}")
        );
    }

    #[test]
    fn the_worst_of_two_counts_in_either_order() {
        let (lacking, failed) = (Part::Ended(Exit::Environment), Part::Ended(Exit::Unexpected));
        for parts in [[lacking.clone(), failed.clone(), OK], [failed, lacking, OK]] {
            let done = carry_out(phases(parts), &AtomicBool::new(false));
            assert_eq!(exit(&done, false), Exit::Unexpected);
        }
        assert_eq!(exit(&Vec::new(), false), Exit::Inconclusive, "nothing was told");
    }

    #[test]
    fn wrong_usage_ends_it_and_nothing_is_told_of_nothing() {
        let done = carry_out(phases([Part::Ended(Exit::Usage), OK, OK]), &AtomicBool::new(false));
        assert_eq!((&done[1].1, &done[2].1), (&Part::NotRun, &Part::NotRun));
        assert_eq!(exit(&done, false), Exit::Usage);
        assert_eq!(
            line("test", &done, Exit::Usage),
            "test: FAILED; first refused its arguments, second not run, third not run"
        );
    }

    #[test]
    fn an_interruption_ends_the_phase_and_the_command_and_what_was_found_is_told() {
        let stop = AtomicBool::new(false);
        let mut interrupted = phases([OK, OK, OK]);
        interrupted[0].run = Box::new(|found, stop| {
            stop.store(true, Ordering::Relaxed);
            found.push(Run::new(Technique::Stress, SetupId::new("a", Variant::Fixed), Expected::delivered()));
            OK
        });
        let done = carry_out(interrupted, &stop);
        assert_eq!((&done[1].1, &done[2].1), (&Part::NotRun, &OK), "the last phase tells what was found");
        assert_eq!(exit(&done, true), Exit::Interrupted);
        let done = carry_out(phases([OK, OK, OK]), &stop);
        assert!(done.iter().all(|(_, part)| *part == Part::NotRun), "nothing was found: {done:?}");
    }

    #[rstest]
    #[case::lacks_in_its_report(Ok(Ended { exit: Exit::Environment, lacks: Some("no Go".to_owned()) }), true)]
    #[case::lacks_before_it_begins(Err(Trouble::lacking("no Go".to_owned())), true)]
    #[case::another_trouble(Err(Trouble::environment("no room".to_owned())), false)]
    #[case::unexpected(Ok(Exit::Unexpected.into()), false)]
    fn only_what_the_machine_lacks_is_skipped(#[case] concluded: Concluded, #[case] skipped: bool) {
        let exit = concluded.as_ref().map_or_else(|trouble| trouble.exit, |ended| ended.exit);
        let go_on = AtomicBool::new(false);
        let of = |phase: Phase<'_>| carry_out(vec![phase], &go_on).remove(0).1;
        let mut again = Some(concluded.clone());
        let asked = of(Phase::of_verb("a", String::new(), &[], |_| again.take().unwrap()));
        assert_eq!(asked, Part::Ended(exit));
        let possible = of(Phase::of_verb_if_possible("a", String::new(), |_| concluded));
        assert_eq!(possible, if skipped { Part::Skipped("no Go".to_owned()) } else { Part::Ended(exit) });
    }
}
