//! What `validate` is asked for, and what its help adds.

use std::path::PathBuf;

use clap::Args;
use sigproof_report::write::Target;

use super::ShownArgs;
use super::help::exit_codes;

/// The arguments of `validate`.
#[derive(Args, Clone, Debug, Default)]
#[command(about = "Test a wake-up primitive or a window of a shared library, written against sigproof.h", after_help = exit_codes(), after_long_help = format!("{VALIDATE}\n{}", exit_codes()))]
pub struct ValidateArgs {
    /// The shared library, such as ./libmine.so
    #[arg(value_name = "LIBRARY")]
    pub library: Option<PathBuf>,
    /// Only the note (`note`), only the windows (`window`), or only one window (`window NAME`, or NAME;
    /// repeatable)
    #[arg(long = "only", value_names = ["note|window", "NAME"], num_args = 1..=2, action = clap::ArgAction::Append)]
    pub only: Vec<String>,
    /// Only what signals at random times show, and the contract
    #[arg(long)]
    pub stress: bool,
    /// Only what a signal at every instruction shows, and the contract
    #[arg(long)]
    pub step: bool,
    /// How much of each finding to print.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Write a report, json=PATH or junit=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = super::target())]
    pub reports: Vec<Target>,
}

/// What is tested of a library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// The note.
    pub note: bool,
    /// All windows.
    pub windows: bool,
    /// These windows.
    pub named: Vec<String>,
}

impl ValidateArgs {
    /// The library and what is tested of it. `--only` takes one or two words, so the library may stand among
    /// them.
    ///
    /// # Errors
    /// There is no library.
    pub fn resolved(&self) -> Result<(PathBuf, Only), String> {
        let mut words = self.only.clone();
        let library = match &self.library {
            Some(library) => library.clone(),
            None => match words.iter().position(|word| word.contains(['/', '.'])) {
                Some(at) => PathBuf::from(words.remove(at)),
                None => return Err("no library is named; name one, such as ./libmine.so".to_owned()),
            },
        };
        if self.only.is_empty() {
            return Ok((library, Only { note: true, windows: true, named: Vec::new() }));
        }
        if words.is_empty() {
            return Err("`--only` names neither `note` nor `window` nor the name of a window".to_owned());
        }
        let mut only = Only::default();
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            let a_name = |next: &&String| !matches!(next.as_str(), "note" | "window");
            match word.as_str() {
                "note" => only.note = true,
                "window" => match words.next_if(a_name) {
                    Some(name) => only.named.push(name.clone()),
                    None => only.windows = true,
                },
                name => only.named.push(name.to_owned()),
            }
        }
        Ok((library, only))
    }
}

/// Below the help of `validate`.
pub const VALIDATE: &str = "\
A library exports sigproof_note, sigproof_windows or both, as sigproof.h declares them. Only child
processes load it: whatever it does there is a result.

Build one with
  cc -shared -fPIC -g -I FOLDER_OF_SIGPROOF_H -o libmine.so mine.c

Examples:
  {program} validate ./libmine.so                     the note and every window
  {program} validate ./libmine.so --only note --step  only the note, at every instruction
  {program} validate ./libmine.so --only window NAME  one window
  {program} validate ./libmine.so --report json=-     for programs: schema sigproof.validate/1
  {program} stress --note ./libmine.so                every case that takes a note, over this one

Of a note, in this order:
  contract   what sigproof.h promises, each check in a process of its own; without it, no sweep
  step       sleep, timed sleep, wake-up and clear, with a handler that wakes at every instruction
  stress     a handler that wakes, at random times, its own thread that goes to sleep
Of a window: step and stress, each execution with the window's own check and with ours: the handler
ran once and returned; errno, signal mask, dispositions and descriptors are as they were; the result
is that of one of the two orders (SIGPROOF_DIGEST); the handler allocates nothing and takes no lock
(SIGPROOF_NO_MALLOC).

The verdicts:
  safe as claimed                           no bad end was seen; in brackets, how much was looked at
  claims to be safe; self-deadlocks at ..   the claim is wrong
  unsafe as claimed; self-deadlocks at ..   as the library says
  claims to be unsafe; was not seen to fail the claim was not confirmed (exit code 3)
  does what its contract forbids: ..        whatever the claim
  not decided: ..                           something could not be looked at
";

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn args(library: Option<&str>, only: &[&str]) -> ValidateArgs {
        let only = only.iter().map(|word| (*word).to_owned()).collect();
        ValidateArgs { library: library.map(PathBuf::from), only, ..ValidateArgs::default() }
    }

    #[rstest]
    #[case::all(Some("./a.so"), &[], true, true, &[])]
    #[case::note(Some("./a.so"), &["note"], true, false, &[])]
    #[case::note_before(None, &["note", "./a.so"], true, false, &[])]
    #[case::windows(Some("./a.so"), &["window"], false, true, &[])]
    #[case::window(Some("./a.so"), &["window", "x"], false, false, &["x"])]
    #[case::name(None, &["x", "./a.so"], false, false, &["x"])]
    #[case::both(Some("./a.so"), &["window", "x", "note"], true, false, &["x"])]
    fn what_is_tested(
        #[case] library: Option<&str>,
        #[case] only: &[&str],
        #[case] note: bool,
        #[case] windows: bool,
        #[case] named: &[&str],
    ) {
        let (path, found) = args(library, only).resolved().unwrap();
        assert_eq!(path, PathBuf::from("./a.so"));
        let named = named.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(found, Only { note, windows, named });
    }

    #[test]
    fn without_a_library_it_is_wrong_usage() {
        assert!(args(None, &["note"]).resolved().is_err());
        assert!(args(None, &["./a.so"]).resolved().is_err());
    }
}
