//! Verdict and diagnosis of processes that are stuck for good.

use crate::names::internal_names;
use crate::specimen::Specimen;
use rstest::rstest;
use sigproof_inspect::diagnose::{Diagnosis, Frame, HangKind, Known, Method, ResourceKind, ThreadReport, diagnose};
use sigproof_inspect::hang::{Look, Stuck};

fn diagnosed(name: &str, expected: HangKind) -> Diagnosis {
    let mut specimen = Specimen::start(name);
    let stuck = specimen.decide_stuck();
    let diagnosis = diagnose(specimen.pid(), stuck).unwrap();
    println!("{name}: {diagnosis}\n");
    assert_eq!(diagnosis.kind, expected, "{diagnosis}");
    assert_eq!(diagnosis.method, Method::Ptrace, "{diagnosis}");
    assert_eq!(matches!(stuck, Stuck::Spinning { .. }), expected == HangKind::Livelock);
    // Still stuck, neither traced nor stopped, and the verdict stands. Only a poll no longer
    // looks untimed: the kernel resumes it by way of `restart_syscall`.
    let status = std::fs::read_to_string(format!("/proc/{}/status", specimen.pid())).unwrap();
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
    if name != "lost-poll" {
        assert_eq!(specimen.decide_stuck(), stuck);
    }
    for thread in &diagnosis.threads {
        assert_eq!(thread.cut_short, None, "{diagnosis}");
        for frame in &thread.frames {
            let file = frame.file.as_deref().unwrap_or_default();
            assert!(!file.starts_with('/'), "a path of this machine: {file}");
        }
    }
    remarks_fit(&diagnosis);
    diagnosis
}

/// Names of libc's internal functions are there, or a remark says that they are not, with the remedy.
fn remarks_fit(diagnosis: &Diagnosis) {
    let in_libc = |frame: &Frame| frame.object.as_ref().is_some_and(|object| object.starts_with("libc."));
    let mut frames = diagnosis.threads.iter().flat_map(|thread| &thread.frames);
    let nameless = frames.any(|frame| frame.symbol.is_none() && in_libc(frame));
    if internal_names() {
        assert!(!nameless && diagnosis.remarks.is_empty(), "{diagnosis}");
    } else if nameless {
        let remarks: Vec<_> = diagnosis.remarks.iter().filter(|remark| remark.contains("libc6-dbg")).collect();
        assert_eq!(remarks.len(), 1, "{diagnosis}");
        assert!(diagnosis.to_string().contains(remarks[0].as_str()), "{diagnosis}");
    }
}

/// Whether functions whose names end so occur in this order, innermost first.
fn in_order(thread: &ThreadReport, names: &[&str]) -> bool {
    let mut frames = thread.frames.iter();
    names.iter().all(|name| match *name {
        "--" => frames.any(|frame| frame.signal_frame),
        name => frames.any(|frame| frame.symbol.as_ref().is_some_and(|symbol| symbol.ends_with(name))),
    })
}

/// The source line of a function of the specimens, in the first thread.
fn line_of(diagnosis: &Diagnosis, function: &str) -> u32 {
    let frames = &diagnosis.threads[0].frames;
    let frame = frames.iter().find(|frame| frame.symbol.as_ref().is_some_and(|symbol| symbol.ends_with(function)));
    let frame = frame.unwrap_or_else(|| panic!("no {function} in\n{diagnosis}"));
    assert!(frame.file.as_ref().is_some_and(|file| file.ends_with("hang-specimens/stuck.rs")), "{frame:?}");
    frame.line.unwrap()
}

/// Lines of the specimens' source from which on to look for an expected line.
fn source_line(function: &str, statement: &str) -> u32 {
    let source = include_str!("../../src/bin/hang-specimens/stuck.rs");
    let start = source.find(&format!("fn {function}(")).unwrap();
    let at = start + source[start..].find(statement).unwrap();
    source[..at].lines().count() as u32 + u32::from(source[..at].ends_with('\n'))
}

/// Whether a mutex of the normal type and the word that pthread_join waits for name their owner.
const STORES_OWNERS: bool = cfg!(not(target_env = "musl"));

/// The function in which a thread waits for a mutex.
const MUTEX_LOCK: &str = if cfg!(target_env = "musl") { "pthread_mutex_timedlock" } else { "pthread_mutex_lock" };

