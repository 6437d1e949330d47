//! The shared library of a command: its description, and the registry with its note and its windows.
//!
//! A command works with one library. This process never loads it: a child does, and describes it.

use std::path::Path;
use std::sync::OnceLock;

use sigproof_casebook::REGISTRY;
use sigproof_harness::Registry;
use sigproof_harness::validate::{self, describe::Undescribed};
use sigproof_osnote::foreign::current;
use sigproof_osnote::foreign::library::Description;
use sigproof_report::Run;

use crate::args::ChoiceArgs;
use crate::trouble::Trouble;

/// The registry of this process: the casebook, and what the library adds.
pub fn registry() -> &'static Registry {
    static WITH_LIBRARY: OnceLock<Registry> = OnceLock::new();
    if current::described().is_none() {
        return &REGISTRY;
    }
    WITH_LIBRARY.get_or_init(|| validate::with_library(REGISTRY))
}

/// The registry of a child, with the library that its parent handed down.
pub(crate) fn of_parent() -> &'static Registry {
    validate::take_over();
    registry()
}

/// Takes the library at `path` for this command.
///
/// # Errors
/// It cannot be tested, or it ends the child that loads it.
pub fn announce(path: &Path) -> Result<&'static Description, Trouble> {
    let described = validate::describe(path).map_err(|error| match &error {
        Undescribed::Bad(bad) if bad.is_of_machine() => Trouble::environment(error.to_string()),
        Undescribed::Bad(_) => Trouble::usage(error.to_string()),
        Undescribed::Refused(_) => Trouble::environment(error.to_string()),
        Undescribed::Ended { .. } => Trouble::unexpected(error.to_string()),
    })?;
    Ok(current::announce(described))
}

/// A choice in which a path among the notes is replaced by the name of that library's note.
///
/// # Errors
/// As [`announce`]; the library has no note; or more than one library is named.
pub fn of_choice(choice: &ChoiceArgs) -> Result<ChoiceArgs, Trouble> {
    let mut libraries: Vec<&String> = choice.notes.iter().filter(|word| is_path(word)).collect();
    libraries.dedup();
    let path = match libraries[..] {
        [] => return Ok(choice.clone()),
        [path] => path,
        _ => {
            let message = "a command takes one library; run it once for each".to_owned();
            return Err(Trouble::usage(message));
        }
    };
    announce(Path::new(path))?;
    // The windows of a library have no note: its path only says which library.
    if !choice.patterns.is_empty() && choice.patterns.iter().all(|pattern| pattern == validate::window::NAME) {
        let notes = choice.notes.iter().filter(|word| *word != path).cloned().collect();
        return Ok(ChoiceArgs { notes, ..choice.clone() });
    }
    let Some(note) = validate::backend_of(registry().notes()) else {
        let message = format!(
            "{path} has windows and no note; `{{program}} validate {path}` tests its windows, and sigproof_note in \
             sigproof.h declares a note"
        );
        return Err(Trouble::usage(message));
    };
    let named = |word: &String| if word == path { note.name.to_owned() } else { word.clone() };
    Ok(ChoiceArgs { notes: choice.notes.iter().map(named).collect(), ..choice.clone() })
}

/// Whether a word names a file rather than a note: the names of notes have no slash and no dot.
fn is_path(word: &str) -> bool {
    word.contains(['/', '.'])
}

/// Puts the library into the commands of a run that repeat something of it.
pub fn name_in(run: &mut Run) {
    let Some(described) = current::described() else { return };
    let of_library = validate::backend_of(registry().notes()).map(|note| note.name);
    let is_window = run.setup.case == validate::window::NAME;
    let name = match (&run.setup.note, of_library) {
        (Some(note), Some(name)) if note == name => Some(name),
        _ if is_window => None,
        _ => return,
    };
    let path = quoted(&described.path);
    let put = |command: &mut String| match name.map(|name| format!(" --note {name}")) {
        Some(by_name) if command.contains(&by_name) => *command = command.replace(&by_name, &format!(" --note {path}")),
        _ => *command += &format!(" --note {path}"),
    };
    run.replay.iter_mut().for_each(&put);
    let findings = run.diagnosis.iter_mut().chain(&mut run.more_diagnoses);
    findings.filter_map(|finding| finding.replay.as_mut()).for_each(put);
}

/// A path for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("./libmine.so", true)]
    #[case("libmine.so", true)]
    #[case("../a/b", true)]
    #[case("futex", false)]
    #[case("posix-sem", false)]
    fn a_path_is_told_from_a_name(#[case] word: &str, #[case] path: bool) {
        assert_eq!(is_path(word), path);
    }

    #[test]
    fn no_note_of_ours_looks_like_a_path() {
        assert!(REGISTRY.notes().iter().all(|note| !is_path(note.name)));
    }

    #[test]
    fn a_path_with_a_space_is_quoted() {
        assert_eq!(quoted(Path::new("/a/b.so")), "/a/b.so");
        assert_eq!(quoted(Path::new("/a b/it's.so")), r"'/a b/it'\''s.so'");
    }
}
