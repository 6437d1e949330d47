//! The sweep on Linux, x86_64.
//!
//! | file | holds |
//! |---|---|
//! | `process` | the program: start, stops, memory, end |
//! | `waits` | what a process waits for |
//! | `cpu` | instructions |
//! | `entry` | a function's first instruction, done by us |
//! | `names` | which function is where |
//! | `live` | the program from one pass to the next, and within one |
//! | `follow` | what becomes of the program after a signal |
//! | `copy` | what becomes of a copy; stops, registers and copies themselves are those of [`sigproof_step`] |
//! | `descriptors` | descriptors that are left open |
//! | `before` | untouched runs, and what the signal does outside the window |
//! | `grade` | the ending, from what was seen |
//! | `sweep` | all boundaries of a window |
//! | `lint` | what a handler calls |
//! | `outcome` | the report of a sweep |

mod before;
mod copy;
mod cpu;
mod descriptors;
mod entry;
mod errno;
mod follow;
mod grade;
mod lint;
mod live;
mod names;
mod offsets;
mod outcome;
mod process;
mod sweep;
mod waits;
mod written;

use sigproof_shim::native::atomic::AtomicBool;
use sigproof_step::traced::{remote, stops};

pub(crate) use lint::lint;

use crate::{Found, Request, Trouble};

/// Sweeps every window with every signal.
pub(crate) fn probe(
    request: &Request,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&str),
    found: &mut Found,
) -> Result<(), Trouble> {
    let pinned = Pinned::to_one_processor();
    let untouched = before::untouched(request, stop, tell)?;
    for signal in &request.signals {
        for window in &request.windows {
            match sweep::sweep(request, window, *signal, (&untouched, &pinned.processors), stop, tell) {
                Ok(report) => found.reports.push(report),
                Err(Trouble::Uncalled(_)) if request.skips => found.uncalled.push(window.to_string()),
                Err(Trouble::Usage(why) | Trouble::Inconclusive(why) | Trouble::Gone(why)) if request.skips => {
                    found.skipped.push((window.to_string(), why));
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }
    Ok(())
}

/// This thread, and what it starts, on one processor: a step takes a third less.
pub(super) struct Pinned {
    before: Option<libc::cpu_set_t>,
    /// The processors that it might have been put on; the first is the one that it is on.
    processors: Vec<usize>,
}

impl Pinned {
    fn to_one_processor() -> Self {
        // SAFETY: takes nothing.
        Self::to(usize::try_from(unsafe { libc::sched_getcpu() }).unwrap_or_default())
    }

    /// Puts it on this one, if that is allowed.
    pub(super) fn to(processor: usize) -> Self {
        // SAFETY: both sets are live locals; zeroed is an empty set.
        unsafe {
            let mut before: libc::cpu_set_t = core::mem::zeroed();
            if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut before) != 0 {
                return Self { before: None, processors: Vec::new() };
            }
            let mut one: libc::cpu_set_t = core::mem::zeroed();
            libc::CPU_SET(processor, &mut one);
            let set = libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const one);
            let all = 0..libc::CPU_SETSIZE as usize;
            let mut processors: Vec<usize> = all.filter(|cpu| libc::CPU_ISSET(*cpu, &before)).collect();
            processors.sort_by_key(|cpu| *cpu != processor);
            Self { before: (set == 0).then_some(before), processors }
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: the set is live.
            unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), std::ptr::from_ref(before)) };
        }
    }
}
