//! The build with models, and its processes: each gets an order and writes events.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sigproof_harness::model::worker::{self, Event, Order};
use sigproof_inspect::process::{Group, own_executable};
use sigproof_inspect::refusal::Refusal;
use sigproof_report::exit::Exit;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

use crate::trouble::Trouble;
use crate::{command, output};

/// Below the usual target folder, so that neither build undoes the other.
const FOLDER: &str = "loom";

/// How often a silent process and the stop flag are checked.
const LOOK: Duration = Duration::from_millis(50);

/// The checkout that the current folder is in: the models are built from its sources.
fn checkout() -> Result<PathBuf, Trouble> {
    let current = std::env::current_dir()
        .map_err(|error| Trouble::environment(format!("the current folder cannot be found: {error}")))?;
    checkout_around(&current).ok_or_else(|| {
        let place = current.display();
        Trouble::environment(format!(
            "{place} is not in a checkout of sigproof, and models are built from one; run it from the checkout"
        ))
    })
}

fn checkout_around(place: &Path) -> Option<PathBuf> {
    let has = |folder: &Path, file: &str| folder.join(file).is_file();
    let is = |folder: &&Path| has(folder, "xtask/Cargo.toml") && has(folder, "crates/shim/Cargo.toml");
    place.ancestors().find(is).map(Path::to_owned)
}

/// Where the build with models is: in the target folder of the checkout, wherever this executable is.
fn folder() -> Result<PathBuf, Trouble> {
    Ok(folder_in(&checkout()?, std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from)))
}

fn folder_in(checkout: &Path, target: Option<PathBuf>) -> PathBuf {
    target.unwrap_or_else(|| checkout.join("target")).join(FOLDER)
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
fn cargo_with_models(place: &Path) -> Command {
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags += " --cfg loom";
    let mut command = command::cargo();
    command.env("RUSTFLAGS", flags.trim_start()).env("CARGO_TARGET_DIR", place).stdin(Stdio::null());
    command
}

/// Builds the program that explores.
pub fn build() -> Result<PathBuf, Trouble> {
    temporary_files()?;
    // cargo needs it, too, but its message says less.
    own_executable().map_err(|refusal| Trouble::environment(refusal.to_string()))?;
    let place = folder()?;
    let program = place.join("loom").join("sigproof-model");
    if !program.exists() {
        output::tell("building the models; the first time this takes about a minute");
    }
    let mut command = cargo_with_models(&place);
    command.args([
        "build",
        "--quiet",
        "--profile",
        "loom",
        "--package",
        "sigproof-casebook",
        "--bin",
        "sigproof-model",
    ]);
    match command::status(&mut command) {
        (Exit::AsExpected, _) => Ok(program),
        (exit, why) => {
            Err(Trouble { exit, message: format!("the models cannot be built: {}", why.unwrap_or_default()) })
        }
    }
}

/// Runs the tests of the checker itself, which need its build.
pub fn test() -> Result<(), Trouble> {
    let mut command = cargo_with_models(&folder()?);
    command.args(["test", "--quiet", "--profile", "loom", "--package", "sigproof-shim", "--test", "model"]);
    match command::status(&mut command) {
        (Exit::AsExpected, _) => Ok(()),
        (exit, why) => Err(Trouble { exit, message: format!("the tests of the checker: {}", why.unwrap_or_default()) }),
    }
}

/// A process that carries out an order. It and what it has started end when this is dropped.
pub struct Explorer {
    group: Group,
    /// Its temporary files: gone after it has ended, however it ended.
    _folder: TempDir,
    /// What it explores.
    subject: String,
    /// Its standard input: it ends when this process does.
    _leash: Option<ChildStdin>,
}

/// The models of an order, in words.
fn subject(order: &Order) -> String {
    match order {
        Order::Explore { selection, .. } | Order::Survey(selection) | Order::Weaken { selection, .. } => {
            selection.setups.join(", ")
        }
        Order::Replay(token) => token.split('@').next().unwrap_or_default().to_owned(),
    }
}

impl Explorer {
    /// Starts it.
    pub fn start(program: &Path, order: &Order) -> Result<Self, Trouble> {
        let text = serde_json::to_string(order).map_err(|error| Trouble::environment(error.to_string()))?;
        let mut command = Command::new(program);
        command.arg(text).stdin(Stdio::piped()).stdout(Stdio::piped());
        let cannot = |error| Trouble::environment(format!("{} cannot be run: {error}", program.display()));
        let folder = tempfile::Builder::new().prefix(worker::FOLDER).tempdir().map_err(no_temporary_files)?;
        command.env("TMPDIR", folder.path());
        let group = Group::start(&mut command).map_err(cannot)?;
        Ok(Self { group, _folder: folder, subject: subject(order), _leash: None })
    }

    /// Passes on its events until the last one, or until `stop` is set. A process that ends before it has written a
    /// result is trouble.
    pub fn events(mut self, stop: &AtomicBool, mut each: impl FnMut(Event)) -> Result<(), Trouble> {
        let (leash, stdout) = self.group.pipes();
        self._leash = leash;
        let (send, lines) = mpsc::channel();
        if let Some(stdout) = stdout {
            let read = move || BufReader::new(stdout).lines().try_for_each(|line| send.send(line));
            // It ends with the pipe.
            let reader = thread::Builder::new().name("explorer".to_owned()).spawn(read);
            reader.map_err(|error| Trouble::environment(Refusal::thread(&error).to_string()))?;
        }
        let mut told = false;
        while !stop.load(Ordering::Relaxed) {
            let line = match lines.recv_timeout(LOOK) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => match self.group.ended() {
                    Ok(Some(status)) if status.success() && told => return Ok(()),
                    Ok(Some(status)) => return Err(self.died(status)),
                    Ok(None) => {
                        thread::sleep(LOOK);
                        continue;
                    }
                    Err(error) => return Err(Trouble::environment(format!("{}: waitid: {error}", self.subject))),
                },
            };
            match line.ok().and_then(|line| serde_json::from_str(&line).ok()) {
                Some(Event::Lacks(what)) => return Err(Trouble::environment(what)),
                Some(event) => {
                    told |= !matches!(event, Event::Begin(_) | Event::Plans { .. });
                    each(event);
                }
                None => {
                    let message =
                        format!("{}: the process that explores it wrote a line that is no event", self.subject);
                    return Err(Trouble::unexpected(message));
                }
            }
        }
        Ok(())
    }

    /// The trouble of a process that ended without a result.
    fn died(&self, status: ExitStatus) -> Trouble {
        let words = match self.group.last_words() {
            words if words.is_empty() => String::new(),
            words => format!("; it said: {words}"),
        };
        let subject = &self.subject;
        match status.signal() {
            Some(signal) if OUTSIDE.contains(&signal) => Trouble::environment(format!(
                "{subject}: no verdict: the process that explored it was ended from outside ({status}), \
                 by the user or because memory ran out; run it again, with fewer --jobs{words}"
            )),
            Some(_) => Trouble::unexpected(format!(
                "{subject}: no verdict: the process that explored it crashed ({status}): a fault of the tool{words}"
            )),
            None => Trouble::unexpected(format!(
                "{subject}: no verdict: the process that explored it ended early ({status}): a fault of the tool{words}"
            )),
        }
    }
}

