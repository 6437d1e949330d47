//! Pipes that no child inherits: both recipes mark both ends, and the fork lock keeps forks and makers apart.

mod support;

use std::thread;

use sigproof_osnote::cloexec::{self, ForkLock, Pipe2, PipeRecipe};
use sigproof_osnote::{Note, NoteError, notes};

use support::{Gate, Watched, exclusive};

#[test]
fn every_recipe_marks_both_ends() {
    let recipes: [&dyn PipeRecipe; 3] = [&Pipe2, &ForkLock, cloexec::best()];
    for recipe in recipes {
        match cloexec::pipe_with(recipe) {
            Ok(ends) => {
                for end in [ends.read.borrow(), ends.write.borrow()] {
                    assert!(end.is_cloexec().unwrap(), "{}", recipe.name());
                }
                ends.write.borrow().write(&[1]).unwrap();
                assert_eq!(ends.read.borrow().read(&mut [0; 2]).unwrap(), 1);
            }
            Err(error) => {
                assert!(recipe.name() == "pipe2" && matches!(error, NoteError::Unsupported { .. }), "{error}");
            }
        }
    }
}

#[test]
fn an_event_counter_is_not_inherited() {
    match notes::eventfd::new() {
        Ok(note) => assert!(note.bell().counter().borrow().is_cloexec().unwrap()),
        Err(error) => {
            let here = notes::eventfd::BACKEND.available();
            assert!(!here && matches!(error, NoteError::Unsupported { .. }), "{error}");
        }
    }
}

#[test]
fn a_note_works_over_the_fork_lock_too() {
    let note = notes::pipe::with_recipe(&ForkLock).unwrap();
    note.wakeup().unwrap();
    note.sleep().unwrap();
}

#[test]
fn a_fork_waits_for_makers_and_makers_wait_for_a_fork() {
    let _exclusive = exclusive("fork lock");
    // Makers do not exclude each other.
    let (one, two) = (cloexec::descriptor_guard(), cloexec::descriptor_guard());
    let forking = Watched::new();
    let forked = Gate::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = forking.run(cloexec::fork_guard);
            forked.wait(1);
            drop(guard);
        });
        assert!(forking.asleep(), "a fork between the two calls of a maker");
        drop(one);
        assert!(forking.asleep(), "a fork between the two calls of a maker");
        drop(two);
        while !forking.returned() {
            thread::yield_now();
        }
        let making = Watched::new();
        thread::scope(|inner| {
            let made = inner.spawn(|| making.run(|| ForkLock.make().map(drop)));
            assert!(making.asleep(), "a descriptor made during a fork");
            forked.open(1);
            made.join().unwrap().unwrap();
        });
    });
}
