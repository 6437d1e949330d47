//! The semaphore: it keeps every post, gives each to one waiter, and synchronises memory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::model::{self, FailureKind, Plan};
use sigproof_shim::os::sem::{SemWait, Semaphore};
use sigproof_shim::os::{clock, errno};

use crate::support::{SIGNAL, calm, failure, ignore, outcomes, set, signals, spurious, swept, timeout, waits, word};

const SECOND: Duration = Duration::from_secs(1);

fn semaphore() -> Arc<Semaphore> {
    Arc::new(Semaphore::new().unwrap())
}

/// What a wait gave, as something that can be sorted.
fn name(ended: SemWait) -> &'static str {
    match ended {
        SemWait::Acquired => "acquired",
        SemWait::TimedOut => "timed out",
        SemWait::Interrupted => "interrupted",
    }
}

#[test]
fn posts_are_counted() {
    let seen = calm(|| {
        let semaphore = semaphore();
        semaphore.post().unwrap();
        semaphore.post().unwrap();
        let take = || name(semaphore.wait_for(Duration::ZERO).unwrap());
        ([take(), take(), take()], errno::get())
    });
    assert_eq!(seen, set([(["acquired", "acquired", "timed out"], libc::ETIMEDOUT)]));
}

/// Whoever comes first: what was stored before the post is seen after the wait.
#[test]
fn a_post_is_kept_and_orders_memory() {
    let seen = calm(|| {
        let (semaphore, data) = (semaphore(), word(0));
        let poster = model::spawn("poster", {
            let (semaphore, data) = (Arc::clone(&semaphore), Arc::clone(&data));
            move || {
                data.store(1, Ordering::Relaxed);
                semaphore.post().unwrap();
            }
        });
        let ended = name(semaphore.wait().unwrap());
        let seen = data.load(Ordering::Relaxed);
        poster.join();
        (ended, seen)
    });
    assert_eq!(seen, set([("acquired", 1)]));
}

/// Two threads take one each; the order in which they got it.
fn two_waiters(posts: u32) -> impl Fn() -> (u32, u32) + Send + Sync + 'static {
    move || {
        let (semaphore, next) = (semaphore(), word(0));
        let take = || {
            let (semaphore, next) = (Arc::clone(&semaphore), Arc::clone(&next));
            move || {
                semaphore.wait().unwrap();
                next.fetch_add(1, Ordering::Relaxed)
            }
        };
        let (a, b) = (model::spawn("a", take()), model::spawn("b", take()));
        for _ in 0..posts {
            semaphore.post().unwrap();
        }
        (a.join(), b.join())
    }
}

#[test]
fn two_posts_are_for_two() {
    assert_eq!(calm(two_waiters(2)), set([(0, 1), (1, 0)]));
}

#[test]
fn control_one_post_is_not_for_two() {
    let body = two_waiters(1);
    let failure = failure(&Plan::default(), FailureKind::Deadlock, move || ignore(body()));
    let asleep = waits(&failure).into_iter().filter(|(_, what)| what == "semaphore 1").count();
    assert_eq!(asleep, 1);
}

/// What a wait of the target gives that no thread posts for, with `errno`, the time that passed, and what a
/// wait without patience gives after one post.
fn alone(plan: &Plan, timeout: Option<Duration>) -> BTreeSet<(&'static str, i32, Duration, &'static str)> {
    outcomes(plan, move || {
        let semaphore = semaphore();
        let before = clock::now();
        model::handle("handler", SIGNAL, &[], || {});
        let ended = model::interruptible(|| match timeout {
            Some(timeout) => semaphore.wait_for(timeout).unwrap(),
            None => semaphore.wait().unwrap(),
        });
        let (errno, passed) = (errno::get(), clock::now() - before);
        semaphore.post().unwrap();
        (name(ended), errno, passed, name(semaphore.wait_for(Duration::ZERO).unwrap()))
    })
}

#[test]
fn every_end_of_a_wait() {
    let zero = Duration::ZERO;
    assert_eq!(alone(&timeout(0), Some(SECOND)), set([("timed out", libc::ETIMEDOUT, SECOND, "acquired")]));
    assert_eq!(alone(&Plan::default(), Some(zero)), set([("timed out", libc::ETIMEDOUT, zero, "acquired")]));
    // Point 0 is before the call, 1 is asleep.
    assert_eq!(alone(&signals([(1, 0)]), None), set([("interrupted", libc::EINTR, zero, "acquired")]));
    assert_eq!(alone(&spurious(0), None), set([("interrupted", libc::EINTR, zero, "acquired")]));
}

#[test]
fn control_a_handler_before_the_call_does_not_end_it() {
    failure(&signals([(0, 0)]), FailureKind::Deadlock, || {
        let semaphore = semaphore();
        model::handle("handler", SIGNAL, &[], || {});
        model::interruptible(|| ignore(semaphore.wait()));
    });
}

/// `sem_post` is async-signal-safe: a handler wakes its own thread, at whatever point it comes.
#[test]
fn a_handler_posts_for_its_own_thread() {
    let seen = swept(|| {
        let semaphore = semaphore();
        let inner = Arc::clone(&semaphore);
        model::handle("handler", SIGNAL, &[], move || inner.post().unwrap());
        // The last point comes after the wait: there is nothing to wait for without the signal.
        semaphore.post().unwrap();
        let first = model::interruptible(|| name(semaphore.wait().unwrap()));
        (first, name(semaphore.wait_for(Duration::ZERO).unwrap()))
    });
    assert_eq!(seen, set([("acquired", "acquired")]));
    // Points 0 and 1: before the call, and asleep.
    for point in [0, 1] {
        let seen = outcomes(&signals([(point, 0)]), || {
            let semaphore = semaphore();
            let inner = Arc::clone(&semaphore);
            model::handle("handler", SIGNAL, &[], move || inner.post().unwrap());
            let first = model::interruptible(|| name(semaphore.wait().unwrap()));
            (first, name(semaphore.wait_for(Duration::ZERO).unwrap()))
        });
        assert_eq!(seen, set([("acquired", "timed out")]), "point {point}");
    }
}

/// A wait that gives up while another thread posts: the post goes to no other thread and is not lost.
#[test]
fn a_post_for_a_wait_that_ended_stays() {
    for plan in [timeout(0), signals([(1, 0)])] {
        let seen = outcomes(&plan, || {
            let semaphore = semaphore();
            let poster = model::spawn("poster", {
                let semaphore = Arc::clone(&semaphore);
                move || semaphore.post().unwrap()
            });
            model::handle("handler", SIGNAL, &[], || {});
            let ended = model::interruptible(|| semaphore.wait_for(SECOND).unwrap());
            poster.join();
            (ended == SemWait::Acquired, name(semaphore.wait_for(Duration::ZERO).unwrap()))
        });
        assert_eq!(seen, set([(false, "acquired"), (true, "timed out")]), "{plan:?}");
    }
}

/// A wait that timed out has left the queue: the post is for the thread that still waits.
#[test]
fn a_wait_that_ended_has_left_the_queue() {
    let seen = outcomes(&timeout(0), || {
        let semaphore = semaphore();
        let ended = model::interruptible(|| name(semaphore.wait_for(SECOND).unwrap()));
        let other = model::spawn("other", {
            let semaphore = Arc::clone(&semaphore);
            move || name(semaphore.wait().unwrap())
        });
        semaphore.post().unwrap();
        (ended, other.join())
    });
    assert_eq!(seen, set([("timed out", "acquired")]));
}