#[test]
fn a_mutex_locked_in_the_handler_that_interrupted_its_holder() {
    let diagnosis = diagnosed("mutex-in-handler", HangKind::SelfDeadlock);
    let victim = &diagnosis.threads[0];
    assert_eq!(victim.name, "victim");
    assert_eq!(victim.handler_depth(), 1);
    let resource = victim.waits_for.as_ref().unwrap();
    assert_eq!(resource.kind, ResourceKind::Mutex);
    let owner = resource.owner.as_ref().map(|owner| (owner.tid, owner.known));
    assert_eq!(owner, STORES_OWNERS.then_some((victim.tid, Known::Stored)));
    assert!(resource.name.as_ref().is_some_and(|name| name.ends_with("stuck::FIRST")), "{resource:?}");
    let expected = [MUTEX_LOCK, "on_signal_lock_first", "--", "hold_first_and_raise"];
    assert!(in_order(victim, &expected), "{diagnosis}");
    assert_eq!(line_of(&diagnosis, "on_signal_lock_first"), source_line("on_signal_lock_first", "FIRST.lock"));
    assert_eq!(
        line_of(&diagnosis, "hold_first_and_raise"),
        source_line("hold_first_and_raise", "raise(libc::SIGUSR1)")
    );
    let itself = format!("thread {0} waits in a signal handler for mutex ", victim.tid);
    assert!(diagnosis.sentence.starts_with(&itself), "{}", diagnosis.sentence);
    let owned = if STORES_OWNERS {
        format!(", owned by thread {}, itself, interrupted at ", victim.tid)
    } else {
        ", which only the code that it interrupted could give: ".to_owned()
    };
    assert!(diagnosis.sentence.contains(&owned), "{}", diagnosis.sentence);
    assert!(diagnosis.sentence.contains("hold_first_and_raise"), "{}", diagnosis.sentence);
    // The bystander waits for the victim's end.
    let bystander = &diagnosis.threads[1];
    let joined = bystander.waits_for.as_ref().unwrap();
    assert_eq!(joined.kind, ResourceKind::ThreadExit, "{diagnosis}");
    // What musl's pthread_join waits for does not say whose end it is.
    assert_eq!(joined.owner.as_ref().map(|owner| owner.tid), STORES_OWNERS.then_some(victim.tid));
}

#[test]
fn an_owner_that_was_not_stored_yet_is_inferred() {
    let diagnosis = diagnosed("mutex-owner-not-stored", HangKind::SelfDeadlock);
    let victim = &diagnosis.threads[0];
    let owner = victim.waits_for.as_ref().unwrap().owner.as_ref().unwrap();
    assert_eq!(owner.tid, victim.tid);
    assert_ne!(owner.known, Known::Stored);
    assert!(diagnosis.sentence.contains("owned (inferred) by"), "{}", diagnosis.sentence);
}

/// A hit within the window, wherever it falls: in any case the handler waits for the mutex of the code below.
#[test]
fn a_semaphore_posted_in_the_handler_that_interrupted_its_wait() {
    for _ in 0..5 {
        let diagnosis = diagnosed("condvar-in-handler", HangKind::SelfDeadlock);
        let victim = &diagnosis.threads[0];
        let expected = [MUTEX_LOCK, "semaphore_post", "on_signal_post", "--", "semaphore_wait"];
        assert!(in_order(victim, &expected), "{diagnosis}");
        let owner = victim.waits_for.as_ref().and_then(|resource| resource.owner.as_ref());
        assert_eq!(owner.map(|owner| owner.tid), Some(victim.tid), "{diagnosis}");
    }
}

#[test]
fn a_lock_of_std_in_the_handler_that_interrupted_its_holder() {
    let diagnosis = diagnosed("std-mutex-in-handler", HangKind::SelfDeadlock);
    let victim = &diagnosis.threads[0];
    let resource = victim.waits_for.as_ref().unwrap();
    assert_eq!(resource.kind, ResourceKind::StdLock, "{diagnosis}");
    assert!(in_order(victim, &["lock_contended", "on_signal_lock_std", "--", "hold_std_and_raise"]), "{diagnosis}");
    let owner = resource.owner.as_ref().unwrap_or_else(|| panic!("no owner in\n{diagnosis}"));
    assert_eq!(owner.tid, victim.tid, "{diagnosis}");
    assert_ne!(owner.known, Known::Stored, "a lock of std stores no owner");
}

