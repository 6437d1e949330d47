//! Specimens that never get any further.

use crate::tools::{armed, handle, pipe, raise};
use sigproof_shim::native::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::hint::{black_box, spin_loop};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Name and body.
pub const TABLE: &[(&str, fn())] = &[
    ("mutex-in-handler", mutex_in_handler),
    ("mutex-owner-not-stored", mutex_owner_not_stored),
    ("condvar-in-handler", condvar_in_handler),
    ("std-mutex-in-handler", std_mutex_in_handler),
    ("full-pipe-in-handler", full_pipe_in_handler),
    ("cross", cross),
    ("cross-std", cross_std),
    ("mentioned-by-a-waiter", mentioned_by_a_waiter),
    ("lost-condvar", lost_condvar),
    ("lost-pipe", lost_pipe),
    ("lost-poll", lost_poll),
    ("lost-eventfd", lost_eventfd),
    ("lost-without-leader", lost_without_leader),
    ("lost-noreturn", lost_noreturn),
    ("spin-in-handler", spin_in_handler),
];

/// glibc's mutex and condition variable as a static. The mutex comes first, so that the static's name is its.
#[repr(C)]
struct Pthread {
    mutex: std::cell::UnsafeCell<libc::pthread_mutex_t>,
    condvar: std::cell::UnsafeCell<libc::pthread_cond_t>,
}

// SAFETY: both are only handed to pthread functions, which are made for that.
unsafe impl Sync for Pthread {}

impl Pthread {
    const fn new() -> Self {
        Self {
            mutex: std::cell::UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
            condvar: std::cell::UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER),
        }
    }

    fn lock(&self) {
        // SAFETY: statically initialised, never destroyed.
        assert_eq!(unsafe { libc::pthread_mutex_lock(self.mutex.get()) }, 0);
    }

    fn unlock(&self) {
        // SAFETY: as for `lock`.
        assert_eq!(unsafe { libc::pthread_mutex_unlock(self.mutex.get()) }, 0);
    }

    fn wait(&self) {
        // SAFETY: as for `lock`; the caller holds the mutex.
        assert_eq!(unsafe { libc::pthread_cond_wait(self.condvar.get(), self.mutex.get()) }, 0);
    }

    fn signal(&self) {
        // SAFETY: as for `lock`.
        assert_eq!(unsafe { libc::pthread_cond_signal(self.condvar.get()) }, 0);
    }
}

static FIRST: Pthread = Pthread::new();
static SECOND: Pthread = Pthread::new();

/// A bystander that waits for the main thread's victim, as supervisors of threads do.
pub fn in_thread(body: fn()) {
    thread::Builder::new().name("victim".to_owned()).spawn(body).expect("a thread starts").join().expect("it ends");
}

fn mutex_in_handler() {
    handle(libc::SIGUSR1, on_signal_lock_first);
    in_thread(hold_first_and_raise);
}

#[inline(never)]
extern "C" fn on_signal_lock_first(_: i32) {
    FIRST.lock();
    FIRST.unlock();
}

#[inline(never)]
fn hold_first_and_raise() {
    FIRST.lock();
    raise(libc::SIGUSR1);
    FIRST.unlock();
}

fn mutex_owner_not_stored() {
    handle(libc::SIGUSR1, on_signal_lock_first);
    in_thread(hold_first_without_owner);
}

/// The state that a signal finds between glibc's taking of the lock word and its storing of the owner.
#[inline(never)]
fn hold_first_without_owner() {
    let mutex = FIRST.mutex.get();
    FIRST.lock();
    // SAFETY: the owner is the 32-bit word at +8 and the mutex is locked by this thread.
    unsafe { mutex.cast::<u32>().add(2).write_volatile(0) };
    let kept = [mutex; 4];
    black_box(&kept);
    raise(libc::SIGUSR1);
    black_box(&kept);
}

static POSTED: AtomicBool = AtomicBool::new(false);

/// golang/go#61768 in small: a semaphore of mutex and condition variable, posted from a signal handler. A
/// one-shot timer of the sleeping thread is swept over the first 30 us of the sleep until it hits a moment at
/// which the mutex is held.
fn condvar_in_handler() {
    handle(libc::SIGUSR1, on_signal_post);
    in_thread(sleep_until_hit);
}

extern "C" fn on_signal_post(_: i32) {
    // Relaxed: read by the test in another process, which learns of everything else from the kernel.
    armed().store(0, Ordering::Relaxed);
    semaphore_post();
}

#[inline(never)]
fn semaphore_post() {
    FIRST.lock();
    POSTED.store(true, Ordering::Relaxed);
    FIRST.signal();
    FIRST.unlock();
}

#[inline(never)]
fn semaphore_wait() {
    FIRST.lock();
    // Relaxed: ordered by the mutex.
    while !POSTED.swap(false, Ordering::Relaxed) {
        FIRST.wait();
    }
    FIRST.unlock();
}

fn sleep_until_hit() {
    // SAFETY: a zeroed sigevent is valid; the timer id is written before it is used.
    let timer = unsafe {
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGUSR1;
        event.sigev_notify_thread_id = libc::gettid();
        let mut timer: libc::timer_t = std::mem::zeroed();
        assert_eq!(libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer), 0);
        timer
    };
    loop {
        for delay in (1..30_000).step_by(25) {
            let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            let value = libc::itimerspec { it_interval: zero, it_value: libc::timespec { tv_sec: 0, tv_nsec: delay } };
            armed().store(1, Ordering::Relaxed);
            // SAFETY: the timer exists, the value is valid.
            assert_eq!(unsafe { libc::timer_settime(timer, 0, &value, std::ptr::null_mut()) }, 0);
            semaphore_wait();
        }
    }
}

