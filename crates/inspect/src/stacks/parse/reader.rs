//! The state from line to line: which thread is being read, in which order its frames come, what its frames lack.

use super::python::Order;
use super::tree::{self, Tree};
use super::{Head, apple, go, hash, heads, jvm, lists, notices, plain, python, scan};
use crate::rules::frames;
use crate::stacks::dump::{Dump, Tool, Trace, TraceFrame};

/// Of a stack that is deeper, the frames between are left out.
const DEPTH: usize = 3000;

/// Frames of all stacks together.
const FRAMES: usize = 600_000;

/// A frame may go on over so many lines.
const CONTINUATIONS: u32 = 12;

/// Reads lines.
#[derive(Debug, Default)]
pub struct Reader {
    dump: Dump,
    current: Option<Trace>,
    place: Option<Box<TraceFrame>>,
    outermost_first: bool,
    /// The text of the last `#N` frame, as long as it may go on in the next line.
    open: Option<(u32, String, u32)>,
    tree: Option<Tree>,
    frames: usize,
    skipped: usize,
    blank: bool,
}

impl Reader {
    /// Takes the next line.
    pub fn line(&mut self, line: &str) {
        if self.in_tree(line) {
            return;
        }
        let text = line.trim();
        if text.is_empty() {
            self.blank = true;
            self.open = None;
            return;
        }
        if let Some((head, order)) = heads::head(line) {
            notices::read(line, &mut self.dump.notices);
            self.begin(head, order);
        } else if !self.frame(line, text) && !self.goes_on(line) {
            self.prose(text);
        }
        self.blank = false;
    }

    /// The stacks that were read.
    pub fn finish(mut self) -> Dump {
        self.end();
        if let Some(tree) = self.tree.take() {
            self.take_tree(tree);
        }
        if self.skipped > 0 {
            self.dump.cut = true;
        }
        self.dump
    }

    fn begin(&mut self, head: Head, order: Order) {
        self.end();
        self.dump.notices.crashed |= head.crashed;
        self.outermost_first = order == Order::OutermostFirst;
        self.place = head.place;
        self.current = Some(Trace {
            title: head.title,
            name: head.name,
            tid: head.tid,
            crashed: head.crashed,
            state: head.state,
            history: head.history,
            tool: head.tool,
            ..Trace::default()
        });
    }

    /// Ends the thread that is being read.
    fn end(&mut self) {
        self.open = None;
        let place = self.place.take();
        let Some(mut trace) = self.current.take() else { return };
        if trace.frames.is_empty() {
            match place {
                Some(place) => {
                    trace.frames.push(*place);
                    trace.missing.push("only the innermost frame is shown".to_owned());
                }
                None if trace.state.is_none() => return,
                None => {}
            }
        }
        if self.outermost_first {
            trace.frames.reverse();
            self.outermost_first = false;
        }
        numbers(&mut trace);
        if trace.title.is_empty() {
            trace.title = "the thread".to_owned();
        }
        // gdb prints the innermost frame before its prompt, and again in the stack.
        let again = self.dump.traces.last().is_some_and(|last| {
            last.frames.len() == 1
                && last.title == trace.title
                && trace.frames.len() > 1
                && last.frames[0].name == trace.frames[0].name
                && last.tool == trace.tool
        });
        if again {
            self.dump.traces.pop();
        }
        self.dump.traces.push(trace);
    }

    fn push(&mut self, frame: TraceFrame, tool: Tool) {
        if self.frames >= FRAMES {
            self.skipped += 1;
            return;
        }
        self.frames += 1;
        let trace = self.current.get_or_insert_with(Trace::default);
        // A tool that gives its own name is not replaced by what its frames look like, but gdb's frames tell more.
        if trace.tool.is_none() || trace.tool == Some(Tool::Other) {
            trace.tool = Some(tool);
        }
        if frame.module.as_deref().is_some_and(|module| module.ends_with(".dylib")) {
            self.dump.notices.bsd = true;
        }
        if trace.frames.len() >= DEPTH {
            if trace.frames.len() == DEPTH {
                trace.missing.push(format!("frames beyond the first {DEPTH} were not read"));
                trace.frames.push(frame);
            } else if let Some(last) = trace.frames.last_mut() {
                *last = frame;
            }
            return;
        }
        trace.frames.push(frame);
    }

