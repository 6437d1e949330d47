//! Python's stacks: py-spy, faulthandler, tracebacks, gdb's py-bt.

use super::Head;
use super::scan;
use crate::rules::waits::Wait;
use crate::stacks::dump::{Tool, TraceFrame};

/// The order of the frames below a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The innermost frame comes first.
    InnermostFirst,
    /// The outermost frame comes first.
    OutermostFirst,
}

/// `Thread 0x7F (idle): "MainThread"`, `Thread 4001 (active+gil): "main"`, `Thread 0x7f (most recent call
/// first):`, `Traceback (most recent call last):`.
pub fn head(text: &str) -> Option<(Head, Order)> {
    if text.starts_with("Traceback (most recent call last)") {
        return Some((Head::new("the traceback".to_owned(), Tool::Python), Order::OutermostFirst));
    }
    if text.starts_with("Traceback (most recent call first)") || text.starts_with("Stack (most recent call first)") {
        return Some((Head::new("the traceback".to_owned(), Tool::Python), Order::InnermostFirst));
    }
    if text.starts_with("Stack (most recent call last)") {
        return Some((Head::new("the traceback".to_owned(), Tool::Python), Order::OutermostFirst));
    }
    let rest = text.strip_prefix("Current thread ").or_else(|| text.strip_prefix("Thread "))?;
    let id = rest.split_whitespace().next()?;
    scan::number(id.trim_end_matches(':'))?;
    let rest = rest[id.len()..].trim();
    let mut head = Head::new(format!("thread {id}"), Tool::Python);
    if rest.contains("most recent call") {
        head.crashed = text.starts_with("Current thread");
        head.name = rest.strip_prefix('[').and_then(|rest| rest.split(']').next()).map(str::to_owned);
        let order = if rest.contains("call last") { Order::OutermostFirst } else { Order::InnermostFirst };
        return Some((head, order));
    }
    let inner = rest.strip_prefix('(')?;
    let (state, rest) = inner.split_once(')')?;
    if !["idle", "active", "waiting", "sleeping", "running"].iter().any(|known| state.starts_with(known)) {
        return None;
    }
    head.state = Some(state.to_owned());
    head.name = rest.trim_start_matches(':').trim().strip_prefix('"').map(|name| name.trim_end_matches('"').to_owned());
    Some((head, Order::InnermostFirst))
}

/// py-spy: `wait (threading.py:295)`, `malloc (libc.so.6)`.
pub fn spy_frame(text: &str) -> Option<TraceFrame> {
    let (function, inner) = scan::last_group(text)?;
    let function = function.strip_suffix(' ')?;
    if function.is_empty() || function.contains("  ") || !scan::is_name(function) || inner.contains('=') {
        return None;
    }
    let python = inner.contains(".py") || inner.contains(".pyx") || inner.starts_with('<');
    if !(python || inner.contains(".so") || inner.contains('/') || !inner.contains(' ')) {
        return None;
    }
    let mut frame = if python { python_frame(function, inner) } else { scan::frame(function, "") };
    if !python {
        frame.module = Some(inner.split(':').next().unwrap_or(inner).to_owned());
    }
    Some(frame)
}

/// `File "/x/threading.py", line 295 in wait`; with `, in wait` in a traceback.
pub fn file_frame(text: &str) -> Option<TraceFrame> {
    let rest = text.strip_prefix("File \"").or_else(|| text.find(" File \"").map(|at| &text[at + 7..]))?;
    let (file, rest) = rest.split_once('"')?;
    let rest = rest.trim_start_matches(',').trim().strip_prefix("line ")?;
    let (line, rest) = scan::decimal(rest)?;
    let function = rest.trim_start_matches(',').trim().strip_prefix("in ").unwrap_or("<module>");
    let file = file.rsplit('/').next().unwrap_or(file);
    Some(python_frame(function.split('(').next().unwrap_or(function).trim(), &format!("{file}:{line}")))
}

