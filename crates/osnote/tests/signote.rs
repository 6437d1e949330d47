//! The single-instance note: refusal, room after a drop, and what the forbidden replacement does.

mod support;

use std::sync::Barrier;
use std::thread;

use sigproof_osnote::notes::signote::{self, SetUp, Slot};
use sigproof_osnote::{Note, NoteError};

use support::{Watched, exclusive, sleeper};

#[test]
fn a_second_set_up_is_refused_and_disturbs_nothing() {
    static SLOT: Slot = Slot::new();
    let _exclusive = exclusive("second set-up");
    let first = signote::set_up_in(&SLOT, SetUp::Once).unwrap();
    let watched = Watched::new();
    thread::scope(|scope| {
        let sleeper = sleeper(scope, &first, &watched);
        assert!(watched.asleep());
        assert_eq!(signote::set_up_in(&SLOT, SetUp::Once).err(), Some(NoteError::DuplicateSetup));
        assert_eq!(SLOT.install(first.bell().ends()), Err(NoteError::DuplicateSetup));
        first.wakeup().unwrap();
        sleeper.join().unwrap().unwrap();
    });
    assert!(SLOT.is_taken());
    drop(first);
    assert!(!SLOT.is_taken());
    signote::set_up_in(&SLOT, SetUp::Once).unwrap();
}

/// The mistake that its case rebuilds: the sleeper waits at the old pipe, the wake-up goes to the new one.
#[test]
fn a_replacement_sends_the_wake_up_past_the_sleeper() {
    static SLOT: Slot = Slot::new();
    let _exclusive = exclusive("replacement");
    let first = signote::set_up_in(&SLOT, SetUp::Once).unwrap();
    let watched = Watched::new();
    thread::scope(|scope| {
        let sleeper = sleeper(scope, &first, &watched);
        assert!(watched.asleep());
        let second = signote::set_up_in(&SLOT, SetUp::Replacing).unwrap();
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
    let first = signote::set_up_in(&SLOT, SetUp::Once).unwrap();
    let second = signote::set_up_in(&SLOT, SetUp::Replacing).unwrap();
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
            let note = signote::set_up_in(&SLOT, SetUp::Once);
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
    let note = signote::set_up_in(&SLOT, SetUp::Once).unwrap();
    let ends = note.bell().ends();
    let (read, write) = (ends.read.borrow(), ends.write.borrow());
    assert!(read.is_cloexec().unwrap() && write.is_cloexec().unwrap());
    drop(note);
    assert!(read.is_cloexec().is_err() && write.is_cloexec().is_err());
}
