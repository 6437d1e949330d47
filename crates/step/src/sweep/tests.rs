//! The sweep over a false engine, which says what it was asked and answers by a script.

use std::cell::RefCell;
use std::rc::Rc;

use rstest::rstest;

use super::*;

const WELL: Option<Outcome> = Some(Outcome::Delivered);
const LATE: Option<Outcome> = Some(Outcome::Late);
const CRASH: Option<Outcome> = Some(Outcome::Crash);

#[rstest]
#[case::nothing(&[], &[])]
#[case::all_well(&[WELL, WELL], &[])]
#[case::all_bad(&[LATE, LATE], &[(0, 1)])]
#[case::one_between(&[WELL, LATE, WELL], &[(1, 1)])]
#[case::two(&[LATE, WELL, LATE, LATE], &[(0, 0), (2, 3)])]
#[case::of_two_kinds(&[LATE, LATE, CRASH, LATE], &[(0, 1), (2, 2), (3, 3)])]
#[case::not_reached_in_between(&[LATE, None, LATE, None], &[(0, 0), (2, 2)])]
fn runs_of_the_same_bad_outcome(#[case] outcomes: &[Option<Outcome>], #[case] expected: &[(usize, usize)]) {
    let judged = |outcome: &Option<Outcome>| Judged { outcome: *outcome, detail: String::new(), retries: 0 };
    let judged: Vec<_> = outcomes.iter().map(judged).collect();
    assert_eq!(ranges(&judged), expected);
}

/// One request to the engine: the boundary, that of the second signal, and whether to explain.
type Asked = (usize, Option<usize>, bool);

/// `None`: the boundary is not reached.
type Answers = fn(Asked) -> Option<Outcome>;

struct Scripted {
    path: Vec<Boundary>,
    answers: Answers,
    asked: Rc<RefCell<Vec<Asked>>>,
}

impl Engine for Scripted {
    fn record(&mut self) -> Result<engine::Recorded, Trouble> {
        Ok(engine::Recorded { path: self.path.clone(), ended: ended(Outcome::Delivered) })
    }

    fn record_handler(&mut self, _path: &[Boundary], _at: usize) -> Result<Vec<Boundary>, Trouble> {
        Ok(path(2, None))
    }

    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
        let asked = (shot.at, shot.second.map(|(_, second)| second), shot.explain);
        self.asked.borrow_mut().push(asked);
        (self.answers)(asked).map(ended).ok_or_else(|| Trouble::Astray("not reached".to_owned()))
    }
}

fn ended(outcome: Outcome) -> Ended {
    Ended { outcome, detail: String::new(), finding: None, presumed: false }
}

/// A path with at most one sleeper.
fn path(length: usize, sleeper: Option<usize>) -> Vec<Boundary> {
    (0..length).map(|at| Boundary { pc: 16 + at as u64, depth: 0, asleep: sleeper == Some(at) }).collect()
}

fn swept(path: Vec<Boundary>, nests: bool, answers: Answers) -> (Result<Seen, Trouble>, Vec<Asked>) {
    let asked = Rc::default();
    let engine = Box::new(Scripted { path, answers, asked: Rc::clone(&asked) });
    let seen = look_by(engine, Copies::None, nests, None, &Which::All, &());
    let asked = asked.borrow().clone();
    (seen, asked)
}

fn outcomes(seen: &Seen) -> Vec<Option<Outcome>> {
    seen.swept.judged.iter().map(|judged| judged.outcome).collect()
}

#[test]
fn each_boundary_gets_its_own_signal_and_no_other() {
    let (seen, asked) = swept(path(4, None), false, |_| WELL);
    assert_eq!(asked, [0, 1, 2, 3].map(|at| (at, None, false)));
    assert_eq!(seen.unwrap().executions, 4);
}

