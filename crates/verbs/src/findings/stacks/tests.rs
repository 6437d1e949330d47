//! What is cut, on diagnoses made by hand.

use rstest::rstest;
use sigproof_inspect::diagnose::{Known, Resource};
use sigproof_report::Outcome;

use super::*;

fn frame(symbol: &str, file: &str) -> Frame {
    Frame {
        symbol: Some(symbol.to_owned()),
        file: (!file.is_empty()).then(|| file.to_owned()),
        line: Some(7),
        object: Some("program".to_owned()),
        ..Frame::default()
    }
}

const ATTEMPT: &str = "<sigproof_harness::cases::a::A as sigproof_harness::case::Case>::attempt";

/// Twelve frames of a handler, a signal, ten frames of a case, its attempt, two of the harness and three of
/// the start.
fn interrupted() -> Vec<Frame> {
    let mut frames: Vec<_> = (0..12).map(|n| frame(&format!("osnote::handler{n}"), "crates/osnote/src/a.rs")).collect();
    frames.push(Frame { signal_frame: true, ..Frame::default() });
    frames.extend((0..10).map(|n| frame(&format!("profbuf::interrupted{n}"), "crates/profbuf/src/a.rs")));
    frames.push(frame(ATTEMPT, "crates/harness/src/cases/a.rs"));
    frames.extend(["attempt", "main"].map(|n| frame(&format!("harness::worker::{n}"), "crates/harness/src/worker.rs")));
    frames.extend((0..3).map(|n| frame(&format!("start{n}"), "")));
    frames
}

fn thread(tid: u32, owner: Option<u32>, frames: Vec<Frame>) -> ThreadReport {
    let owner = owner.map(|tid| Owner { tid, known: Known::Stored });
    let waits_for = Resource { kind: ResourceKind::Mutex, address: Some(16), descriptor: None, name: None, owner };
    let (name, state) = ("t".to_owned(), "asleep".to_owned());
    ThreadReport { tid, name, state, waits_for: Some(waits_for), frames, cut_short: None }
}

fn diagnosis(kind: HangKind, threads: Vec<ThreadReport>) -> Diagnosis {
    let sentence = "thread 1 waits".to_owned();
    Diagnosis { kind, sentence, threads, method: Method::Ptrace, remarks: Vec::new(), micros: 1 }
}

fn finding(diagnosis: &Diagnosis) -> Finding {
    Finding {
        text: format!("{diagnosis}\nthe signal came at boundary 3"),
        details: serde_json::to_value(diagnosis).unwrap(),
        ..Finding::new(Outcome::SelfDeadlock, &diagnosis.sentence)
    }
}

fn tids(threads: &[&ThreadReport]) -> Vec<u32> {
    threads.iter().map(|thread| thread.tid).collect()
}

#[test]
fn eight_frames_on_each_side_and_one_line_for_the_others() {
    let threads = [1, 2, 3].map(|tid| thread(tid, Some(1), interrupted())).to_vec();
    insta::assert_snapshot!(alone(&finding(&diagnosis(HangKind::SelfDeadlock, threads)), 8, Layout::Lines));
}

#[test]
fn joined_frames_are_a_line_for_each_side() {
    let mut frames = interrupted();
    frames.insert(1, Frame { guessed: true, file: None, ..frame("read", "") });
    let mut diagnosis = diagnosis(HangKind::SelfDeadlock, vec![thread(1, Some(1), frames)]);
    diagnosis.sentence = format!("thread 1 waits in profbuf::interrupted0 (crates/profbuf/src/a.rs:7) of {ATTEMPT}");
    insta::assert_snapshot!(alone(&finding(&diagnosis), 3, Layout::Joined));
    assert_eq!(sentence(&finding(&diagnosis)), "thread 1 waits in profbuf::interrupted0 (a.rs:7) of A::attempt");
}

/// With room for all of them, what called the attempt is still cut.
#[test]
fn the_callers_of_the_attempt_are_cut_first() {
    let text =
        alone(&finding(&diagnosis(HangKind::SelfDeadlock, vec![thread(1, Some(1), interrupted())])), 99, Layout::Lines);
    assert!(text.contains("#23 A::attempt") && !text.contains("worker") && !text.contains("start0"), "{text}");
    assert!(text.contains("    ... 5 more frames\n") && text.contains("#11 osnote::handler11"), "{text}");
}

#[rstest]
#[case::start_of_a_thread(&[("a::b", "crates/osnote/src/a.rs"), ("std::thread", "library/std/src/a.rs"), ("clone", "")], 2)]
#[case::nothing_is_ours(&[("read", ""), ("clone", "")], 0)]
#[case::attempt(&[("a::b", "crates/a.rs"), (ATTEMPT, "crates/a.rs"), ("main", "crates/a.rs")], 1)]
fn what_called(#[case] frames: &[(&str, &str)], #[case] callers: usize) {
    let frames: Vec<_> = frames.iter().map(|(symbol, file)| frame(symbol, file)).collect();
    assert_eq!(super::callers(&frames), callers);
}

