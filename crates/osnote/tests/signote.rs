//! The single-instance note: refusal, room after a drop, and what the forbidden replacement does.

mod support;

use std::sync::Barrier;
use std::thread;

use sigproof_osnote::notes::signote::{self, SigNote, Slot};
use sigproof_osnote::{Note, NoteError, testing};
use sigproof_shim::os::fd::FdRef;

use support::{Watched, exclusive, sleeper};

/// A second note in the slot, which takes the place of the first.
fn replacing(slot: &'static Slot) -> SigNote {
    // SAFETY: in these tests no call of a replaced note is running when the replacing note is dropped, but a
    // sleep that has begun on a pipe of its own.
    unsafe { testing::set_up_replacing(slot) }.unwrap()
}

#[test]
fn a_second_set_up_is_refused_and_disturbs_nothing() {
    static SLOT: Slot = Slot::new();
    let _exclusive = exclusive("second set-up");
    let first = signote::set_up_in(&SLOT).unwrap();
    let watched = Watched::new();
    thread::scope(|scope| {
        let sleeper = sleeper(scope, &first, &watched);
        assert!(watched.asleep());
        assert_eq!(signote::set_up_in(&SLOT).err(), Some(NoteError::DuplicateSetup));
        first.wakeup().unwrap();
        sleeper.join().unwrap().unwrap();
    });
    assert!(SLOT.is_taken());
    drop(first);
    assert!(!SLOT.is_taken());
    signote::set_up_in(&SLOT).unwrap();
}

/// The mistake that its case rebuilds: the sleeper waits at the old pipe, the wake-up goes to the new one.
#[test]
fn a_replacement_sends_the_wake_up_past_the_sleeper() {
    static SLOT: Slot = Slot::new();
    let _exclusive = exclusive("replacement");
    let first = signote::set_up_in(&SLOT).unwrap();
    let watched = Watched::new();
    thread::scope(|scope| {
        let sleeper = sleeper(scope, &first, &watched);
        assert!(watched.asleep());
        let second = replacing(&SLOT);
        first.wakeup().unwrap();
        let unheard = second.bell().ends().read.borrow().poll_readable(None).unwrap();
        assert!(unheard && watched.asleep(), "the sleeper cannot have heard it");
        // Its own pipe is still open, as it belongs to it; a byte there ends the test.
        first.bell().ends().write.borrow().write(&[0]).unwrap();
        sleeper.join().unwrap().unwrap();
        drop(second);
    });
    assert!(!SLOT.is_taken(), "the second has left it, and the first must not bring it back");
    drop(first);
    assert!(!SLOT.is_taken());
}

#[test]
fn one_that_was_replaced_leaves_the_slot_to_the_other() {
    static SLOT: Slot = Slot::new();
    let _exclusive = exclusive("replaced, dropped first");
    let first = signote::set_up_in(&SLOT).unwrap();
    let second = replacing(&SLOT);
    drop(first);
    assert!(SLOT.is_taken());
    second.wakeup().unwrap();
    second.sleep().unwrap();
}

#[test]
fn of_two_set_ups_at_once_one_is_refused() {
    static SLOT: Slot = Slot::new();
    let _exclusive = exclusive("set-ups at once");
    let barrier = &Barrier::new(2);
    for _ in 0..1000 {
        let set_up = || {
            barrier.wait();
            let note = signote::set_up_in(&SLOT);
            barrier.wait();
            note.map(drop)
        };
        let results = thread::scope(|scope| [scope.spawn(set_up), scope.spawn(set_up)].map(|one| one.join().unwrap()));
        let refused = results.iter().filter(|one| **one == Err(NoteError::DuplicateSetup)).count();
        assert!(refused == 1 && results.contains(&Ok(())), "{results:?}");
    }
}

#[test]
fn its_descriptors_are_closed_with_it_and_not_inherited() {
    static SLOT: Slot = Slot::new();
    let _exclusive = exclusive("descriptors");
    let note = signote::set_up_in(&SLOT).unwrap();
    let ends = note.bell().ends();
    let numbers = [ends.read.number(), ends.write.number()];
    // SAFETY: a look at the flag changes nothing, whosever descriptor has the number.
    let is_cloexec = |number| unsafe { FdRef::from_number(number) }.is_cloexec();
    assert!(numbers.iter().all(|number| is_cloexec(*number).unwrap()));
    drop(note);
    assert!(numbers.iter().all(|number| is_cloexec(*number).is_err()));
}
