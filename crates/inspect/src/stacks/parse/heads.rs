//! The lines that begin a thread.

use super::Head;
use super::python::Order;
use super::{apple, go, jvm, python, scan};
use crate::stacks::dump::Tool;

/// The thread that a line begins.
pub fn head(line: &str) -> Option<(Head, Order)> {
    let text = line.trim().trim_start_matches("[...]").trim_start();
    let text = text.trim_start_matches(['*', '=']).trim_start();
    let first = text.as_bytes().first()?;
    let plain = |head: Head| Some((head, Order::InnermostFirst));
    match first {
        b'T' => thread(text),
        b't' => apple::lldb_thread(line).and_then(plain),
        b'C' | b'S' if text.contains("(most recent call") => python::head(text),
        b'S' => stack_of(text).and_then(plain),
        b'g' | b'r' | b'G' => go::head(text).or_else(|| delve_head(text)).and_then(plain),
        b'"' => jvm::jstack_head(text).and_then(plain),
        b'-' => lwp(text).and_then(plain),
        b'N' if text.starts_with("Native frames:") => {
            plain(Head { crashed: true, ..Head::new("the native stack".to_owned(), Tool::HsErr) })
        }
        b'J' if text.starts_with("Java frames:") => {
            plain(Head { history: true, ..Head::new("the Java stack".to_owned(), Tool::HsErr) })
        }
        b'W' | b'R' | b'P' | b'A' | b'p' | b'f' | b'a' | b'M' | b'L' | b'H' => access(text).and_then(plain),
        _ => text.find("Stack trace of thread ").and_then(|at| stack_of(&text[at..])).and_then(plain),
    }
}

fn thread(text: &str) -> Option<(Head, Order)> {
    let plain = |head: Head| Some((head, Order::InnermostFirst));
    if let Some(rest) = text.strip_prefix("TID ") {
        let (tid, rest) = scan::decimal(rest)?;
        let mut head = Head::new(format!("thread {tid}"), Tool::EuStack);
        head.tid = Some(tid);
        head.name = rest.split('"').nth(1).map(str::to_owned);
        return rest.trim_end().ends_with(':').then_some((head, Order::InnermostFirst));
    }
    if text.starts_with("Traceback (") {
        return python::head(text);
    }
    let rest = text.strip_prefix("Thread ")?;
    if let Some(found) = python::head(text) {
        return Some(found);
    }
    if let Some(head) = apple::report_thread(text).or_else(|| jvm::forced_head(text)) {
        return plain(head);
    }
    // TSan: `Thread T1 (tid=12, running) created by main thread at:`.
    if rest.starts_with('T') && rest.contains(" created by ") {
        return plain(Head { history: true, ..Head::new("the creator".to_owned(), Tool::Sanitizer) });
    }
    let (number, rest) = scan::decimal(rest)?;
    let title = format!("thread {number}");
    // gdb: `Thread 10 (Thread 0x7f (LWP 4001) "name"):`, `Thread 1 (process 12):`, `Thread 1 (Thread 0x7f
    // (LWP 12)):`.
    if rest.starts_with(" (Thread ") || rest.starts_with(" (LWP ") || rest.starts_with(" (process ") {
        if !rest.trim_end().ends_with(':')
            && !rest.trim_end().ends_with(')')
            && !rest.trim_end().ends_with("(Exiting):")
        {
            return None;
        }
        let mut head = Head::new(title, Tool::Gdb);
        let lwp = ["LWP ", "process "].iter().find_map(|key| rest.find(key).map(|at| &rest[at + key.len()..]));
        head.tid = lwp.and_then(|lwp| scan::decimal(lwp)).map(|(tid, _)| tid);
        head.name = rest.split('"').nth(1).map(str::to_owned);
        return plain(head);
    }
    // minidump_stackwalk: `Thread 3 (crashed)`, `Thread 3`; spindump is handled by the reader.
    let rest = rest.trim();
    if rest.is_empty()
        || rest.starts_with("(crashed)")
        || rest.starts_with("- ")
        || rest == ":"
        || rest.starts_with("name:")
    {
        let mut head = Head::new(title, Tool::Minidump);
        head.crashed = rest.starts_with("(crashed)");
        return plain(head);
    }
    None
}

/// `Stack trace of thread 4001:`.
fn stack_of(text: &str) -> Option<Head> {
    let rest = text.strip_prefix("Stack trace of thread ")?;
    let (tid, _) = scan::decimal(rest)?;
    let mut head = Head::new(format!("thread {tid}"), Tool::Coredump);
    head.tid = Some(tid);
    Some(head)
}

