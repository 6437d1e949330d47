//! The file of `--continue`: what is known of each model, for a later command of the same build.
//!
//! A model that is done is not explored again. One that is not goes on from the graphs that its search was
//! left with.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sigproof_harness::model::Entry;
use sigproof_harness::model::state::State;
use sigproof_report::Run;

use super::rounds::Part;
use crate::args::ModelArgs;
use crate::trouble::Trouble;

/// The version of the form.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    sigproof_state: u32,
    /// A checksum of the program that explores: graphs mean something to this program alone.
    build: String,
    /// Bounds that were asked for.
    bounds: String,
    models: BTreeMap<String, Known>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    run: Run,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<State>,
}

impl Saved {
    /// Reads the file; an empty one if there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is none of this build with these bounds.
    pub(super) fn open(path: &Path, program: &Path, args: &ModelArgs) -> Result<Self, Trouble> {
        let build = checksum(program).map_err(|error| cannot("read", program, &error))?;
        let bounds = match (args.deliveries, args.deep) {
            (_, true) => "deep".to_owned(),
            (Some(deliveries), _) => format!("deliveries {deliveries}"),
            (None, _) => "default".to_owned(),
        };
        let bounds = match args.most_weak_failures() {
            Some(most) => format!("{bounds}, weak failures {most}"),
            None => bounds,
        };
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let empty = Self { sigproof_state: VERSION, build, bounds, models: BTreeMap::new() };
                // It must be possible to write it at the end of a long search.
                empty.write(path)?;
                return Ok(empty);
            }
            Err(error) => return Err(cannot("read", path, &error)),
        };
        let version =
            serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|all| all["sigproof_state"].as_u64());
        let refuse =
            |why: String| Trouble::usage(format!("{shown} {why}; name a file that does not exist to begin anew"));
        match version {
            None => return Err(refuse("is no state of a search".to_owned())),
            Some(version) if version != u64::from(VERSION) => {
                return Err(refuse(format!("has the form {version}, and this program reads the form {VERSION}")));
            }
            Some(_) => {}
        }
        let saved: Self =
            serde_json::from_str(&text).map_err(|error| refuse(format!("is no state of a search: {error}")))?;
        if saved.build != build {
            return Err(refuse("is of another build of the models, whose graphs mean nothing to this one".to_owned()));
        }
        if saved.bounds != bounds {
            return Err(refuse(format!("is of a search with other bounds: {}, not {bounds}", saved.bounds)));
        }
        Ok(saved)
    }

    /// What is known of the chosen models, by their indices.
    pub(super) fn known(&self, chosen: &[Entry]) -> BTreeMap<usize, Part> {
        let known = chosen.iter().enumerate().filter_map(|(index, entry)| {
            let known = self.models.get(&entry.label())?;
            Some((index, Part { run: known.run.clone(), state: known.state.clone() }))
        });
        // What was not even begun is not known.
        known.filter(|(_, part)| !part.is_open() || part.state.is_some()).collect()
    }

    /// Takes in what is known now.
    pub(super) fn put(&mut self, chosen: &[Entry], parts: &BTreeMap<usize, Part>) {
        for (index, part) in parts {
            let known = Known { run: part.run.clone(), state: part.state.clone().filter(|_| part.is_open()) };
            self.models.insert(chosen[*index].label(), known);
        }
    }

    /// Writes the file: the whole of it, or nothing.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), Trouble> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(io::BufWriter::new(&mut file), self)?;
            file.persist(path)?;
            Ok(())
        };
        written().map_err(|error| cannot("write", path, &error))
    }
}

/// A checksum of a file: FNV-1a, over words.
fn checksum(path: &Path) -> io::Result<String> {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for word in std::fs::read(path)?.chunks(8) {
        let word = word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        sum = (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }
    Ok(format!("{sum:016x}"))
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Trouble {
    Trouble::environment(format!("cannot {verb} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_report::Exit;

    #[rstest]
    #[case::nonsense("nonsense", "is no state")]
    #[case::another_form(r#"{"sigproof_state": 99}"#, "the form 99")]
    #[case::cut(r#"{"sigproof_state": 1}"#, "is no state")]
    #[case::another_build(r#"{"sigproof_state": 1, "build": "x", "bounds": "default", "models": {}}"#, "another build")]
    fn a_state_that_does_not_fit_is_refused(#[case] text: &str, #[case] said: &str) {
        let folder = tempfile::tempdir().unwrap();
        let (state, program) = (folder.path().join("state"), folder.path().join("program"));
        std::fs::write(&state, text).unwrap();
        std::fs::write(&program, "a program").unwrap();
        let refused = Saved::open(&state, &program, &ModelArgs::default()).unwrap_err();
        assert_eq!(refused.exit, Exit::Usage);
        assert!(refused.message.contains(said), "{}", refused.message);
        assert_eq!(std::fs::read_to_string(&state).unwrap(), text, "it stays as it is");
    }

    #[test]
    fn a_state_is_of_one_build_and_of_some_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let (state, program) = (folder.path().join("state"), folder.path().join("program"));
        std::fs::write(&program, "a program").unwrap();
        let open = |deep: bool| Saved::open(&state, &program, &ModelArgs { deep, ..ModelArgs::default() });
        assert!(open(false).is_ok() && state.is_file());
        assert!(open(false).is_ok());
        assert!(open(true).unwrap_err().message.contains("other bounds"));
        std::fs::write(&program, "b program").unwrap();
        assert!(open(false).unwrap_err().message.contains("another build"));
        let nowhere = Saved::open(&folder.path().join("no/state"), &program, &ModelArgs::default()).unwrap_err();
        assert_eq!(nowhere.exit, Exit::Environment);
    }
}