#[test]
fn a_full_pipe_written_in_the_handler() {
    let diagnosis = diagnosed("full-pipe-in-handler", HangKind::SelfDeadlock);
    let victim = &diagnosis.threads[0];
    assert_eq!(victim.waits_for.as_ref().unwrap().kind, ResourceKind::Descriptor);
    assert!(in_order(victim, &["write", "on_signal_write", "--", "raise_for_ever"]), "{diagnosis}");
}

#[test]
fn two_threads_and_two_mutexes() {
    let diagnosis = diagnosed("cross", HangKind::CrossDeadlock);
    assert_eq!(diagnosis.threads.len(), 2);
    let [a, b] = [&diagnosis.threads[0], &diagnosis.threads[1]];
    let owner = |thread: &ThreadReport| thread.waits_for.as_ref().unwrap().owner.as_ref().unwrap().tid;
    assert_eq!((owner(a), owner(b)), (b.tid, a.tid), "{diagnosis}");
    for name in ["lock_first_then_second", "lock_second_then_first"] {
        assert!(in_order(a, &[MUTEX_LOCK, name]) || in_order(b, &[MUTEX_LOCK, name]), "{diagnosis}");
    }
}

/// A lock of std names no owner: each waiter is the only other thread that can hold the other's.
#[test]
fn two_threads_and_two_locks_of_std() {
    let diagnosis = diagnosed("cross-std", HangKind::CrossDeadlock);
    let owners: Vec<_> = diagnosis
        .threads
        .iter()
        .map(|thread| thread.waits_for.as_ref().and_then(|resource| resource.owner.as_ref()).map(|owner| owner.tid))
        .collect();
    assert_eq!(owners, [Some(diagnosis.threads[1].tid), Some(diagnosis.threads[0].tid)], "{diagnosis}");
    assert!(diagnosis.sentence.contains("(inferred)"), "{diagnosis}");
}

/// A wait on a condition variable has given its mutex up, so its stack is no evidence.
#[test]
fn a_mention_on_the_stack_of_a_waiter_owns_nothing() {
    let diagnosis = diagnosed("mentioned-by-a-waiter", HangKind::LostWakeup);
    let waits = |kind| diagnosis.threads.iter().find_map(|thread| thread.waits_for.as_ref().filter(|r| r.kind == kind));
    assert_eq!(waits(ResourceKind::StdLock).map(|lock| lock.owner.clone()), Some(None), "{diagnosis}");
    assert!(waits(ResourceKind::Condvar).is_some(), "{diagnosis}");
}

#[rstest]
#[case("lost-condvar", ResourceKind::Condvar, "wait_without_a_waker")]
#[case("lost-pipe", ResourceKind::Descriptor, "read_own_pipe")]
#[case("lost-poll", ResourceKind::Descriptor, "lost_poll")]
#[case("lost-eventfd", ResourceKind::Descriptor, "lost_eventfd")]
#[case("lost-without-leader", ResourceKind::Condvar, "wait_without_a_waker")]
fn a_sleeper_that_no_thread_wakes(#[case] name: &str, #[case] kind: ResourceKind, #[case] function: &str) {
    let diagnosis = diagnosed(name, HangKind::LostWakeup);
    let sleeper = &diagnosis.threads[0];
    assert_eq!(sleeper.waits_for.as_ref().unwrap().kind, kind, "{diagnosis}");
    assert!(in_order(sleeper, &[function]), "{diagnosis}");
    assert!(diagnosis.sentence.contains(&format!("thread {} sleeps for ever on ", sleeper.tid)), "{diagnosis}");
    assert!(diagnosis.sentence.contains(function), "{diagnosis}");
}

#[test]
fn a_call_that_never_returns_belongs_to_its_caller() {
    let diagnosis = diagnosed("lost-noreturn", HangKind::LostWakeup);
    assert!(in_order(&diagnosis.threads[0], &["sleep_for_ever", "call_for_ever"]), "{diagnosis}");
}

