//! The program with models, and processes of it: each gets one order and tells events.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigproof_harness::model::Engine;
use sigproof_harness::model::worker::{self, Event, Exploring, Order};
use sigproof_inspect::process::lines::{Broken, How, Talk};
use sigproof_inspect::process::{output, own_executable};
use sigproof_report::exit::Exit;
use sigproof_shim::native::atomic::AtomicBool;
use tempfile::TempDir;

use crate::trouble::Trouble;
use crate::{command, output as console};

/// The program that explores, as cargo builds it.
pub const PROGRAM: &str = "sigproof-model";

/// The name of the program beside an installed command.
#[must_use]
pub const fn installed(engine: Engine) -> &'static str {
    match engine {
        Engine::Loom => PROGRAM,
        Engine::Graph => "sigproof-model-graph",
    }
}

/// The flag of the compiler that puts the models over an engine.
#[must_use]
pub const fn flag(engine: Engine) -> &'static str {
    match engine {
        Engine::Loom => "--cfg loom",
        Engine::Graph => "--cfg sigproof_graph",
    }
}

/// Where an executable looks for the program that explores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the checkout around the current folder, whose sources cargo builds. For an executable of a target
    /// folder: a build without models may be beside it.
    Checkout,
    /// Beside the executable; and in a checkout if it is not there.
    BesideOrCheckout,
}

/// Finds the program that explores, and builds it where that needs a build.
///
/// # Errors
/// There is none here, and what to do about it; or no temporary file can be made.
pub fn find(place: Place, engine: Engine) -> Result<PathBuf, Trouble> {
    temporary_files()?;
    let own = own_executable().map_err(|refusal| Trouble::environment(refusal.to_string()))?;
    if place == Place::BesideOrCheckout {
        match beside(&own, engine) {
            Ok(Some(program)) => return Ok(program),
            // Where the sources are, they are asked.
            Err(trouble) if checkout(place, engine).is_err() => return Err(trouble),
            Ok(None) | Err(_) => {}
        }
    }
    build(&folder(place, engine)?, engine)
}

/// The program beside an executable, if it is there and has models.
fn beside(own: &Path, engine: Engine) -> Result<Option<PathBuf>, Trouble> {
    // The executable may have been called by a link to it.
    let own = own.canonicalize().unwrap_or_else(|_| own.to_owned());
    let program = own.with_file_name(installed(engine));
    if !program.is_file() {
        return Ok(None);
    }
    let (shown, ours) = (program.display(), worker::version(Some(engine)));
    let answer = output(Command::new(&program).arg(worker::VERSION)).map_err(|error| {
        Trouble::environment(format!("{shown} cannot be run: {error}; is it of this machine's kind?"))
    })?;
    match String::from_utf8_lossy(&answer.stdout).trim_end() {
        version if version == ours => Ok(Some(program)),
        // A build of the workspace, which is no explorer.
        version if version == worker::version(None) => Ok(None),
        other => Err(Trouble::environment(format!(
            "{shown} is not the explorer of this command: it says '{other}', and not '{ours}'; install both from one \
             release or checkout"
        ))),
    }
}

/// The checkout that the current folder is in: the models are built from its sources.
fn checkout(place: Place, engine: Engine) -> Result<PathBuf, Trouble> {
    let current = std::env::current_dir()
        .map_err(|error| Trouble::environment(format!("the current folder cannot be found: {error}")))?;
    checkout_around(&current).ok_or_else(|| {
        let here = current.display();
        Trouble::environment(match place {
            Place::Checkout => {
                format!(
                    "{here} is not in a checkout of sigproof, and models are built from one; run it from the checkout"
                )
            }
            Place::BesideOrCheckout => format!(
                "the models are in the program {program}, which is not beside this command, and {here} is not in a \
                 checkout of sigproof, from which it could be built\n  remedy: copy {program} of the release to the \
                 folder of this command; or clone sigproof and run the command from the clone; or build it in a \
                 clone, and copy it as {program}: RUSTFLAGS='{flag}' cargo build --profile {profile} --package \
                 sigproof-casebook",
                program = installed(engine),
                flag = flag(engine),
                profile = engine.as_str(),
            ),
        })
    })
}

fn checkout_around(place: &Path) -> Option<PathBuf> {
    let has = |folder: &Path, file: &str| folder.join(file).is_file();
    let is = |folder: &&Path| has(folder, "xtask/Cargo.toml") && has(folder, "crates/shim/Cargo.toml");
    place.ancestors().find(is).map(Path::to_owned)
}

/// Where the build with models is: in the target folder of the checkout, wherever this executable is.
fn folder(place: Place, engine: Engine) -> Result<PathBuf, Trouble> {
    Ok(folder_in(&checkout(place, engine)?, std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from), engine))
}

