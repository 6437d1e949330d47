//! Loom's path through its choices, as a short text.
//!
//! Loom writes the path of an execution as JSON, and reads it back. Of that only the choices matter: the
//! thread that went on at each branch, and which of several stores a load gave.
//!
//! | character | meaning |
//! |---|---|
//! | `A`..`E` | that thread goes on, and the load that follows gives the first of its stores |
//! | `a`..`e` | that thread goes on |
//! | `p`..`v` | the load gives that store, counted from the oldest in the history |
//! | `y`, `n` | a spurious choice of loom |
//! | a number | the character before it, so many times in all |

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec::Vec;
use std::{env, format, process};

use serde_json::{Value, json};

use crate::model::Choices;

/// Entries of loom's thread table.
const THREADS: usize = loom::MAX_THREADS;
/// Stores in an atomic's history.
const HISTORY: usize = 7;

/// A file for loom to write its path to, in a folder that only this user can enter; both are gone when this
/// is dropped.
pub(super) struct Scratch {
    folder: PathBuf,
    file: PathBuf,
}

/// How many names are tried, where other processes have left theirs.
const NAMES: u32 = 100;

impl Scratch {
    /// Makes the folder; no file yet. `mkdir` fails for a name that is taken and follows no link, so that a
    /// foreseeable name does no harm.
    pub(super) fn new() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..NAMES {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder = env::temp_dir().join(format!("sigproof-path-{}-{n}", process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self { file: folder.join("path.json"), folder }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    pub(super) fn read(&self) -> Option<String> {
        fs::read_to_string(&self.file).ok()
    }

    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        fs::write(&self.file, text)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays; it holds no more than a path.
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The character `n` places after `first`.
fn letter(first: char, n: usize) -> Option<char> {
    char::from_u32(first as u32 + u32::try_from(n).ok()?)
}

/// From loom's JSON; `None` if it is not as we know it.
pub(super) fn to_choices(text: &str) -> Option<Choices> {
    let path: Value = serde_json::from_str(text).ok()?;
    let mut all: Vec<char> = Vec::new();
    for entry in path["branches"]["entries"].as_array()? {
        if let Some(schedule) = entry.get("Schedule") {
            let active = schedule["threads"].as_array()?.iter().position(|t| t == "Active");
            // None is the end of the execution: no thread goes on.
            all.push(active.map_or(Some('z'), |n| letter('a', n))?);
        } else if let Some(load) = entry.get("Load") {
            let chosen = load["values"].get(usize::try_from(load["pos"].as_u64()?).ok()?)?.as_u64()?;
            match all.last_mut() {
                Some(last) if chosen == 0 && ('a'..='e').contains(last) => *last = last.to_ascii_uppercase(),
                _ => all.push(letter('p', usize::try_from(chosen).ok()?)?),
            }
        } else {
            all.push(if entry.get("Spurious")?["spur"].as_bool()? { 'y' } else { 'n' });
        }
    }
    let mut short = String::new();
    let mut rest = &all[..];
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|c| *c == first).count();
        short.push(*first);
        if run > 1 {
            short += &run.to_string();
        }
        rest = &rest[run..];
    }
    Some(Choices(short))
}

/// To JSON that loom reads.
pub(super) fn from_choices(choices: &Choices) -> Option<String> {
    let mut entries = Vec::new();
    let mut last_schedule = None;
    let mut rest = choices.0.chars().peekable();
    while let Some(c) = rest.next() {
        let mut count = String::new();
        while let Some(digit) = rest.next_if(char::is_ascii_digit) {
            count.push(digit);
        }
        let count = if count.is_empty() { 1 } else { count.parse::<usize>().ok().filter(|n| *n < 100_000)? };
        for _ in 0..count {
            match c {
                'a'..='e' | 'A'..='E' | 'z' => {
                    let threads = threads(c.to_ascii_lowercase());
                    let prev = last_schedule.map(|index: usize| json!({"index": index, "_p": null}));
                    last_schedule = Some(entries.len());
                    entries.push(json!({"Schedule": {
                        "preemptions": 0, "initial_active": null, "threads": threads, "prev": prev, "exploring": false,
                    }}));
                    if c.is_ascii_uppercase() {
                        entries.push(load(0));
                    }
                }
                'p'..='v' => entries.push(load(c as usize - 'p' as usize)),
                'y' | 'n' => entries.push(json!({"Spurious": {"spur": c == 'y', "exploring": false}})),
                _ => return None,
            }
        }
    }
    let path = json!({
        "preemption_bound": null, "pos": 0, "branches": {"entries": entries},
        "exploring": true, "skipping": false, "exploring_on_start": true,
    });
    Some(path.to_string())
}

fn threads(active: char) -> Vec<&'static str> {
    let active = active as usize - 'a' as usize;
    (0..THREADS).map(|n| if n == active { "Active" } else { "Disabled" }).collect()
}

fn load(store: usize) -> Value {
    let mut values = [0; HISTORY];
    values[0] = store;
    json!({"Load": {"values": values, "pos": 0, "len": 1, "exploring": false}})
}
