//! What of the traceback of a Go runtime is worth reading: why it died, and the goroutines and threads that
//! were not idle, without addresses.
//!
//! With `GOTRACEBACK=crash` a Go program that gets SIGQUIT prints all goroutines and then, thread by thread,
//! what each was doing with its registers: some hundred lines, most of them about threads that wait for work.

use std::collections::BTreeSet;
use std::fmt::Write;

/// So many frames of a stack are in a finding's text.
const FRAMES: usize = 14;

/// What a goroutine that is the runtime's own waits for.
const IDLE_STATES: &[&str] =
    &["GC worker", "GC sweep wait", "GC scavenge wait", "force gc", "finalizer wait", "cleanup wait"];

/// What a thread is in that has no work, or watches the others; and the two helpers of each run.
const IDLE_FRAMES: &[&str] = &[
    "runtime.stopm",
    "runtime.sysmon",
    "runtime.templateThread",
    "runtime.findRunnable",
    "runtime.findrunnable",
    "main.endWithParent",
    "main.upstream.func1",
];

/// The line that says why a program died.
pub fn cause(text: &str) -> Option<&str> {
    let first = |prefix: &str| text.lines().find(|line| line.starts_with(prefix));
    first("fatal error: ").or_else(|| first("panic: ")).or_else(|| first("driver: ")).or_else(|| first("runtime: "))
}

/// Whether a program died because a signal handler used the semaphore of a thread on Darwin: the throws of
/// `src/runtime/os_darwin.go`, go1.22 and later.
pub fn is_refusal(cause: &str) -> bool {
    ["semawakeup", "semasleep"].iter().any(|call| cause == format!("fatal error: {call} on Darwin signal stack"))
}

/// The part that is worth reading.
pub fn trim(text: &str) -> String {
    trim_to(text, FRAMES)
}

/// The same with at most so many frames of each stack.
pub fn trim_to(text: &str, frames: usize) -> String {
    let mut out = String::new();
    if let Some(cause) = cause(text) {
        let _ = writeln!(out, "{cause}");
    }
    let (mut shown, mut idle) = (BTreeSet::new(), 0_usize);
    for stack in stacks(text) {
        if !shown.insert(stack.header) {
            continue;
        }
        match stack.is_idle() {
            true => idle += 1,
            false => stack.write(&mut out, frames),
        }
    }
    if idle > 0 {
        let _ = writeln!(out, "and {idle} goroutines and threads that were idle");
    }
    out
}

/// A stack: its header, and the lines of its frames.
struct Stack<'a> {
    header: &'a str,
    lines: Vec<&'a str>,
}

/// The stacks of a traceback.
fn stacks(text: &str) -> Vec<Stack<'_>> {
    let mut stacks: Vec<Stack<'_>> = Vec::new();
    let mut within = false;
    for line in text.lines() {
        if line.starts_with("goroutine ") && line.ends_with(':') {
            stacks.push(Stack { header: line, lines: Vec::new() });
            within = true;
        } else if is_register(line) || line.is_empty() {
            // Registers follow a stack without a line between.
            within = false;
        } else if let (true, Some(stack)) = (within, stacks.last_mut()) {
            stack.lines.push(line);
        }
    }
    stacks
}

