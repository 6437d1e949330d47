//! The event counter: it adds, and a read takes all.

use std::sync::Arc;
use std::time::Duration;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::model;
use sigproof_shim::os::fd::{self, Fd};
use sigproof_shim::os::{OsError, errno};

use crate::support::{calm, ignore, outcomes, set, signals, word};

fn counter() -> Arc<Fd> {
    Arc::new(fd::eventfd().unwrap())
}

fn code(result: Result<usize, OsError>) -> Result<usize, i32> {
    result.map_err(|error| match error {
        OsError::Failed { errno, .. } => errno,
        OsError::Unsupported { .. } => -1,
    })
}

fn add(counter: &Fd, amount: u64) -> Result<usize, i32> {
    code(counter.borrow().write(&amount.to_ne_bytes()))
}

fn take(counter: &Fd) -> Result<usize, i32> {
    code(counter.borrow().read(&mut [0; 8]))
}

fn is_readable(counter: &Fd) -> bool {
    counter.borrow().poll_readable(Some(Duration::ZERO)).unwrap()
}

#[test]
fn a_read_takes_all() {
    calm(|| {
        let counter = counter();
        assert_eq!((is_readable(&counter), take(&counter)), (false, Err(libc::EAGAIN)));
        assert_eq!(errno::get(), libc::EAGAIN);
        assert_eq!((add(&counter, 1), add(&counter, 2), is_readable(&counter)), (Ok(8), Ok(8), true));
        assert_eq!((take(&counter), take(&counter), is_readable(&counter)), (Ok(8), Err(libc::EAGAIN), false));
    });
}

/// The largest value is 2^64 - 2: what would exceed it is refused as a whole.
#[test]
fn a_counter_that_is_full() {
    calm(|| {
        let counter = counter();
        assert_eq!((add(&counter, u64::MAX - 2), add(&counter, 2)), (Ok(8), Err(libc::EAGAIN)));
        assert_eq!((add(&counter, 1), add(&counter, 1)), (Ok(8), Err(libc::EAGAIN)));
        assert_eq!((take(&counter), add(&counter, 1), take(&counter)), (Ok(8), Ok(8), Ok(8)));
    });
}

/// As eventfd(2) says.
#[test]
fn what_no_counter_takes() {
    calm(|| {
        let counter = counter();
        assert_eq!(code(counter.borrow().write(&[1; 7])), Err(libc::EINVAL));
        assert_eq!(add(&counter, u64::MAX), Err(libc::EINVAL));
        assert_eq!((add(&counter, 0), is_readable(&counter)), (Ok(8), false));
        assert_eq!(add(&counter, 1), Ok(8));
        assert_eq!(code(counter.borrow().read(&mut [0; 7])), Err(libc::EINVAL));
        assert_eq!(take(&counter), Ok(8), "the refused read took nothing");
    });
}

#[test]
fn a_poll_waits_for_a_write_and_is_ordered_after_it() {
    let seen = calm(|| {
        let (counter, data) = (counter(), word(0));
        let writer = model::spawn("writer", {
            let (counter, data) = (Arc::clone(&counter), Arc::clone(&data));
            move || {
                data.store(1, Ordering::Relaxed);
                add(&counter, 1).unwrap();
            }
        });
        let early = take(&counter).is_ok();
        let readable = early || counter.borrow().poll_readable(None).unwrap();
        let seen = data.load(Ordering::Relaxed);
        writer.join();
        (early, readable, seen)
    });
    assert_eq!(seen, set([(false, true, 1), (true, true, 1)]));
}

/// Two that add and one that takes: an amount is taken once.
#[test]
fn an_amount_is_taken_once() {
    let seen = calm(|| {
        let counter = counter();
        let writer = model::spawn("writer", {
            let counter = Arc::clone(&counter);
            move || {
                add(&counter, 1).unwrap();
                add(&counter, 1).unwrap();
            }
        });
        let early = u32::from(take(&counter).is_ok());
        writer.join();
        (early, u32::from(take(&counter).is_ok()))
    });
    assert_eq!(seen, set([(0, 1), (1, 0), (1, 1)]));
}

/// Asleep in a poll: a handler that adds wakes its own thread.
#[test]
fn a_handler_adds_for_its_own_thread() {
    for point in [0, 1] {
        let seen = outcomes(&signals([(point, 0)]), || {
            let counter = counter();
            let inner = Arc::clone(&counter);
            model::handle("handler", crate::support::SIGNAL, &[], move || ignore(add(&inner, 1)));
            model::interruptible(|| counter.borrow().poll_readable(None).unwrap())
        });
        assert_eq!(seen, set([true]), "point {point}");
    }
}
