//! The table of descriptors: numbers, flags, closing, and what a fork inherits.

use std::sync::Arc;

use sigproof_shim::model;
use sigproof_shim::os::fd::{self, FdRef, PipeEnds};
use sigproof_shim::os::{OsError, errno};

use crate::support::{calm, set};

const fn bad(call: &'static str) -> OsError {
    OsError::Failed { call, errno: libc::EBADF }
}

#[test]
fn the_lowest_free_number_is_given() {
    calm(|| {
        let PipeEnds { read, write } = fd::pipe().unwrap();
        let counter = fd::eventfd().unwrap();
        assert_eq!((read.number(), write.number(), counter.number()), (3, 4, 5));
        drop(write);
        drop(read);
        let again = fd::pipe().unwrap();
        assert_eq!((again.read.number(), again.write.number()), (3, 4));
    });
}

#[test]
fn a_closed_descriptor_is_refused_by_every_call() {
    calm(|| {
        let ends = fd::pipe().unwrap();
        let number = ends.read.number();
        drop(ends);
        for number in [number, -1, 2] {
            // SAFETY: no descriptor of a model is open by this number.
            let closed = unsafe { FdRef::from_number(number) };
            let refused = |error: OsError, call| {
                assert_eq!((error, errno::get()), (bad(call), libc::EBADF));
                errno::set(0);
            };
            refused(closed.read(&mut [0]).unwrap_err(), "read");
            refused(closed.write(&[0]).unwrap_err(), "write");
            refused(closed.poll_readable(None).unwrap_err(), "poll");
            refused(closed.is_cloexec().unwrap_err(), "fcntl");
            refused(closed.set_cloexec(true).unwrap_err(), "fcntl");
            refused(closed.set_nonblocking(true).unwrap_err(), "fcntl");
        }
    });
}

#[test]
fn flags() {
    calm(|| {
        let plain = fd::pipe().unwrap();
        let is = |fd: &fd::Fd| fd.borrow().is_cloexec().unwrap();
        assert!(!is(&plain.read) && !is(&plain.write));
        plain.read.borrow().set_cloexec(true).unwrap();
        assert!(is(&plain.read) && !is(&plain.write), "a flag of one descriptor");
        plain.read.borrow().set_cloexec(false).unwrap();
        assert!(!is(&plain.read));
        let marked = fd::pipe2_cloexec().unwrap();
        assert!(fd::has_pipe2() && is(&marked.read) && is(&marked.write) && is(&fd::eventfd().unwrap()));
    });
}

/// Another thread forks while this one makes a pipe: how many of its two ends the child has.
fn inherited(make: fn() -> PipeEnds) -> impl Fn() -> Vec<i32> + Send + Sync + 'static {
    move || {
        let forker = model::spawn("forker", model::fork_and_exec);
        let ends = make();
        let inherited = forker.join();
        drop(ends);
        inherited
    }
}

fn marked_later() -> PipeEnds {
    let ends = fd::pipe().unwrap();
    ends.read.borrow().set_cloexec(true).unwrap();
    ends.write.borrow().set_cloexec(true).unwrap();
    ends
}

/// Before the pipe; between it and the marks, none of which is set, or one; after.
#[test]
fn control_a_fork_between_pipe_and_mark_inherits() {
    assert_eq!(calm(inherited(marked_later)), set([vec![], vec![3, 4], vec![4]]));
}

#[test]
fn a_fork_never_inherits_what_is_made_close_on_exec() {
    assert_eq!(calm(inherited(|| fd::pipe2_cloexec().unwrap())), set([vec![]]));
}

#[test]
fn a_fork_inherits_until_the_close() {
    let seen = calm(|| {
        let PipeEnds { read, write } = fd::pipe().unwrap();
        let forker = model::spawn("forker", model::fork_and_exec);
        drop(read);
        drop(write);
        forker.join()
    });
    assert_eq!(seen, set([vec![], vec![3, 4], vec![4]]));
}

/// Two threads make descriptors: each number is given once, in either order.
#[test]
fn numbers_are_given_once() {
    let seen = calm(|| {
        let other = model::spawn("other", || Arc::new(fd::eventfd().unwrap()));
        let mine = fd::eventfd().unwrap();
        let theirs = other.join();
        (mine.number(), theirs.number())
    });
    assert_eq!(seen, set([(3, 4), (4, 3)]));
}