/// A register: a name, spaces and a number in hexadecimal.
fn is_register(line: &str) -> bool {
    line.split_once("  ").or_else(|| line.split_once(' ')).is_some_and(|(name, value)| {
        let is_number =
            value.trim_start().strip_prefix("0x").is_some_and(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
        is_number && name.len() < 8 && name.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

impl Stack<'_> {
    fn is_idle(&self) -> bool {
        IDLE_STATES.iter().any(|state| self.header.contains(state))
            || self.lines.iter().any(|line| IDLE_FRAMES.iter().any(|frame| line.starts_with(frame)))
    }

    fn write(&self, out: &mut String, most: usize) {
        let (name, state) = self.header.split_once('[').unwrap_or((self.header, ""));
        // "goroutine 17 gp=0x.. m=6 mp=0x..", in older releases "goroutine 17"
        let name: Vec<_> =
            name.split_whitespace().filter(|word| !word.starts_with("gp=") && !word.starts_with("mp=")).collect();
        let _ = writeln!(out, "  {} [{state}", name.join(" "));
        let mut frames = self.lines.chunks(2).filter(|frame| !frame[0].starts_with("runtime.goexit"));
        for frame in frames.by_ref().take(most) {
            let place = frame.get(1).map_or("", |place| place.trim().split(" +").next().unwrap_or_default());
            let _ = writeln!(out, "    {}  {place}", function(frame[0]));
        }
        let rest = frames.count();
        if rest > 0 {
            let _ = writeln!(out, "    ... {rest} more");
        }
    }
}

/// A frame's function without its arguments: they are in the last parentheses, and may have others within.
fn function(line: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in line.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' if depth == 1 => return &line[..at],
            '(' => depth = depth.saturating_sub(1),
            // "created by main.overrun in goroutine 1"
            _ if depth == 0 => return line,
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIED: &str = "\
notewakeup - double wakeup (1)
fatal error: notewakeup - double wakeup

goroutine 17 gp=0xc000102380 m=6 mp=0xc000100008 [running, locked to thread]:
runtime.throw({0x4f71de?, 0x0?})
\truntime/panic.go:1101 +0x48 fp=0xc000042d48 sp=0xc000042d18 pc=0x46c3e8
runtime.(*profBuf).write(0xc00012a000, 0x0, 0x76c, {0x0, 0x0, 0xc000042e50?}, {0xc000042e58, 0x1, 0x0?})
\truntime/profbuf.go:386 +0x3d4 fp=0xc000042e08 sp=0xc000042d70 pc=0x44a3b4
main.burn(...)
\tsigproof/driver/upstream.go:129
runtime.goexit({})
\truntime/asm_amd64.s:1700 +0x1 fp=0xc000042fe8 sp=0xc000042fe0 pc=0x473121
created by main.overrun in goroutine 1
\tsigproof/driver/profbuf_double_wakeup.go:27 +0x13f

goroutine 2 gp=0xc0000028c0 m=nil [force gc (idle)]:
runtime.gopark(0x0?, 0x0?, 0x0?, 0x0?, 0x0?)
\truntime/proc.go:435 +0xce fp=0xc000040fa8 sp=0xc000040f88 pc=0x46c50e

rax    0x675d3ba3ea0afe8c
rflags 0x203

-----

SIGQUIT: quit
PC=0x484dd7 m=1 sigcode=0

goroutine 0 gp=0x230c495a65a0 m=1 mp=0x230c495e0008 [idle]:
runtime.usleep(0x2710)
\truntime/sys_linux_amd64.s:135 +0x37 fp=0x230c495cbf20 sp=0x230c495cbf00 pc=0x484dd7
runtime.sysmon()
\truntime/proc.go:6557 +0xb2 fp=0x230c495cbfa0 sp=0x230c495cbf20 pc=0x4551d2
rax    0xfffffffffffffffc
r9     0xa
";

    #[test]
    fn who_was_not_idle_without_addresses() {
        insta::assert_snapshot!(trim(DIED));
    }

    #[test]
    fn who_spins_is_not_idle_while_he_waits_for_a_processor() {
        let preempted = "\
goroutine 1 gp=0xc000002380 m=0 mp=0x5f0a60 [runnable, locked to thread]:
runtime.asyncPreempt2()
\truntime/preempt.go:330 +0x26 fp=0xc000042d48 sp=0xc000042d18 pc=0x46c3e8
main.selftestSpin(0xc00012a000)
\tsigproof/driver/selftest.go:56 +0x3d4 fp=0xc000042e08 sp=0xc000042d70 pc=0x44a3b4
";
        assert!(trim(preempted).contains("main.selftestSpin"), "{}", trim(preempted));
    }

    #[test]
    fn a_stack_has_at_most_so_many_frames() {
        let (one, all) = (trim_to(DIED, 1), trim_to(DIED, usize::MAX));
        assert!(one.contains("runtime.throw") && !one.contains("profBuf") && one.contains("... 3 more"), "{one}");
        assert!(all.contains("profBuf") && !all.contains(" more"), "{all}");
    }

    #[test]
    fn what_is_no_traceback_gives_nothing() {
        assert_eq!((trim("").as_str(), cause("")), ("", None));
        assert_eq!(trim("goroutine :\ngoroutine 1 [x]:\n(((\n)))\n").lines().count(), 3);
    }
}
