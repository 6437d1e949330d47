//! The pipe: what it holds, who is woken, end-of-file, and what a write orders.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::model::{self, FailureKind, Plan};
use sigproof_shim::os::fd::{self, FdRef, PipeEnds};
use sigproof_shim::os::{OsError, clock, errno};

use crate::support::{SIGNAL, calm, failure, ignore, outcomes, set, signals, spurious, timeout, waits, word};

const SECOND: Duration = Duration::from_secs(1);

fn pipe() -> Arc<PipeEnds> {
    Arc::new(fd::pipe().unwrap())
}

/// A pipe whose ends do not block.
fn hasty() -> Arc<PipeEnds> {
    let ends = pipe();
    ends.read.borrow().set_nonblocking(true).unwrap();
    ends.write.borrow().set_nonblocking(true).unwrap();
    ends
}

/// What a call gave, as something that can be sorted.
fn code(result: Result<usize, OsError>) -> Result<usize, i32> {
    result.map_err(|error| match error {
        OsError::Failed { errno, .. } => errno,
        OsError::Unsupported { .. } => -1,
    })
}

fn read(from: FdRef<'_>, most: usize) -> Result<usize, i32> {
    code(from.read(&mut [0; 8][..most]))
}

fn write(to: FdRef<'_>, bytes: usize) -> Result<usize, i32> {
    code(to.write(&[0; 8][..bytes]))
}

#[test]
fn a_pipe_holds_four_bytes() {
    calm(|| {
        let ends = hasty();
        let (from, to) = (ends.read.borrow(), ends.write.borrow());
        assert_eq!(read(from, 8), Err(libc::EAGAIN));
        assert_eq!((write(to, 0), write(to, 3), write(to, 3), write(to, 1)), (Ok(0), Ok(3), Ok(1), Err(libc::EAGAIN)));
        errno::set(0);
        assert_eq!((read(from, 3), read(from, 8), read(from, 8)), (Ok(3), Ok(1), Err(libc::EAGAIN)));
        assert_eq!(errno::get(), libc::EAGAIN);
        assert_eq!((write(to, 4), read(from, 4)), (Ok(4), Ok(4)));
    });
}

#[test]
fn each_end_goes_one_way() {
    calm(|| {
        let ends = hasty();
        assert_eq!((write(ends.read.borrow(), 1), read(ends.write.borrow(), 1)), (Err(libc::EBADF), Err(libc::EBADF)));
        assert_eq!(read(ends.read.borrow(), 1), Err(libc::EAGAIN), "nothing was written");
    });
}

/// Whoever comes first: the reader gets the byte, and what was stored before it was written.
#[test]
fn a_read_waits_for_a_write_and_is_ordered_after_it() {
    let seen = calm(|| {
        let (ends, data) = (pipe(), word(0));
        let writer = model::spawn("writer", {
            let (ends, data) = (Arc::clone(&ends), Arc::clone(&data));
            move || {
                data.store(1, Ordering::Relaxed);
                write(ends.write.borrow(), 1)
            }
        });
        let got = read(ends.read.borrow(), 8);
        let seen = data.load(Ordering::Relaxed);
        (got, seen, writer.join())
    });
    assert_eq!(seen, set([(Ok(1), 1, Ok(1))]));
}

#[test]
fn two_writes_are_read_together_or_in_turn() {
    let seen = calm(|| {
        let ends = pipe();
        let writer = model::spawn("writer", {
            let ends = Arc::clone(&ends);
            move || (write(ends.write.borrow(), 1), write(ends.write.borrow(), 2))
        });
        let first = read(ends.read.borrow(), 8);
        ignore(writer.join());
        ends.read.borrow().set_nonblocking(true).unwrap();
        (first, read(ends.read.borrow(), 8))
    });
    assert_eq!(seen, set([(Ok(1), Ok(2)), (Ok(3), Err(libc::EAGAIN))]));
}

#[test]
fn a_byte_is_for_one_reader() {
    let seen = calm(|| {
        let PipeEnds { read: from, write: to } = fd::pipe().unwrap();
        let from = Arc::new(from);
        let other = model::spawn("other", {
            let from = Arc::clone(&from);
            move || read(from.borrow(), 8)
        });
        let writer = model::spawn("writer", move || {
            write(to.borrow(), 1).unwrap();
            drop(to);
        });
        let mine = read(from.borrow(), 8);
        writer.join();
        (mine, other.join())
    });
    assert_eq!(seen, set([(Ok(0), Ok(1)), (Ok(1), Ok(0))]));
}

#[test]
fn control_a_read_of_an_empty_pipe_is_stuck() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || ignore(read(pipe().read.borrow(), 1)));
    assert_eq!(waits(&failure), [("main", "a read of channel 1".into())]);
}

#[test]
fn control_a_write_that_blocks_is_refused() {
    let failure = failure(&Plan::default(), FailureKind::Panicked, || ignore(write(pipe().write.borrow(), 5)));
    assert_eq!(failure.message, "a write that blocks");
    let full = crate::support::failure(&Plan::default(), FailureKind::Panicked, || {
        let ends = pipe();
        write(ends.write.borrow(), 4).unwrap();
        ignore(write(ends.write.borrow(), 1));
    });
    assert_eq!(full.message, "a write that blocks");
}