/// The wait is in a function of glibc without an exported name; the exported caller is known in any case.
#[test]
fn a_lock_of_libc_is_one_with_or_without_names() {
    let diagnosis = diagnosed("lost-libc-lock", HangKind::LostWakeup);
    let waiter = diagnosis.threads.iter().find(|thread| thread.name == "waiter");
    let waiter = waiter.unwrap_or_else(|| panic!("no waiter in\n{diagnosis}"));
    assert_eq!(waiter.waits_for.as_ref().unwrap().kind, ResourceKind::LibcLock, "{diagnosis}");
    assert!(in_order(waiter, &["flockfile", "lock_stream"]), "{diagnosis}");
}

#[test]
fn code_without_an_unwinding_table_is_crossed_by_a_guess() {
    let diagnosis = diagnosed("lost-without-table", HangKind::LostWakeup);
    let sleeper = &diagnosis.threads[0];
    let expected = ["wait_without_a_waker", "sigproof_without_table", "call_without_table", "thread_start"];
    assert!(in_order(sleeper, &expected), "{diagnosis}");
    let guessed: Vec<_> = sleeper.frames.iter().filter(|frame| frame.guessed).collect();
    assert!(guessed.iter().all(|frame| frame.pc == guessed[0].pc), "{diagnosis}");
    assert!(guessed.last().is_some_and(|frame| frame.symbol.as_ref().unwrap().ends_with("call_without_table")));
    assert!(diagnosis.to_string().contains("(guessed)"), "{diagnosis}");
}

/// The list of threads can be older than what is read of them: the one thread on it, the leader, may have
/// started another and left. Looked at without a pause, to be there when it does.
#[test]
fn a_leader_that_leaves_is_not_the_end() {
    for _ in 0..60 {
        let mut specimen = Specimen::start("lost-without-leader");
        let mut look = specimen.look();
        while look == Look::Running {
            look = specimen.look();
        }
        assert_eq!(look, Look::Stuck(Stuck::AllAsleep));
    }
}

#[test]
fn a_spin_in_the_handler_that_interrupted_the_holder() {
    let diagnosis = diagnosed("spin-in-handler", HangKind::Livelock);
    let victim = &diagnosis.threads[0];
    assert_eq!(victim.name, "victim");
    assert!(
        in_order(victim, &["acquire_spin_lock", "on_signal_spin", "--", "hold_spin_lock_and_raise"]),
        "{diagnosis}"
    );
    let sentence = &diagnosis.sentence;
    assert!(sentence.contains("spins in a signal handler in "), "{sentence}");
    assert!(sentence.contains("acquire_spin_lock") && sentence.contains("hold_spin_lock_and_raise"), "{sentence}");
}

/// What a supervisor may do at any moment: the child dies while it is diagnosed, or is dead already.
#[test]
fn a_child_that_dies_is_an_error_not_a_hang() {
    let mut specimen = Specimen::start("lost-condvar");
    let stuck = specimen.decide_stuck();
    let pid = specimen.pid();
    for _ in 0..3 {
        diagnose(pid, stuck).unwrap();
    }
    specimen.signal(libc::SIGKILL);
    specimen.await_state("ZX");
    let error = diagnose(pid, stuck).unwrap_err();
    assert_eq!(error.to_string(), format!("process {pid} is gone"));
}

/// The end of a thread that is traced is its tracer's to collect: if the diagnosis forgets one, the parent
/// waits for ever. Killed at all stages of it; `Specimen` waits for the child when it is dropped.
#[test]
fn a_child_that_dies_under_the_diagnosis_can_be_reaped() {
    for delay in (0..4_000).step_by(100) {
        let mut specimen = Specimen::start("lost-condvar");
        let stuck = specimen.decide_stuck();
        let pid = specimen.pid();
        let killer = std::thread::spawn(move || {
            let started = std::time::Instant::now();
            while started.elapsed().as_micros() < delay {
                std::hint::spin_loop();
            }
            // SAFETY: the specimen is our child, and not reaped before this thread is joined.
            unsafe { libc::kill(pid as i32, libc::SIGKILL) };
        });
        let _ = diagnose(pid, stuck);
        killer.join().unwrap();
    }
}

#[test]
fn a_diagnosis_survives_json() {
    let diagnosis = diagnosed("cross", HangKind::CrossDeadlock);
    let json = serde_json::to_string(&diagnosis).unwrap();
    assert!(json.contains("\"kind\":\"cross-deadlock\""), "{json}");
    assert_eq!(serde_json::from_str::<Diagnosis>(&json).unwrap(), diagnosis);
}
