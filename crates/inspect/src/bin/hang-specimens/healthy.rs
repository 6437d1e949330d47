//! Specimens that are well, however they look.

use crate::tools::{armed, handle, pipe, progress};
use sigproof_shim::native::atomic::{AtomicU64, Ordering};
use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Name and body.
pub const TABLE: &[(&str, fn())] = &[
    ("naps", naps),
    ("timed-waits", timed_waits),
    ("reads-stdin", reads_stdin),
    ("reads-inherited", reads_inherited),
    ("busy", busy),
    ("asks-the-time", asks_the_time),
    ("faulting", faulting),
    ("churn", churn),
    ("ping-pong", ping_pong),
    ("waits-for-child", waits_for_child),
    ("child-holds-pipe", child_holds_pipe),
    ("child-will-signal", child_will_signal),
    ("timer", timer),
    ("shared-futex", shared_futex),
    ("execs", execs),
    ("spin-and-help", spin_and_help),
    ("signalled", signalled),
];

const SHORT: Duration = Duration::from_micros(300);

fn naps() {
    loop {
        thread::sleep(SHORT);
    }
}

/// One thread sleeps for good, the other would wake it: every wait but one is timed.
fn timed_waits() {
    thread::spawn(|| {
        loop {
            thread::park()
        }
    });
    loop {
        thread::park_timeout(SHORT);
    }
}

fn reads_stdin() {
    let mut byte = 0_u8;
    // SAFETY: room for one byte.
    unsafe { libc::read(0, (&raw mut byte).cast(), 1) };
}

/// The same pipe under another number: only its other holder, the test, tells that it is alive.
fn reads_inherited() {
    let mut byte = 0_u8;
    // SAFETY: room for one byte.
    unsafe {
        let other = libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 10);
        libc::read(other, (&raw mut byte).cast(), 1);
    }
}

/// Computes, and says so.
fn busy() {
    loop {
        for n in 0..1000_u64 {
            black_box(n);
        }
        progress().fetch_add(1, Ordering::Relaxed);
    }
}

/// Computes, and makes a system call in between. Says where the computing code is instead of progress.
fn asks_the_time() {
    #[inline(never)]
    fn compute() {
        for n in 0..20_000_u64 {
            black_box(n);
        }
    }
    progress().store(compute as fn() as usize as u64, Ordering::Relaxed);
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        compute();
        // SAFETY: fills a live local.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    }
}

/// Works on fresh memory without ever saying so.
fn faulting() {
    loop {
        // An allocator would hand out the same memory again.
        let mut fresh = memmap2::MmapMut::map_anon(1 << 20).expect("memory");
        fresh.fill(1);
        black_box(&fresh);
    }
}

fn churn() {
    loop {
        let threads: Vec<_> = (0..3).map(|n| thread::spawn(move || black_box(n))).collect();
        for thread in threads {
            thread.join().expect("it ends");
        }
    }
}

/// Two threads that take turns; each wait is untimed and ended by the other within microseconds.
fn ping_pong() {
    let (ping, pinged) = channel();
    let (pong, ponged) = channel();
    thread::spawn(move || {
        while pinged.recv().is_ok() {
            pong.send(()).expect("the other side lives");
        }
    });
    loop {
        ping.send(()).expect("the other side lives");
        ponged.recv().expect("the other side lives");
    }
}

fn waits_for_child() {
    let mut child = Command::new("sleep").arg("1000").spawn().expect("sleep starts");
    child.wait().expect("it ends");
}

/// Reads a pipe whose write end lives on in a child, in a process group of its own.
fn child_holds_pipe() {
    let ends = pipe();
    // SAFETY: the child only sleeps, by async-signal-safe calls, until it is killed with its parent.
    unsafe {
        if libc::fork() == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::setpgid(0, 0);
            loop {
                libc::usleep(1000);
            }
        }
        let mut byte = 0_u8;
        libc::close(ends[1]);
        libc::read(ends[0], (&raw mut byte).cast(), 1);
    }
}

/// Waits for a signal that its child will send one day.
fn child_will_signal() {
    // SAFETY: as in `child_holds_pipe`.
    unsafe {
        if libc::fork() == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::usleep(1000);
            }
        }
        libc::pause();
    }
}

extern "C" fn on_timer(_: i32) {}

/// Paused, with an interval timer that ends each pause.
fn timer() {
    handle(libc::SIGALRM, on_timer);
    armed().store(1, Ordering::Relaxed);
    let tick = libc::timeval { tv_sec: 0, tv_usec: 1500 };
    let value = libc::itimerval { it_interval: tick, it_value: tick };
    // SAFETY: the value is valid.
    unsafe {
        assert_eq!(libc::setitimer(libc::ITIMER_REAL, &value, std::ptr::null_mut()), 0);
        loop {
            libc::pause();
        }
    }
}

/// Waits on a word of the page, which the test's process maps too. The test ends the wait.
fn shared_futex() {
    // Relaxed: the kernel compares the word again.
    while progress().load(Ordering::Relaxed) == 0 {
        // SAFETY: a mapped, aligned word.
        unsafe { libc::syscall(libc::SYS_futex, AtomicU64::as_ptr(progress()), libc::FUTEX_WAIT, 0, 0_usize) };
    }
}

/// Becomes itself again and again.
fn execs() {
    let mut arguments = std::env::args_os();
    let program = arguments.next().expect("a program name");
    let error = Command::new(program).args(arguments).exec();
    panic!("{error}");
}

/// One thread burns without progress, but another, runnable, now and then reports some.
fn spin_and_help() {
    thread::spawn(|| {
        loop {
            std::hint::spin_loop()
        }
    });
    loop {
        progress().fetch_add(1, Ordering::Relaxed);
        thread::sleep(SHORT);
    }
}

extern "C" fn on_signal(_: i32) {}

/// Asleep on a futex without a time-out, and ready for a signal. Progress is 1 once it is.
fn signalled() {
    handle(libc::SIGUSR1, on_signal);
    progress().store(1, Ordering::Relaxed);
    loop {
        thread::park();
    }
}
