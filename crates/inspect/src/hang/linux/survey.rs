//! One pass over all threads of the child, and what two passes say together.

use super::procfs::{RunAccount, parse_schedstat, parse_syscall, reread, thread_ids};
use super::sleep::Sleep;
use std::fs::File;
use std::io;

/// What a thread was doing when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// In an untimed wait.
    Asleep(Sleep),
    /// On a CPU or waiting for one.
    Awake,
    /// Ended; the leader's entry stays until the whole process has ended.
    Exited,
    /// Blocked in anything else.
    Elsewhere,
}

/// All threads at one look, by ascending id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub threads: Vec<(u32, Doing, RunAccount)>,
}

impl Survey {
    /// The process has ended.
    pub(super) fn is_over(&self) -> bool {
        self.threads.iter().all(|(_, doing, _)| *doing == Doing::Exited)
    }

    /// A thread that blocked has run before: no slice on record means that no record is kept.
    pub(super) fn unaccounted(&self) -> bool {
        self.threads.iter().any(|(_, doing, run)| matches!(doing, Doing::Asleep(_)) && run.slices == 0)
    }

    pub(super) fn all_asleep(&self) -> bool {
        self.threads.iter().all(|(_, doing, _)| matches!(doing, Doing::Asleep(_) | Doing::Exited))
    }

    pub(super) fn any_elsewhere(&self) -> bool {
        self.threads.iter().any(|(_, doing, _)| *doing == Doing::Elsewhere)
    }

    /// A thread that waits on a futex which may be another process's too.
    pub(super) fn any_shared_futex(&self) -> Option<u32> {
        let shared = |doing: &Doing| matches!(doing, Doing::Asleep(Sleep::SharedFutex { .. }));
        self.threads.iter().find(|(_, doing, _)| shared(doing)).map(|&(tid, _, _)| tid)
    }

    pub(super) fn runners(&self) -> impl Iterator<Item = u32> {
        self.threads.iter().filter(|(_, doing, _)| *doing == Doing::Awake).map(|&(tid, _, _)| tid)
    }

    /// Whether `later` shows the same threads doing the same, sleepers without having run.
    pub(super) fn continues(&self, later: &Survey) -> bool {
        self.threads.len() == later.threads.len()
            && self
                .threads
                .iter()
                .zip(&later.threads)
                .all(|(was, is)| was.0 == is.0 && was.1 == is.1 && (was.2 == is.2 || was.1 == Doing::Awake))
    }

    /// Whether each runner of both surveys (which [continue](Self::continues) each other) spent `limit` ns of
    /// CPU in between.
    pub(super) fn every_runner_burnt(&self, later: &Survey, limit: u64) -> bool {
        self.burnt(later).all(|(_, ns)| ns >= limit)
    }

    /// The runner that spent most CPU between two surveys that continue each other.
    pub(super) fn busiest(&self, later: &Survey) -> Option<u32> {
        self.burnt(later).max_by_key(|&(_, ns)| ns).map(|(tid, _)| tid)
    }

    fn burnt(&self, later: &Survey) -> impl Iterator<Item = (u32, u64)> {
        let pairs = self.threads.iter().zip(&later.threads);
        pairs
            .filter(|(was, _)| was.1 == Doing::Awake)
            .map(|(was, is)| (was.0, is.2.cpu_ns.saturating_sub(was.2.cpu_ns)))
    }
}

/// Open handles of one thread.
#[derive(Debug)]
struct Handles {
    tid: u32,
    syscall: File,
    schedstat: File,
}

/// The handles kept from look to look.
#[derive(Debug)]
pub(super) struct Threads {
    pid: u32,
    ids: Vec<u32>,
    handles: Vec<Handles>,
}

impl Threads {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid, ids: Vec::new(), handles: Vec::new() }
    }

    /// Lists the threads and looks at each.
    ///
    /// # Errors
    /// Those of the files: `ENOENT` or `ESRCH` for a thread that ended during the survey, `EACCES` or `EPERM`
    /// where it is refused.
    pub(super) fn survey(&mut self) -> io::Result<Survey> {
        let pid = self.pid;
        thread_ids(pid, &mut self.ids)?;
        if self.ids.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let ids = &self.ids;
        self.handles.retain(|handle| ids.binary_search(&handle.tid).is_ok());
        let mut threads = Vec::with_capacity(ids.len());
        for &tid in ids {
            let at = match self.handles.binary_search_by_key(&tid, |handle| handle.tid) {
                Ok(at) => at,
                Err(at) => {
                    self.handles.insert(at, open(pid, tid)?);
                    at
                }
            };
            match look_at(&self.handles[at]) {
                Ok((doing, run)) => threads.push((tid, doing, run)),
                Err(error) => {
                    // A stale handle must not outlive its thread: the id may come back.
                    self.handles.remove(at);
                    return Err(error);
                }
            }
        }
        Ok(Survey { threads })
    }

    /// Whether a living process has no files to look at: asked after `ENOENT`.
    pub(super) fn lacks_files(&self) -> bool {
        let base = format!("/proc/{}", self.pid);
        let there = |name: &str| std::fs::exists(format!("{base}/{name}")).unwrap_or(false);
        there("stat") && !(there("syscall") && there("schedstat"))
    }
}

fn open(pid: u32, tid: u32) -> io::Result<Handles> {
    let file = |name: &str| File::open(format!("/proc/{pid}/task/{tid}/{name}"));
    Ok(Handles { tid, syscall: file("syscall")?, schedstat: file("schedstat")? })
}

/// The system call first, the account second: the module's proof rests on this order.
fn look_at(handle: &Handles) -> io::Result<(Doing, RunAccount)> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let mut buffer = [0; 256];
    let syscall = parse_syscall(reread(&handle.syscall, &mut buffer)?).ok_or_else(bad)?;
    let run = parse_schedstat(reread(&handle.schedstat, &mut buffer)?).ok_or_else(bad)?;
    Ok((super::doing(syscall), run))
}
