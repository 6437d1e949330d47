//! A process as several looks have shown it: what each thread does, who can end that, and whether it has
//! moved meanwhile. Nothing is stopped.

use super::ender::{Ender, World};
use super::holders::Holders;
use super::survey::{Looked, moved, ran_ago, survey};
use super::target::Target;
use super::wait::Wait;
use crate::diagnose::linux::memory::Memory;
use crate::explain::{Since, ThreadNote};
use crate::hang::procfs::{self, Status, thread_status};
use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// Between the first two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// One thread.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub looked: Looked,
    pub name: String,
    pub wait: Wait,
    /// What it does, in words.
    pub does: String,
    pub ender: Ender,
    /// A stop would end its call.
    pub fragile: bool,
    pub status: Option<Status>,
}

/// A process.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub target: Target,
    pub threads: Vec<Seen>,
    begun: Instant,
    /// From the first look to the last.
    pub watched: Duration,
    last: Vec<Looked>,
}

impl View {
    /// Looks at a process: three times, the second and third around everything else that is read.
    ///
    /// # Errors
    /// The process has ended, or hides its threads.
    pub(super) fn of(target: Target, holders: &Holders) -> io::Result<Self> {
        let pid = target.process.pid;
        let begun = Instant::now();
        let first = survey(pid)?;
        thread::sleep(PAUSE);
        let second = survey(pid)?;
        let moved = moved(&first, &second);
        let maps = procfs::maps(second[0].tid);
        let world = World { pid, maps: &maps, holders };
        let mut memory = Memory::new(second[0].tid);
        let threads = second.iter().map(|looked| {
            let tid = looked.tid;
            let wait = Wait::of(looked.syscall, looked.state, &mut memory);
            let (does, ender) = world.judge(tid, &wait);
            let name = fs::read_to_string(format!("/proc/{pid}/task/{tid}/comm")).unwrap_or_default();
            let fragile = wait.is_fragile() || does.contains("inotify");
            let status = thread_status(pid, tid);
            let mut seen =
                Seen { looked: looked.clone(), name: name.trim_end().to_owned(), wait, does, ender, fragile, status };
            if moved.contains(&tid) {
                seen.runs("it ran meanwhile");
            } else if seen.wait != Wait::Ended && status.is_some_and(Status::deliverable) {
                seen.runs("a signal is about to reach it");
            }
            seen
        });
        let mut this = Self { threads: threads.collect(), target, begun, watched: Duration::ZERO, last: second };
        this.look_again()?;
        Ok(this)
    }

    /// One more look: threads that have moved since the last one run.
    ///
    /// # Errors
    /// Those of the look.
    pub(super) fn look_again(&mut self) -> io::Result<()> {
        let now = survey(self.target.process.pid)?;
        for tid in moved(&self.last, &now) {
            match self.threads.iter_mut().find(|thread| thread.looked.tid == tid) {
                Some(thread) => thread.runs("it ran meanwhile"),
                None => {
                    let mut seen = Seen {
                        looked: Looked { tid, ..self.last[0].clone() },
                        name: String::new(),
                        wait: Wait::Runs,
                        does: "has just started".to_owned(),
                        ender: Ender::Inside,
                        fragile: true,
                        status: None,
                    };
                    seen.runs("it has just started");
                    self.threads.push(seen);
                }
            }
        }
        self.last = now;
        self.watched = self.begun.elapsed();
        Ok(())
    }

    pub(super) fn pid(&self) -> u32 {
        self.target.process.pid
    }

    /// Threads that have not ended.
    pub(super) fn living(&self) -> impl Iterator<Item = &Seen> {
        self.threads.iter().filter(|thread| thread.wait != Wait::Ended)
    }

    /// Threads that are not to be stopped.
    pub(super) fn fragile(&self) -> Vec<u32> {
        self.threads.iter().filter(|thread| thread.fragile).map(|thread| thread.looked.tid).collect()
    }

    /// What each thread does.
    pub(super) fn notes(&self) -> Vec<ThreadNote> {
        let note = |thread: &Seen| ThreadNote {
            tid: thread.looked.tid,
            name: thread.name.clone(),
            does: thread.does.clone(),
            ended_by: thread.ender.who().map(str::to_owned),
        };
        self.threads.iter().map(note).collect()
    }

    /// Since when no thread of `tids` has run.
    pub(super) fn since(&self, tids: &[u32]) -> Option<Since> {
        let ago = ran_ago(self.pid(), tids);
        let last = ago.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let cpu_ns: u64 = self.threads.iter().map(|thread| thread.looked.run.cpu_ns).sum();
        Some(Since {
            tid: last.map_or(*tids.first()?, |(tid, _)| tid),
            seconds: last.map(|(_, seconds)| seconds),
            watched_seconds: self.watched.as_secs_f64(),
            cpu_seconds: cpu_ns as f64 / 1e9,
        })
    }
}

impl Seen {
    /// It has moved, so that its wait, if it is in one again, says nothing; one with a time limit is told as
    /// one.
    fn runs(&mut self, why: &str) {
        if !matches!(self.ender, Ender::Time(_) | Ender::Outside(_)) {
            self.ender = Ender::Itself(why.to_owned());
        }
    }

    /// Whether it sleeps, and only the process itself could end that.
    pub(super) fn is_inside(&self) -> bool {
        self.wait != Wait::Ended && self.ender == Ender::Inside
    }

    /// `thread 12 waits in accept on socket 3, for a client`.
    pub(super) fn sentence(&self) -> String {
        let thread = format!("thread {}", self.looked.tid);
        match &self.ender {
            Ender::Itself(_) => format!("{thread} runs"),
            Ender::Time(call) if self.does.contains("time limit") => {
                format!("{thread} waits with a time limit, in {call}")
            }
            Ender::Time(what) => format!("{thread} {}, for {what}: with a time limit", self.does),
            Ender::Processes(_, why) if self.does.contains(why.as_str()) => format!("{thread} {}", self.does),
            Ender::Processes(_, who) | Ender::Outside(who) => format!("{thread} {}, for {who}", self.does),
            Ender::Inside | Ender::Unknown(_) => format!("{thread} {}", self.does),
        }
    }
}

impl Ender {
    /// Who it is, in words.
    pub(super) fn who(&self) -> Option<&str> {
        match self {
            Self::Inside | Self::Itself(_) => None,
            Self::Time(who) | Self::Outside(who) | Self::Unknown(who) => Some(who),
            Self::Processes(_, who) => Some(who),
        }
    }
}
