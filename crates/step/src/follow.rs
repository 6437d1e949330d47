//! Following a path: where to set a breakpoint, and which turns the vDSO makes again.
//!
//! The vDSO reads a clock as a sequence lock's reader does: it starts again if the kernel has written
//! meanwhile. A thread that makes single steps meets that often. The *path* is the one without such
//! turns; a turn leads back to a boundary that was passed in the same stretch of vDSO code.
//!
//! All of it may run in a signal handler: it compares numbers.

use core::ops::Range;

use crate::Boundary;

/// A path, by number.
pub trait Path {
    /// The boundary with this number, if there is one.
    fn at(&self, number: usize) -> Option<Boundary>;
}

impl Path for [Boundary] {
    fn at(&self, number: usize) -> Option<Boundary> {
        self.get(number).copied()
    }
}

/// Where on the path a step from `at` has led; `None` if it has left the path.
pub(super) fn next<P: Path + ?Sized>(path: &P, at: usize, here: &Boundary, vdso: &Range<u64>) -> Option<usize> {
    match path.at(at + 1) {
        Some(next) if same(&next, here) => Some(at + 1),
        _ => again(path, at + 1, here, vdso),
    }
}

/// Where in the last stretch of vDSO code of a path that is so long the same boundary was passed before.
pub fn again<P: Path + ?Sized>(path: &P, length: usize, here: &Boundary, vdso: &Range<u64>) -> Option<usize> {
    if !vdso.contains(&here.pc) {
        return None;
    }
    let inside = |number: &usize| path.at(*number).is_some_and(|passed| vdso.contains(&passed.pc));
    (0..length).rev().take_while(inside).find(|number| path.at(*number).is_some_and(|passed| same(&passed, here)))
}

/// The place between two boundaries of a path from which the way to the second one takes the fewest stops: a
/// breakpoint is set there at the first boundary, and single steps follow. Also how often the breakpoint is
/// met until then; 0 for the first boundary itself, from which steps are made alone.
///
/// `arrivals` is that number of a place, or `None` where there can be no breakpoint. A stop at a breakpoint
/// takes as long as `stop` steps.
pub fn anchor(from: usize, to: usize, stop: usize, arrivals: impl Fn(usize) -> Option<usize>) -> (usize, usize) {
    let (mut best, mut cost) = ((from, 0), to - from);
    for place in (from + 1..=to).rev() {
        let steps = to - place;
        if steps + stop >= cost {
            break;
        }
        if let Some(number) = arrivals(place)
            && steps + stop * number < cost
        {
            (best, cost) = ((place, number), steps + stop * number);
        }
    }
    best
}

fn same(a: &Boundary, b: &Boundary) -> bool {
    !a.asleep && (a.pc, a.depth) == (b.pc, b.depth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const VDSO: Range<u64> = 100..200;

    fn at(pc: u64) -> Boundary {
        Boundary { pc, depth: 8, asleep: false }
    }

    #[rstest]
    #[case::on(&[1, 2, 3], 1, 3, Some(2))]
    #[case::off(&[1, 2, 3], 1, 9, None)]
    #[case::back_outside_of_the_vdso(&[1, 2, 3], 1, 1, None)]
    #[case::back_inside(&[1, 101, 102, 103, 2], 3, 101, Some(1))]
    #[case::not_into_an_earlier_call(&[101, 102, 1, 103, 104], 3, 101, None)]
    #[case::behind_the_end(&[1, 2], 1, 3, None)]
    fn steps(#[case] pcs: &[u64], #[case] from: usize, #[case] pc: u64, #[case] to: Option<usize>) {
        let path: Vec<_> = pcs.iter().map(|pc| at(*pc)).collect();
        assert_eq!(next(path.as_slice(), from, &at(pc), &VDSO), to);
    }
}