#[test]
fn an_outcome_belongs_to_the_boundary_of_its_signal() {
    let (seen, _) = swept(path(5, None), false, |(at, ..)| if at == 2 || at == 3 { LATE } else { WELL });
    assert_eq!(outcomes(&seen.unwrap()), [WELL, WELL, LATE, LATE, WELL]);
}

#[test]
fn a_boundary_that_is_never_reached_has_no_outcome() {
    let (seen, asked) = swept(path(5, None), false, |(at, ..)| if at == 3 { None } else { WELL });
    let seen = seen.unwrap();
    assert_eq!(outcomes(&seen), [WELL, WELL, WELL, None, WELL]);
    assert_eq!((seen.swept.judged[3].retries, seen.swept.judged[3].detail.as_str()), (TRIES, "not reached"));
    assert_eq!(asked.iter().filter(|(at, ..)| *at == 3).count(), 1 + TRIES as usize);
    assert_eq!(seen.executions, asked.len() as u64);
}

#[test]
fn what_the_diagnosis_knows_better_holds_for_the_whole_range() {
    let answers: Answers = |(at, _, explain)| match (at, explain) {
        (2..=4, true) => CRASH,
        (2..=4, false) => LATE,
        _ => WELL,
    };
    let (seen, asked) = swept(path(7, None), false, answers);
    assert_eq!(outcomes(&seen.unwrap()), [WELL, WELL, CRASH, CRASH, CRASH, WELL, WELL]);
    let explained: Vec<_> = asked.iter().filter(|(.., explain)| *explain).map(|(at, ..)| *at).collect();
    assert_eq!(explained, [2, 2, 3, 4], "the first boundary is looked at, then the whole range");
}

#[test]
fn the_first_of_two_signals_comes_at_the_ends_and_at_the_sleeper() {
    let (seen, asked) = swept(path(6, Some(2)), true, |_| WELL);
    let firsts: Vec<_> = seen.unwrap().nested.iter().map(|nested| nested.first).collect();
    assert_eq!(firsts, [0, 2, 5]);
    let two: Vec<_> = asked.iter().filter_map(|(first, second, _)| Some((*first, (*second)?))).collect();
    assert_eq!(two, [(0, 0), (0, 1), (2, 0), (2, 1), (5, 0), (5, 1)]);
}

#[test]
fn a_bug_that_needs_the_first_signal_at_the_first_boundary_is_found() {
    let (seen, _) = swept(path(4, None), true, |asked| if asked == (0, Some(1), false) { CRASH } else { WELL });
    assert_eq!(seen.unwrap().observed().get(&Outcome::Crash), Some(&1));
}

#[test]
fn a_path_without_a_boundary_is_refused() {
    for nests in [false, true] {
        let (seen, asked) = swept(Vec::new(), nests, |_| WELL);
        assert!(matches!(seen, Err(Trouble::Astray(_))), "{seen:?}");
        assert!(asked.is_empty());
    }
}

/// Every range is explained, not the first alone.
#[test]
fn each_range_is_diagnosed_once_where_it_begins() {
    let (_, asked) = swept(path(8, None), false, |(at, ..)| if at % 3 == 1 { LATE } else { WELL });
    let explained: Vec<_> = asked.iter().filter(|(.., explain)| *explain).map(|(at, ..)| *at).collect();
    assert_eq!(explained, [1, 4, 7]);
}

#[rstest]
#[case::none(|_: Asked| WELL, false)]
#[case::one(|(at, ..): Asked| if at == 1 { LATE } else { WELL }, true)]
fn the_time_of_the_first_bad_outcome_is_kept(#[case] answers: Answers, #[case] kept: bool) {
    let (seen, _) = swept(path(3, None), false, answers);
    assert_eq!(seen.unwrap().first_seconds.is_some(), kept);
}

/// Copies that say so of each boundary, and executions of their own that say this.
struct Copying {
    copies: Result<&'static [Option<Outcome>], Trouble>,
    itself: Scripted,
}