    /// Whether the line is a frame; it is taken.
    fn frame(&mut self, line: &str, text: &str) -> bool {
        if line.contains("frame #") {
            if let Some(frame) = apple::lldb_frame(line) {
                self.open = None;
                let continues =
                    self.current.as_ref().is_some_and(|trace| trace.frames.is_empty() || frame.number != Some(0));
                if !continues {
                    self.end();
                }
                self.push(frame, Tool::Lldb);
                return true;
            }
        }
        if let Some((number, body)) = hash::numbered(line) {
            return self.hash_frame(number, body);
        }
        let tool = self.current.as_ref().and_then(|trace| trace.tool);
        if let Some((frame, found)) = listed(line, text, tool, self.blank) {
            self.open = None;
            let restarts = match (frame.number, self.current.as_ref()) {
                (Some(0), Some(trace)) => !trace.frames.is_empty(),
                (Some(number), Some(trace)) => {
                    trace.frames.last().and_then(|last| last.number).is_some_and(|last| number < last)
                }
                _ => false,
            };
            let other = found == Tool::Valgrind && frame.number == Some(0);
            if restarts && other || restarts && found != Tool::Valgrind {
                self.end();
            }
            let wraps = found == Tool::Gdb;
            let number = frame.number.unwrap_or(0);
            self.push(frame, found);
            if wraps {
                let body = scan::decimal(text).map_or(text, |(_, body)| body.trim_start());
                self.open = Some((number, body.to_owned(), 0));
            }
            return true;
        }
        if lists::is_kernel(text) {
            self.dump.kernel_frames += 1;
            return true;
        }
        if let Some(frames) = lists::folded(text) {
            self.end();
            for frame in frames {
                self.push(frame, Tool::Perf);
            }
            self.end();
            return true;
        }
        // The marker on a line of its own.
        if text.contains("signal handler called") && text.len() < 60 && self.current.is_some() {
            self.push(TraceFrame::new("<signal handler called>"), Tool::Gdb);
            return true;
        }
        false
    }

    fn hash_frame(&mut self, number: u32, body: &str) -> bool {
        let last = self.current.as_ref().and_then(|trace| trace.frames.last()).and_then(|frame| frame.number);
        let begun = self.current.as_ref().is_some_and(|trace| !trace.frames.is_empty());
        let waiting = self.current.as_ref().is_some_and(|trace| trace.frames.is_empty());
        // A gap of frames is a frame of this stack only if the line can be nothing else.
        let next = last.is_some_and(|last| number == last + 1) || (waiting && number == 0);
        if !next && !hash::is_surely_frame(body) {
            return false;
        }
        if body.is_empty() && !last.is_some_and(|last| number == last + 1) {
            return false;
        }
        if begun && last.is_none_or(|last| number < last || (number == 0 && last == 0)) {
            self.end();
        }
        let (frame, tool) = hash::frame(number, body);
        self.push(frame, tool);
        self.open = Some((number, body.to_owned(), 0));
        true
    }

