//! The native frames of a JVM's hs_err file, and jstack.

use super::Head;
use super::scan;
use crate::stacks::dump::{Tool, TraceFrame};

/// `C  [libc.so.6+0x1f]  malloc+0x1`, `V  [libjvm.so+0x2]  f(int)+0x3`, `j  a.B.c()V+4`, `J 12 c2 a.B.c()V
/// (1 bytes) @ 0x1`, `v  ~StubRoutines::call_stub`, `C  0x0000`.
pub fn hs_err_frame(text: &str) -> Option<TraceFrame> {
    let mut chars = text.chars();
    let kind = chars.next()?;
    let rest = chars.as_str();
    if !"CVvjJA".contains(kind) || !rest.starts_with([' ', '\t']) {
        return None;
    }
    let wide = rest.starts_with("  ") || rest.starts_with('\t');
    let rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('[') {
        let (module, function) = inner.split_once(']')?;
        let (module, at) = scan::split_offset(module);
        let (function, offset) = scan::split_offset(function.trim().trim_end_matches("  "));
        let mut frame = scan::frame(function, "");
        frame.module = Some(module.to_owned());
        frame.offset = if frame.is_unknown() { at } else { offset };
        return Some(frame);
    }
    match kind {
        'C' => {
            let (address, after) = scan::hex(rest)?;
            let mut frame = scan::frame("", "");
            frame.address = Some(address);
            after.trim().is_empty().then_some(frame)
        }
        'v' | 'V' => (rest.starts_with('~') && wide).then(|| scan::frame(rest, "")),
        'j' => {
            let method =
                rest.split_whitespace().next().filter(|method| wide && method.contains('.') && method.contains('('))?;
            Some(java(method))
        }
        'J' | 'A' => {
            let method = rest.split_whitespace().find(|word| word.contains('.') && word.contains('('))?;
            rest.starts_with(|c: char| c.is_ascii_digit() || wide && c.is_alphabetic()).then(|| java(method))
        }
        _ => None,
    }
}

fn java(method: &str) -> TraceFrame {
    let name = method.split('(').next().unwrap_or(method);
    let mut frame = scan::frame("", "");
    frame.function = method.to_owned();
    frame.name.path = name.to_owned();
    frame.name.key = name.to_owned();
    frame.module = Some("Java".to_owned());
    frame
}

/// `"main" #1 prio=5 os_prio=0 tid=0x1 nid=0x2 waiting on condition [0x3]`; ART's `"main" prio=5 tid=1
/// Native`.
pub fn jstack_head(text: &str) -> Option<Head> {
    let rest = text.strip_prefix('"')?;
    let (name, rest) = rest.rsplit_once('"')?;
    if !(rest.contains("prio=") || rest.contains("nid=") || rest.contains(" tid=")) {
        return None;
    }
    let mut head = Head::new(format!("thread \"{name}\""), Tool::Jstack);
    head.state = rest.rsplit_once("nid=").map(|(_, state)| state.to_owned());
    let nid = rest.find("nid=").map(|at| &rest[at + 4..]);
    head.tid = nid.and_then(|nid| nid.split_whitespace().next()).and_then(scan::number);
    Some(head)
}

/// `jstack -F`: `Thread 4711: (state = BLOCKED)`.
pub fn forced_head(text: &str) -> Option<Head> {
    let (number, rest) = scan::decimal(text.strip_prefix("Thread ")?)?;
    let state = rest.strip_prefix(": (state = ")?.trim_end_matches(')');
    Some(Head {
        tid: Some(number),
        state: Some(state.to_owned()),
        ..Head::new(format!("thread {number}"), Tool::Jstack)
    })
}

/// `jstack -F`: `- java.lang.Object.wait(long) @bci=0 (Interpreted frame)`.
pub fn forced_frame(text: &str) -> Option<TraceFrame> {
    let (function, _) = text.strip_prefix("- ")?.split_once(" @bci=")?;
    (function.contains('.') && function.ends_with(')')).then(|| java(function))
}

/// `at java.lang.Object.wait(Native Method)`, also of JavaScript and .NET.
pub fn at_frame(text: &str) -> Option<TraceFrame> {
    let rest = text.strip_prefix("at ")?;
    let (function, source) = match scan::last_group(rest) {
        Some((function, source)) => (function.trim(), Some(source)),
        None => (rest.split(" in ").next().unwrap_or(rest), None),
    };
    let function = function.strip_prefix("async ").unwrap_or(function);
    if function.is_empty() || function.matches(' ').count() > 2 || !scan::is_name(function) {
        return None;
    }
    let mut frame = java(function);
    frame.source = source.map(str::to_owned);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("C  [libsystem_malloc.dylib+0x1783]  malloc+0x18", "malloc", Some("libsystem_malloc.dylib"))]
    #[case("V  [libjvm.so+0x3f6a09]  jni_GetEnv+0x53", "jni_GetEnv", Some("libjvm.so"))]
    #[case("C  [app+0xa0d5]", "", Some("app"))]
    #[case("C  0x0000000000000000", "", None)]
    #[case("j  java.lang.Thread.run()V+11", "java.lang.Thread.run()V+11", Some("Java"))]
    #[case("J 1234 c2 a.B.run()V (20 bytes) @ 0x0000 [0x1+0x2]", "a.B.run()V", Some("Java"))]
    #[case("v  ~StubRoutines::call_stub", "~StubRoutines::call_stub", None)]
    fn a_frame_of_the_jvm_has_a_letter(#[case] line: &str, #[case] function: &str, #[case] module: Option<&str>) {
        let frame = hs_err_frame(line).unwrap();
        assert_eq!((frame.function.as_str(), frame.module.as_deref()), (function, module));
    }

    #[test]
    fn a_forced_dump_has_threads_and_frames_of_its_own() {
        let head = forced_head("Thread 4711: (state = BLOCKED)").unwrap();
        assert_eq!((head.tid, head.state.as_deref()), (Some(4711), Some("BLOCKED")));
        let frame = forced_frame("- java.lang.Shutdown.exit(int) @bci=96, line=212 (Interpreted frame)").unwrap();
        assert_eq!(frame.name.path, "java.lang.Shutdown.exit");
        assert!(forced_head("Thread 4711: it waits").is_none() && forced_frame("- a list (of things)").is_none());
    }

    #[test]
    fn prose_is_no_frame() {
        assert!(hs_err_frame("A thread waits.").is_none() && hs_err_frame("C is fine").is_none());
    }
}
