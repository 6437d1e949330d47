//! Frames that begin with `#N`: gdb, pstack, eu-stack, systemd-coredump, the sanitizers, Android, LLVM,
//! Chromium, backward-cpp.

use super::scan;
use crate::stacks::dump::{Tool, TraceFrame};

/// The place of `#N` in a line, the number, and what follows.
pub fn numbered(line: &str) -> Option<(u32, &str)> {
    let bytes = line.as_bytes();
    if !bytes.contains(&b'#') {
        return None;
    }
    for (at, _) in line.match_indices('#').take(4) {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|c| !(c.is_whitespace() || ">|:])*-".contains(c))) {
            continue;
        }
        let Some((number, rest)) = scan::decimal(&line[at + 1..]) else { continue };
        let number = u32::try_from(number).ok().filter(|number| *number < 1_000_000);
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        if let (Some(number), true) = (number, rest.is_empty() || rest.starts_with([' ', '\t'])) {
            return Some((number, rest.trim()));
        }
    }
    None
}

/// Whether what follows `#N` must be a frame, even where no stack has begun.
pub fn is_surely_frame(body: &str) -> bool {
    let first = body.split_whitespace().next().unwrap_or_default();
    let word = scan::is_word(first.split('(').next().unwrap_or_default());
    body.contains("signal handler called")
        || body.starts_with("0x")
        || body.starts_with("pc ") && scan::bare_hex(body[3..].trim_start()).is_some()
        || body.starts_with("Object \"")
        || body.starts_with("Source \"")
        || (word
            && (body.contains(" (") || body.contains("()") || body.contains("(+0x") || body.contains("+0x"))
            && body.trim_end().ends_with([')', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']))
        || (word
            && scan::is_source(body[first.len()..].trim().split(" (").next().unwrap_or_default())
            && body.len() > first.len())
}

/// The frame behind `#N`.
pub fn frame(number: u32, body: &str) -> (TraceFrame, Tool) {
    let (mut frame, tool) = read(body);
    frame.number = Some(number);
    (frame, tool)
}

fn read(body: &str) -> (TraceFrame, Tool) {
    // A dump may end within the marker.
    if body.contains("signal handler called") || body.starts_with("<signal h") {
        return (TraceFrame::new("<signal handler called>"), Tool::Gdb);
    }
    if let Some(rest) = body.strip_prefix("pc ").or_else(|| body.strip_prefix("pc\t")) {
        return (android(rest.trim()), Tool::Android);
    }
    if let Some(rest) = body.strip_prefix("Object \"").or_else(|| body.strip_prefix("Source \"")) {
        let (module, rest) = rest.split_once('"').unwrap_or((rest, ""));
        let function = rest.rsplit_once(" in ").map_or("", |(_, function)| function);
        let mut frame = scan::frame(function, "");
        frame.module = Some(module.to_owned());
        return (frame, Tool::Other);
    }
    let (address, rest) = match scan::hex(body) {
        Some((address, rest)) => (Some(address), rest.trim_start()),
        None => (None, body),
    };
    // A person has left the address out: `#0  ... in f ()`.
    let rest = rest.strip_prefix("... ").unwrap_or(rest);
    let is_gdb = rest.starts_with("in ");
    let rest = rest.strip_prefix("in ").unwrap_or(rest).trim();
    let (mut frame, tool) = function(rest, is_gdb);
    frame.address = address;
    (frame, if tool == Tool::Other && address.is_some() { Tool::EuStack } else { tool })
}

/// `000000000001 /system/lib64/libc.so (syscall+28) (BuildId: ...)`.
fn android(text: &str) -> TraceFrame {
    let (offset, rest) = scan::bare_hex(text).unwrap_or((0, text));
    let rest = without_build_id(rest.trim());
    let (module, function) = match scan::last_group(rest) {
        Some((module, inner)) => (module.trim(), inner),
        None => (rest, ""),
    };
    let (function, of_function) = scan::split_offset(function);
    let mut frame = scan::frame(if function.starts_with("offset ") { "" } else { function }, "");
    frame.module = module.split(" (").next().map(str::to_owned).filter(|module| !module.is_empty());
    frame.offset = if frame.is_unknown() { Some(offset) } else { of_function };
    frame
}

fn without_build_id(text: &str) -> &str {
    let text = text.find("(BuildId").map_or(text, |at| text[..at].trim_end());
    text.find("<BuildId").map_or(text, |at| text[..at].trim_end())
}

/// What a person has written behind a frame: `<- signal handler`.
fn without_remark(text: &str) -> &str {
    let marks = ["  <-", " <--", " <==", "  //", "  # ", "  ; "];
    let at = marks.iter().filter_map(|mark| text.find(mark)).filter(|at| *at > 0).min();
    at.map_or(text, |at| text[..at].trim_end())
}

/// What stands behind the number and the address.
fn function(text: &str, is_gdb: bool) -> (TraceFrame, Tool) {
    let text = without_build_id(without_remark(text));
    // gdb: ` from /lib/x.so` or ` at file.c:12`.
    if let Some((before, module)) = text.rsplit_once(" from ").filter(|(before, _)| before.trim_end().ends_with(')')) {
        let mut frame = with_arguments(before);
        frame.module = Some(module.trim().to_owned());
        return (frame, Tool::Gdb);
    }
    if let Some((before, source)) =
        text.rsplit_once(" at ").filter(|(before, source)| before.trim_end().ends_with(')') || scan::is_source(source))
    {
        let mut frame = with_arguments(before);
        frame.source = Some(source.trim().to_owned());
        return (frame, Tool::Gdb);
    }
    if let Some((before, inner)) = scan::last_group(text) {
        // `(lib.so.6 + 0x12345)`, `(/path/x+0x1f)`, `(lib.so.6)`, `(n/a)`: a module.
        let (module, offset) = scan::split_offset(inner);
        let is_module = (offset.is_some() && !inner.contains('=') && !inner.contains(", "))
            || inner == "n/a"
            || (before.ends_with(' ') && is_library(inner));
        if is_module {
            let before = before.trim_end();
            // `f.cc:12:3 (x+0x1f)`: the sanitizers print the source before the module.
            let (mut frame, _) = with_source(before);
            frame.offset = offset;
            if frame.is_unknown() || !module.is_empty() {
                frame.module = Some(module.to_owned()).filter(|module| module != "n/a" && !module.is_empty());
            }
            let of_systemd = inner.contains(" + ") || inner == "n/a" || offset.is_none();
            return (frame, if of_systemd { Tool::Coredump } else { Tool::Sanitizer });
        }
        if before.ends_with(' ') || is_gdb && before.is_empty() {
            let mut frame = scan::frame(before, inner);
            if frame.name.parameters.is_none() && !inner.is_empty() && !inner.contains('=') {
                frame.name.parameters = Some(inner.to_owned());
            }
            return (frame, if is_gdb { Tool::Gdb } else { Tool::Other });
        }
    }
    let (frame, sourced) = with_source(text);
    // eu-stack: `f - 1`, `f+0x12`.
    let tool = if sourced && is_gdb { Tool::Sanitizer } else { Tool::Other };
    (frame, tool)
}

fn is_library(text: &str) -> bool {
    (text.contains(".so") || text.ends_with(".dylib") || text.starts_with('/'))
        && !text.contains(", ")
        && !text.contains('=')
}

/// `f (args)` of gdb, where ` (args)` may be missing.
fn with_arguments(text: &str) -> TraceFrame {
    match scan::last_group(text) {
        Some((before, args)) if before.ends_with(' ') => scan::frame(before, args),
        _ => scan::frame(text, ""),
    }
}

/// `f(int) /path/x.cc:12:3`, as the sanitizers print it; `f - 1` or `f+0x12 - /lib/x.so` of eu-stack.
fn with_source(text: &str) -> (TraceFrame, bool) {
    if let Some((before, last)) = text.rsplit_once(char::is_whitespace)
        && (scan::is_source(last) || (last.starts_with('/') && last.len() > 1) || last == "<null>")
    {
        let (before, offset) = scan::split_offset(before.trim_end().trim_end_matches(" -"));
        let mut frame = scan::frame(if last == "<null>" && before.is_empty() { "" } else { before }, "");
        frame.offset = offset;
        frame.source = Some(last.to_owned());
        return (frame, true);
    }
    let text = text.rsplit_once(" - ").filter(|(_, last)| last.len() < 4).map_or(text, |(before, _)| before);
    let (function, offset) = scan::split_offset(text);
    let mut frame = scan::frame(function, "");
    frame.offset = offset;
    (frame, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("#5  0x00005557b189efcc in app::Main::SigUsr1Handler(int) ()", "app::Main::SigUsr1Handler(int)", "", None)]
    #[case("#1  0x1 in crash (sig=7, info=0x7ffd) at ../src/main.c:264", "crash", "sig=7, info=0x7ffd", None)]
    #[case("#0  0x1 in poll () from /lib/libc.so.6", "poll", "", Some("/lib/libc.so.6"))]
    #[case("#3  0x00007f __lll_lock_wait (libpthread.so.0 + 0x12345)", "__lll_lock_wait", "", Some("libpthread.so.0"))]
    #[case("#3  0x00007f n/a (libapp.so)", "n/a", "", Some("libapp.so"))]
    #[case("    #1 0x4f5 in run(int) /src/a.cc:12:3", "run(int)", "", None)]
    #[case("    #1 malloc <null> (app+0x1f)", "malloc", "", Some("app"))]
    #[case("    #1 handler /src/a.c:9 (app+0x1f)", "handler", "", Some("app"))]
    #[case(
        "  #02 pc 000000000004b0 /system/lib64/libc.so (pthread_mutex_lock+28) (BuildId: ab)",
        "pthread_mutex_lock",
        "",
        Some("/system/lib64/libc.so")
    )]
    #[case("#4 0x1 SignalHandler(int) Signals.cpp:0:0", "SignalHandler(int)", "", None)]
    #[case("#5 0x1 __restore_rt (/lib64/libpthread.so.0+0xf630)", "__restore_rt", "", Some("/lib64/libpthread.so.0"))]
    #[case("#0  0x00007f5c pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait@@GLIBC_2.3.2", "", None)]
    #[case("#0  0x00007f5c poll - 1", "poll", "", None)]
    #[case("#2  <signal handler called>", "<signal handler called>", "", None)]
    fn a_frame_is_taken_apart(
        #[case] line: &str,
        #[case] name: &str,
        #[case] args: &str,
        #[case] module: Option<&str>,
    ) {
        let (number, body) = numbered(line).unwrap();
        assert!(is_surely_frame(body) || number == 0, "{body}");
        let (frame, _) = frame(number, body);
        assert_eq!((frame.function.as_str(), frame.args.as_str(), frame.module.as_deref()), (name, args, module));
    }

    #[rstest]
    #[case("see issue #12 for more")]
    #[case("#1 priority is speed")]
    #[case("a#1 b")]
    fn prose_is_no_frame(#[case] line: &str) {
        assert!(!numbered(line).is_some_and(|(_, body)| is_surely_frame(body)));
    }
}
