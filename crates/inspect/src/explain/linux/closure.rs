//! Whether nothing outside can move a process: the processes that could are looked at as well, until the
//! group is closed, or something is found that can move one of them.

use super::ender::Ender;
use super::holders::Holders;
use super::target::Target;
use super::view::{Seen, View};

/// More processes than this are not looked at together.
const MOST: usize = 16;

/// What was found.
pub(super) enum Closure {
    /// Nothing outside these processes can move one of them. The first is the one that was asked for.
    Closed(Vec<View>),
    /// Something can move the process that was asked for.
    Open {
        /// The process.
        view: View,
        /// Why, by its thread.
        thread: usize,
        /// Of a wait for another process: that process, if it is one alone.
        next: Option<u32>,
    },
    /// It cannot be told.
    Unknown {
        /// The process.
        view: View,
        /// What is not known.
        why: String,
    },
}

/// Looks at a process, and at those that it waits for.
pub(super) fn of(view: View, holders: &Holders) -> Closure {
    if let Some(thread) = most_open(&view) {
        return Closure::Open { view, thread, next: None };
    }
    let mut group = vec![view];
    let mut at = 0;
    while at < group.len() {
        if let Some(why) = unknown(&group[at]) {
            return Closure::Unknown { view: group.swap_remove(0), why };
        }
        for pid in others(&group[at]) {
            if group.iter().any(|view| view.pid() == pid) {
                continue;
            }
            let view = looked_at(pid, group.len(), holders);
            match view {
                Some(view) if most_open(&view).is_none() => group.push(view),
                // It goes on, or may not be looked at: then it is taken to go on.
                _ => return waiting_for(group.swap_remove(0), pid),
            }
        }
        at += 1;
    }
    // What was seen of each must have been true of all at one instant.
    for at in 0..group.len() {
        if group[at].look_again().is_err() {
            let pid = group[at].pid();
            return waiting_for(group.swap_remove(0), pid);
        }
        if let Some(thread) = most_open(&group[at]) {
            let pid = group[at].pid();
            let view = group.swap_remove(0);
            return if at == 0 { Closure::Open { view, thread, next: None } } else { waiting_for(view, pid) };
        }
    }
    Closure::Closed(group)
}

/// A process that may not be looked at, or is this one, is taken to go on.
fn looked_at(pid: u32, known: usize, holders: &Holders) -> Option<View> {
    if pid == std::process::id() || known >= MOST {
        return None;
    }
    let target = Target::of(pid).ok().filter(|target| target.other_kind.is_none() && target.stopped.is_none())?;
    View::of(target, holders).ok()
}

/// The first process waits for another, directly or through others.
fn waiting_for(view: View, pid: u32) -> Closure {
    let direct = |thread: &Seen| matches!(&thread.ender, Ender::Processes(pids, _) if pids.contains(&pid));
    let any = |thread: &Seen| matches!(&thread.ender, Ender::Processes(..));
    let thread = view.threads.iter().position(direct).or_else(|| view.threads.iter().position(any)).unwrap_or_default();
    let next = match &view.threads[thread].ender {
        Ender::Processes(pids, _) if pids.len() == 1 => pids.first().copied(),
        _ => None,
    };
    Closure::Open { view, thread, next }
}

/// The thread that most surely goes on: one that runs, waits for somebody outside, or for time to pass.
fn most_open(view: &View) -> Option<usize> {
    let rank = |thread: &Seen| match thread.ender {
        Ender::Itself(_) => Some(0),
        Ender::Outside(_) => Some(1),
        Ender::Time(_) => Some(2),
        _ => None,
    };
    let threads = view.threads.iter().enumerate().filter_map(|(at, thread)| Some((rank(thread)?, at)));
    threads.min().map(|(_, at)| at)
}

fn unknown(view: &View) -> Option<String> {
    view.threads.iter().find_map(|thread| match &thread.ender {
        Ender::Unknown(why) => Some(format!("thread {} of process {} waits for {why}", thread.looked.tid, view.pid())),
        _ => None,
    })
}

/// The processes that could end a wait of this one.
fn others(view: &View) -> Vec<u32> {
    let mut pids = Vec::new();
    for thread in &view.threads {
        if let Ender::Processes(others, _) = &thread.ender {
            pids.extend(others.iter().copied().filter(|pid| *pid != view.pid()));
        }
    }
    pids.sort_unstable();
    pids.dedup();
    pids
}