    /// A frame that a mail or a terminal has wrapped goes on in this line.
    fn goes_on(&mut self, line: &str) -> bool {
        let text = line.trim();
        if let Some((number, body, lines)) = self.open.take() {
            let incomplete = scan::open_groups(&body) > 0
                || [" in", " at", " from", ",", "::"].iter().any(|end| body.ends_with(end))
                || body.ends_with("...")
                || !body.contains([' ', '(']);
            let continues = ["at ", "from ", "in ", "(", "<signal"].iter().any(|start| text.starts_with(start))
                || (body.len() > 60
                    && line.starts_with([' ', '\t'])
                    && text.ends_with(')')
                    && scan::open_groups(text) < 0);
            if (incomplete || continues)
                && lines < CONTINUATIONS
                && body.len() < 8192
                && !text.starts_with("No locals")
                && !text.starts_with('[')
            {
                // A terminal breaks words, a mail breaks at blanks.
                let hard = body.len() >= 76
                    && !line.starts_with([' ', '\t'])
                    && scan::open_groups(&body) == 0
                    && body.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    && !continues;
                let joined = if hard { format!("{body}{text}") } else { format!("{body} {text}") };
                let (frame, _) = hash::frame(number, &joined);
                if let Some(last) = self.current.as_mut().and_then(|trace| trace.frames.last_mut()) {
                    *last = frame;
                }
                self.open = Some((number, joined, lines + 1));
                return true;
            }
        }
        let Some(trace) = self.current.as_mut() else { return false };
        // The source below a function: Go, delve, Rust.
        if matches!(trace.tool, Some(Tool::Go | Tool::Delve | Tool::Rust)) {
            let place = text.strip_prefix("at ").unwrap_or(text);
            if let Some((source, pc)) = go::place(place) {
                if let Some(last) = trace.frames.last_mut() {
                    last.source = Some(source);
                    last.address = last.address.or(pc);
                    return true;
                }
            }
            if text.starts_with("at ") && scan::is_source(place) {
                if let Some(last) = trace.frames.last_mut() {
                    last.source = Some(place.to_owned());
                    return true;
                }
            }
        }
        false
    }

    /// A line that is neither a frame nor a thread.
    fn prose(&mut self, text: &str) {
        notices::read(text, &mut self.dump.notices);
        let begins = [
            "stack backtrace:",
            "Backtrace:",
            "backtrace:",
            "Call stack:",
            "C stack trace",
            "Stack trace:",
            "Native stack trace",
            "(gdb) bt",
            "(gdb) where",
            "(lldb) bt",
            "*** Check failure stack trace",
            "*** backtrace",
        ];
        if begins.iter().any(|start| text.starts_with(start)) {
            self.end();
            return;
        }
        let Some(trace) = self.current.as_mut() else { return };
        if text.starts_with("(More stack frames follow")
            || text.starts_with("Backtrace stopped")
            || text.contains("frames elided")
            || text.starts_with("goroutine running on other thread")
        {
            trace.missing.push(text.chars().take(100).collect());
            return;
        }
        let elided = text == "..."
            || text == "[...]"
            || text == "\u{2026}"
            || text == "(...)"
            || text == "[snip]"
            || text == "<snip>"
            || (text.starts_with('[') && text.contains("not in this"))
            || text.starts_with("--- snip");
        if elided && !trace.frames.is_empty() {
            trace.gaps.push(trace.frames.len() - 1);
            return;
        }
        // Text between stacks ends those whose frames have no numbers.
        let numbered = trace.frames.last().is_some_and(|frame| frame.number.is_some());
        let keeps = matches!(trace.tool, Some(Tool::HsErr | Tool::Jstack | Tool::Python | Tool::Go)) && !self.blank;
        if self.blank && !numbered && !keeps && !trace.frames.is_empty() {
            self.end();
        }
    }