impl Engine for Copying {
    fn record(&mut self) -> Result<engine::Recorded, Trouble> {
        self.itself.record()
    }

    fn record_handler(&mut self, path: &[Boundary], at: usize) -> Result<Vec<Boundary>, Trouble> {
        self.itself.record_handler(path, at)
    }

    fn by_copies(&mut self, _: &[Boundary], tell: &mut dyn FnMut(usize, Option<Ended>)) -> Result<(), Trouble> {
        let copies = std::mem::replace(&mut self.copies, Ok(&[]))?;
        copies.iter().enumerate().for_each(|(at, outcome)| tell(at, outcome.map(ended)));
        Ok(())
    }

    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
        self.itself.inject(shot)
    }
}

fn incapable() -> Trouble {
    Trouble::Incapable { engine: Kind::Undo, what: "do this" }
}

/// The truth is well at 0 and 1, late at 2 to 4, well at 5.
fn copied(
    copies: Copies,
    by_copies: Result<&'static [Option<Outcome>], Trouble>,
) -> (Result<Seen, Trouble>, Vec<usize>) {
    let asked = Rc::default();
    let answers: Answers = |(at, ..)| if (2..5).contains(&at) { LATE } else { WELL };
    let itself = Scripted { path: path(6, None), answers, asked: Rc::clone(&asked) };
    let engine = Box::new(Copying { copies: by_copies, itself });
    let seen = look_by(engine, copies, false, None, &Which::All, &());
    let asked = asked.borrow().iter().filter(|(.., explain)| !explain).map(|(at, ..)| *at).collect();
    (seen, asked)
}

/// Both ends of each run are visited again, and what copies could not judge is visited at all.
#[rstest]
#[case::all(&[WELL, WELL, LATE, LATE, LATE, WELL], &[0, 1, 2, 4, 5], (6, 5))]
#[case::not_one(&[WELL, WELL, LATE, None, LATE, WELL], &[3, 0, 1, 2, 4, 5], (5, 5))]
#[case::none(&[None, None, None, None, None, None], &[0, 1, 2, 3, 4, 5], (0, 0))]
fn what_copies_judge_is_confirmed(
    #[case] copies: &'static [Option<Outcome>],
    #[case] visited: &[usize],
    #[case] counts: (usize, usize),
) {
    let (seen, asked) = copied(Copies::Demanded, Ok(copies));
    let seen = seen.unwrap();
    assert_eq!(outcomes(&seen), [WELL, WELL, LATE, LATE, LATE, WELL]);
    assert_eq!(asked, visited);
    let undo = seen.undo.unwrap();
    assert_eq!((undo.boundaries, undo.confirmed, undo.fell_back), (counts.0, counts.1, None));
}

/// A copy that is wrong at an end of a range is found, and then no copy is believed.
#[rstest]
#[case::at_its_begin(&[WELL, LATE, LATE, LATE, LATE, WELL], 1)]
#[case::at_its_end(&[WELL, WELL, LATE, LATE, WELL, WELL], 4)]
#[case::all_well(&[WELL, WELL, WELL, WELL, WELL, CRASH], 4)]
fn a_copy_that_is_wrong_is_found(#[case] copies: &'static [Option<Outcome>], #[case] at: usize) {
    let (seen, asked) = copied(Copies::Tried, Ok(copies));
    let seen = seen.unwrap();
    assert_eq!(outcomes(&seen), [WELL, WELL, LATE, LATE, LATE, WELL]);
    assert_eq!(asked[asked.len() - 6..], [0, 1, 2, 3, 4, 5], "all are visited again: {asked:?}");
    let undo = seen.undo.unwrap();
    assert_eq!(undo.boundaries, 0);
    let why = undo.fell_back.unwrap();
    assert!(why.contains(&format!("at boundary {at} a copy came to")), "{why}");
}

