//! Copies of the stopped program ([`sigproof_step::copy`]), as this technique uses them: a copy takes the
//! signal, and is followed until the window has returned and further passes have come, or not.

use std::os::unix::fs::FileExt;
use std::process::ExitStatus;

use sigproof_inspect::hang::procfs;
use sigproof_step::copy::{self, Origin};
use sigproof_step::traced::Failed;

use super::cpu;
use super::entry::{First, STOP};
use super::errno::{Errno, length_of_return};
use super::follow::Seen;
use super::live::{ENTRY, Live, RETURN};
use super::offsets::Offsets;
use super::process::OPTIONS;
use crate::Trouble;

mod follow;

/// What a copy has told.
pub(crate) enum Told {
    /// What became of it.
    Seen(Box<Seen>),
    /// It sleeps in the window, and only something outside ends the sleep.
    Sleeps,
    /// The same, and a second signal ends the sleep.
    Woken(Woken),
    /// Nothing that a judgement could rest on.
    Nothing,
}

/// A sleep of a copy that a second signal has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Woken {
    /// The sleep.
    pub call: procfs::Syscall,
    /// How the program ended by that; `None`: it went on.
    pub end: Option<ExitStatus>,
}

pub(crate) struct Copy {
    copy: copy::Copy,
    control: u64,
    breaks: [Option<u64>; 2],
    /// The first instruction of the function, if a stop is in its place.
    first: Option<First>,
    /// Where its handlers return, if a stop is in the place of the instruction there; with the length of
    /// that.
    back: Option<(Errno, u64)>,
    /// The program's before the copy has made a call that may move them.
    offsets: Option<Offsets>,
}

/// Where copies of this program are forked from.
fn origin(live: &Live<'_>) -> Origin {
    Origin { pid: live.process.pid, tid: live.tid, syscall_at: live.syscall_at, options: OPTIONS }
}

impl Copy {
    /// Forks one from the program, whose thread is stopped.
    pub(crate) fn fork(live: &Live<'_>, undoable: bool) -> Result<Self, Trouble> {
        let copy = copy::Copy::fork(&origin(live), undoable).map_err(|failed| match failed {
            Failed::Refused { call: copy::FORK, errno } => Trouble::Lacks(format!(
                "a copy of the program is refused ({}); raise the limit of processes or of memory, or use --engine rerun",
                std::io::Error::from(errno)
            )),
            failed => failed.into(),
        })?;
        let mut copy = Self { copy, control: 0, breaks: [None; 2], first: None, back: None, offsets: None };
        // Without the filter, which the kernel may refuse, it tells of no call.
        if !undoable || copy.copy.dirty {
            copy.offsets = Some(Offsets::of(live.process.pid));
        }
        let memory = &copy.copy.memory;
        let mut code = [0; 16];
        copy.first = live.process.read(live.function.entry, &mut code).then(|| First::of(&code)).flatten();
        // Writing to it makes the page the copy's own.
        if copy.first.is_some() && memory.write_all_at(&[STOP], live.function.entry).is_err() {
            copy.first = None;
        }
        copy.back = live.errno.and_then(|errno| {
            let mut code = [0; 16];
            let length = live.process.read(errno.back, &mut code).then(|| length_of_return(&code))??;
            memory.write_all_at(&[STOP], errno.back).ok().map(|()| (errno, length))
        });
        Ok(copy)
    }

    /// Makes it again what the program is now; false if that cannot be done.
    pub(crate) fn undo(&mut self, live: &Live<'_>) -> Result<bool, Trouble> {
        Ok(self.copy.undo(&origin(live))?)
    }

    fn set_break(&mut self, number: usize, at: Option<u64>) -> Result<(), Trouble> {
        if self.breaks[number] != at {
            self.breaks[number] = at;
            cpu::set_break(self.copy.pid, &mut self.control, number, at)?;
        }
        Ok(())
    }
}