#[test]
fn the_threads_that_a_diagnosis_is_about() {
    let threads = || vec![thread(1, Some(3), vec![]), thread(2, None, vec![]), thread(3, Some(1), vec![])];
    assert_eq!(tids(&involved(&diagnosis(HangKind::CrossDeadlock, threads()))), [1, 3]);
    assert_eq!(tids(&involved(&diagnosis(HangKind::LostWakeup, threads()))), [2]);
    let all_wait = vec![thread(1, Some(2), vec![]), thread(2, Some(1), vec![])];
    assert_eq!(tids(&involved(&diagnosis(HangKind::LostWakeup, all_wait))), [1]);
    assert!(involved(&diagnosis(HangKind::Livelock, Vec::new())).is_empty());
}

#[rstest]
#[case(&[], "")]
#[case(&["asleep"], "  1 more thread sleeps; --verbose shows it\n")]
#[case(&["asleep", "asleep"], "  2 more threads sleep; --verbose shows them\n")]
#[case(&["asleep", "running"], "  2 more threads, 1 of them asleep; --verbose shows them\n")]
fn others_are_one_line(#[case] states: &[&str], #[case] line: &str) {
    let others: Vec<_> =
        states.iter().map(|state| ThreadReport { state: (*state).to_owned(), ..thread(9, None, vec![]) }).collect();
    let mut text = String::new();
    bystanders(&mut text, &others.iter().collect::<Vec<_>>());
    assert_eq!(text, line);
}

#[test]
fn inlined_functions_of_the_standard_library_are_cut() {
    let inlined = |symbol, file| Frame { inlined: true, ..frame(symbol, file) };
    let frames = vec![
        inlined("compare_exchange", "library/core/src/sync/atomic.rs"),
        inlined("section", "crates/a.rs"),
        frame("std::thread::park", "library/std/src/thread/mod.rs"),
        frame("a::main", "crates/a.rs"),
    ];
    let text = alone(&finding(&diagnosis(HangKind::Livelock, vec![thread(1, None, frames)])), 2, Layout::Lines);
    assert!(text.contains("#1  section") && text.contains("#2  thread::park"), "{text}");
    assert!(!text.contains("compare_exchange") && text.contains("... 2 more frames"), "{text}");
}

/// The text of a finding that is the first one of an output.
fn alone(finding: &Finding, side: usize, layout: Layout) -> String {
    cut(finding, side, layout, &mut BTreeSet::new())
}

/// A remark on an object file concerns the whole output.
#[test]
fn a_remark_is_printed_once_in_an_output() {
    let mut diagnosis = diagnosis(HangKind::SelfDeadlock, vec![thread(1, Some(1), interrupted())]);
    diagnosis.remarks.push("no names".to_owned());
    let mut told = BTreeSet::new();
    let mut next = |diagnosis: &Diagnosis| cut(&finding(diagnosis), 8, Layout::Lines, &mut told);
    assert!(next(&diagnosis).contains("(no names)"));
    assert!(!next(&diagnosis).contains("(no names)"));
    diagnosis.remarks.push("thread 2: no registers".to_owned());
    let third = next(&diagnosis);
    assert!(third.contains("(thread 2: no registers)") && !third.contains("(no names)"), "{third}");
}

/// What tells how far a stack can be trusted stays.
#[test]
fn limits_of_a_diagnosis_stay() {
    let mut diagnosis = diagnosis(HangKind::SelfDeadlock, vec![thread(1, Some(1), interrupted())]);
    diagnosis.method = Method::Procfs;
    diagnosis.remarks.push("no names".to_owned());
    diagnosis.threads[0].cut_short = Some("no table".to_owned());
    let text = alone(&finding(&diagnosis), 8, Layout::Lines);
    for part in ["  (no names)\n", "    ... cut short: no table\n", "[registers by /proc, ptrace was refused]"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_traceback_is_cut_too() {
    let frames: String = (0..20).map(|n| format!("main.f{n}()\n\tsigproof/a.go:{n} +0x1\n")).collect();
    let details = serde_json::json!({ "traceback": format!("goroutine 1 [running]:\n{frames}") });
    let finding = Finding { text: "14 of them".to_owned(), details, ..Finding::new(Outcome::Crash, "a") };
    let (cut, whole) = (alone(&finding, 8, Layout::Lines), whole(&finding));
    assert_eq!((cut.matches("main.f").count(), whole.matches("main.f").count()), (8, 20), "{cut}{whole}");
    assert!(cut.contains("... 12 more"), "{cut}");
}

#[test]
fn what_has_no_stacks_stays_whole() {
    let traceback = Finding { text: "a\nb".to_owned(), ..Finding::new(Outcome::Crash, "a") };
    assert_eq!(alone(&traceback, 1, Layout::Joined), "a\nb");
}

#[rstest]
#[case("pthread_cond_wait", "pthread_cond_wait")]
#[case("append", "append")]
#[case("a::b::CpuProf::add", "CpuProf::add")]
#[case("<a::b::PthreadSemaphore as c::d::Semaphore>::wakeup", "PthreadSemaphore::wakeup")]
#[case("<std::sys::thread::unix::Thread>::join", "Thread::join")]
#[case("a::b::run::{{closure}}", "b::run::{{closure}}")]
#[case("<a::A as c::Case>::attempt::{{closure}}", "A::attempt::{{closure}}")]
#[case("<a::A<b::B> as c::Case>::attempt", "<a::A<b::B> as c::Case>::attempt")]
fn names(#[case] name: &str, #[case] short: &str) {
    assert_eq!(without_modules(name), short);
}