/// Below the usual target folder, so that no build undoes another.
fn folder_in(checkout: &Path, target: Option<PathBuf>, engine: Engine) -> PathBuf {
    target.unwrap_or_else(|| checkout.join("target")).join(engine.as_str())
}

/// Building, starting processes and keeping counterexamples take temporary files.
fn temporary_files() -> Result<(), Trouble> {
    tempfile::tempfile().map(drop).map_err(no_temporary_files)
}

fn no_temporary_files(error: io::Error) -> Trouble {
    let folder = std::env::temp_dir();
    let folder = folder.display();
    Trouble::environment(format!(
        "no temporary file can be made in {folder}: {error}; set TMPDIR to a folder that can be written"
    ))
}

/// A cargo for that build.
fn cargo_with_models(place: &Path, engine: Engine) -> Command {
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags += " ";
    flags += flag(engine);
    let mut command = command::cargo();
    command.env("RUSTFLAGS", flags.trim_start()).env("CARGO_TARGET_DIR", place);
    command
}

/// Builds it in this folder.
fn build(place: &Path, engine: Engine) -> Result<PathBuf, Trouble> {
    let profile = engine.as_str();
    let program = place.join(profile).join(PROGRAM);
    if !program.exists() {
        console::tell("building the models; the first time this takes about a minute");
    }
    let mut command = cargo_with_models(place, engine);
    // Of the workspace, as the tests: what they share is compiled once.
    command.args(["build", "--quiet", "--profile", profile, "--workspace", "--bin", PROGRAM]);
    match command::status(&mut command) {
        (Exit::AsExpected, _) => Ok(program),
        (exit, why) => Err(Trouble::with(exit, format!("the models cannot be built: {}", why.unwrap_or_default()))),
    }
}

/// Runs the tests of the checker itself, which need its build: over each engine. `more` is for cargo.
pub fn test(more: &[&str]) -> Result<(), Trouble> {
    for engine in [Engine::Loom, Engine::Graph] {
        let profile = engine.as_str();
        let mut command = cargo_with_models(&folder(Place::Checkout, engine)?, engine);
        command.args(["test", "--quiet", "--profile", profile, "--workspace", "--test", "model"]).args(more);
        let (exit, why) = command::status(&mut command);
        if exit != Exit::AsExpected {
            let why = why.unwrap_or_default();
            return Err(Trouble::with(exit, format!("the tests of the checker over {profile}: {why}")));
        }
    }
    Ok(())
}

/// A process that carries out an order. It and what it has started end when this is dropped.
pub struct Explorer {
    talk: Talk<Exploring>,
    /// Its temporary files: removed after it has ended, however it ended.
    _folder: TempDir,
    /// What it explores.
    subject: String,
}

/// The models of an order, in words.
fn subject(order: &Order) -> String {
    match order {
        Order::Explore { selection, .. } | Order::Survey(selection) | Order::Weaken { selection, .. } => {
            selection.setups.join(", ")
        }
        Order::Replay(token) => token.split('@').next().unwrap_or_default().to_owned(),
        Order::Judge(order) => order.text.lines().next().unwrap_or_default().to_owned(),
    }
}

impl Explorer {
    /// Starts it and gives it its order.
    pub fn start(program: &Path, order: &Order) -> Result<Self, Trouble> {
        Self::start_as(&mut Command::new(program), order)
    }

    fn start_as(command: &mut Command, order: &Order) -> Result<Self, Trouble> {
        let folder = tempfile::Builder::new().prefix(worker::FOLDER).tempdir().map_err(no_temporary_files)?;
        command.env("TMPDIR", folder.path());
        let started = Talk::start("the process that explores it", command);
        let mut talk = started.map_err(|error| {
            Trouble::environment(format!("{} cannot be run: {error}", command.get_program().display()))
        })?;
        talk.order(order);
        Ok(Self { talk, _folder: folder, subject: subject(order) })
    }

    /// Takes its events until it ends, or until `stop` is set. A process that ends before it has told a
    /// result is trouble.
    pub fn events(mut self, stop: &AtomicBool, mut each: impl FnMut(Event)) -> Result<(), Trouble> {
        let mut has_told = false;
        let ended = self.talk.until(stop, |event| match event {
            Event::Lacks(what) => ControlFlow::Break(Trouble::environment(what)),
            event => {
                has_told |= !matches!(event, Event::Begin(_) | Event::Plans { .. });
                each(event);
                ControlFlow::Continue(())
            }
        });
        match ended {
            Ok(trouble) => trouble.map_or(Ok(()), Err),
            Err(Broken { how: How::Ended(status), .. }) if has_told && status.success() => Ok(()),
            Err(broken) => Err(no_verdict(&self.subject, &broken)),
        }
    }
}

