//! The way to one boundary of a pass whose path is known.
//!
//! ```text
//!  entry ~~~~~~~~~~~~~~~~~~~~~~~~~~~► landmark ── step ── step ──► boundary k
//!         runs freely; the breakpoint           each place is compared
//!         at the landmark counts arrivals       with the recorded path
//! ```
//!
//! The landmark is the place of the path from which the whole way takes the fewest stops: in straight code it
//! is the boundary itself, in a loop with many turns it may lie before the loop.

use std::time::Instant;

use sigproof_step::{Boundary, follow};

use crate::Trouble;
use crate::linux::live::{LONGEST, Live, Ran, Stepped};
use crate::linux::outcome::Walk;

/// Where an advance has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advanced {
    There,
    /// The pass takes another path.
    Elsewhere,
    /// The pass takes another path, and the thread is at the entry of a later one already.
    Entered,
    Gone,
}

/// How many arrivals at its instruction each point of a path is, itself included. Points that are asleep are
/// no arrivals.
pub(crate) fn arrivals(path: impl Iterator<Item = Boundary>) -> Vec<u32> {
    let mut counts = std::collections::HashMap::new();
    path.map(|boundary| {
        let count = counts.entry(boundary.pc).or_insert(0);
        *count += u32::from(!boundary.asleep);
        *count
    })
    .collect()
}

/// What a stop at a breakpoint costs, in steps.
const STOP: usize = 2;

/// The landmark on the way to `k`: of least cost. 0 is the entry, where the thread is.
fn landmark(arrivals: &[u32], k: usize, usable: impl Fn(usize) -> bool) -> usize {
    follow::anchor(0, k, STOP, |at| usable(at).then_some(arrivals[at] as usize)).0
}

/// Brings the program, which is at the entry of a pass, to boundary `k` of the path.
pub(super) fn advance(live: &mut Live<'_>, walk: &Walk, k: usize) -> Result<Advanced, Trouble> {
    let points = &walk.points;
    let arrivals = walk.arrivals();
    let at = |n: usize| points[n].boundary;
    // A repeated instruction may arrive at itself. A breakpoint while SIGTRAP is blocked costs its handler.
    let usable = |n: usize| !live.catches_traps && !at(n).asleep && !live.repeats(at(n).pc);
    let mut now = landmark(arrivals, k, usable);
    let deadline = Instant::now() + live.request().timeout;
    if now > 0 {
        match live.run(Some((at(now).pc, arrivals[now])), deadline)? {
            Ran::There => {}
            Ran::Returned => return Ok(Advanced::Elsewhere),
            Ran::Entered => return Ok(Advanced::Entered),
            Ran::Gone => return Ok(Advanced::Gone),
        }
    }
    loop {
        if !live.place()?.is_some_and(|place| same(&place, &at(now))) {
            return Ok(Advanced::Elsewhere);
        }
        if now == k {
            return Ok(Advanced::There);
        }
        let sleeps = at(now + 1).asleep;
        match live.step()? {
            // Where it slept when the path was recorded, and does not now, there is no place asleep.
            Stepped::Next if sleeps && now + 1 == k => return Ok(Advanced::Elsewhere),
            Stepped::Next => now += 1 + usize::from(sleeps),
            Stepped::Asleep => {
                now += usize::from(sleeps);
                if now == k && sleeps {
                    return Ok(Advanced::There);
                }
                if !live.wake(deadline)? {
                    return Ok(Advanced::Gone);
                }
                now += 1;
            }
            Stepped::Gone => return Ok(Advanced::Gone),
        }
        if now >= points.len() {
            return Ok(Advanced::Elsewhere);
        }
    }
}

/// The same by steps alone, to the same arrival at the boundary on whatever path: what other threads do on
/// the way takes the time that it took when the path was recorded.
pub(super) fn advance_by_steps(live: &mut Live<'_>, walk: &Walk, k: usize) -> Result<Advanced, Trouble> {
    let target = walk.points[k].boundary;
    let is = |place: &Boundary, asleep| same(place, &target) && target.asleep == asleep;
    let arrivals = walk.points[..=k].iter().filter(|point| is(&point.boundary, point.boundary.asleep));
    let mut left = arrivals.count();
    for _ in 0..LONGEST {
        let Some(place) = live.place()? else { return Ok(Advanced::Elsewhere) };
        left -= usize::from(is(&place, false));
        if left == 0 {
            return Ok(Advanced::There);
        }
        match live.step()? {
            Stepped::Next => {}
            Stepped::Asleep => {
                left -= usize::from(is(&place, true));
                if left == 0 {
                    return Ok(Advanced::There);
                }
                if !live.wake(Instant::now() + live.request().timeout)? {
                    return Ok(Advanced::Gone);
                }
            }
            Stepped::Gone => return Ok(Advanced::Gone),
        }
    }
    Ok(Advanced::Gone)
}

fn same(one: &Boundary, other: &Boundary) -> bool {
    (one.pc, one.depth) == (other.pc, other.depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(pcs: &[u64]) -> Vec<u32> {
        arrivals(pcs.iter().map(|pc| Boundary { pc: *pc, depth: 0, asleep: false }))
    }

    #[test]
    fn in_straight_code_the_boundary_is_its_own_landmark() {
        let arrivals = path(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(landmark(&arrivals, 6, |_| true), 6);
        assert_eq!(landmark(&arrivals, 1, |_| true), 0, "one step is cheaper than a breakpoint");
        assert_eq!(landmark(&arrivals, 6, |at| at != 6), 5);
    }

    #[test]
    fn behind_many_turns_of_a_loop_the_landmark_is_one_that_is_passed_once() {
        // Thirty turns of two instructions, then three others.
        let pcs: Vec<u64> = (0..60).map(|n| 10 + n % 2).chain([1, 2, 3]).collect();
        let arrivals = path(&pcs);
        assert_eq!(arrivals[59], 30);
        assert_eq!(landmark(&arrivals, 62, |_| true), 62);
        // In the loop's last turn: thirty arrivals are as dear as sixty steps.
        assert_eq!(landmark(&arrivals, 59, |_| true), 0);
    }

    #[test]
    fn a_sleep_is_no_arrival() {
        let asleep = |pc, asleep| Boundary { pc, depth: 0, asleep };
        assert_eq!(arrivals([asleep(1, false), asleep(1, true), asleep(1, false)].into_iter()), [1, 1, 2]);
    }
}
