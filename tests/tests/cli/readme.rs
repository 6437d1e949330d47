//! The transcripts of README and of docs: a test runs each command and compares its output.
//!
//! | file | holds |
//! |---|---|
//! | this one | finding the transcripts, running them, writing them anew |
//! | `compare` | whether the lines of a transcript are those of an output |
//! | `update` | the lines that a transcript should have |
//!
//! After an intended change of the output, this command rewrites the transcripts:
//!
//! ```text
//! SIGPROOF_UPDATE_TRANSCRIPTS=1 cargo test -p sigproof-tests --test cli readme
//! ```
//!
//! What a `...` omits stays omitted. Lines that the output no longer has are dropped and printed.

mod compare;
mod update;

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

use rstest::rstest;
use sigproof_tests::{Ran, run, turn, workspace};

use compare::compare;

/// The variable that makes the tests rewrite the transcripts.
const UPDATE: &str = "SIGPROOF_UPDATE_TRANSCRIPTS";

/// A command, and the lines that the text shows of its output.
#[derive(Debug, PartialEq, Eq)]
struct Transcript {
    command: String,
    /// The lines of the text, counted from 0.
    at: Range<usize>,
}

/// The transcripts of a text: blocks of `console` that show output. A command without output is an example.
fn transcripts(text: &str) -> Vec<Transcript> {
    let lines: Vec<_> = text.lines().collect();
    let (mut found, mut inside, mut open) = (Vec::new(), false, None);
    for (at, line) in lines.iter().enumerate() {
        let command = line.strip_prefix("$ ").filter(|_| inside);
        if command.is_some() || line.starts_with("```") {
            found.extend(open.take().map(|(command, from)| Transcript { command, at: from..at }));
        }
        match command {
            Some(command) => open = command.strip_prefix("cargo xtask ").map(|command| (command.to_owned(), at + 1)),
            None if line.starts_with("```") => inside = *line == "```console",
            None => {}
        }
    }
    found.retain(|shown| lines[shown.at.clone()].iter().any(|line| !line.trim().is_empty()));
    found
}

/// Runs a command. A sweep keeps to one processor, so one sweep runs at a time.
fn perform(command: &str) -> Ran {
    let _turn = command.starts_with("step ").then(turn);
    run(&command.split_whitespace().collect::<Vec<_>>())
}

#[rstest]
#[case("README.md")]
#[case("docs/architecture.md")]
#[case("docs/model.md")]
#[case("docs/step.md")]
#[case("docs/stress.md")]
fn every_transcript_is_what_its_command_prints(#[case] file: &str) {
    let update = std::env::var_os(UPDATE).is_some_and(|value| !value.is_empty());
    let path = workspace().join(file);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    // From the end, so that a new transcript moves none that is still to come.
    for Transcript { command, at } in transcripts(&text).into_iter().rev() {
        let ran = perform(&command);
        if ran.code == Some(4) {
            println!("skipped: `{command}` lacks something here:\n{}{}", ran.stdout, ran.stderr);
            continue;
        }
        let mut shown = lines[at.clone()].to_vec();
        if update {
            let written = update::rewritten(&shown, &ran.stdout);
            written.dropped.iter().for_each(|line| println!("{file}: `{command}`: dropped: {line}"));
            lines.splice(at, written.lines.iter().cloned());
            shown = written.lines;
        }
        let compared = compare(&shown, &ran.stdout);
        assert_eq!(
            (ran.code, compared),
            (Some(0), Ok(())),
            "{file}: {command}\nremedy, if the new output is intended: {UPDATE}=1 cargo test -p sigproof-tests --test cli \
             readme\n{}\n{}",
            ran.stdout,
            ran.stderr
        );
    }
    if update {
        fs::write(path, lines.join("\n") + "\n").unwrap();
    }
}

#[test]
fn every_text_with_transcripts_is_compared() {
    let compared = ["README.md", "docs/architecture.md", "docs/model.md", "docs/step.md", "docs/stress.md"];
    let with = crate::documents::documents().into_iter().filter(|(_, text)| !transcripts(text).is_empty());
    let with: BTreeSet<_> = with.map(|(file, _)| file).collect();
    assert_eq!(with, compared.map(str::to_owned).into(), "the texts with transcripts, and the cases of the test above");
}

#[test]
fn a_transcript_is_a_command_with_output() {
    let text = "```console\n$ cargo xtask list\na\n\n$ cargo test\nb\n$ cargo xtask step  # no output\n```\n\n$ cargo xtask x\ny\n";
    let transcript = |command: &str, at| Transcript { command: command.to_owned(), at };
    assert_eq!(transcripts(text), [transcript("list", 2..4)]);
    assert_eq!(transcripts("```text\n$ cargo xtask list\na\n```\n"), []);
}
