//! Along a path: writing it down, and getting to one of its boundaries.
//!
//! A stretch of the path without a sleep is covered by a breakpoint at its *anchor*, which is met a known
//! number of times, and single steps from there: the anchor is chosen so that this takes the fewest stops.
//! Iterations of a repeated instruction share an address; a breakpoint meets such an instruction once, and
//! steps do the rest.
//!
//! The vDSO reads a clock again if the kernel has changed it meanwhile; at the pace of single steps that is
//! often, and at full speed next to never. Such turns are left out of the path, and followed where they come
//! ([`follow`]).
//!
//! A sleep is passed by a step over the system call: others and the helper act, rest again, and the step
//! comes to its end.

use super::LONGEST;
use crate::Boundary;
use crate::engine::linux::pump::{Came, End, Recording, expect, fall_asleep, step_once};
use crate::engine::linux::tracee::{Go, Stop, Tracee};
use crate::engine::{Kind, Trouble};
use crate::follow;

/// Writes down the path from where the target is to the second mark; or, of a handler, to where the stack is
/// back at the depth `until`. With it, how it ended if it did not get there.
pub(super) fn record(live: &mut Tracee<'_>, until: Option<u64>) -> Result<(Vec<Boundary>, Option<End>), Trouble> {
    let mut path = Vec::new();
    let mut turns = Turns::default();
    loop {
        let here @ Boundary { pc, depth, .. } = live.place()?;
        if until.is_some_and(|until| depth <= until) {
            return Ok((path, None));
        }
        // Woken behind its system call: that is where the sleeper was.
        if let Some(last @ Boundary { asleep: true, .. }) = path.last_mut() {
            last.pc = pc;
        }
        // A turn that is made again.
        if let Some(again) = follow::again(path.as_slice(), path.len(), &here, &live.child.memory.vdso) {
            path.truncate(again);
            turns.make()?;
        }
        path.push(here);
        if path.len() > LONGEST {
            return Err(Trouble::TooLong(LONGEST));
        }
        live.go(Go::Step, None)?;
        let came = step_once(live, |live| {
            path.push(Boundary { pc, depth, asleep: true });
            live.release()?;
            if until.is_none() && live.child.call_helper()? {
                live.settle()?;
            }
            Ok(())
        })?;
        match came {
            Came::To(Recording::Next) => {}
            Came::To(Recording::Marked) => return Ok((path, None)),
            Came::End(end) => return Ok((path, Some(end))),
        }
    }
}

/// Brings the target from the path's beginning to this boundary. It is stopped there, or asleep.
pub(super) fn advance(live: &mut Tracee<'_>, kind: Kind, path: &[Boundary], to: usize) -> Result<(), Trouble> {
    verify(live, path, 0)?;
    let mut at = 0;
    while let Some(sleep) = (at + 1..to).find(|n| path[*n].asleep) {
        cover(live, kind, path, at, sleep - 1)?;
        live.go(Go::Step, None)?;
        fall_asleep(live)?;
        live.release()?;
        live.child.call_helper()?;
        live.settle()?;
        expect(live, "the end of the sleep", |stop| stop == Stop::Trap)?;
        at = sleep + 1;
        verify(live, path, at)?;
    }
    if !path[to].asleep {
        return cover(live, kind, path, at, to);
    }
    cover(live, kind, path, at, to - 1)?;
    live.go(Go::On, None)?;
    fall_asleep(live)
}

/// Covers a stretch without a sleep.
pub(super) fn cover(
    live: &mut Tracee<'_>,
    kind: Kind,
    path: &[Boundary],
    from: usize,
    to: usize,
) -> Result<(), Trouble> {
    let (anchor, arrivals) = match kind {
        Kind::Undo | Kind::Breakpoint => best_anchor(path, from, to),
        _ => (from, 0),
    };
    if arrivals > 0 {
        live.breakpoint(Some(path[anchor].pc))?;
        for _ in 0..arrivals {
            live.go(Go::On, None)?;
            expect(live, "the breakpoint", |stop| stop == Stop::Trap)?;
        }
        live.breakpoint(None)?;
    }
    let mut at = anchor;
    let mut turns = Turns::default();
    while at < to {
        live.go(Go::Step, None)?;
        expect(live, "the next instruction", |stop| stop == Stop::Trap)?;
        let here = live.place()?;
        at = match follow::next(path, at, &here, &live.child.memory.vdso) {
            Some(next) => {
                if next <= at {
                    turns.make()?;
                }
                next
            }
            None => return verify(live, path, at + 1),
        };
    }
    verify(live, path, to)
}

/// Turns of the vDSO that were made again. Where steps are slower than the kernel's clock changes, there is
/// no end to them.
#[derive(Default)]
struct Turns(u32);

impl Turns {
    /// As many as there are ever with steps that are fast enough, and many more.
    const MOST: u32 = 200;

    fn make(&mut self) -> Result<(), Trouble> {
        self.0 += 1;
        if self.0 <= Self::MOST {
            return Ok(());
        }
        Err(Trouble::Astray("the kernel changes its clock faster than single steps can read it".to_owned()))
    }
}

/// The anchor of [`follow::anchor`] on a path.
fn best_anchor(path: &[Boundary], from: usize, to: usize) -> (usize, usize) {
    // Arrivals at an address: an iteration of a repeated instruction does not count.
    let arrives = |n: usize| path[n].pc != path[n - 1].pc;
    let arrivals =
        |anchor: usize| (from + 1..=anchor).filter(|n| path[*n].pc == path[anchor].pc && arrives(*n)).count();
    // Whether a breakpoint at the very place where the target stands is met at once depends on how it got
    // there.
    let usable = |anchor: usize| path[anchor].pc != path[from].pc && arrives(anchor);
    follow::anchor(from, to, 1, |anchor| usable(anchor).then(|| arrivals(anchor)))
}

/// The target is where it was when the path was written down.
fn verify(live: &Tracee<'_>, path: &[Boundary], at: usize) -> Result<(), Trouble> {
    let (is, wanted) = (live.place()?, path[at]);
    if (is.pc, is.depth) == (wanted.pc, wanted.depth) {
        return Ok(());
    }
    Err(Trouble::Astray(format!(
        "boundary {at} was to be at {:#x}, with {} bytes of stack, and is at {:#x}, with {}",
        wanted.pc, wanted.depth, is.pc, is.depth
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn path(pcs: &[u64]) -> Vec<Boundary> {
        pcs.iter().map(|pc| Boundary { pc: *pc, depth: 0, asleep: false }).collect()
    }

    #[rstest]
    #[case::straight(&[1, 2, 3, 4], 0, 3, (3, 1))]
    #[case::next(&[1, 2, 3], 1, 2, (1, 0))]
    #[case::nowhere(&[1, 2, 3], 1, 1, (1, 0))]
    #[case::third_turn_of_a_loop(&[9, 1, 2, 1, 2, 1, 2, 3], 0, 5, (5, 3))]
    #[case::a_repeated_instruction(&[1, 2, 7, 7, 7, 7, 8], 0, 4, (2, 3 - 2))]
    #[case::after_it(&[1, 2, 7, 7, 7, 7, 8], 0, 6, (6, 1))]
    #[case::never_where_it_stands(&[1, 2, 1, 2, 5, 6, 1], 0, 6, (5, 1))]
    fn anchors(#[case] pcs: &[u64], #[case] from: usize, #[case] to: usize, #[case] best: (usize, usize)) {
        assert_eq!(best_anchor(&path(pcs), from, to), best);
    }
}
