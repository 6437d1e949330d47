//! The programs of `sigproof-workbench`. Each needs a library that is slow to build, for one verb. Cargo
//! builds a program when its verb asks it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sigproof_harness::model::litmus::{self, Judgement, Judging};
use sigproof_harness::model::orderings::{Place, Reading};
use sigproof_inspect::process::lines::{Dialect, Talk};
use sigproof_oracle::bench::{Drawing, Line};
use sigproof_oracle::conform::PATIENCE;
use sigproof_oracle::conform::comparing::{Comparing, Comparison, Event, Order, Tally};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::trouble::Trouble;
use crate::{command, interrupt, output};

/// The folder of the workspace.
fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The memory orderings in the sources.
pub fn orderings() -> Result<Vec<Place>, Trouble> {
    ask::<Reading, _>("sigproof-orderings", &workspace())
}

/// The picture of these lines, as SVG.
pub fn chart(lines: &[Line]) -> Result<String, Trouble> {
    ask::<Drawing, _>("sigproof-chart", &lines.to_vec())
}

/// Compares random sequences with runtimes. `progress` gets how many sequences each has come further. With
/// `stop` set, the comparison ends early, with what it has.
pub fn compare(
    comparison: Comparison,
    stop: &AtomicBool,
    mut progress: impl FnMut(u64),
) -> Result<Vec<Tally>, Trouble> {
    let program = "sigproof-conform";
    let mut talk = start::<Comparing>(program)?;
    talk.order(&Order::Compare(comparison));
    let mut stopping = None;
    loop {
        if stopping.is_none() && stop.load(Ordering::Relaxed) {
            stopping = Some(Instant::now());
            talk.order(&Order::Stop);
        }
        match talk.hear(LOOK).map_err(|broken| Trouble::environment(broken.to_string()))? {
            Some(Event::Further(more)) => progress(more),
            Some(Event::Done(tallies)) => {
                return tallies.map_err(|why| Trouble::environment(format!("a driver cannot be run: {why}")));
            }
            None if stopping.is_some_and(|since| since.elapsed() > FINISH) => return Err(Trouble::interrupted()),
            None => {}
        }
    }
}

/// The program that judges litmus tests; started at the first test, and again after a test that ends it.
#[derive(Default)]
pub struct Judges(Option<Talk<Judging>>);

impl Judges {
    /// Judges a test. One that ends the program is inconclusive.
    pub fn judge(&mut self, order: &litmus::Order) -> Result<Judgement, Trouble> {
        let talk = match &mut self.0 {
            Some(talk) => talk,
            none => none.insert(start("sigproof-litmus")?),
        };
        talk.order(order);
        match talk.until(interrupt::flag(), ControlFlow::Break) {
            Ok(Some(Ok(judgement))) => Ok(judgement),
            Ok(Some(Err(why))) => Err(Trouble::environment(format!("sigproof-litmus: {why}"))),
            Ok(None) => Err(Trouble::interrupted()),
            Err(broken) => {
                self.0 = None;
                Ok(Judgement::refused(broken.to_string()))
            }
        }
    }
}

/// The time between two looks at the wish to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How long a comparison may go on after it was told to stop: a runtime that hangs is noticed in less.
const FINISH: Duration = PATIENCE.saturating_mul(2);

/// Builds a program and asks it.
fn ask<D, T>(program: &'static str, order: &D::Order) -> Result<T, Trouble>
where
    D: Dialect<Event = Result<T, String>>,
{
    let mut talk = start::<D>(program)?;
    talk.order(order);
    match talk.until(interrupt::flag(), ControlFlow::Break) {
        Ok(Some(Ok(answer))) => Ok(answer),
        Ok(Some(Err(why))) => Err(Trouble::environment(format!("{program}: {why}"))),
        Ok(None) => Err(Trouble::interrupted()),
        Err(broken) => Err(Trouble::environment(broken.to_string())),
    }
}

/// Builds a program and starts it.
fn start<D: Dialect>(program: &'static str) -> Result<Talk<D>, Trouble> {
    let cargo = |verb: &str| {
        let mut cargo = command::cargo();
        // Without a package: what the programs share with the tests then has the features that it has there,
        // and is compiled once for both.
        cargo.args([verb, "--quiet", "--bin", program]).current_dir(workspace());
        cargo
    };
    // The program is beside this one, unless this one is a test.
    let built = std::env::current_exe().is_ok_and(|own| own.with_file_name(program).exists());
    if !built {
        output::tell(&format!("building {program}; the first time this takes some seconds"));
    }
    if let (exit, Some(why)) = command::status(&mut cargo("build")) {
        return Err(Trouble::with(exit, format!("{program} cannot be built: {why}")));
    }
    let talk = Talk::start(program, &mut cargo("run"));
    talk.map_err(|error| Trouble::environment(format!("{program} cannot be run: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orderings_of_this_workspace_are_read() {
        let places = orderings().unwrap_or_else(|trouble| panic!("{}", trouble.message));
        assert_eq!(places, sigproof_workbench::orderings::places(&workspace()).unwrap());
    }

    #[test]
    fn a_folder_without_sources_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let refused = ask::<Reading, _>("sigproof-orderings", &folder.path().to_owned());
        let message = refused.err().map(|trouble| trouble.message).unwrap_or_default();
        assert!(message.starts_with("sigproof-orderings: "), "{message}");
    }
}