/// delve: `Goroutine 18:`, `Goroutine 1 - User: main.go:3 main.main (0x1)`.
fn delve_head(text: &str) -> Option<Head> {
    let rest = text.strip_prefix("Goroutine ")?;
    let (number, rest) = scan::decimal(rest)?;
    (rest.starts_with(':') || rest.starts_with(" -")).then(|| Head::new(format!("goroutine {number}"), Tool::Delve))
}

/// Solaris: `-----------------  lwp# 1 / thread# 1  -----`; jhsdb: `----------------- 4711
/// -----------------`.
fn lwp(text: &str) -> Option<Head> {
    let inner = text.trim_matches('-').trim();
    if text.len() < inner.len() + 10 {
        return None;
    }
    if inner.contains("lwp#") || inner.contains("thread#") {
        let number = inner.split('#').nth(1)?.trim();
        let (number, _) = scan::decimal(number)?;
        return Some(Head::new(format!("thread {number}"), Tool::Solaris));
    }
    let (number, rest) = scan::decimal(inner)?;
    rest.is_empty().then(|| Head { tid: Some(number), ..Head::new(format!("thread {number}"), Tool::Jstack) })
}

/// The sanitizers: `Previous write of size 8 at 0x1 by thread T1:`, `freed by thread T0 here:`.
fn access(text: &str) -> Option<Head> {
    if !text.ends_with(':') || text.len() > 300 {
        return None;
    }
    let starts = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
    let by = text
        .find(" by ")
        .map(|at| text[at + 4..].trim_end_matches(':').split(" (").next().unwrap_or_default().to_owned());
    if starts(&[
        "Write of size",
        "Read of size",
        "WRITE of size",
        "READ of size",
        "Atomic write of size",
        "Atomic read of size",
    ]) {
        return Some(Head::new(by.unwrap_or_else(|| "the thread".to_owned()), Tool::Sanitizer));
    }
    if starts(&["WRITE of size", "READ of size"]) {
        return Some(Head { crashed: true, ..Head::new("the thread".to_owned(), Tool::Sanitizer) });
    }
    if starts(&["Previous write", "Previous read", "Previous atomic", "Mutex M", "Location is", "As if synchronized"]) {
        return Some(Head {
            history: !text.starts_with("Previous"),
            ..Head::new(by.unwrap_or_else(|| "another thread".to_owned()), Tool::Sanitizer)
        });
    }
    let of_memory = starts(&["freed by", "previously allocated by", "allocated by", "Address 0x", "Hint"])
        && (text.contains("thread") || text.contains("here"));
    of_memory.then(|| Head { history: true, ..Head::new("the memory's history".to_owned(), Tool::Sanitizer) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Thread 10 (Thread 0x7f0c (LWP 4001) \"icinga2\"):", "thread 10", Some(4001), Some("icinga2"))]
    #[case("Thread 1 (process 12):", "thread 1", Some(12), None)]
    #[case("TID 4001 \"worker\":", "thread 4001", Some(4001), Some("worker"))]
    #[case("Nov 26 host systemd-coredump[1]: Stack trace of thread 4001:", "thread 4001", Some(4001), None)]
    #[case("* thread #1, queue = 'main', stop reason = signal SIGSTOP", "thread 1", None, None)]
    #[case(
        "Thread 0 Crashed:: Dispatch queue: com.apple.main-thread",
        "thread 0",
        None,
        Some("Dispatch queue: com.apple.main-thread")
    )]
    #[case("Thread 3 (crashed)", "thread 3", None, None)]
    #[case("goroutine 1 [running]:", "goroutine 1", None, None)]
    #[case("Thread 0x7F76 (idle): \"MainThread\"", "thread 0x7F76", None, Some("MainThread"))]
    fn threads_have_numbers(
        #[case] line: &str,
        #[case] title: &str,
        #[case] tid: Option<u64>,
        #[case] name: Option<&str>,
    ) {
        let (head, _) = head(line).unwrap();
        assert_eq!((head.title.as_str(), head.tid, head.name.as_deref()), (title, tid, name));
    }

    #[rstest]
    #[case("Thread safety is a goal.")]
    #[case("Thread 2 hangs for ever, see below")]
    #[case("the thread")]
    #[case("Go 1.20 hangs")]
    fn prose_begins_no_thread(#[case] line: &str) {
        assert!(head(line).is_none());
    }
}