#[test]
fn a_window_that_is_none_for_copies_is_swept_without_them_unless_they_are_demanded() {
    let (seen, asked) = copied(Copies::Tried, Err(incapable()));
    let seen = seen.unwrap();
    assert_eq!((seen.undo, asked), (None, vec![0, 1, 2, 3, 4, 5]));
    let (seen, asked) = copied(Copies::Demanded, Err(incapable()));
    assert!(matches!(seen, Err(Trouble::Incapable { engine: Kind::Undo, .. })) && asked.is_empty());
    let (seen, asked) = copied(Copies::None, Ok(&[CRASH; 6]));
    assert_eq!((seen.unwrap().undo, asked.len()), (None, 6));
}

/// Cannot step through the handler behind one boundary in so many tries; each other boundary it can.
struct Blind {
    at: usize,
    tries: u32,
    tried: u32,
}

impl Engine for Blind {
    fn record(&mut self) -> Result<engine::Recorded, Trouble> {
        Ok(engine::Recorded { path: path(6, Some(2)), ended: ended(Outcome::Delivered) })
    }

    fn record_handler(&mut self, _path: &[Boundary], at: usize) -> Result<Vec<Boundary>, Trouble> {
        if at == self.at && self.tried < self.tries {
            self.tried += 1;
            return Err(Trouble::Astray("no handler came".to_owned()));
        }
        Ok(path(2, None))
    }

    fn inject(&mut self, _shot: Shot<'_>) -> Result<Ended, Trouble> {
        Ok(ended(Outcome::Delivered))
    }
}

#[rstest]
#[case::at_the_first_time(1, &[0, 2, 5], &[])]
#[case::as_often_as_it_is_tried(TRIES, &[0, 2, 5], &[])]
#[case::each_time(TRIES + 1, &[0, 5], &[2])]
fn a_handler_that_cannot_be_stepped_through_is_tried_again_and_told(
    #[case] tries: u32,
    #[case] firsts: &[usize],
    #[case] unrecorded: &[usize],
) {
    let engine = Box::new(Blind { at: 2, tries, tried: 0 });
    let seen = look_by(engine, Copies::None, true, None, &Which::All, &()).unwrap();
    assert_eq!(seen.nested.iter().map(|nested| nested.first).collect::<Vec<_>>(), firsts);
    assert_eq!(seen.unrecorded.iter().map(|(first, _)| *first).collect::<Vec<_>>(), unrecorded);
    assert!(seen.unrecorded.iter().all(|(_, why)| why == "no handler came"));
}

/// Hangs at each boundary of a range, which patience decides. It has no other child than the first.
struct Patient {
    bad: std::ops::Range<usize>,
    asked: Rc<RefCell<Vec<usize>>>,
}

impl Engine for Patient {
    fn record(&mut self) -> Result<engine::Recorded, Trouble> {
        Ok(engine::Recorded { path: path(6, None), ended: ended(Outcome::Delivered) })
    }

    fn record_handler(&mut self, _path: &[Boundary], _at: usize) -> Result<Vec<Boundary>, Trouble> {
        Ok(path(2, None))
    }

    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
        self.asked.borrow_mut().push(shot.at);
        if !self.bad.contains(&shot.at) {
            return Ok(ended(Outcome::Delivered));
        }
        let finding = Finding::new(Outcome::SelfDeadlock, "it did not move");
        Ok(Ended { finding: Some(finding), presumed: true, ..ended(Outcome::SelfDeadlock) })
    }

    fn unwatchable(&mut self) -> Option<String> {
        Some("it is hidden".to_owned())
    }
}

