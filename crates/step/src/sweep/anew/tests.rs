//! A false engine that takes another path from some recording on.

use std::cell::RefCell;
use std::rc::Rc;

use rstest::rstest;

use crate::Boundary;
use crate::engine::{Ended, Engine, Recorded, Shot, Trouble};
use crate::sweep::{Copies, Seen, Which, look_by};
use sigproof_report::Outcome;

const WELL: Option<Outcome> = Some(Outcome::Delivered);
const LATE: Option<Outcome> = Some(Outcome::Late);

/// Takes one path in so many recordings, and later only the other one, which parts from it at boundary 2.
struct Turning {
    old: u32,
    late: Option<usize>,
    visited: Rc<RefCell<Vec<u64>>>,
}

const OLD: [u64; 5] = [16, 17, 30, 31, 32];
const NEW: [u64; 4] = [16, 17, 40, 41];

fn at(pcs: &[u64]) -> Vec<Boundary> {
    pcs.iter().map(|pc| Boundary { pc: *pc, depth: 0, asleep: false }).collect()
}

impl Engine for Turning {
    fn record(&mut self) -> Result<Recorded, Trouble> {
        let path = if self.old > 0 { at(&OLD) } else { at(&NEW) };
        self.old = self.old.saturating_sub(1);
        Ok(Recorded { path, ended: ended(Outcome::Delivered) })
    }

    fn record_handler(&mut self, _path: &[Boundary], _at: usize) -> Result<Vec<Boundary>, Trouble> {
        unreachable!("no second signal is asked for")
    }

    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
        let pc = shot.path[shot.at].pc;
        self.visited.borrow_mut().push(pc);
        match pc {
            _ if self.late == Some(shot.at) => Ok(ended(Outcome::Late)),
            pc if NEW.contains(&pc) || pc == OLD[2] && self.late.is_some() => Ok(ended(Outcome::Delivered)),
            _ => Err(Trouble::Astray("another path".to_owned())),
        }
    }
}

fn ended(outcome: Outcome) -> Ended {
    Ended { outcome, detail: String::new(), finding: None, presumed: false }
}

fn outcomes(seen: &Seen) -> Vec<Option<Outcome>> {
    seen.swept.judged.iter().map(|judged| judged.outcome).collect()
}

fn turned(old: u32, late: Option<usize>) -> (Seen, Vec<u64>) {
    let visited = Rc::default();
    let engine = Box::new(Turning { old, late, visited: Rc::clone(&visited) });
    let seen = look_by(engine, Copies::None, false, None, &Which::All, &()).unwrap();
    let visited = visited.take();
    (seen, visited)
}

/// The boundaries before the paths part are not visited twice.
#[test]
fn a_sweep_goes_on_with_the_path_that_is_taken_now() {
    let (seen, visited) = turned(2, None);
    assert_eq!((seen.swept.path.clone(), outcomes(&seen)), (at(&NEW), vec![WELL; 4]));
    assert_eq!((seen.recorded_anew, seen.executions), (1, 10));
    assert_eq!(visited, [16, 17, 30, 30, 30, 30, 30, 30, 40, 41]);
}

/// Where the target could still take the path, boundaries that it does not reach have no outcome.
#[test]
fn a_path_that_is_recorded_again_is_kept() {
    let (seen, _) = turned(u32::MAX, None);
    assert_eq!((seen.swept.path.clone(), outcomes(&seen)), (at(&OLD), vec![WELL, WELL, None, None, None]));
    assert_eq!(seen.recorded_anew, 0);
}

/// A bad outcome that only the old path has is not forgotten with it; one before the paths part stays anyway.
#[rstest]
#[case::behind(2, &OLD, &[WELL, WELL, LATE, None, None], 0)]
#[case::before(1, &NEW, &[WELL, LATE, WELL, WELL], 1)]
fn no_bad_outcome_is_lost_with_a_path(
    #[case] late: usize,
    #[case] path: &[u64],
    #[case] expected: &[Option<Outcome>],
    #[case] anew: usize,
) {
    let (seen, _) = turned(2, Some(late));
    assert_eq!((seen.swept.path.clone(), outcomes(&seen)), (at(path), expected.to_vec()));
    assert_eq!(seen.recorded_anew, anew);
}
