//! The build with models, and processes of it: each gets an order and tells events.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sigproof_harness::exit::Exit;
use sigproof_harness::model::worker::{Event, Order};

use crate::trouble::Trouble;
use crate::{ci, output};

/// Below the usual target folder, so that neither build undoes the other.
const FOLDER: &str = "loom";

/// Where that build is: beside the folder that this executable is in.
fn folder() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.ancestors().nth(2)?.to_owned()));
    beside.unwrap_or_else(|| PathBuf::from("target")).join(FOLDER)
}

/// A cargo for that build.
fn cargo_with_models(place: &Path) -> Command {
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags += " --cfg loom";
    let mut command = ci::cargo();
    command.env("RUSTFLAGS", flags.trim_start()).env("CARGO_TARGET_DIR", place).stdin(Stdio::null());
    command
}

/// Builds the program that explores.
pub fn build() -> Result<PathBuf, Trouble> {
    let place = folder();
    let program = place.join("loom").join("sigproof-model");
    if !program.exists() {
        output::tell("building the models; the first time this takes about a minute");
    }
    let mut command = cargo_with_models(&place);
    command.args(["build", "--quiet", "--profile", "loom", "--package", "sigproof-harness", "--bin", "sigproof-model"]);
    match ci::status(&mut command) {
        (Exit::AsExpected, _) => Ok(program),
        (exit, why) => {
            Err(Trouble { exit, message: format!("the models cannot be built: {}", why.unwrap_or_default()) })
        }
    }
}

/// Runs the tests of the checker itself, which need its build.
pub fn test() -> Result<(), Trouble> {
    let mut command = cargo_with_models(&folder());
    command.args(["test", "--quiet", "--profile", "loom", "--package", "sigproof-shim", "--test", "model"]);
    match ci::status(&mut command) {
        (Exit::AsExpected, _) => Ok(()),
        (exit, why) => Err(Trouble { exit, message: format!("the tests of the checker: {}", why.unwrap_or_default()) }),
    }
}

/// A process that carries out an order. It ends when this does.
pub struct Explorer(Child);

impl Explorer {
    /// Starts it.
    pub fn start(program: &Path, order: &Order) -> Result<Self, Trouble> {
        let text = serde_json::to_string(order).map_err(|error| Trouble::environment(error.to_string()))?;
        let mut command = Command::new(program);
        command.arg(text).stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn();
        let cannot = |error| Trouble::environment(format!("{} cannot be run: {error}", program.display()));
        child.map(Self).map_err(cannot)
    }

    /// Takes in its events until it has none left, or until `each` says to stop. A process that dies without a word is trouble.
    pub fn events(mut self, mut each: impl FnMut(Event) -> bool) -> Result<(), Trouble> {
        let lines = self.0.stdout.take().map(BufReader::new);
        let mut told = false;
        for line in lines.into_iter().flat_map(BufRead::lines) {
            let event = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            let Some(event) = event else {
                return Err(Trouble::unexpected("a process that explores models told nonsense".to_owned()));
            };
            told |= !matches!(event, Event::Begin(_) | Event::Plans { .. });
            if !each(event) {
                return Ok(());
            }
        }
        match self.0.wait() {
            Ok(status) if status.success() && told => Ok(()),
            Ok(status) => Err(Trouble::unexpected(format!("a process that explores models ended early: {status}"))),
            Err(error) => Err(Trouble::environment(error.to_string())),
        }
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        // Both fail only for a process that has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
