//! The loop around one attempt. It always ends:
//!
//! | the child | ends the attempt |
//! |---|---|
//! | has ended | at once, with what its page and its status say |
//! | hangs, and can be watched | when [`sigproof_inspect::hang`] says so; of a spin twice, in the same code ([`Closed`]) |
//! | hangs, and cannot be watched (no `/proc`, or that of another PID namespace) | after 10 s without progress ([`Deadline`]) |
//! | hangs, and blocks the signal that is to end that | the same: the kernel says that the signal is pending, and blocked |
//! | is stopped, by a signal or a debugger | after [`STOPPED`] |
//! | does not begin its attempt, or does not move for a reason that is not understood | after [`PATIENCE`] |
//! | was asked to finish and does not | after [`GRACE`] |
//! | was killed from outside or ran out of memory | at once; it is made again, [`TRIES`] times in all |
//! | cannot be killed or waited for | at once, with the call that was refused |
//!
//! Before the page says that the attempt has begun, no hang is looked for: a child that is being loaded has
//! promised nothing yet.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use sigproof_shim::native::atomic::{AtomicU64, Ordering};

use super::child::Child;
use super::closed::Closed;
use super::judge::{End, explain, judge, undiagnosed};
use super::{Attempted, Wish, spin};
use crate::inject::SIGNAL;
use crate::page::State;
use crate::worker::Order;
use sigproof_inspect::diagnose;
use sigproof_inspect::hang::{self, Look, Stuck, Watch};
use sigproof_inspect::hang::{Deadline, Stillness};
use sigproof_inspect::process::pause;
use sigproof_inspect::process::{ending, interrupted};
use sigproof_inspect::refusal::Refusal;
use sigproof_report::Finding;
use sigproof_report::Outcome;

/// How often the parent looks.
const PERIOD: Duration = Duration::from_micros(300);

/// How long a child may stand still for a reason that is not understood.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a child may be stopped.
const STOPPED: Duration = Duration::from_secs(10);

/// How long a child stands still before the parent looks whether its signal is blocked.
const HELD_BACK: Duration = Duration::from_millis(50);

/// How long a child may take to finish once it was asked to.
const GRACE: Duration = Duration::from_secs(15);

/// How often an attempt is made whose child is killed from outside.
const TRIES: u32 = 3;

/// Runs one attempt. `wish` is asked again and again while it runs.
///
/// # Errors
/// The child could not be started, ended or waited for: no further attempt would fare better.
pub fn attempt(order: &Order, mut wish: impl FnMut() -> Wish) -> Result<Attempted, Refusal> {
    let mut tries = 1;
    loop {
        let (attempted, killed) = once(order, &mut wish)?;
        match killed {
            Some(_) if tries < TRIES => tries += 1,
            Some(how) => {
                let reason =
                    format!("{how}, {TRIES} times: no verdict on the case; give it more memory, or leave it alone");
                return Ok(Attempted { end: End::Unsupported(reason), finding: None, ..attempted });
            }
            None => return Ok(attempted),
        }
    }
}

