//! The programs of `sigproof-workbench`. Each needs a library that is slow to build, for one verb. Cargo
//! builds a program when its verb asks it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sigproof_harness::model::orderings::{Place, Reading};
use sigproof_inspect::process::lines::{Dialect, Talk};
use sigproof_oracle::bench::{Drawing, Line};

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

/// Builds a program and asks it.
fn ask<D, T>(program: &'static str, order: &D::Order) -> Result<T, Trouble>
where
    D: Dialect<Event = Result<T, String>>,
{
    let cargo = |verb: &str| {
        let mut cargo = command::cargo();
        cargo.args([verb, "--quiet", "--package", "sigproof-workbench", "--bin", program]).current_dir(workspace());
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
    let talk = Talk::<D>::start(program, &mut cargo("run"));
    let mut talk = talk.map_err(|error| Trouble::environment(format!("{program} cannot be run: {error}")))?;
    talk.order(order);
    match talk.until(interrupt::flag(), ControlFlow::Break) {
        Ok(Some(Ok(answer))) => Ok(answer),
        Ok(Some(Err(why))) => Err(Trouble::environment(format!("{program}: {why}"))),
        Ok(None) => Err(Trouble::interrupted()),
        Err(broken) => Err(Trouble::environment(broken.to_string())),
    }
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
