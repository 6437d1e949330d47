//! The programs of `sigproof-workbench`. Each needs a library that is slow to build, for one verb; cargo
//! builds it when that verb asks it. A request goes to its standard input as JSON, the answer comes from its
//! standard output.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Serialize;
use sigproof_harness::model::orderings::Place;
use sigproof_oracle::bench::Line;
use sigproof_report::exit::Exit;

use crate::trouble::Trouble;
use crate::{command, interrupt, output};

/// The folder of the workspace.
fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The memory orderings in the sources.
pub fn orderings() -> Result<Vec<Place>, Trouble> {
    const PROGRAM: &str = "sigproof-orderings";
    let answer = ask(PROGRAM, &workspace())?;
    serde_json::from_slice(&answer).map_err(|error| Trouble::unexpected(format!("the answer of {PROGRAM}: {error}")))
}

/// The picture of these lines, as SVG.
pub fn chart(lines: &[Line]) -> Result<Vec<u8>, Trouble> {
    ask("sigproof-chart", &lines)
}

/// Builds a program and asks it.
fn ask(program: &str, request: &impl Serialize) -> Result<Vec<u8>, Trouble> {
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
        return Err(Trouble { exit, message: format!("{program} cannot be built: {why}") });
    }
    let request = serde_json::to_vec(request).map_err(|error| Trouble::unexpected(error.to_string()))?;
    let answer = asked(&mut cargo("run"), &request);
    let answer = answer.map_err(|error| Trouble::environment(format!("{program} cannot be run: {error}")))?;
    match answer.status.success() {
        true => Ok(answer.stdout),
        false if interrupt::requested() => Err(Trouble { exit: Exit::Interrupted, message: "interrupted".to_owned() }),
        false => {
            let said = String::from_utf8_lossy(&answer.stderr);
            Err(Trouble::environment(format!("{program} ended with {}: {}", answer.status, said.trim())))
        }
    }
}

/// The answer of a program, which reads its whole request before it answers.
fn asked(command: &mut Command, request: &[u8]) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(request));
    let output = child.wait_with_output()?;
    match written {
        // It ended without reading; its status and its words say why.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::costs::Costs;
    use crate::bench::results;

    #[test]
    fn a_request_is_answered_and_a_bad_end_is_kept() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            asked(&mut command, b"[1]").unwrap()
        };
        let good = shell("cat; echo .");
        assert_eq!((good.status.success(), &good.stdout[..]), (true, &b"[1].\n"[..]));
        let bad = shell("echo because >&2; exit 3");
        assert_eq!((bad.status.code(), &bad.stderr[..]), (Some(3), &b"because\n"[..]));
        assert!(asked(&mut Command::new("no-such-command-anywhere"), b"").is_err());
    }

    #[test]
    fn the_programs_and_the_verbs_have_the_same_types() {
        let places = orderings().unwrap_or_else(|trouble| panic!("{}", trouble.message));
        let read = sigproof_workbench::orderings::places(&workspace()).unwrap();
        assert_eq!(serde_json::to_value(&places).unwrap(), serde_json::to_value(&read).unwrap());
        let lines = Costs::of(&results::tests::example().costs).lines();
        let picture = String::from_utf8(chart(&lines).unwrap_or_else(|trouble| panic!("{}", trouble.message))).unwrap();
        let names: Vec<_> = lines.iter().map(|line| &line.contender.name).collect();
        assert!(names.len() == 6 && names.iter().all(|name| picture.contains(*name)), "{names:?}: {picture}");
    }
}