/// One child. Beside what is known of its attempt: how it was killed, if somebody else did that.
fn once(order: &Order, wish: &mut impl FnMut() -> Wish) -> Result<(Attempted, Option<String>), Refusal> {
    let started = Instant::now();
    let mut child = Child::start(order)?;
    let mut watch = Watch::new(child.pid()).spin_limit(spin::limit(order.may_hang));
    let mut deadline = Deadline::new(child.pid());
    let mut closed = Closed::default();
    let (mut stillness, mut finishing) = (Stillness::new(), Stillness::new());
    let mut killed = None;
    let (end, finding, elapsed) = loop {
        // Before the look at the page: what the child wrote before its end is then there.
        if let Some(status) = child.ended()? {
            let elapsed = started.elapsed();
            if wish() == Wish::Abandon || interrupted(status) {
                break (End::Abandoned, None, elapsed);
            }
            let words = child.last_words();
            killed = killed_from_outside(status, &words);
            let (end, finding) = of_end(child.page().state(), status, words);
            break (end, finding, elapsed);
        }
        match wish() {
            Wish::GoOn => {}
            Wish::Finish => {
                child.page().stop.store(1, Ordering::Relaxed);
                if finishing.look(0) >= GRACE {
                    break (End::Abandoned, None, started.elapsed());
                }
            }
            Wish::Abandon => break (End::Abandoned, None, started.elapsed()),
        }
        let page = child.page();
        let (progress, begun) = (page.progress(), page.has_begun());
        // A signal that was asked for is on its way, until the thread that it is for is seen to block it.
        let idle = page.signals_idle()
            || (stillness.look(progress) >= HELD_BACK && page.on_their_way() == held_back(child.pid()));
        let look = if begun { watch.look(progress, idle) } else { Look::Running };
        let (stuck, seen) = match look {
            Look::Stuck(Stuck::Spinning { .. })
                if !closed.confirms(progress, diagnose::counters(child.pid()).as_deref()) =>
            {
                watch.begin_again();
                (None, true)
            }
            Look::Stuck(stuck) => (Some(stuck), true),
            // `waitid` has just said that it lives: a child that `/proc` does not show is one that cannot be
            // watched.
            Look::Unwatchable(_) | Look::Gone => (deadline.look(progress), false),
            Look::Running => {
                deadline.look(progress);
                (None, true)
            }
        };
        if let Some(stuck) = stuck {
            let elapsed = started.elapsed();
            let (outcome, finding) = if seen || hang::proc_is_ours() {
                explain(child.pid(), page.in_handler(), stuck, None)
            } else {
                let (outcome, what) = undiagnosed(page.in_handler(), stuck);
                (outcome, Finding::new(outcome, format!("{what} (no stacks: {})", hang::FOREIGN_PROC)))
            };
            break (End::Outcome(outcome), Some(finding), elapsed);
        }
        let still = stillness.look(progress);
        if still >= STOPPED && hang::is_stopped(child.pid()) {
            let reason = "the worker is stopped, by a signal (SIGSTOP), a debugger or a frozen cgroup: let it go on";
            break (End::Unsupported(reason.to_owned()), None, started.elapsed());
        }
        if still >= PATIENCE {
            let (end, finding) = not_understood(&child, begun, deadline.kind());
            break (end, finding, started.elapsed());
        }
        pause(PERIOD);
    };
    child.end()?;
    let page = child.page();
    let counted = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let finding = finding.map(|f| Finding { seconds: Some(elapsed.as_secs_f64()), ..f });
    let (signals, inside) = (counted(&page.begun), counted(&page.inside));
    Ok((Attempted { end, finding, elapsed, signals, inside }, killed))
}

/// How many threads of a child have the signal pending, and block it.
fn held_back(pid: u32) -> u64 {
    hang::held_back(pid, SIGNAL).len() as u64
}

/// The result of a child that has ended. A child that never began its attempt says nothing about its case.
fn of_end(state: State, status: ExitStatus, words: String) -> (End, Option<Finding>) {
    if state == State::Starting {
        let reason = format!("a worker {} before it began its attempt: {words}", ending(status));
        return (End::Unsupported(reason), None);
    }
    judge(state, status, || words)
}

/// How somebody else than the case has killed the child. No case sends SIGKILL to itself, but the kernel does
/// for want of memory, and so do administrators; and what a failed allocation says and does is Rust's.
fn killed_from_outside(status: ExitStatus, words: &str) -> Option<String> {
    match status.signal()? {
        libc::SIGKILL => Some(format!("a worker {} from outside, for want of memory perhaps", ending(status))),
        libc::SIGABRT => {
            let said = words.lines().find(|line| line.starts_with("memory allocation of "))?;
            Some(format!("a worker ran out of memory ({said})"))
        }
        _ => None,
    }
}

/// What is said of a child that has not moved for [`PATIENCE`], though it does not hang as far as can be
/// seen.
fn not_understood(child: &Child, begun: bool, stuck: Stuck) -> (End, Option<Finding>) {
    let still = format!("no progress for {} s", PATIENCE.as_secs());
    if !begun {
        return (
            End::Unsupported(format!("{still}: the worker has not begun its attempt; this machine may be too slow")),
            None,
        );
    }
    let (outcome, finding): (Outcome, Finding) = explain(child.pid(), child.page().in_handler(), stuck, None);
    let sentence = format!("{still}; not understood why: {}", finding.sentence);
    (End::Outcome(outcome), Some(Finding { sentence, ..finding }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::want_of_memory(libc::SIGKILL, "", true)]
    #[case::failed_allocation(libc::SIGABRT, "noise\nmemory allocation of 80 bytes failed\n", true)]
    #[case::abort_of_the_case(libc::SIGABRT, "free(): invalid pointer", false)]
    #[case::fault(libc::SIGSEGV, "", false)]
    #[case::clean(0, "memory allocation of 80 bytes failed", false)]
    fn who_killed_it(#[case] wait_status: i32, #[case] words: &str, #[case] outside: bool) {
        let how = killed_from_outside(ExitStatus::from_raw(wait_status), words);
        assert_eq!(how.is_some(), outside, "{how:?}");
    }

    #[rstest]
    #[case::panicked(101 << 8)]
    #[case::left(0)]
    #[case::faulted(11)]
    fn a_child_that_never_began_says_nothing_about_its_case(#[case] wait_status: i32) {
        let (end, finding) = of_end(State::Starting, ExitStatus::from_raw(wait_status), "its words".to_owned());
        assert!(matches!(end, End::Unsupported(reason) if reason.contains("its words")));
        assert!(finding.is_none());
    }
}
