//! The wrappers answer as their manual pages say. What they are used for is tested in the crates above.

extern crate std;

use core::time::Duration;

use crate::native::atomic::{AtomicU32, Ordering};

use super::{OsError, clock, errno, fd, pthread, sigmask, sigstack};

#[test]
fn errno_guard_restores() {
    errno::set(42);
    {
        let _guard = errno::ErrnoGuard::new();
        errno::set(7);
    }
    assert_eq!(errno::get(), 42);
}

#[test]
fn mask_guards_nest_in_any_order() {
    let blocked = |signo| sigmask::is_blocked(signo).unwrap();
    assert!(!blocked(libc::SIGUSR1) && !blocked(libc::SIGUSR2));
    let first = sigmask::block(libc::SIGUSR1).unwrap();
    let other = sigmask::block(libc::SIGUSR2).unwrap();
    let inner = sigmask::block(libc::SIGUSR1).unwrap();
    assert!(blocked(libc::SIGUSR1) && blocked(libc::SIGUSR2));
    drop(inner);
    assert!(blocked(libc::SIGUSR1), "an inner guard must not unblock what an outer one blocked");
    drop(first);
    assert!(!blocked(libc::SIGUSR1) && blocked(libc::SIGUSR2));
    drop(other);
    assert!(!blocked(libc::SIGUSR2));
}

#[test]
fn no_such_signal_is_einval_and_errno_is_kept() {
    errno::set(4242);
    assert_eq!(sigmask::block(100_000).unwrap_err().errno(), Some(libc::EINVAL));
    assert_eq!(errno::get(), 4242);
}

#[test]
fn descriptors_carry_bytes_flags_and_readiness() {
    for pipe in [fd::pipe(), fd::pipe2_cloexec()] {
        let Ok(pipe) = pipe else { continue };
        let (read, write) = (pipe.read.borrow(), pipe.write.borrow());
        assert!(!read.poll_readable(Some(Duration::ZERO)).unwrap());
        read.set_nonblocking(true).unwrap();
        assert!(read.read(&mut [0; 4]).unwrap_err().would_block());
        assert_eq!(write.write(b"ab").unwrap(), 2);
        assert!(read.poll_readable(None).unwrap());
        let mut bytes = [0; 4];
        assert_eq!(read.read(&mut bytes).unwrap(), 2);
        assert_eq!(&bytes[..2], b"ab");
        write.set_cloexec(false).unwrap();
        assert!(!write.is_cloexec().unwrap());
        write.set_cloexec(true).unwrap();
        assert!(write.is_cloexec().unwrap());
    }
    assert!(!fd::pipe().unwrap().read.borrow().is_cloexec().unwrap());
    assert_eq!(fd::pipe2_cloexec().is_ok(), fd::has_pipe2());
    if let Ok(ends) = fd::pipe2_cloexec() {
        assert!(ends.read.borrow().is_cloexec().unwrap() && ends.write.borrow().is_cloexec().unwrap());
    }
    // SAFETY: no descriptor has this number.
    let none = unsafe { fd::FdRef::from_number(-1) };
    assert_eq!(none.write(b"x").unwrap_err(), OsError::Failed { call: "write", errno: libc::EBADF });
}

#[test]
fn condition_variable_times_out_on_the_monotonic_clock_and_is_signalled() {
    let (mutex, condvar) = (pthread::Mutex::new().unwrap(), pthread::Condvar::new().unwrap());
    let limit = Duration::from_millis(3);
    let start = clock::now();
    let mut guard = mutex.lock().unwrap();
    while condvar.wait_for(&mut guard, limit).unwrap() == pthread::CondWait::Woken {}
    assert!(clock::now() - start >= limit);
    drop(guard);

    let flag = crate::native::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = mutex.lock().unwrap();
            // Relaxed, here and below: the mutex orders it.
            flag.store(true, Ordering::Relaxed);
            condvar.signal().unwrap();
        });
        let mut guard = mutex.lock().unwrap();
        while !flag.load(Ordering::Relaxed) {
            condvar.wait(&mut guard).unwrap();
        }
    });
}

#[test]
fn futex_and_semaphore_answer_or_are_unsupported() {
    use super::futex::{self, FutexWait};
    use super::sem::{SemWait, Semaphore};
    let word = AtomicU32::new(5);
    if futex::available() {
        assert_eq!(futex::wait(&word, 6, None), Ok(FutexWait::Changed));
        assert_eq!(futex::wait(&word, 5, Some(Duration::from_micros(50))), Ok(FutexWait::TimedOut));
        assert_eq!(futex::wake(&word, 1), Ok(0));
    } else {
        assert!(matches!(futex::wake(&word, 1), Err(OsError::Unsupported { .. })));
    }
    match Semaphore::new() {
        Ok(semaphore) => {
            assert_eq!(semaphore.wait_for(Duration::from_micros(50)), Ok(SemWait::TimedOut));
            semaphore.post().unwrap();
            semaphore.post().unwrap();
            assert_eq!(semaphore.wait(), Ok(SemWait::Acquired));
            assert_eq!(semaphore.wait_for(Duration::ZERO), Ok(SemWait::Acquired));
        }
        Err(error) => assert!(matches!(error, OsError::Unsupported { .. })),
    }
}

#[test]
fn a_time_that_does_not_fit_is_the_longest_that_does() {
    assert_eq!(clock::timespec(Duration::MAX).tv_sec, libc::time_t::MAX);
    assert_eq!(clock::timespec(Duration::new(3, 7)).tv_nsec, 7);
}

/// What the last handler of SIGURG found: 1 not on the signal stack, 2 on it, 3 an error.
static FOUND: AtomicU32 = AtomicU32::new(0);

extern "C" fn look(_signal: libc::c_int) {
    FOUND.store(found(), Ordering::Relaxed);
}

fn found() -> u32 {
    match sigstack::on_signal_stack() {
        Ok(false) => 1,
        Ok(true) => 2,
        Err(_) => 3,
    }
}

/// What a handler of SIGURG finds, which is installed with these flags and raised in the calling thread.
fn found_by_handler(flags: libc::c_int) -> u32 {
    // SAFETY: a zeroed sigaction is valid; `look` has the signature of a handler without SA_SIGINFO and is
    // async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = look as *const () as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGURG, &raw const action, core::ptr::null_mut()), 0);
        assert_eq!(libc::raise(libc::SIGURG), 0);
    }
    FOUND.load(Ordering::Relaxed)
}

#[test]
fn only_a_handler_on_the_alternate_stack_is_on_the_signal_stack() {
    assert_eq!(found(), 1);
    // The standard library has given this thread an alternate stack.
    assert_eq!(found_by_handler(libc::SA_ONSTACK), 2);
    assert_eq!(found_by_handler(0), 1);
    assert_eq!(found(), 1, "the handler has returned");
}
