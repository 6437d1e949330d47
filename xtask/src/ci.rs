//! `cargo xtask ci`: what the project asks of every change, in one place. CI and people call the same steps.
//!
//! A new step (a sanitizer, say) is one line in [`STEPS`].

use std::process::Command;
use std::time::Instant;

use sigproof_harness::exit::Exit;

use crate::args::{CiArgs, TestArgs};
use crate::output::{self, Out};
use crate::{test, units};

/// A step: its name, and what it takes.
struct Step {
    name: &'static str,
    kind: Kind,
}

/// What a step takes.
enum Kind {
    /// A cargo command.
    Cargo(Cargo),
    /// `cargo xtask test`.
    Test,
}

/// A cargo command, and what must be there for it.
struct Cargo {
    arguments: &'static [&'static str],
    /// An environment variable.
    environment: Option<(&'static str, &'static str)>,
    /// The subcommand that must answer to `--version`, with the way to get it.
    needs: Option<(&'static str, &'static str)>,
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        kind: Kind::Cargo(Cargo {
            arguments: &["fmt", "--all", "--check"],
            environment: None,
            needs: Some(("fmt", "rustup component add rustfmt")),
        }),
    },
    Step {
        name: "clippy",
        kind: Kind::Cargo(Cargo {
            arguments: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            environment: None,
            needs: Some(("clippy", "rustup component add clippy")),
        }),
    },
    Step {
        name: "clippy-models",
        kind: Kind::Cargo(Cargo {
            arguments: &[
                "clippy",
                "--profile",
                "loom",
                "--target-dir",
                "target/loom",
                "--package",
                "sigproof-harness",
                "--bin",
                "sigproof-model",
                "--",
                "-D",
                "warnings",
            ],
            environment: Some(("RUSTFLAGS", "--cfg loom")),
            needs: Some(("clippy", "rustup component add clippy")),
        }),
    },
    Step {
        name: "doc",
        kind: Kind::Cargo(Cargo {
            arguments: &["doc", "--workspace", "--no-deps"],
            environment: Some(("RUSTDOCFLAGS", "-D warnings")),
            needs: None,
        }),
    },
    Step { name: "test", kind: Kind::Test },
];

/// The names of all steps.
pub fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// How a step ended, with what to do about it.
struct Done {
    name: &'static str,
    exit: Exit,
    seconds: f64,
    remedy: Option<String>,
}

/// Runs the verb.
pub fn run(args: &CiArgs) -> Exit {
    let wanted = |step: &&Step| args.only.is_empty() || args.only.iter().any(|name| name == step.name);
    let mut all = Vec::new();
    for step in STEPS.iter().filter(wanted) {
        output::tell(&format!("== {}", step.name));
        let started = Instant::now();
        let (exit, remedy) = perform(step, args);
        let done = Done { name: step.name, exit, seconds: started.elapsed().as_secs_f64(), remedy };
        output::tell(&format!("== {}", line(&done)));
        all.push(done);
        if exit == Exit::Interrupted {
            break;
        }
    }
    let exit = all.iter().map(|done| done.exit).fold(Exit::AsExpected, Exit::worst);
    let lines = all.iter().map(|done| format!("  {}\n", line(done))).collect::<String>();
    let verdict = if exit == Exit::AsExpected { "ok" } else { "FAILED" };
    exit.worst(Out::Stdout.say(&format!("ci: {verdict}\n{lines}")))
}

fn line(done: &Done) -> String {
    let word = match done.exit {
        Exit::AsExpected => "ok",
        Exit::Environment => "missing",
        Exit::Interrupted => "interrupted",
        Exit::Inconclusive => "inconclusive",
        Exit::Unexpected | Exit::Usage => "failed",
    };
    let remedy = done.remedy.as_ref().map(|remedy| format!(": {remedy}")).unwrap_or_default();
    format!("{:<14}{word} ({}){remedy}", done.name, units::seconds(done.seconds))
}

fn perform(step: &Step, args: &CiArgs) -> (Exit, Option<String>) {
    match &step.kind {
        Kind::Test => {
            let test = TestArgs { reports: args.reports.clone(), ..TestArgs::default() };
            (test::run(&test), None)
        }
        Kind::Cargo(step) => {
            if let Some((subcommand, remedy)) = step.needs
                && !answers(subcommand)
            {
                return (Exit::Environment, Some(format!("cargo {subcommand} is not installed; {remedy}")));
            }
            let mut command = cargo();
            command.args(step.arguments).envs(step.environment);
            status(&mut command)
        }
    }
}

/// The cargo that runs us, or else the first one there is.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether a subcommand is there.
fn answers(subcommand: &str) -> bool {
    cargo().args([subcommand, "--version"]).output().is_ok_and(|output| output.status.success())
}

/// Runs a command with its output passed on.
pub fn status(command: &mut Command) -> (Exit, Option<String>) {
    match command.status() {
        Ok(status) if status.success() => (Exit::AsExpected, None),
        Ok(status) => (Exit::Unexpected, Some(status.to_string())),
        Err(error) => (Exit::Environment, Some(format!("{} cannot be run: {error}", command.get_program().display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_have_names_of_their_own() {
        let mut names = names();
        assert_eq!(names, ["fmt", "clippy", "clippy-models", "doc", "test"]);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn a_command_fails_or_is_not_there() {
        assert_eq!(status(&mut Command::new("true")), (Exit::AsExpected, None));
        assert_eq!(status(&mut Command::new("false")).0, Exit::Unexpected);
        let (exit, remedy) = status(&mut Command::new("no-such-command-anywhere"));
        assert_eq!(exit, Exit::Environment);
        assert!(remedy.unwrap().contains("no-such-command-anywhere"));
        assert!(!answers("no-such-subcommand-anywhere"));
    }
}
