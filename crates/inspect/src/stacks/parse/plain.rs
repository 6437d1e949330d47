//! Frames of a name and an offset: what programs, their users and app stores keep of a stack without its
//! addresses.

use super::scan;
use crate::rules::frames;
use crate::stacks::dump::{Tool, Trace, TraceFrame};
use crate::stacks::text;

/// `2   on_segv + 26`: number, name, offset in decimal. `0 libc.so syscall + 32`: the library between.
pub fn numbered(text: &str) -> Option<TraceFrame> {
    let (number, rest) = scan::decimal(text)?;
    if !rest.starts_with([' ', '\t']) || number > 9999 {
        return None;
    }
    let rest = rest.trim_start();
    let (function, offset) = rest.rsplit_once(" + ")?;
    let offset = offset.parse().ok()?;
    let (module, function) = match function.split_once(' ') {
        Some((module, function)) if is_library(module) => (Some(module), function.trim()),
        Some(_) => return None,
        None => (None, function),
    };
    // A sum of two numbers is prose.
    if !function.starts_with(|c: char| c.is_alphabetic() || "_~<".contains(c)) {
        return None;
    }
    if module.is_none() && !scan::is_word(function) {
        return None;
    }
    let mut frame = scan::frame(function, "");
    frame.number = u32::try_from(number).ok();
    frame.module = module.map(str::to_owned);
    frame.offset = Some(offset);
    Some(frame)
}

fn is_library(word: &str) -> bool {
    [".so", ".apk", ".dylib", ".odex", ".oat", ".vdex", ".dll"].iter().any(|end| word.contains(end))
}

/// `[0x2b00] on_segv +393`, `[0x2b00] ???`: Crystal, and what libunwind's users print.
pub fn bracketed(text: &str) -> Option<TraceFrame> {
    let (address, rest) = scan::hex(text.strip_prefix('[')?)?;
    let rest = rest.strip_prefix("] ")?.trim();
    let (function, offset) = match rest.rsplit_once(" +") {
        Some((function, offset)) => (function, Some(offset.parse().ok()?)),
        None if rest.starts_with("??") => (rest, None),
        None => return None,
    };
    let mut frame = scan::frame(function, "");
    frame.address = Some(address);
    frame.offset = offset;
    Some(frame)
}

/// `[0x7f01]` among lines of `backtrace_symbols`: a frame of no known module.
pub fn address(text: &str) -> Option<TraceFrame> {
    let (address, rest) = scan::hex(text.strip_prefix('[')?)?;
    let mut frame = scan::frame("", "");
    frame.address = Some(address);
    (rest == "]").then_some(frame)
}

/// A stack of which a person has kept the names only, one a line: a row of words with a signal frame among
/// them.
pub fn names(text: &str) -> Option<Trace> {
    if !["restore", "sigtramp", "signal handler called", "sigreturn"].iter().any(|word| text.contains(word)) {
        return None;
    }
    let mut row = Row::default();
    let mut found = None;
    text::for_each_line(text, |line| {
        if found.is_none() && !row.takes(line.trim()) {
            found = std::mem::take(&mut row).stack();
        }
    });
    found.or_else(|| row.stack())
}

/// Shorter rows are lists of words.
const SHORTEST: usize = 5;

/// Longer ones are word lists.
const LONGEST: usize = 2000;

#[derive(Default)]
struct Row {
    frames: Vec<TraceFrame>,
    gaps: Vec<usize>,
}

impl Row {
    fn takes(&mut self, line: &str) -> bool {
        if matches!(line, "..." | "\u{2026}" | "[...]") {
            self.gaps.extend(self.frames.len().checked_sub(1).filter(|at| self.gaps.last() != Some(at)));
            return true;
        }
        let name = line.trim_start_matches("<-").trim_end_matches("()").trim();
        let function = name.len() > 1 && (scan::is_word(name) || name.contains("signal handler called"));
        if function && !name.ends_with([':', '.', ',']) && self.frames.len() <= LONGEST {
            self.frames.push(scan::frame(name, ""));
        }
        function
    }

    fn stack(self) -> Option<Trace> {
        let Self { mut frames, mut gaps } = self;
        let marked = frames
            .iter()
            .any(|frame| frames::marker(&frame.function, &frame.name, false) == Some(frames::Marker::Shown));
        if !(SHORTEST..=LONGEST).contains(&frames.len()) || !marked {
            return None;
        }
        let root = |frame: Option<&TraceFrame>| frame.is_some_and(|frame| frames::is_root(&frame.name));
        if root(frames.first()) && !root(frames.last()) {
            let count = frames.len();
            frames.reverse();
            gaps = gaps.into_iter().filter_map(|at| (count - 1).checked_sub(at + 1)).collect();
        }
        let missing = if gaps.is_empty() { Vec::new() } else { vec!["frames are left out".to_owned()] };
        Some(Trace {
            title: "the thread".to_owned(),
            tool: Some(Tool::Other),
            frames,
            gaps,
            missing,
            ..Trace::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn names_alone_make_a_stack_in_either_order() {
        let inner = ["__lll_lock_wait_private", "malloc", "on_usr1", "__restore_rt", "_int_free", "main"];
        let functions = |text: &str| -> Option<Vec<String>> {
            names(text).map(|trace| trace.frames.into_iter().map(|frame| frame.function).collect())
        };
        let text = format!("It looks so:\n\n{}\n\nIdeas?", inner.join("\n"));
        assert_eq!(functions(&text).unwrap(), inner);
        let outer: Vec<&str> = inner.into_iter().rev().collect();
        assert_eq!(functions(&outer.join("\n")).unwrap(), inner);
        assert_eq!(functions("one\ntwo\nthree\nfour\nfive\nsix"), None);
        assert_eq!(functions(&format!("{}__restore_rt\n", "word\n".repeat(LONGEST))), None);
    }

    #[rstest]
    #[case("3   set_trap + 40", "set_trap", None, 40)]
    #[case("0 libc.so syscall + 32", "syscall", Some("libc.so"), 32)]
    #[case("1 libc.so futex_wait(void volatile*, bool) + 148", "futex_wait", Some("libc.so"), 148)]
    #[case("4 split_config.arm64_v8a.apk on_signal + 136", "on_signal", Some("split_config.arm64_v8a.apk"), 136)]
    fn a_number_may_come_before_a_name(
        #[case] line: &str,
        #[case] path: &str,
        #[case] module: Option<&str>,
        #[case] offset: u64,
    ) {
        let frame = numbered(line).unwrap();
        assert_eq!((frame.name.path.as_str(), frame.module.as_deref(), frame.offset), (path, module, Some(offset)));
    }

    #[rstest]
    #[case("3 of the threads + 40")]
    #[case("1 2 + 3")]
    #[case("12 apples")]
    fn prose_is_no_frame(#[case] line: &str) {
        assert!(numbered(line).is_none() && bracketed(line).is_none());
    }

    #[test]
    fn an_address_may_stand_in_brackets() {
        let frame = bracketed("[0x2b00] on_segv +393").unwrap();
        assert_eq!((frame.function.as_str(), frame.address, frame.offset), ("on_segv", Some(0x2b00), Some(393)));
        assert!(bracketed("[0x2b00] ???").unwrap().is_unknown());
        assert!(bracketed("[12.5] a kernel's line").is_none());
    }
}