    /// Whether the line belongs to a call graph of `sample` or spindump.
    fn in_tree(&mut self, line: &str) -> bool {
        let text = line.trim();
        if text == "Call graph:" || text.starts_with("Heaviest stack for the") {
            self.end();
            self.dump.notices.bsd = true;
            self.tree.get_or_insert_with(Tree::default);
            return true;
        }
        let spindump = text.starts_with("Thread 0x") && text.contains(" samples (");
        if spindump {
            self.end();
            self.dump.notices.bsd = true;
            let title = text.split_whitespace().nth(1).unwrap_or_default();
            let name = text.split('"').nth(1).map(str::to_owned);
            self.tree.get_or_insert_with(Tree::default).thread(&format!("thread {title}"), name);
            return true;
        }
        let Some(tree) = self.tree.as_mut() else {
            // A part of a graph without its header.
            let starts = text.strip_prefix("+ ").is_some_and(|rest| scan::decimal(rest).is_some())
                && text.contains("  (in ")
                || scan::decimal(text).is_some_and(|(_, rest)| rest.starts_with(" Thread_"))
                || line.starts_with("                                        ")
                    && scan::decimal(text).is_some_and(|(_, rest)| rest.starts_with(" 0x") || rest.starts_with(" _"))
                || line.starts_with("  ") && tree::is_node(text);
            if starts {
                self.end();
                let mut tree = Tree::default();
                let taken = tree.line(line);
                self.tree = Some(tree);
                return taken;
            }
            return false;
        };
        if tree.line(line) {
            return true;
        }
        if let Some(tree) = self.tree.take() {
            self.take_tree(tree);
        }
        false
    }

    fn take_tree(&mut self, tree: Tree) {
        let (traces, cut) = tree.finish();
        self.dump.cut |= cut;
        self.dump.traces.extend(traces);
    }
}

/// The formats of one line a frame. Those that prose could be taken for need a thread of their kind.
fn listed(line: &str, text: &str, tool: Option<Tool>, blank: bool) -> Option<(TraceFrame, Tool)> {
    if let Some(frame) = tool.and_then(|tool| of_tool(text, tool, blank)) {
        return Some((frame, tool.unwrap_or(Tool::Other)));
    }
    let first = text.as_bytes().first()?;
    let with = |tool: Tool| move |frame: TraceFrame| (frame, tool);
    match first {
        b'@' => lists::glog(text).map(with(Tool::Glog)),
        b'P' if text.starts_with("PC: @") => None,
        _ if text.contains("    @ ") => lists::glog(text).map(with(Tool::Glog)),
        b'#' if text.starts_with("# C  [") || text.starts_with("# V  [") => {
            jvm::hs_err_frame(text[1..].trim_start()).map(with(Tool::HsErr))
        }
        b'<' if text.starts_with("<built-in method ") && tool == Some(Tool::Python) => text
            .split_whitespace()
            .nth(2)
            .and_then(|name| python::spy_frame(&format!("{name} (threading.py)")))
            .map(with(Tool::Python)),
        b'p' if text.starts_with("pc 0x") => lists::dart(text).map(with(Tool::Other)),
        b'=' => lists::valgrind(text).map(|(mut frame, first)| {
            frame.number = first.then_some(0);
            (frame, Tool::Valgrind)
        }),
        b'C' | b'V' | b'v' | b'j' | b'J' | b'A'
            if text.contains("+0x") || text.contains("  0x") || text.contains('~') || text.contains("()") =>
        {
            jvm::hs_err_frame(text).map(with(Tool::HsErr))
        }
        b'F' => python::file_frame(text).map(with(Tool::Python)),
        b'[' if text.starts_with("[0x") && plain::bracketed(text).is_some() => {
            plain::bracketed(text).map(with(Tool::Other))
        }
        b'u' if text.starts_with("unknown function (ip: ") => lists::julia(text).map(with(Tool::Julia)),
        _ if text.ends_with(" (unknown line)") => lists::julia(text).map(with(Tool::Julia)),
        b'0'..=b'9' if text.contains('`') && lists::windbg(text).is_some() => {
            lists::windbg(text).map(with(Tool::Other))
        }
        b'0'..=b'9' => gdb_without_hash(text, tool)
            .map(with(Tool::Gdb))
            .or_else(|| {
                go::delve_frame(text)
                    .map(with(Tool::Delve))
                    .or_else(|| apple::report_frame(text).map(with(Tool::Apple)))
            })
            .or_else(|| lists::minidump(text).map(with(Tool::Minidump)))
            .or_else(|| plain::numbered(text).map(with(Tool::Other)))
            .or_else(|| {
                lists::numbered(text)
                    .filter(|(frame, _)| frame.address.is_some() || text.contains("::") || tool == Some(Tool::Rust))
            }),
        _ => None,
    }
    .or_else(|| {
        ((text.contains("[0x") && text.contains(']')) || text.starts_with("(EE) "))
            .then(|| lists::glibc(text))
            .flatten()
            .map(with(Tool::Glibc))
    })
    .or_else(|| {
        (text.contains("+0x") || text.contains("(/"))
            .then(|| lists::perf(text))
            .flatten()
            .filter(|_| !lists::is_kernel(text))
            .map(with(Tool::Perf))
    })
    .or_else(|| {
        (text.contains(" (") && line.len() < 400).then(|| lists::solaris(text)).flatten().map(with(Tool::Solaris))
    })
}

