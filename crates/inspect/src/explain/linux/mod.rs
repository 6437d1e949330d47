//! The explanation on Linux.
//!
//! ```text
//!  target ──► survey ──► wait ──► ender ──► closure ──► answer
//!  may it be   what the   what for  who can   is the      stacks, owners,
//!  looked at?  kernel     each      end it    group       the sentence
//!              shows      waits     (holders, closed?     (diagnose)
//!                                   socket)   (partial)
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `target` | whether the process may be looked at |
//! | `survey` | one pass over its threads |
//! | `wait` | what a system call waits for |
//! | `holders`, `socket` | who holds which descriptor, and the other end of a socket |
//! | `ender` | who can end a wait |
//! | `timers`, `inject` | timers that will send a signal |
//! | `view` | all threads, judged |
//! | `closure` | the processes that wait for each other |
//! | `core_file`, `core` | the threads and the memory of a core file, and the answer for it |
//! | `partial` | threads that hang while others go on |
//! | `spin` | whether a thread that runs goes round in a circle |
//! | `stuck` | the answer for a process that is stuck |
//! | `told` | signals and edges in words |

mod closure;
mod core;
mod core_file;
mod ender;
mod holders;
mod inject;
mod partial;
mod socket;
mod spin;
mod stuck;
mod survey;
mod target;
mod timers;
mod told;
mod view;
mod wait;

use super::{Answer, Process, Refused, Verdict};
use crate::hang::procfs;
use closure::Closure;
pub use core::explain_core;
use holders::Holders;
use std::io;
use std::thread;
use target::{Target, named};
use view::View;

/// Says whether process `pid` is stuck, and why. Takes 30 ms for a process that is not; several times that
/// for the stacks of one that is.
///
/// # Errors
/// There is no such process, or it may not be looked at.
pub fn explain(pid: u32) -> Result<Answer, Refused> {
    // The tracer has to end with the explanation: see `diagnose::linux::stop`.
    thread::scope(|scope| {
        let tracer = thread::Builder::new().name("explain".to_owned());
        let tracer = tracer.spawn_scoped(scope, || look(pid));
        let no_thread = |error: io::Error| Refused::Proc(format!("no thread to trace it from: {error}"));
        tracer.map_err(no_thread)?.join().unwrap_or_else(|_| Err(Refused::Proc("the explanation panicked".to_owned())))
    })
}

fn look(pid: u32) -> Result<Answer, Refused> {
    let target = Target::of(pid)?;
    let pid = target.process.pid;
    if let Some(answer) = at_once(&target) {
        return Ok(answer);
    }
    let holders = Holders::now();
    let process = target.process.clone();
    let view = View::of(target, &holders).map_err(|error| gone_or_hidden(&process, &error))?;
    match closure::of(view, &holders) {
        Closure::Closed(group) => stuck::group(&group),
        Closure::Open { view, thread, next } => {
            if let Some(partial) = partial::find(&view) {
                return Ok(stuck::part(view, partial, thread));
            }
            if let Some(answer) = spin::look(&view) {
                return Ok(answer);
            }
            Ok(open(&view, thread, next))
        }
        Closure::Unknown { view, why } => match partial::find(&view) {
            Some(partial) if partial.proven => Ok(stuck::part(view, partial, 0)),
            _ => Ok(Answer { sentence: why, ..bare(&view, Verdict::NotEnough) }),
        },
    }
    .map(|mut answer| {
        answer.process.pid = pid;
        answer
    })
}

/// What can be told without a look at the threads.
fn at_once(target: &Target) -> Option<Answer> {
    let process = target.process.clone();
    let answer = |verdict, sentence| {
        let threads = Vec::new();
        Answer { sentence, threads, ..empty(process.clone(), verdict) }
    };
    match (target.stopped, target.tracer) {
        (Some('t'), Some(tracer)) => {
            let sentence = format!("it is held by its tracer, {}, which alone can let it go on", named(tracer));
            return Some(Answer { next: Some(tracer), ..answer(Verdict::NotStuck, sentence) });
        }
        (Some('T'), _) => {
            let sentence = "it was stopped by a signal: SIGCONT continues it (`kill -CONT`, or `fg` in its shell)";
            return Some(answer(Verdict::NotStuck, sentence.to_owned()));
        }
        _ => {}
    }
    let kind = target.other_kind?;
    // States are the same for all programs; calls and stacks are not.
    let mut tids = Vec::new();
    let _ = procfs::thread_ids(process.pid, &mut tids);
    let state = |tid: &u32| procfs::thread_stat(process.pid, *tid).map(|stat| stat.state);
    if let Some(tid) = tids.iter().find(|tid| state(tid) == Some('R')) {
        return Some(answer(Verdict::NotStuck, format!("thread {tid} runs")));
    }
    let sleep = tids.iter().filter(|tid| state(tid) == Some('S')).count();
    let sentence = format!(
        "it is {kind}, whose system calls and stacks are not read here; of its {} threads, {sleep} sleep; run a sigproof of \
         that architecture, or gdb",
        tids.len()
    );
    Some(answer(Verdict::NotEnough, sentence))
}

fn gone_or_hidden(process: &Process, error: &io::Error) -> Refused {
    match error.raw_os_error() {
        Some(libc::ESRCH | libc::ENOENT) => Refused::Gone(process.pid),
        _ => Refused::MayNot {
            pid: process.pid,
            name: process.name.clone(),
            why: error.to_string(),
            remedy: "run this as its user, or as root".to_owned(),
        },
    }
}

/// A process that something can move.
fn open(view: &View, thread: usize, next: Option<u32>) -> Answer {
    let sentence = view.threads[thread].sentence();
    // A virtual machine's own threads wake up all the time, whatever its program does.
    let java = procfs::maps(view.pid()).iter().any(|map| map.path.ends_with("/libjvm.so"));
    if java && !matches!(view.threads[thread].ender, ender::Ender::Outside(_)) {
        let sentence = format!(
            "{sentence}, as the threads of a JVM itself always do; what Java's threads wait for is not shown by the system: \
             `jstack {}` shows it",
            view.pid()
        );
        return Answer { sentence, ..bare(view, Verdict::NotEnough) };
    }
    Answer { sentence, next, ..bare(view, Verdict::NotStuck) }
}

/// An answer with what is known of every process.
fn bare(view: &View, verdict: Verdict) -> Answer {
    let mut answer = empty(view.target.process.clone(), verdict);
    answer.threads = view.notes();
    if let Some(tracer) = view.target.tracer {
        answer.limits.push(format!("it is traced by {}, so that its threads cannot be stopped", named(tracer)));
    }
    answer
}

fn empty(process: Process, verdict: Verdict) -> Answer {
    Answer {
        verdict,
        sentence: String::new(),
        process,
        since: None,
        proof: Vec::new(),
        cycle: Vec::new(),
        signals: Vec::new(),
        rules: Vec::new(),
        entry: None,
        upstream: Vec::new(),
        fingerprint: None,
        limits: Vec::new(),
        threads: Vec::new(),
        next: None,
        diagnosis: None,
        stopped_micros: None,
    }
}
