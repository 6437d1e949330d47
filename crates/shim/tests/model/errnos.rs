//! `errno`: one of each thread, and a handler must leave it as it was.

use std::sync::Arc;

use sigproof_shim::model::{self, FailureKind};
use sigproof_shim::os::errno::{self, ErrnoGuard};
use sigproof_shim::os::{fd, futex};

use crate::support::{SIGNAL, calm, failure, failure_by_signal, ignore, outcomes, set, signals, swept, word};

#[test]
fn each_thread_has_its_own() {
    let seen = calm(|| {
        errno::set(1);
        let other = model::spawn("other", || {
            let before = errno::get();
            errno::set(2);
            // Lets the other run meanwhile.
            futex::wake(&word(0), 1).unwrap();
            (before, errno::get())
        });
        futex::wake(&word(0), 1).unwrap();
        let mine = errno::get();
        (mine, other.join(), errno::get())
    });
    assert_eq!(seen, set([(1, (0, 2), 1)]));
}

/// A call that fails sets that of its own thread; one that succeeds leaves it.
#[test]
fn a_failing_call_sets_it_and_another_does_not() {
    let seen = calm(|| {
        errno::set(1);
        let other = model::spawn("other", || {
            ignore(futex::wait(&word(1), 0, None));
            errno::get()
        });
        let counter = fd::eventfd().unwrap();
        counter.borrow().write(&1_u64.to_ne_bytes()).unwrap();
        let before = errno::get();
        counter.borrow().read(&mut [0; 8]).unwrap();
        (before, errno::get(), other.join())
    });
    assert_eq!(seen, set([(1, 1, libc::EAGAIN)]));
}

#[test]
fn a_guard_restores_it_and_guards_nest() {
    let seen = calm(|| {
        errno::set(1);
        let outer = ErrnoGuard::new();
        errno::set(2);
        let inner = ErrnoGuard::new();
        errno::set(3);
        drop(inner);
        let between = errno::get();
        drop(outer);
        (between, errno::get())
    });
    assert_eq!(seen, set([(2, 1)]));
}

/// The handler makes a call that fails; the target has `errno` 7 and an operation.
fn handler_that_fails(guarded: bool) -> impl Fn() -> i32 + Send + Sync + 'static {
    move || {
        let counter = Arc::new(fd::eventfd().unwrap());
        let inner = Arc::clone(&counter);
        model::handle("handler", SIGNAL, &[], move || {
            let _guard = guarded.then(ErrnoGuard::new);
            assert!(inner.borrow().read(&mut [0; 8]).is_err());
        });
        errno::set(7);
        model::interruptible(|| ignore(futex::wake(&word(0), 1)));
        errno::get()
    }
}

#[test]
fn a_handler_with_a_guard_spoils_nothing() {
    assert_eq!(swept(handler_that_fails(true)), set([7]));
}

#[test]
fn control_a_handler_without_a_guard_is_found() {
    let body = handler_that_fails(false);
    let failure = failure_by_signal(FailureKind::ErrnoSpoiled, move || ignore(body()));
    let message = format!("handler handler was entered with errno 7 and left with {}", libc::EAGAIN);
    assert_eq!(failure.message, message);
}

/// One that changes it and changes it back has spoiled nothing; one that sets another value has.
#[test]
fn only_the_value_at_the_return_counts() {
    let body = |last: i32| {
        move || {
            model::handle("handler", SIGNAL, &[], move || {
                errno::set(5);
                errno::set(last);
            });
            model::interruptible(|| {});
        }
    };
    outcomes(&signals([(0, 0)]), body(0));
    failure(&signals([(0, 0)]), FailureKind::ErrnoSpoiled, body(5));
}

/// The inner of two handlers is held to what the outer one had, not to what the thread had.
#[test]
fn a_nested_handler_keeps_that_of_the_outer() {
    let body = |inner_spoils: bool| {
        move || {
            let word = word(0);
            model::handle("outer", SIGNAL, &[], move || {
                let _guard = ErrnoGuard::new();
                errno::set(5);
                // Point 1.
                futex::wake(&word, 1).unwrap();
                assert_eq!(errno::get(), 5);
            });
            model::handle("inner", libc::SIGUSR1, &[], move || errno::set(if inner_spoils { 0 } else { 5 }));
            model::interruptible(|| {});
        }
    };
    outcomes(&signals([(0, 0), (1, 1)]), body(false));
    let failure = failure(&signals([(0, 0), (1, 1)]), FailureKind::ErrnoSpoiled, body(true));
    assert_eq!(failure.message, "handler inner was entered with errno 5 and left with 0");
}
