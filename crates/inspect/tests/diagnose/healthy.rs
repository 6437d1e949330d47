//! No false verdict: processes that are well must never be called stuck.

use crate::specimen::Specimen;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use rstest::rstest;
use sigproof_inspect::diagnose::counters;
use sigproof_inspect::hang::{Look, Stuck, Watch};
use sigproof_shim::native::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

/// Looks per specimen; the first ones catch it while it is being loaded.
const LOOKS: usize = 2_000;

#[rstest]
#[case("naps")]
#[case("timed-waits")]
#[case("reads-stdin")]
#[case("reads-inherited")]
#[case("busy")]
#[case("faulting")]
#[case("churn")]
#[case("ping-pong")]
#[case("waits-for-child")]
#[case("child-holds-pipe")]
#[case("child-will-signal")]
#[case("timer")]
#[case("shared-futex")]
#[case("execs")]
#[case("spin-and-help")]
fn never_stuck(#[case] name: &str) {
    let mut specimen = Specimen::start(name);
    specimen.must_run_for(LOOKS);
}

#[test]
fn a_stopped_process_is_not_stuck_until_it_goes_on() {
    let mut specimen = Specimen::start("lost-condvar");
    assert_eq!(specimen.decide_stuck(), Stuck::AllAsleep);
    specimen.signal(libc::SIGSTOP);
    specimen.await_state("T");
    specimen.watch = Watch::new(specimen.pid());
    specimen.must_run_for(300);
    specimen.signal(libc::SIGCONT);
    assert_eq!(specimen.decide_stuck(), Stuck::AllAsleep);
}

#[test]
fn armed_timers_forbid_the_verdict() {
    let mut specimen = Specimen::start("lost-condvar");
    specimen.word(1).store(1, Ordering::SeqCst);
    specimen.must_run_for(300);
    specimen.word(1).store(0, Ordering::SeqCst);
    assert_eq!(specimen.decide_stuck(), Stuck::AllAsleep);
}

#[test]
fn progress_forbids_the_verdict_of_a_spin() {
    let mut specimen = Specimen::start("spin-in-handler");
    for n in 0..500 {
        specimen.word(0).store(n, Ordering::SeqCst);
        specimen.must_run_for(1);
    }
    assert!(matches!(specimen.decide_stuck(), Stuck::Spinning { .. }));
}

/// A signal that was sent before a look is on its way: the look must not call the thread stuck, whether it
/// still sleeps, has been woken and waits for a processor, or sleeps again.
#[test]
fn a_signal_on_its_way_forbids_the_verdict() {
    let mut specimen = Specimen::start("signalled");
    while specimen.word(0).load(Ordering::SeqCst) == 0 {
        specimen.must_run_for(1);
    }
    specimen.await_state("S");
    for round in 0..200 {
        // From a look that finds it asleep, the next equal one would be the verdict.
        specimen.watch = Watch::new(specimen.pid());
        assert_eq!(specimen.look(), Look::Running, "round {round}");
        specimen.signal(libc::SIGUSR1);
        assert_eq!(specimen.look(), Look::Running, "round {round}");
    }
    assert_eq!(specimen.decide_stuck(), Stuck::AllAsleep, "without signals it sleeps for ever");
}

/// A wait that the outside may end is not over while the other holder of the memory lives.
#[test]
fn a_shared_wait_ends_when_its_other_side_says_so() {
    let mut specimen = Specimen::start("shared-futex");
    specimen.await_state("S");
    specimen.must_run_for(300);
    let word = specimen.word(0);
    word.store(1, Ordering::SeqCst);
    // SAFETY: a mapped, aligned word.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
    assert_eq!(specimen.decide(), Look::Gone);
}

#[test]
fn an_exited_process_is_gone() {
    let mut specimen = Specimen::start("no such specimen");
    assert_eq!(specimen.decide(), Look::Gone);
    assert_eq!(specimen.look(), Look::Gone, "a zombie stays gone");
}

/// A thread that shares its processor loses it as it returns from a system call: stops alone show that place.
#[test]
fn samples_of_a_busy_thread_on_a_loaded_processor_show_where_it_works() {
    let (specimen, rival) = (Specimen::start("asks-the-time"), Specimen::start("busy"));
    let ours = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::count()).find(|cpu| ours.is_set(*cpu).unwrap()).unwrap()).unwrap();
    for child in [&specimen, &rival] {
        let begun = || child.word(0).load(Ordering::SeqCst) != 0;
        while !begun() {
            sleep(Duration::from_millis(1));
        }
        sched_setaffinity(Pid::from_raw(child.pid() as i32), &one).unwrap();
    }
    let computes = specimen.word(0).load(Ordering::SeqCst);
    for _ in 0..20 {
        let counters = counters(specimen.pid()).expect("it may be stopped");
        let there = |pc: &u64| pc.abs_diff(computes) < 4096;
        assert!(counters.is_empty() || counters.iter().any(there), "{computes:x}: {counters:x?}");
    }
}
