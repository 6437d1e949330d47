//! The diagnosis on Linux.
//!
//! | file | holds |
//! |---|---|
//! | `stop` | holding the threads still |
//! | `step` | one instruction at a time |
//! | `counters` | where running threads are |
//! | `memory` | the child's memory |
//! | `arch` | registers and signal frames |
//! | `c_library` | locks of glibc and of musl |
//! | `elf`, `lines` | object files and what they say of an address |
//! | `file` | what an object file says that no process has mapped |
//! | `images` | which object file is where in the child |
//! | `cfi` | which unwinding table covers an address |
//! | `symbols` | which code is where in this process |
//! | `unwind` | stacks |
//! | `guess` | the next frame of code without an unwinding table |
//! | `signal` | the signal of a signal frame |
//! | `waits` | what a thread waits for |
//! | `library_locks` | what a lock inside the C library guards |
//! | `owners` | whose it is |
//! | `seen` | the threads, their stacks and what they wait for, read while they are held still |
//! | `verdict` | the kind of hang and the sentence |

pub(crate) mod arch;
mod c_library;
mod cfi;
mod counters;
mod elf;
mod file;
mod guess;
pub(crate) mod images;
mod library_locks;
mod lines;
pub(crate) mod memory;
mod owners;
pub(crate) mod seen;
pub(crate) mod signal;
pub(crate) mod step;
pub(crate) mod stop;
mod symbols;
mod unwind;
pub(crate) mod verdict;
mod waits;

use super::{DiagnoseError, Diagnosis, ThreadReport};
use crate::hang::Stuck;
use crate::hang::procfs::{self, thread_stat};
pub use counters::counters;
pub use file::FileSymbols;
use images::Images;
pub use lines::demangled;
use memory::Memory;
pub(crate) use seen::{Seen, Subject};
use std::thread;
use std::time::Instant;
pub use symbols::Symbols;

/// Says why process `pid`, which [`Watch`](crate::hang::Watch) found to be `stuck`, is.
///
/// `pid` must be the caller's own unreaped child, or its id may name another process by now. The child is
/// left as it was: stuck, not stopped. Takes 10 ms or so, several times that for the first child of an
/// executable; never hangs, whatever the child does. The tracer is a thread of its own: a caller that
/// meanwhile collects the state changes of *any* child on another thread may take a stop away from it.
///
/// # Errors
/// [`DiagnoseError::Gone`] if the child has ended, [`DiagnoseError::Refused`] if the kernel shows nothing of
/// it.
pub fn diagnose(pid: u32, stuck: Stuck) -> Result<Diagnosis, DiagnoseError> {
    let refused = |reason: String| DiagnoseError::Refused { pid, reason };
    // The tracer has to end with the diagnosis: see `stop`.
    thread::scope(|scope| {
        let tracer = thread::Builder::new().name("diagnose".to_owned());
        let tracer = tracer.spawn_scoped(scope, || examine(pid, stuck));
        let tracer = tracer.map_err(|error| refused(format!("no thread to trace it from: {error}")))?;
        tracer.join().unwrap_or_else(|_| Err(refused("the diagnosis panicked".to_owned())))
    })
}

fn examine(pid: u32, stuck: Stuck) -> Result<Diagnosis, DiagnoseError> {
    let begun = Instant::now();
    let Seen { subjects, method, remarks, .. } = seen::see(pid, &[])?;
    if subjects.iter().all(|subject| subject.registers.is_none()) {
        if thread_stat(pid, pid).is_none_or(|stat| stat.state == 'Z') {
            return Err(DiagnoseError::Gone(pid));
        }
        return Err(DiagnoseError::Refused { pid, reason: remarks.join("; ") });
    }
    let mut threads: Vec<ThreadReport> = subjects.into_iter().map(|subject| subject.report).collect();
    let verdict = verdict::reach(&threads, stuck);
    let rank = |tid: u32| verdict.about.iter().position(|other| *other == tid).unwrap_or(usize::MAX);
    threads.sort_by_key(|thread| rank(thread.tid));
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(Diagnosis { kind: verdict.kind, sentence: verdict.sentence, threads, method, remarks, micros })
}

/// Reads what a diagnosis of a child of this same executable will need: its object files, their symbols and
/// line tables. It takes some tens of milliseconds, once in a process, which the first diagnosis is then
/// spared.
pub fn warm_up() {
    let pid = std::process::id();
    let mut memory = Memory::new(pid);
    let images = Images::new(pid, &procfs::maps(pid), &mut memory);
    images.frames(warm_up as *const () as u64, false);
}
