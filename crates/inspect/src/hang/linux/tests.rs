//! Parsers, and what two surveys say together. Real processes are watched in `tests/diagnose_*.rs`.

use super::outside::{Channel, anyone, closed_off};
use super::procfs::*;
use super::sleep::Sleep;
use super::survey::{Doing, Survey};
use super::*;
use sigproof_shim::native::atomic::{AtomicU32, Ordering};
use std::process::{Command, Stdio};

#[test]
fn system_call_files() {
    assert_eq!(parse_syscall("running\n"), Some(Syscall::Running));
    assert_eq!(parse_syscall("-1 0x7ffd 0x4010\n"), Some(Syscall::Outside { sp: 0x7ffd, pc: 0x4010 }));
    let text = "202 0x55 0x80 0x2 0x0 0x0 0xffffffff 0x7ffd 0x4010\n";
    let expected = Syscall::In { nr: 202, args: [0x55, 0x80, 2, 0, 0, 0xffff_ffff], sp: 0x7ffd, pc: 0x4010 };
    assert_eq!(parse_syscall(text), Some(expected));
    for broken in ["", "202", "202 0x1", "x 0x1 0x2", "202 1 2 3 4 5 6 7 8"] {
        assert_eq!(parse_syscall(broken), None, "{broken:?}");
    }
}

#[test]
fn stat_survives_hostile_names() {
    let text = "12 (a) R 9 (b)) S 3 7 7 0 -1 64 100 5 2 6 0 0 0 0 20 0 4 0 99 0 0";
    let stat = parse_stat(text).unwrap();
    assert_eq!(stat, Stat { state: 'S', parent: 3, group: 7, faults: 102, threads: 4 });
    assert_eq!(parse_stat("12 (a"), None);
}

#[test]
fn a_blocked_signal_is_not_deliverable() {
    let status = |own: &str, shared: &str, blocked: &str| {
        let text =
            format!("Name:\tx\nSigPnd:\t{own}\nShdPnd:\t{shared}\nSigBlk:\t{blocked}\nvoluntary_ctxt_switches:\t7\n");
        parse_status(&text).unwrap()
    };
    assert!(!status("0", "0", "0").deliverable());
    assert!(status("200", "0", "0").deliverable());
    assert!(status("0", "200", "4").deliverable());
    assert!(!status("200", "0", "200").deliverable());
    assert!(status("200", "0", "200").holds_back(10) && status("0", "200", "600").holds_back(10));
    assert!(!status("200", "0", "200").holds_back(11) && !status("200", "0", "400").holds_back(10));
    assert_eq!(status("0", "0", "0").sleeps, 7);
    assert_eq!(parse_status("Name:\tx\n"), None);
}

/// A pending signal that the thread does not block forbids the verdict. The kernel clears it within
/// microseconds, so no process can be made to show it for long.
#[test]
fn a_thread_with_a_deliverable_signal_is_not_stuck() {
    let asleep = Doing::Asleep(Sleep::Futex { address: 0x40 });
    let status = |pending, blocked| move || Some(Status { pending, blocked, sleeps: 1, ..Status::default() });
    assert!(undisturbed(asleep, status(0, 0)));
    assert!(undisturbed(asleep, status(0x200, 0x200)), "a blocked signal wakes no thread");
    assert!(!undisturbed(asleep, status(0x200, 0)));
    assert!(!undisturbed(Doing::Awake, status(0x600, 0x200)));
    assert!(!undisturbed(asleep, || None), "nothing is known of it");
    assert!(undisturbed(Doing::Exited, status(0x200, 0)), "a thread that has ended takes no signal");
}

/// A child that waits on a futex without an end.
struct Sleeper(libc::pid_t);

impl Sleeper {
    fn start() -> Self {
        let word = 0;
        Self::on(&raw const word, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG)
    }