/// What it means that a process has ended without a result.
fn no_verdict(subject: &str, broken: &Broken) -> Trouble {
    if broken.is_from_outside() {
        let Broken { child, how, words } = broken;
        let words = if words.is_empty() { String::new() } else { format!("; it said: {words}") };
        return Trouble::environment(format!(
            "{subject}: no verdict: {child} was ended from outside (it {how}), by the user or for want of memory; \
             run it again, with fewer --jobs{words}"
        ));
    }
    Trouble::unexpected(format!("{subject}: no verdict: {broken}: a fault of the tool"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_inspect::process::lines::Dialect;
    use sigproof_report::Selection;
    use sigproof_shim::native::atomic::Ordering;

    /// A script of the shell in the place of the explorer.
    fn start(script: &str) -> Result<Explorer, Trouble> {
        let mut command = Command::new("/bin/sh");
        let version = Exploring::VERSION;
        let greeting = format!("echo '{{\"hello\":{{\"speaks\":\"model\",\"version\":{version}}}}}'");
        command.args(["-c", &format!("{greeting}; {script}")]);
        let selection = Selection { setups: vec!["a-model/fixed".to_owned()], ..Selection::default() };
        Explorer::start_as(&mut command, &Order::Survey(selection))
    }

    fn false_explorer(script: &str) -> Explorer {
        start(script).unwrap()
    }

    #[rstest]
    #[case::only_begins("echo '{\"begin\":1}'", Exit::Unexpected, "exited with code 0")]
    #[case::says_nothing("exit 0", Exit::Unexpected, "exited with code 0")]
    #[case::fails_after_its_result("echo '{\"weakened\":null}'; exit 3", Exit::Unexpected, "exited with code 3")]
    #[case::nonsense("echo nonsense", Exit::Unexpected, "no event")]
    #[case::killed("kill -KILL $$", Exit::Environment, "fewer --jobs")]
    #[case::of_want("echo 'memory allocation of 80 bytes failed' >&2; kill -ABRT $$", Exit::Environment, "80 bytes")]
    #[case::crashed("echo because >&2; kill -SEGV $$", Exit::Unexpected, "because")]
    #[case::lacks("echo '{\"lacks\":\"no memory\"}'; echo '{\"weakened\":null}'", Exit::Environment, "no memory")]
    fn a_process_that_dies_is_trouble(#[case] script: &str, #[case] exit: Exit, #[case] said: &str) {
        let stop = AtomicBool::new(false);
        let trouble = false_explorer(script).events(&stop, |_| {}).unwrap_err();
        assert_eq!(trouble.exit, exit, "{}", trouble.message);
        assert!(trouble.message.contains(said), "{}", trouble.message);
        assert!(said == "no memory" || trouble.message.contains("a-model/fixed"), "{}", trouble.message);
    }

    /// The script would go on for an hour.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_refused_thread_is_trouble_with_a_remedy() {
        let trouble = sigproof_tests::refuse::without_threads(|| start("sleep 3600").err().unwrap());
        assert_eq!(trouble.exit, Exit::Environment, "{}", trouble.message);
        assert!(trouble.message.contains("thread") && trouble.message.contains("ulimit -u"), "{}", trouble.message);
    }

    #[test]
    fn a_result_and_a_good_end_are_no_trouble() {
        let mut seen = 0;
        let explorer = false_explorer("echo '{\"begin\":1}'; echo '{\"weakened\":null}'");
        explorer.events(&AtomicBool::new(false), |_| seen += 1).unwrap();
        assert_eq!(seen, 2);
    }

    /// The script would go on for an hour without a line.
    #[test]
    fn a_silent_process_is_stopped_at_once() {
        let stop = AtomicBool::new(false);
        let explorer = false_explorer("echo '{\"begin\":1}'; sleep 3600");
        let mut seen = 0;
        let stopped = explorer.events(&stop, |_| {
            seen += 1;
            stop.store(true, Ordering::Relaxed);
        });
        assert!(stopped.is_ok());
        assert_eq!(seen, 1);
    }

    #[test]
    fn the_models_are_built_in_the_checkout() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(checkout_around(folder.path()), None);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        assert_eq!(checkout_around(&workspace.join("crates/shim")), Some(workspace.to_owned()));
        assert_eq!(folder_in(workspace, None, Engine::Loom), workspace.join("target/loom"));
        assert_eq!(folder_in(workspace, None, Engine::Graph), workspace.join("target/graph"));
        let elsewhere = folder_in(workspace, Some("/elsewhere".into()), Engine::Loom);
        assert_eq!(elsewhere, Path::new("/elsewhere/loom"));
    }
}