/// The end of the write end is seen by who sleeps and by who comes later, after what was written.
#[test]
fn end_of_file() {
    for bytes in [0, 2] {
        let seen = calm(move || {
            let PipeEnds { read: from, write: to } = fd::pipe().unwrap();
            let closer = model::spawn("closer", move || {
                if bytes > 0 {
                    write(to.borrow(), bytes).unwrap();
                }
                drop(to);
            });
            let first = read(from.borrow(), 8);
            let readable = from.borrow().poll_readable(None).unwrap();
            let second = read(from.borrow(), 8);
            closer.join();
            (first, readable, second)
        });
        assert_eq!(seen, set([(Ok(bytes), true, Ok(0))]));
    }
}

/// A poll takes nothing, waits as a read does, and is ordered after the write.
#[test]
fn a_poll_waits_for_a_write() {
    let seen = calm(|| {
        let (ends, data) = (pipe(), word(0));
        let writer = model::spawn("writer", {
            let (ends, data) = (Arc::clone(&ends), Arc::clone(&data));
            move || {
                data.store(1, Ordering::Relaxed);
                write(ends.write.borrow(), 1).unwrap();
            }
        });
        let early = ends.read.borrow().poll_readable(Some(Duration::ZERO)).unwrap();
        let late = ends.read.borrow().poll_readable(None).unwrap();
        let seen = data.load(Ordering::Relaxed);
        writer.join();
        (early, late, seen, read(ends.read.borrow(), 8))
    });
    assert_eq!(seen, set([(false, true, 1, Ok(1)), (true, true, 1, Ok(1))]));
}

#[test]
fn control_a_poll_of_an_empty_pipe_is_stuck() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        ignore(pipe().read.borrow().poll_readable(None));
    });
    assert_eq!(waits(&failure), [("main", "a poll of channel 1".into())]);
}

/// What a read and a poll of the target give that no thread writes for, with `errno` and the time that
/// passed.
fn alone(plan: &Plan, timeout: Option<Option<Duration>>) -> BTreeSet<(Result<usize, i32>, i32, Duration)> {
    outcomes(plan, move || {
        let ends = pipe();
        let before = clock::now();
        model::handle("handler", SIGNAL, &[], || {});
        let ended = model::interruptible(|| match timeout {
            None => read(ends.read.borrow(), 8),
            Some(timeout) => code(ends.read.borrow().poll_readable(timeout).map(usize::from)),
        });
        (ended, errno::get(), clock::now() - before)
    })
}

#[test]
fn every_end_of_a_wait() {
    let (zero, interrupted) = (Duration::ZERO, Err(libc::EINTR));
    // Point 0 is before the call, 1 is asleep.
    assert_eq!(alone(&signals([(1, 0)]), None), set([(interrupted, libc::EINTR, zero)]));
    assert_eq!(alone(&spurious(0), None), set([(interrupted, libc::EINTR, zero)]));
    assert_eq!(alone(&signals([(1, 0)]), Some(None)), set([(interrupted, libc::EINTR, zero)]));
    assert_eq!(alone(&spurious(0), Some(None)), set([(interrupted, libc::EINTR, zero)]));
    assert_eq!(alone(&timeout(0), Some(Some(SECOND))), set([(Ok(0), 0, SECOND)]));
    assert_eq!(alone(&Plan::default(), Some(Some(zero))), set([(Ok(0), 0, zero)]));
}

#[test]
fn control_a_handler_before_the_call_does_not_end_it() {
    failure(&signals([(0, 0)]), FailureKind::Deadlock, || {
        let ends = pipe();
        model::handle("handler", SIGNAL, &[], || {});
        model::interruptible(|| ignore(read(ends.read.borrow(), 8)));
    });
}

/// The self-pipe: before the call and asleep, a handler that writes wakes its own thread.
#[test]
fn a_handler_writes_for_its_own_thread() {
    for point in [0, 1] {
        let seen = outcomes(&signals([(point, 0)]), || {
            let ends = pipe();
            let inner = Arc::clone(&ends);
            model::handle("handler", SIGNAL, &[], move || ignore(write(inner.write.borrow(), 1)));
            model::interruptible(|| read(ends.read.borrow(), 8))
        });
        assert_eq!(seen, set([Ok(1)]), "point {point}");
    }
}

/// A read that was interrupted has left the queue: the byte is still there.
#[test]
fn an_interrupted_read_takes_nothing() {
    let seen = outcomes(&signals([(1, 0)]), || {
        let ends = pipe();
        let writer = model::spawn("writer", {
            let ends = Arc::clone(&ends);
            move || write(ends.write.borrow(), 1).unwrap()
        });
        model::handle("handler", SIGNAL, &[], || {});
        let first = model::interruptible(|| read(ends.read.borrow(), 8));
        ignore(writer.join());
        ends.read.borrow().set_nonblocking(true).unwrap();
        (first, read(ends.read.borrow(), 8))
    });
    assert_eq!(seen, set([(Err(libc::EINTR), Ok(1)), (Ok(1), Err(libc::EAGAIN))]));
}
