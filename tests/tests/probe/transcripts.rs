//! The transcript of `--lint` in docs/probe.md is what the command prints for `daemon.c`.

use std::fs;

use sigproof_tests::{run, workspace};

use crate::{Check, compiled};

pub const TESTS: &[(&str, Check)] = &[("the_lint_of_the_docs_is_what_is_printed", lint)];

/// What differs from one C library to another.
const OF_THE_LIBRARY: [&str; 2] = ["     and from there ", "     takes locks in "];

/// Lines that every C library gives. Both kinds of the others have to be there all the same.
fn common(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    for start in OF_THE_LIBRARY {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start}: {text}");
    }
    lines.into_iter().filter(|line| !OF_THE_LIBRARY.iter().any(|start| line.starts_with(start))).collect()
}

/// The text with the file of the source by its name alone.
fn short(text: &str) -> String {
    const FILE: &str = "daemon.c:";
    let word = |word: &str| match word.find(FILE) {
        Some(at) => format!("{}{}", if word.starts_with('(') { "(" } else { "" }, &word[at..]),
        None => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn lint() {
    const COMMAND: &str = "$ cargo xtask probe --lint ./daemon\n";
    let text = fs::read_to_string(workspace().join("docs/probe.md")).expect("docs/probe.md");
    let shown = text.split(COMMAND).nth(1).and_then(|rest| rest.split("```").next()).expect("the transcript");
    let ran = run(&["probe", "--lint", &compiled("daemon")]);
    let printed = short(&ran.stdout);
    // The windows are those of the locks that this C library takes.
    let (printed, windows) = printed.split_once("windows to sweep first: --at malloc").expect("windows");
    let (shown, shown_windows) = shown.split_once("windows to sweep first: --at malloc").expect("windows");
    assert_eq!((ran.code, common(shown)), (Some(1), common(printed)), "{ran:#?}");
    assert_eq!(windows.matches("--at").count(), shown_windows.matches("--at").count(), "{ran:#?}");
}