    /// The same, on this word, which is 0.
    fn on(word: *const u32, wait: i32) -> Self {
        // SAFETY: the child of this process with several threads only makes system calls, on its own copy of
        // the word or on shared memory.
        let pid = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                loop {
                    libc::syscall(libc::SYS_futex, word, wait, 0, 0_usize);
                }
            }
            pid
        };
        assert!(pid > 0, "{}", io::Error::last_os_error());
        Self(pid)
    }

    fn watch(&self) -> Watch {
        Watch::new(u32::try_from(self.0).unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // SAFETY: the child has not been reaped, so that its id is its own.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

/// The same child is stuck, and is not while a signal is about to reach it.
#[test]
fn a_pending_signal_keeps_the_watch_from_its_verdict() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    fn pending(_: u32, _: u32) -> Option<Status> {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Some(Status { pending: 0x200, sleeps: 1, ..Status::default() })
    }
    let sleeper = Sleeper::start();
    let mut watch = sleeper.watch();
    loop {
        match watch.look(0, true) {
            Look::Running => {}
            Look::Stuck(Stuck::AllAsleep) => break,
            other => panic!("{other:?}"),
        }
    }
    let mut watch = Watch { status: pending, ..sleeper.watch() };
    while ASKED.load(Ordering::Relaxed) < 10 {
        let look = watch.look(0, true);
        assert!(matches!(look, Look::Running), "{look:?}");
    }
}

#[test]
fn maps_tell_shared_from_private() {
    let text = "7f00-7f10 rw-s 00000000 00:01 1030   /dev/zero (deleted)\n\
                8000-9000 r-xp 00001000 fe:02 77     /usr/lib/a b.so\n\
                9000-a000 rw-p 00000000 00:00 0 \n\
                a000-b000 rw-s 00000000 fe:02 78     /dev/shm/named\n";
    let maps = parse_maps(text);
    assert_eq!(maps.len(), 4);
    assert!(maps[0].shared && !maps[0].executable && maps[0].path == "/dev/zero (deleted)");
    assert!(!maps[1].shared && maps[1].executable && maps[1].path == "/usr/lib/a b.so");
    assert_eq!((maps[1].offset, maps[1].device, maps[1].inode), (0x1000, (0xfe, 2), 77));
    assert_eq!((maps[2].start, maps[2].end, maps[2].inode), (0x9000, 0xa000, 0));
    let mut channels = Vec::new();
    let mut closed = |address| closed_off(1, 1, Sleep::SharedFutex { address }, &maps, &mut channels);
    assert!(!closed(0xa004), "another process may map the file that has a name");
    assert!(closed(0x7f04), "only who has it already");
    assert!(closed(0x9004));
    assert!(!closed(0x1), "not mapped");
    assert_eq!(channels, [Channel::Memory((0, 1), 1030)]);
}

/// A wait on memory that this process has as well is no verdict; once only the child has it, it is.
#[test]
fn shared_memory_counts_while_another_process_has_it() {
    // SAFETY: a new mapping; the child keeps its own when this process gives it up.
    let sleeper = unsafe {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let page = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        assert!(page != libc::MAP_FAILED, "{}", io::Error::last_os_error());
        let sleeper = Sleeper::on(page.cast(), libc::FUTEX_WAIT);
        let pid = sleeper.0.cast_unsigned();
        while thread_stat(pid, pid).is_none_or(|stat| stat.state != 'S') {
            std::thread::yield_now();
        }
        let mut watch = sleeper.watch();
        for _ in 0..50 {
            let look = watch.look(0, true);
            assert!(matches!(look, Look::Running), "{look:?}");
            std::thread::yield_now();
        }
        libc::munmap(page, 4096);
        sleeper
    };
    // A child that another test has forked meanwhile may have it too, until that test ends.
    let mut watch = sleeper.watch();
    while watch.look(0, true) != Look::Stuck(Stuck::AllAsleep) {
        std::thread::yield_now();
    }
}

fn survey(threads: &[(u32, Doing, u64, u64)]) -> Survey {
    let threads =
        threads.iter().map(|&(tid, doing, cpu_ns, slices)| (tid, doing, RunAccount { cpu_ns, slices })).collect();
    Survey { threads }
}

const NAP: Doing = Doing::Asleep(Sleep::Futex { address: 8 });
const OTHER_NAP: Doing = Doing::Asleep(Sleep::Futex { address: 16 });

#[test]
fn surveys_continue_each_other_only_if_no_sleeper_ran() {
    let first = survey(&[(1, NAP, 10, 3), (2, NAP, 20, 4)]);
    assert!(first.continues(&first.clone()));
    assert!(first.all_asleep());
    for (what, later) in [
        ("a slice more", survey(&[(1, NAP, 10, 4), (2, NAP, 20, 4)])),
        ("CPU time more", survey(&[(1, NAP, 10, 3), (2, NAP, 21, 4)])),
        ("another wait", survey(&[(1, OTHER_NAP, 10, 3), (2, NAP, 20, 4)])),
        ("a thread more", survey(&[(1, NAP, 10, 3), (2, NAP, 20, 4), (3, NAP, 1, 1)])),
        ("another thread", survey(&[(1, NAP, 10, 3), (3, NAP, 20, 4)])),
        ("one awake", survey(&[(1, NAP, 10, 3), (2, Doing::Awake, 20, 4)])),
    ] {
        assert!(!first.continues(&later), "{what}");
    }
}

#[test]
fn each_runner_must_have_burnt_its_share() {
    let first = survey(&[(1, NAP, 10, 3), (2, Doing::Awake, 100, 4), (3, Doing::Awake, 100, 4)]);
    let later = survey(&[(1, NAP, 10, 3), (2, Doing::Awake, 500, 9), (3, Doing::Awake, 150, 4)]);
    assert!(first.continues(&later), "runners may run");
    assert!(!first.all_asleep());
    assert!(first.every_runner_burnt(&later, 50));
    assert!(!first.every_runner_burnt(&later, 51), "thread 3 waits for a CPU");
    assert_eq!(first.busiest(&later), Some(2));
}

#[test]
fn the_dead_are_neither_asleep_nor_awake() {
    assert!(survey(&[(1, Doing::Exited, 5, 1)]).is_over());
    let leader_gone = survey(&[(1, Doing::Exited, 5, 1), (2, NAP, 1, 1)]);
    assert!(!leader_gone.is_over() && leader_gone.all_asleep());
    assert_eq!(doing(Syscall::Outside { sp: 0, pc: 0 }), Doing::Exited);
    assert_eq!(doing(Syscall::Outside { sp: 8, pc: 8 }), Doing::Elsewhere);
}

#[test]
fn a_thread_that_blocked_without_a_slice_has_no_account() {
    assert!(survey(&[(1, NAP, 0, 0)]).unaccounted());
    assert!(!survey(&[(1, NAP, 0, 1), (2, Doing::Awake, 0, 0)]).unaccounted());
}

#[test]
fn a_live_child_counts_as_somebody() {
    // Ends by itself once its input does, also if the assertion fails.
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    assert!(anyone(std::process::id(), &[]));
    drop(child.stdin.take());
    child.wait().unwrap();
}
