//! The kernel's tables in the state of an execution: descriptors, and the queues of the futexes. The system
//! calls on them are in `os`.

use std::rc::Rc;
use std::vec::Vec;

use super::gate::Gate;

/// What a descriptor is open on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Read,
    Write,
    Counter,
}

/// One open descriptor.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) end: End,
    pub(super) channel: usize,
    pub(super) nonblocking: bool,
    pub(super) cloexec: bool,
}

/// What descriptors are open on: a pipe, or an event counter.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) gate: Rc<Gate>,
    pub(super) number: u32,
    /// Bytes, or the counter's value.
    pub(super) level: u64,
    pub(super) limit: u64,
    pub(super) waiters: Vec<usize>,
    /// Open write ends.
    pub(super) writers: u32,
}

/// The open descriptors of the process.
#[derive(Debug)]
pub(super) struct Files {
    /// Made with the execution, by its first thread: the making orders nothing.
    pub(super) gate: Rc<Gate>,
    pub(super) open: Vec<Option<Open>>,
    pub(super) channels: Vec<Channel>,
}

/// The first descriptor that is not one of the three of old.
pub(super) const FIRST: usize = 3;

impl Default for Files {
    fn default() -> Self {
        Self { gate: Rc::new(Gate::new().of_kernel()), open: Vec::new(), channels: Vec::new() }
    }
}

impl Files {
    pub(super) fn get(&mut self, fd: i32) -> Option<&mut Open> {
        self.open.get_mut(usize::try_from(fd).ok()?.checked_sub(FIRST)?)?.as_mut()
    }

    pub(super) fn insert(&mut self, open: Open) -> i32 {
        let free = self.open.iter().position(Option::is_none).unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        self.open[free] = Some(open);
        i32::try_from(free + FIRST).unwrap_or(i32::MAX)
    }
}

/// Who sleeps on which word.
#[derive(Debug)]
pub(super) struct Queues {
    pub(super) gate: Rc<Gate>,
    queues: Vec<(usize, Vec<usize>)>,
}

impl Queues {
    pub(super) fn new() -> Self {
        Self { gate: Rc::new(Gate::new().of_kernel()), queues: Vec::new() }
    }

    pub(super) fn of(&mut self, address: usize) -> &mut Vec<usize> {
        let place = self.queues.iter().position(|(a, _)| *a == address).unwrap_or_else(|| {
            self.queues.push((address, Vec::new()));
            self.queues.len() - 1
        });
        &mut self.queues[place].1
    }
}