/// Signals from outside: from a user, a service manager, or the kernel, if memory or processor time runs out.
const OUTSIDE: [i32; 6] = {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM};
    const SIGXCPU: i32 = 24;
    [SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM, SIGXCPU]
};

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_report::Selection;
    use std::fs;

    /// A program in the place of the explorer: a script of the shell.
    fn false_explorer(folder: &Path, script: &str) -> Explorer {
        let program = folder.join("explorer.sh");
        fs::write(&program, script).unwrap();
        let mut command = Command::new("/bin/sh");
        command.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let selection = Selection { setups: vec!["a-model/fixed".to_owned()], ..Selection::default() };
        let subject = subject(&Order::Survey(selection));
        Explorer {
            group: Group::start(&mut command).unwrap(),
            _folder: tempfile::tempdir().unwrap(),
            subject,
            _leash: None,
        }
    }

    #[rstest]
    #[case::only_begins("echo '{\"begin\":1}'", Exit::Unexpected, "ended early")]
    #[case::says_nothing("exit 0", Exit::Unexpected, "ended early")]
    #[case::fails_after_its_result("echo '{\"weakened\":null}'; exit 3", Exit::Unexpected, "exit status: 3")]
    #[case::nonsense("echo nonsense", Exit::Unexpected, "no event")]
    #[case::killed("kill -KILL $$", Exit::Environment, "ended from outside")]
    #[case::crashed("echo because >&2; kill -SEGV $$", Exit::Unexpected, "because")]
    #[case::lacks("echo '{\"lacks\":\"no memory\"}'; echo '{\"weakened\":null}'", Exit::Environment, "no memory")]
    fn a_process_that_dies_is_trouble(#[case] script: &str, #[case] exit: Exit, #[case] said: &str) {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let trouble = false_explorer(folder.path(), script).events(&stop, |_| {}).unwrap_err();
        assert_eq!(trouble.exit, exit, "{}", trouble.message);
        assert!(trouble.message.contains(said), "{}", trouble.message);
        assert!(exit == Exit::Environment || trouble.message.contains("a-model/fixed"), "{}", trouble.message);
    }

    /// The script would go on for an hour.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_refused_thread_is_trouble_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let explorer = false_explorer(folder.path(), "sleep 3600");
        let stop = AtomicBool::new(false);
        let trouble = sigproof_tests::refuse::without_threads(|| explorer.events(&stop, |_| {}).unwrap_err());
        assert_eq!(trouble.exit, Exit::Environment, "{}", trouble.message);
        assert!(trouble.message.contains("thread") && trouble.message.contains("ulimit -u"), "{}", trouble.message);
    }

    #[test]
    fn a_result_and_a_good_end_are_no_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = 0;
        let explorer = false_explorer(folder.path(), "echo '{\"begin\":1}'; echo '{\"weakened\":null}'");
        explorer.events(&AtomicBool::new(false), |_| seen += 1).unwrap();
        assert_eq!(seen, 2);
    }

    /// The script would go on for an hour without a line.
    #[test]
    fn a_silent_process_is_stopped_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let explorer = false_explorer(folder.path(), "echo '{\"begin\":1}'; sleep 3600");
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
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(checkout_around(&workspace.join("crates/shim")), Some(workspace.to_owned()));
        assert_eq!(folder_in(workspace, None), workspace.join("target/loom"));
        assert_eq!(folder_in(workspace, Some("/elsewhere".into())), Path::new("/elsewhere/loom"));
    }
}
