//! What an answer names beside its verdict: thread, signal, lock, holder, place, rule, fingerprint, and what
//! is missing.

use sigproof_inspect::stacks::{Answer, explain};

use super::fixtures;

fn answer(name: &str) -> Answer {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name.ends_with(&format!(": {name}")));
    explain(fixture.unwrap_or_else(|| panic!("no fixture {name}")).dump.as_bytes())
}

#[test]
fn a_waiting_handler_is_told_in_full() {
    let answer = answer("heap lock, same arena by address");
    assert_eq!(answer.thread.as_deref(), Some("thread 3 \"render\""));
    assert_eq!((answer.signal.as_deref(), answer.handler.as_deref()), (Some("SIGUSR2"), Some("on_sigusr2")));
    assert_eq!(answer.waits_for.as_deref(), Some("the lock of the heap at 0x7f10a4000030"));
    assert!(answer.held_by.as_deref().unwrap().contains("_int_malloc, which has the same address"), "{answer:?}");
    assert_eq!(answer.interrupted.as_deref(), Some("_int_malloc"));
    assert!(answer.rule.as_deref().unwrap().contains("POSIX.1-2017"), "{answer:?}");
    assert!(answer.render().starts_with("handler waits: thread 3 \"render\", in the handler on_sigusr2 (SIGUSR2, by its argument), waits for the lock of the heap at 0x7f10a4000030; held by: the code that the signal interrupted"));
}

#[test]
fn the_number_of_a_signal_is_that_of_the_call_that_sends_it() {
    let raised = answer("a handler waits, which raise with its number interrupted");
    assert_eq!(raised.signal.as_deref(), Some("SIGUSR2"));
    let unnamed = answer("a handler computes, which the program's own kill interrupted");
    assert_eq!(unnamed.signal.as_deref(), Some("SIGUSR1"));
}

#[test]
fn a_fingerprint_outlives_addresses_lines_and_builds() {
    let one = "#0  __lll_lock_wait_private (futex=0x7f0010) at a.c:34\n#1  0x1 in __GI___libc_malloc (bytes=7) at malloc.c:3\n#2  0x2 in on_x (sig=12) at m.c:4\n#3  <signal handler called>\n#4  _int_malloc (av=0x7f0010, bytes=4) at malloc.c:40\n#5  0x3 in main () at m.c:9\n";
    let other = one
        .replace("0x7f0010", "0x7e9990")
        .replace(".c:3", ".c:77")
        .replace("__GI___libc_malloc", "malloc")
        .replace("#2  0x2", "#2  0x5555");
    let (one, other) = (explain(one.as_bytes()), explain(other.as_bytes()));
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_eq!(one.fingerprint.unwrap().as_str(), "self-deadlock/heap/in:malloc/heap");
}

#[test]
fn a_holder_that_waits_itself_is_no_holder() {
    let answer = answer("the interrupted code waits itself");
    assert!(answer.held_by.as_deref().unwrap().starts_with("not the code that the signal interrupted"), "{answer:?}");
}

#[test]
fn a_chain_names_the_second_thread() {
    let answer = answer("a chain through a second thread");
    assert!(answer.held_by.as_deref().unwrap().contains("thread 2 \"worker\""), "{answer:?}");
    assert!(answer.render().contains("neither goes on"), "{}", answer.render());
    assert!(answer.fingerprint.unwrap().as_str().starts_with("cross-deadlock/mutex/"));
}

#[test]
fn a_locks_own_word_on_its_owner_counts() {
    let answer = answer("the lock tells its owner");
    assert!(answer.held_by.as_deref().unwrap().contains("__owner"), "{answer:?}");
}

#[test]
fn what_is_not_shown_is_said() {
    let text = "#0  0x1 in __lll_lock_wait_private ()\n#1  0x2 in malloc ()\n#2  0x3 in on_alarm (sig=14)\n#3  <signal handler called>\n#4  0x4 in _int_malloc ()\n#49 0x5 in work ()\n";
    let answer = explain(text.as_bytes());
    assert!(answer.missing.iter().any(|missing| missing == "frames 5 to 48 are not shown"), "{answer:?}");
    assert!(answer.missing.iter().any(|missing| missing.contains("after frame 49")), "{answer:?}");
}

#[test]
fn a_report_has_the_same_words() {
    let json: serde_json::Value = serde_json::from_str(&answer("syslog in a handler").to_json()).unwrap();
    assert_eq!((json["verdict"].as_str(), json["certainty"].as_str()), (Some("handler waits"), Some("shown")));
    assert_eq!((json["casebook"].as_str(), json["signal"].as_str()), (Some("syslog-in-handler"), Some("SIGALRM")));
    for key in ["thread", "waits_for", "held_by", "interrupted", "rule", "fingerprint"] {
        assert!(json[key].is_string(), "{key}: {json}");
    }
    assert!(json["missing"].is_array());
}

#[test]
fn who_reads_nothing_says_what_is_read() {
    let text = answer("prose").render();
    assert!(text.starts_with("not enough to tell: ") && text.contains("lldb") && text.contains("py-spy"), "{text}");
    assert!(answer("kernel stacks only").render().contains("kernel"));
}

#[test]
fn another_thread_in_a_handler_is_mentioned() {
    let text = "Thread 2 (Thread 0x7f02 (LWP 2)):\n#0 0x1 in __sigsuspend ()\n#1 0x2 in suspend_handler (sig=10)\n#2 <signal handler called>\n#3 0x3 in work ()\n#4 0x4 in start_thread ()\n\n\
        Thread 1 (Thread 0x7f01 (LWP 1)):\n#0 0x1 in __lll_lock_wait_private ()\n#1 0x2 in malloc ()\n#2 0x3 in on_alarm (sig=14)\n#3 <signal handler called>\n#4 0x4 in _int_free ()\n#5 0x5 in main ()\n";
    let answer = explain(text.as_bytes());
    assert_eq!(answer.thread.as_deref(), Some("thread 1"));
    assert!(answer.notes.iter().any(|note| note.contains("thread 2 is in a handler as well")), "{answer:?}");
}

#[test]
fn the_documents_transcript_is_what_the_command_prints() {
    let document = include_str!("../../../../docs/explain-stacks.md");
    let blocks: Vec<&str> = document.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [dump, printed] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    assert_eq!(explain(dump.as_bytes()).render(), *printed);
}