fn python_frame(function: &str, source: &str) -> TraceFrame {
    let mut frame = scan::frame("", "");
    frame.function = function.to_owned();
    frame.name.path = function.to_owned();
    frame.name.key = function.to_owned();
    frame.source = Some(source.rsplit('/').next().unwrap_or(source).to_owned());
    frame.module = Some("Python".to_owned());
    frame
}

/// The files of Python's library whose functions wait.
const WAITING_FILES: &[&str] = &[
    "threading.py",
    "queue.py",
    "selectors.py",
    "socket.py",
    "ssl.py",
    "subprocess.py",
    "connection.py",
    "synchronize.py",
    "popen_fork.py",
    "popen_spawn_posix.py",
    "_base.py",
    "queues.py",
    "managers.py",
    "pool.py",
];

/// Whether the frame is one of Python's library that calls no function of the program at this place.
pub fn is_standard(frame: &TraceFrame) -> bool {
    let file = frame.source.as_deref().unwrap_or_default().split(':').next().unwrap_or_default();
    WAITING_FILES.contains(&file)
        || ["__init__.py", "signal.py", "base_events.py", "events.py", "runners.py"].contains(&file)
            && frame.name.path != "handler"
}

/// What a function of Python's library waits for.
pub fn waits(frame: &TraceFrame) -> Option<Wait> {
    if !is_python(frame) {
        return None;
    }
    let file = frame.source.as_deref().unwrap_or_default().split(':').next().unwrap_or_default();
    let lock = ["acquire", "__enter__", "_acquire_restore", "set", "notify", "notify_all", "is_set", "_at_fork_reinit"];
    match (file, frame.name.path.as_str()) {
        ("threading.py" | "synchronize.py" | "queue.py" | "queues.py" | "__init__.py", name)
            if lock.contains(&name) =>
        {
            Some(Wait::Lock)
        }
        ("threading.py" | "queue.py" | "_base.py" | "synchronize.py", "wait" | "get" | "result" | "wait_for") => {
            Some(Wait::Condition)
        }
        ("queue.py", "put" | "task_done" | "qsize" | "put_nowait" | "empty") => Some(Wait::Lock),
        ("threading.py", "join" | "_wait_for_tstate_lock" | "_join_timeout") => Some(Wait::Join),
        (
            "popen_fork.py" | "popen_spawn_posix.py" | "subprocess.py",
            "wait" | "poll" | "_wait" | "_try_wait" | "communicate" | "_communicate",
        ) => Some(Wait::Child),
        (
            "selectors.py" | "socket.py" | "ssl.py" | "connection.py",
            "select" | "accept" | "readinto" | "recv" | "read" | "poll" | "_recv" | "_poll" | "wait" | "recv_bytes",
        ) => Some(Wait::Input),
        _ => None,
    }
}

/// Whether the frame is one of a Python function.
pub fn is_python(frame: &TraceFrame) -> bool {
    frame.module.as_deref() == Some("Python")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_tools_print_the_same_frame() {
        for frame in [
            spy_frame("wait (threading.py:295)"),
            file_frame("File \"/usr/lib/python3/threading.py\", line 295 in wait"),
            file_frame("File \"/usr/lib/python3/threading.py\", line 295, in wait"),
        ] {
            let frame = frame.unwrap();
            assert_eq!((frame.function.as_str(), frame.source.as_deref()), ("wait", Some("threading.py:295")));
        }
        assert!(spy_frame("I saw it (twice today)").is_none());
    }

    #[test]
    fn headers_tell_the_order() {
        assert_eq!(head("Thread 0x7F768F98F740 (idle): \"MainThread\"").unwrap().1, Order::InnermostFirst);
        assert_eq!(head("Traceback (most recent call last):").unwrap().1, Order::OutermostFirst);
        assert!(head("Current thread 0x00007f (most recent call first):").unwrap().0.crashed);
        assert!(head("Thread 3 (crashed)").is_none());
    }
}
