//! The command that the user runs. A message that names a command names this one, so that a copied line
//! works.
//!
//! A case, a sweep and a model's process do not know the command. Their texts have [`PROGRAM`] in its place.
//! The session of a verb knows the command, and replaces the place before it prints or writes a text.

use crate::run::Run;

/// The place of the program in a command: `{program} stress --seed 7`.
pub const PROGRAM: &str = "{program}";

/// What the user types before the verb: `sigproof`, or `cargo xtask` in a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program(pub &'static str);

impl Program {
    /// The text with this program in every [`PROGRAM`].
    pub fn named(self, text: &str) -> String {
        text.replace(PROGRAM, self.0)
    }

    /// Names this program in every text of a run that may hold a command.
    pub fn name_in(self, run: &mut Run) {
        let name = |text: &mut String| {
            if text.contains(PROGRAM) {
                *text = self.named(text);
            }
        };
        run.replay.iter_mut().chain(&mut run.reason).for_each(name);
        for finding in run.diagnosis.iter_mut().chain(&mut run.more_diagnoses) {
            finding.replay.iter_mut().chain([&mut finding.sentence, &mut finding.text]).for_each(name);
        }
        if let Some(step) = run.step_mut() {
            step.map.iter_mut().chain(&mut step.moved).for_each(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expected, Finding, Outcome, SetupId, Technique, Variant};

    #[test]
    fn every_command_of_a_run_is_completed() {
        let command = || Some(format!("{PROGRAM} replay x"));
        let setup = SetupId::new("a-case", Variant::Broken);
        let mut run = Run::new(Technique::Step, setup, Expected::delivered());
        (run.replay, run.reason) = (command(), command());
        for outcome in [Outcome::SelfDeadlock, Outcome::Crash] {
            let text = format!("see `{PROGRAM} list`");
            run.add_finding(Finding { replay: command(), text, ..Finding::new(outcome, format!("{PROGRAM} list")) });
        }
        let step = run.step_mut().unwrap();
        (step.map, step.moved) = (command(), command());
        Program("sigproof").name_in(&mut run);
        let text = serde_json::to_string(&run).unwrap();
        assert_eq!((text.contains(PROGRAM), text.matches("sigproof ").count()), (false, 10), "{text}");
    }
}
