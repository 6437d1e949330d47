//! One pass over the threads of a process, and what two passes say together.
//!
//! The system call of a thread is read before its account: see [`hang`](crate::hang) for why two equal passes
//! prove that all threads slept at one instant.

use crate::hang::procfs::{self, RunAccount, Syscall, parse_schedstat, parse_syscall};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::time::Duration;

/// One thread at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub tid: u32,
    pub syscall: Syscall,
    pub run: RunAccount,
    /// The scheduler's letter.
    pub state: char,
}

/// All threads, by ascending id.
///
/// # Errors
/// The process is gone, or hides what is needed. A thread that ends meanwhile is left out.
pub(super) fn survey(pid: u32) -> io::Result<Vec<Looked>> {
    let mut ids = Vec::new();
    procfs::thread_ids(pid, &mut ids)?;
    let mut threads = Vec::with_capacity(ids.len());
    for tid in ids {
        match look(pid, tid) {
            Ok(looked) => threads.push(looked),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => {}
            Err(error) => return Err(error),
        }
    }
    if threads.is_empty() { Err(io::Error::from_raw_os_error(libc::ESRCH)) } else { Ok(threads) }
}

fn look(pid: u32, tid: u32) -> io::Result<Looked> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/task/{tid}/{name}"));
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let syscall = parse_syscall(&read("syscall")?).ok_or_else(bad)?;
    let run = parse_schedstat(&read("schedstat")?).ok_or_else(bad)?;
    let state = procfs::thread_stat(pid, tid).map_or('X', |stat| stat.state);
    Ok(Looked { tid, syscall, run, state })
}

/// The threads that did something between two passes, or appeared: `None` for a thread that ended.
pub(super) fn moved(first: &[Looked], second: &[Looked]) -> Vec<u32> {
    let rested = |thread: &&Looked| first.iter().any(|was| was == *thread);
    let mut moved: Vec<u32> = second.iter().filter(|thread| !rested(thread)).map(|thread| thread.tid).collect();
    moved.extend(first.iter().map(|was| was.tid).filter(|tid| second.iter().all(|thread| thread.tid != *tid)));
    moved
}

/// How long ago each of these threads ran last, in seconds, by the scheduler's own records.
///
/// Each processor has a clock of its own, so the calling thread, which must have no other task, goes to the
/// processor that a thread ran on, and looks at its own record there.
pub(super) fn ran_ago(pid: u32, tids: &[u32]) -> Vec<(u32, f64)> {
    let mut clocks: Vec<(usize, Option<f64>)> = Vec::new();
    let own = nix::unistd::gettid();
    let mut ago = Vec::new();
    for &tid in tids {
        let (Some(ran), Some(on)) = (ran_at(pid, tid), processor(pid, tid)) else { continue };
        if clocks.iter().all(|(known, _)| *known != on) {
            let mut set = CpuSet::new();
            let moved = set.set(on).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)).is_ok();
            // To be given the processor again makes a new record.
            std::thread::sleep(Duration::from_micros(50));
            let now = if moved { ran_at(std::process::id(), own.as_raw().cast_unsigned()) } else { None };
            clocks.push((on, now));
        }
        let now = clocks.iter().find(|(known, _)| *known == on).and_then(|(_, now)| *now);
        ago.extend(now.map(|now| (tid, (now - ran).max(0.0))));
    }
    ago
}

/// When a thread was given its processor last.
fn ran_at(pid: u32, tid: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/sched")).ok()?;
    let line = text.lines().find(|line| line.starts_with("se.exec_start"))?;
    let milliseconds: f64 = line.rsplit(':').next()?.trim().parse().ok()?;
    Some(milliseconds / 1e3)
}

/// The processor that a thread ran on last: field 39 of its `stat`.
fn processor(pid: u32, tid: u32) -> Option<usize> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
    text.get(text.rfind(')')? + 1..)?.split_whitespace().nth(36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_got_a_processor_has_moved() {
        let thread = |tid, slices| Looked {
            tid,
            syscall: Syscall::In { nr: 1, args: [0; 6], sp: 1, pc: 1 },
            run: RunAccount { cpu_ns: 5, slices },
            state: 'S',
        };
        let first = [thread(1, 1), thread(2, 1)];
        assert_eq!(moved(&first, &first), Vec::<u32>::new());
        assert_eq!(moved(&first, &[thread(1, 1), thread(2, 2)]), [2]);
        assert_eq!(moved(&first, &[thread(1, 1)]), [2]);
        assert_eq!(moved(&first, &[thread(1, 1), thread(2, 1), thread(3, 1)]), [3]);
    }
}