/// A frame of gdb whose `#` somebody has taken for markup.
fn gdb_without_hash(text: &str, tool: Option<Tool>) -> Option<TraceFrame> {
    let (number, body) = scan::decimal(text)?;
    let body = body.strip_prefix(' ')?.trim_start();
    let known = tool == Some(Tool::Gdb) && (body.contains(" (") || body.contains("signal handler called"));
    let begins = number == 0 && body.contains(" (") && (body.contains(") at ") || body.contains(") from "));
    let sure =
        begins || body.starts_with("0x") && body.contains(" in ") && (body.contains(" (") || body.contains(") from "));
    if !known && !sure || number > 100_000 {
        return None;
    }
    let (frame, _) = hash::frame(u32::try_from(number).ok()?, body);
    Some(frame)
}

/// A frame in the format of the thread that is being read.
fn of_tool(text: &str, tool: Tool, blank: bool) -> Option<TraceFrame> {
    match tool {
        Tool::Go if !blank => go::frame(text),
        Tool::Python => python::file_frame(text).or_else(|| python::spy_frame(text).filter(|_| !blank)),
        Tool::Jstack => jvm::at_frame(text).or_else(|| lists::perf(text)),
        Tool::Julia => lists::julia(text),
        Tool::Rust => lists::numbered(text).map(|(frame, _)| frame),
        Tool::Minidump => lists::minidump(text),
        Tool::HsErr => jvm::hs_err_frame(text),
        _ => None,
    }
}

/// What the numbers of the frames tell: gaps, and whether the stack reaches its root.
fn numbers(trace: &mut Trace) {
    for (at, pair) in trace.frames.windows(2).enumerate() {
        let (Some(one), Some(next)) = (pair[0].number, pair[1].number) else { continue };
        if next > one + 1 {
            if !trace.gaps.contains(&at) {
                trace.gaps.push(at);
            }
            trace.missing.push(match next - one {
                2 => format!("frame {} is not shown", one + 1),
                _ => format!("frames {} to {} are not shown", one + 1, next - 1),
            });
        }
    }
    if let Some(first) = trace.frames.first().and_then(|frame| frame.number).filter(|first| *first > 0) {
        let innermost_one = matches!(trace.tool, Some(Tool::Rust | Tool::Other)) && first == 1;
        if !innermost_one {
            trace.missing.push(format!("the frames before frame {first} are not shown"));
        }
    }
    let unnumbered_gaps =
        trace.gaps.iter().filter(|at| trace.frames.get(**at).is_some_and(|frame| frame.number.is_none())).count();
    if unnumbered_gaps > 0 {
        trace.missing.push("frames are left out".to_owned());
    }
    let complete = trace.frames.iter().rev().take(4).any(|frame| frames::is_root(&frame.name));
    if !complete && !trace.frames.is_empty() && !trace.history {
        let last = trace.frames.last().and_then(|frame| frame.number);
        trace.missing.push(match last {
            Some(last) => format!("the frames after frame {last}: the stack ends before its root"),
            None => "the outermost frames: the stack ends before its root".to_owned(),
        });
    }
}
