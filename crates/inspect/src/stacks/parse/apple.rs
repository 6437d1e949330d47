//! lldb's frames and threads, and the crash reports of macOS as text.

use super::Head;
use super::scan;
use crate::stacks::dump::{Tool, TraceFrame};

/// `frame #3: 0x0000 lib`f(int) + 12 at file.cc:3`.
pub fn lldb_frame(line: &str) -> Option<TraceFrame> {
    let at = line.find("frame #")?;
    let (number, rest) = scan::decimal(&line[at + 7..])?;
    let rest = rest.trim_start_matches(':').trim();
    let (address, rest) = match scan::hex(rest) {
        Some((address, rest)) => (Some(address), rest.trim()),
        None => (None, rest),
    };
    let mut frame = place(rest);
    frame.number = u32::try_from(number).ok();
    frame.address = address;
    Some(frame)
}

/// ``lib`f(args) + 12 at file.cc:3``.
fn place(text: &str) -> TraceFrame {
    let text = text.find(", queue = ").map_or(text, |at| &text[..at]);
    let text = text.find(", name = ").map_or(text, |at| &text[..at]);
    let text = text.find(", stop reason = ").map_or(text, |at| &text[..at]);
    let (module, rest) = match text.split_once('`') {
        Some((module, rest)) => (Some(module), rest),
        // A tracker took the backtick for its own.
        None => match text.find(".dylib") {
            Some(at) => (Some(&text[..at + 6]), text[at + 6..].trim()),
            // A line that ends in the module's name.
            None if !text.contains([' ', '+', ':', '(']) => (Some(text), ""),
            None => (None, text),
        },
    };
    let (rest, source) = match rest.rsplit_once(" at ") {
        Some((rest, source)) if scan::is_source(source) => (rest, Some(source)),
        _ => (rest, None),
    };
    let rest = rest.strip_suffix(" [opt]").or_else(|| rest.strip_suffix(" [artificial]")).unwrap_or(rest);
    let (function, offset) = scan::split_offset(rest);
    // lldb prints arguments with values where there are debug symbols.
    let args = match scan::last_group(function) {
        Some((_, inner)) if inner.contains('=') => inner,
        _ => "",
    };
    let mut frame = scan::frame(function, args);
    if !args.is_empty() {
        frame.name.parameters = None;
    }
    frame.offset = offset;
    frame.module = module.map(str::to_owned);
    frame.source = source.map(str::to_owned);
    frame
}

/// `* thread #1: tid = 4001, 0x00 lib`f + 10, queue = 'com.apple.main-thread', stop reason = signal SIGSEGV`.
pub fn lldb_thread(line: &str) -> Option<Head> {
    let text = line.trim_start().trim_start_matches("* ").trim_start();
    let rest = text.strip_prefix("thread #")?;
    let (number, rest) = scan::decimal(rest)?;
    if !(rest.is_empty() || rest.starts_with([':', ','])) {
        return None;
    }
    let mut head = Head::new(format!("thread {number}"), Tool::Lldb);
    head.tid = value(rest, "tid = ").and_then(scan::number);
    head.name = value(rest, "name = ").map(|name| name.trim_matches('\'').to_owned());
    if let Some(reason) = rest.find("stop reason = ").map(|at| &rest[at + 14..]) {
        head.state = Some(reason.to_owned());
        head.crashed = reason.starts_with("EXC_")
            || (reason.starts_with("signal ") && !reason.contains("SIGSTOP") && !reason.contains("SIGINT"));
    }
    // The thread's place stands in its header as well; it is the only frame if the dump ends here.
    if let Some(at) = rest.find("0x").filter(|at| rest[*at..].contains('`'))
        && let Some((address, text)) = scan::hex(&rest[at..])
    {
        let mut frame = place(text.trim());
        frame.address = Some(address);
        head.place = Some(Box::new(frame));
    }
    Some(head)
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let from = text.find(key)? + key.len();
    Some(text[from..].split([',', ' ']).next().unwrap_or_default())
}

/// `Thread 0 Crashed:: Dispatch queue: com.apple.main-thread`, `Thread 3:`, `Thread 3:: worker`.
pub fn report_thread(line: &str) -> Option<Head> {
    let rest = line.trim().strip_prefix("Thread ")?;
    let (number, rest) = scan::decimal(rest)?;
    let crashed = rest.contains("Crashed:") || rest.starts_with(" Crashed");
    let name = rest.split_once("::").map(|(_, name)| name.trim());
    if !(crashed || rest == ":" || rest.starts_with("::")) {
        return None;
    }
    let mut head = Head::new(format!("thread {number}"), Tool::Apple);
    head.crashed = crashed;
    head.name = name.filter(|name| !name.is_empty()).map(str::to_owned);
    Some(head)
}

/// `0   libsystem_kernel.dylib   0x00007fff __psynch_mutexwait + 10 (file.c:3)`.
pub fn report_frame(line: &str) -> Option<TraceFrame> {
    let text = line.trim();
    let (number, rest) = scan::decimal(text)?;
    if !rest.starts_with([' ', '\t']) || number > 9999 {
        return None;
    }
    let rest = rest.trim_start();
    let at = rest.match_indices("0x").map(|(at, _)| at).find(|at| *at > 0 && rest[..*at].ends_with([' ', '\t']))?;
    let module = rest[..at].trim();
    let (address, rest) = scan::hex(&rest[at..])?;
    if module.is_empty() || !rest.starts_with([' ', '\t']) || module.contains('(') || module.starts_with("0x") {
        return None;
    }
    let rest = rest.trim();
    let (rest, source) = match scan::last_group(rest) {
        Some((before, inner)) if scan::is_source(inner) && before.ends_with(' ') => (before.trim_end(), Some(inner)),
        _ => (rest, None),
    };
    let (function, offset) = scan::split_offset(rest);
    // Without a symbol the function is the image's address.
    let mut frame = scan::frame(function, "");
    frame.number = u32::try_from(number).ok();
    frame.address = Some(address);
    frame.offset = offset;
    frame.module = Some(module.to_owned());
    frame.source = source.map(str::to_owned);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lldbs_frames_have_a_module_and_perhaps_a_source() {
        let frame =
            lldb_frame("    frame #1: 0x00007fff8986 libsystem_pthread.dylib`_pthread_mutex_lock + 372").unwrap();
        assert_eq!(
            (frame.function.as_str(), frame.module.as_deref(), frame.offset),
            ("_pthread_mutex_lock", Some("libsystem_pthread.dylib"), Some(372))
        );
        let frame =
            lldb_frame("  * frame #6: 0x0001 app`app::on_prof(signo=27, info=0x1, context=0x2) at app.cc:9:3 [opt]")
                .unwrap();
        assert_eq!(
            (frame.name.path.as_str(), frame.args.as_str()),
            ("app::on_prof", "signo=27, info=0x1, context=0x2")
        );
        let frame = lldb_frame("frame #0: 0x1 libsystem_kernel.dylib__psynch_mutexwait + 10").unwrap();
        assert_eq!(frame.function, "__psynch_mutexwait");
    }

    #[test]
    fn a_crash_reports_module_may_have_blanks() {
        let frame = report_frame("12  Google Chrome Framework \t0x0000000108a1 base::Run() + 31 (run.cc:4)").unwrap();
        assert_eq!(
            (frame.module.as_deref(), frame.name.path.as_str(), frame.offset),
            (Some("Google Chrome Framework"), "base::Run", Some(31))
        );
        assert!(report_frame("0  0x00001 in ???").is_none());
    }
}