/// Each such hang takes 10 s: the sweep ends after two, does not visit one again to diagnose it, and sends no
/// second signal. A window without a hang is swept whole.
#[rstest]
#[case::broken(2..6, &[0, 1, 2, 3], 2)]
#[case::in_two_ranges_of_which_one_is_seen(0..1, &[0, 1, 2, 3, 4, 5], 1)]
#[case::fixed(0..0, &[0, 1, 2, 3, 4, 5], 0)]
fn a_sweep_whose_hangs_patience_decides_ends_early(
    #[case] bad: std::ops::Range<usize>,
    #[case] visited: &[usize],
    #[case] presumed: usize,
) {
    let asked = Rc::default();
    let engine = Box::new(Patient { bad: bad.clone(), asked: Rc::clone(&asked) });
    let seen = look_by(engine, Copies::None, false, None, &Which::All, &()).unwrap();
    assert_eq!(*asked.borrow(), visited);
    assert_eq!((seen.swept.path.len(), seen.swept.judged.len()), (6, visited.len()));
    assert_eq!((seen.presumed.len(), seen.unwatchable.as_deref()), (presumed, Some("it is hidden")));
    let findings: Vec<_> = seen.findings.iter().map(|(at, _)| *at).collect();
    assert_eq!(findings, if presumed > 0 { vec![bad.start] } else { vec![] }, "one for each range");
}

#[test]
fn no_second_signal_is_sent_once_patience_is_over() {
    let asked = Rc::default();
    let engine = Box::new(Patient { bad: 3..6, asked: Rc::clone(&asked) });
    let seen = look_by(engine, Copies::None, true, None, &Which::All, &()).unwrap();
    assert_eq!((asked.borrow().len(), seen.nested.len()), (5, 0));
}

/// Takes its path in the first two executions of a child, of which the first is the recording; a longer one
/// later.
#[derive(Default)]
struct Drifting {
    executions: u32,
    children: u32,
}

impl Drifting {
    fn execute(&mut self) -> u32 {
        if self.executions == 0 {
            self.children += 1;
        }
        self.executions += 1;
        self.executions
    }
}

impl Engine for Drifting {
    fn record(&mut self) -> Result<engine::Recorded, Trouble> {
        let length = 3 + self.execute() as usize;
        Ok(engine::Recorded { path: path(length, None), ended: ended(Outcome::Delivered) })
    }

    fn record_handler(&mut self, _path: &[Boundary], _at: usize) -> Result<Vec<Boundary>, Trouble> {
        unreachable!("no second signal is asked for")
    }

    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
        if self.execute() == 1 && shot.path.len() == 4 {
            return Ok(ended(Outcome::Delivered));
        }
        self.renew();
        Err(Trouble::Astray("the path is longer".to_owned()))
    }

    fn renew(&mut self) {
        self.executions = 0;
    }
}

#[test]
fn a_path_that_only_a_fresh_child_takes_is_recorded_and_swept() {
    let seen = look_by(Box::<Drifting>::default(), Copies::None, false, None, &Which::All, &()).unwrap();
    assert_eq!(outcomes(&seen), [WELL; 4]);
    assert!(seen.swept.judged.iter().all(|judged| judged.retries <= 1), "{:?}", seen.swept.judged);
}

/// Records paths of the same length: the second one differs in its last instruction.
struct Wandering(u32);

impl Engine for Wandering {
    fn record(&mut self) -> Result<engine::Recorded, Trouble> {
        self.0 += 1;
        let mut path = path(3, None);
        if self.0 == 2 {
            path[2].pc += 1;
        }
        Ok(engine::Recorded { path, ended: ended(Outcome::Delivered) })
    }

    fn record_handler(&mut self, _path: &[Boundary], _at: usize) -> Result<Vec<Boundary>, Trouble> {
        unreachable!("no second signal is asked for")
    }

    fn inject(&mut self, _shot: Shot<'_>) -> Result<Ended, Trouble> {
        Ok(ended(Outcome::Delivered))
    }
}

#[test]
fn a_path_counts_once_it_was_recorded_twice_instruction_for_instruction() {
    let seen = look_by(Box::new(Wandering(0)), Copies::None, false, None, &Which::All, &()).unwrap();
    assert_eq!(seen.swept.path, path(3, None));
}
