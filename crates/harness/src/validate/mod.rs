//! The note and the windows of a shared library, under the same techniques as the cases.
//!
//! ```text
//!  verbs ──► describe ──► [child] loads the library, checks it, writes its description
//!    │
//!    ├──► stress ──► [child] worker ──► contract, note, window
//!    └──► step   ──► [child] loads the library ──► sweep ──► [its child] stage ──► note, window
//! ```
//!
//! | module | holds |
//! |---|---|
//! | this one | what a library adds to a registry, and how a child is told of it |
//! | [`describe`](mod@describe) | the child that finds out what a library is |
//! | [`contract`] | the contract of a note, one check in one process |
//! | [`note`], [`window`] | the stress and the sweeps of a note and of a window |
//! | [`guard`] | what a library must leave as it was; writes over an instance's bounds |
//! | `stack` | how much stack a handler uses |
//! | [`asleep`] | whether a thread of this process sleeps |
//! | [`verdict`] | the claim of a library against what was seen, in a sentence |

pub mod asleep;
pub mod contract;
pub mod describe;
pub mod guard;
pub mod note;
mod stack;
pub mod verdict;
pub mod window;

use std::process::Command;

use sigproof_osnote::foreign::library::Description;
use sigproof_osnote::foreign::{Library, current, note as foreign};
use sigproof_osnote::{Backend, Backends};
use sigproof_report::Outcome;
use sigproof_step::OnlyThread;

use crate::case::Case;
use crate::failure::Failure;
use crate::forked::Entry;
use crate::registry::Registry;

pub use describe::describe;

/// The variable of the environment that tells a child which library it is.
const VARIABLE: &str = "SIGPROOF_LIBRARY";

/// How long a library may take to be loaded once more, in seconds.
const LOADING: libc::c_uint = 20;

/// Tells a child of this process which library it is, if there is one.
pub fn hand_down(command: &mut Command) {
    if let Some(text) = current::described().and_then(|described| serde_json::to_string(described).ok()) {
        command.env(VARIABLE, text);
    }
}

/// In a child: takes what its parent handed down.
pub fn take_over() {
    let text = std::env::var(VARIABLE).ok();
    if let Some(described) = text.and_then(|text| serde_json::from_str::<Description>(&text).ok()) {
        current::announce(described);
    }
}

/// A registry with the note of this process's library, and with the cases that test the library itself.
/// Without a library it stays what it is.
pub fn with_library(registry: Registry) -> Registry {
    let Some(described) = current::described() else { return registry };
    let backend = described.note.as_ref().map(|said| foreign::backend(name_among(registry.notes(), &said.name), said));
    let registry = backend.map_or(registry, |backend| registry.with_note(backend));
    let ours: [&'static dyn Case; 3] = [&contract::CASE, &note::CASE, &window::CASE];
    registry.with_cases(&ours).with_more_windows(entries)
}

/// The library of this process, loaded: for children.
///
/// # Errors
/// [`Outcome::Crash`]: it cannot be loaded any more.
fn loaded() -> Result<&'static Library, Failure> {
    current::loaded().map_err(|bad| Failure::new(Outcome::Crash, bad.to_string()))
}

/// Loads the library in a process that sweeps: its code is then at the same addresses in every child. Why it
/// cannot be swept, if that is so.
pub(crate) fn preload() -> Result<(), String> {
    if current::described().is_none() {
        return Ok(());
    }
    // A constructor that returned before may hang now: the default of SIGALRM ends this process.
    // SAFETY: takes a number.
    unsafe { libc::alarm(LOADING) };
    let loaded = current::loaded().map(drop).map_err(ToString::to_string);
    // SAFETY: as above.
    unsafe { libc::alarm(0) };
    loaded?;
    let threads = "its constructor starts threads, and a sweep forks: start threads in `init` or `make`";
    OnlyThread::check().map(drop).map_err(|_| threads.to_owned())
}

/// The name of a library's note beside those of a registry.
fn name_among(known: Backends, name: &str) -> String {
    if known.find(name).is_some() { format!("{name}-of-library") } else { name.to_owned() }
}

/// The library's note in a list of notes: the last one, if there is one.
pub fn backend_of(notes: Backends) -> Option<&'static Backend> {
    current::described()?.note.as_ref()?;
    notes.iter().last()
}

fn entries(notes: Backends) -> Vec<Entry> {
    let Some(described) = current::described() else { return Vec::new() };
    note::entries(notes).into_iter().chain(window::entries(described)).collect()
}