static STD: Mutex<u32> = Mutex::new(0);

fn std_mutex_in_handler() {
    handle(libc::SIGUSR1, on_signal_lock_std);
    in_thread(hold_std_and_raise);
}

extern "C" fn on_signal_lock_std(_: i32) {
    *STD.lock().unwrap_or_else(PoisonError::into_inner) += 1;
}

#[inline(never)]
fn hold_std_and_raise() {
    let mut guard = STD.lock().unwrap_or_else(PoisonError::into_inner);
    *guard += 1;
    black_box(&guard);
    raise(libc::SIGUSR1);
    drop(guard);
}

static WRITE_END: AtomicI32 = AtomicI32::new(-1);

fn full_pipe_in_handler() {
    WRITE_END.store(pipe()[1], Ordering::Relaxed);
    handle(libc::SIGUSR1, on_signal_write);
    in_thread(raise_for_ever);
}

extern "C" fn on_signal_write(_: i32) {
    let bytes = [0; 4096];
    // SAFETY: the bytes are readable.
    unsafe { libc::write(WRITE_END.load(Ordering::Relaxed), bytes.as_ptr().cast(), bytes.len()) };
}

#[inline(never)]
fn raise_for_ever() {
    loop {
        raise(libc::SIGUSR1);
    }
}

static HOLDING: AtomicU32 = AtomicU32::new(0);

fn cross() {
    let other = thread::spawn(lock_second_then_first);
    lock_first_then_second();
    other.join().expect("it ends");
}

fn meet() {
    HOLDING.fetch_add(1, Ordering::Relaxed);
    while HOLDING.load(Ordering::Relaxed) < 2 {
        thread::yield_now();
    }
}

#[inline(never)]
fn lock_first_then_second() {
    FIRST.lock();
    meet();
    SECOND.lock();
    SECOND.unlock();
    FIRST.unlock();
}

#[inline(never)]
fn lock_second_then_first() {
    SECOND.lock();
    meet();
    FIRST.lock();
    FIRST.unlock();
    SECOND.unlock();
}

static OTHER_STD: Mutex<u32> = Mutex::new(0);

/// Two locks that store no owner and are locked without a guard, which would mention them on the stack.
fn cross_std() {
    let other = thread::spawn(|| {
        std::mem::forget(OTHER_STD.lock());
        meet();
        drop(STD.lock());
    });
    std::mem::forget(STD.lock());
    meet();
    drop(OTHER_STD.lock());
    other.join().expect("it ends");
}

/// A lock whose holder has ended. The only stack that mentions it belongs to a thread that waits on a
/// condition variable.
fn mentioned_by_a_waiter() {
    thread::spawn(|| std::mem::forget(STD.lock())).join().expect("it ends");
    thread::spawn(|| {
        let lock = &STD;
        black_box(&lock);
        wait_without_a_waker();
        black_box(&lock);
    });
    drop(STD.lock());
}

fn lost_condvar() {
    in_thread(wait_without_a_waker);
}

#[inline(never)]
pub fn wait_without_a_waker() {
    FIRST.lock();
    loop {
        FIRST.wait();
    }
}

fn lost_pipe() {
    in_thread(read_own_pipe);
}

#[inline(never)]
fn read_own_pipe() {
    let mut byte = 0_u8;
    let ends = pipe();
    // SAFETY: room for one byte.
    unsafe { libc::read(ends[0], (&raw mut byte).cast(), 1) };
}

fn lost_poll() {
    // SAFETY: no memory is involved.
    let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    let mut polled = [pipe()[0], -1, event].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // SAFETY: an array of three.
    unsafe { libc::poll(polled.as_mut_ptr(), 3, -1) };
}

fn lost_eventfd() {
    let mut count = 0_u64;
    // SAFETY: room for the count.
    unsafe {
        let event = libc::eventfd(0, libc::EFD_CLOEXEC);
        libc::read(event, (&raw mut count).cast(), 8);
    }
}

/// The main thread ends, the process does not.
fn lost_without_leader() {
    thread::spawn(wait_without_a_waker);
    // SAFETY: ends this thread only; its stack holds nothing that needs dropping.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// A call that is the last instruction of its function: the return address is another's.
fn lost_noreturn() {
    in_thread(call_for_ever);
}

#[inline(never)]
fn call_for_ever() {
    sleep_for_ever();
}

#[inline(never)]
fn sleep_for_ever() -> ! {
    FIRST.lock();
    loop {
        FIRST.wait();
    }
}

static SPIN_LOCK: AtomicU64 = AtomicU64::new(0);

fn spin_in_handler() {
    handle(libc::SIGUSR1, on_signal_spin);
    in_thread(hold_spin_lock_and_raise);
}

extern "C" fn on_signal_spin(signal: i32) {
    acquire_spin_lock();
    // Keeps the call above from being the last, a mere jump.
    black_box(signal);
}

#[inline(never)]
fn acquire_spin_lock() {
    // Acquire pairs with no release: the lock is never released, that is the point.
    while SPIN_LOCK.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
        spin_loop();
    }
}

#[inline(never)]
fn hold_spin_lock_and_raise() {
    acquire_spin_lock();
    raise(libc::SIGUSR1);
}
