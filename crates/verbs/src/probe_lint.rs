//! The part of `probe` that asks what handlers do: as they run, and in the machine code.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sigproof_probe::lint::{self, Lint, Window};
use sigproof_probe::{Reading, Request, Trouble as Refused};
use sigproof_report::exit::Exit;

use crate::args::ProbeArgs;

/// Windows that the text names.
const SHOWN: usize = 6;

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub lints: Vec<Lint>,
    pub windows: Vec<Window>,
    pub notes: Vec<String>,
    /// Nothing was found, and that is not enough to tell.
    pub open: bool,
}

impl Found {
    /// What the command's exit code says of it.
    pub(crate) fn exit(&self) -> Exit {
        if self.lints.iter().any(Lint::is_bad) {
            Exit::Unexpected
        } else if self.open {
            Exit::Inconclusive
        } else {
            Exit::AsExpected
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = self.lints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        if self.lints.is_empty() {
            text += "no handler was found in the machine code: it may be installed by a pointer that is computed, or by \
                     code that is loaded later; run it: --lint -- COMMAND\n";
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }

    /// The windows to begin with, for people.
    pub(crate) fn proposed(&self) -> String {
        let at: Vec<String> =
            self.windows.iter().take(SHOWN).map(|window| format!("--at {}", window.function)).collect();
        let mut text = String::new();
        if !at.is_empty() {
            let _ = writeln!(text, "windows to sweep first: {}", at.join(" "));
        }
        text
    }

    /// Why each window was chosen, for people.
    pub(crate) fn reasons(&self) -> String {
        if self.windows.is_empty() {
            return "no window follows from what the handlers do: name the function that a signal may interrupt, with --at\n"
                .to_owned();
        }
        let mut text = String::from("windows, the likeliest first:\n");
        for window in &self.windows {
            let _ = writeln!(text, "  {window}");
        }
        text
    }
}

/// Reads the program that is named, without running it.
pub(crate) fn of_program(args: &ProbeArgs, program: &Path) -> Result<Found, Refused> {
    let Reading { lints, notes, incomplete } = sigproof_probe::read(&located(program), &args.signals)?;
    let open = incomplete || lints.is_empty() || lints.iter().any(Lint::is_open);
    Ok(Found { windows: lint::windows(&lints), lints, notes, open })
}

/// Adds to what was seen as the command ran what its machine code says.
pub(crate) fn of_command(request: &Request, seen: Vec<Lint>) -> Found {
    let program = request.command.first().map(|program| located(Path::new(program)));
    let mut found = Found { lints: seen, ..Found::default() };
    match program.map(|program| sigproof_probe::read(&program, &request.signals)) {
        Some(Ok(reading)) => {
            found.lints.extend(reading.lints);
            found.notes.extend(reading.notes);
        }
        Some(Err(why)) => found.notes.push(format!("the machine code was not read: {why}")),
        None => {}
    }
    found.windows = lint::windows(&found.lints);
    found
}

/// A name without a folder is looked for as a shell does.
fn located(program: &Path) -> PathBuf {
    if program.components().count() > 1 || program.exists() {
        return program.to_owned();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| program.to_owned())
}
