//! The state from line to line: which thread is being read, in which order its frames come, what its frames
//! lack.

use super::gaps::numbers;
use super::line::listed;
use super::python::Order;
use super::tree::{self, Tree};
use super::{Head, apple, go, hash, heads, lists, notices, scan};
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
        // A tool that gives its own name is not replaced by what its frames look like, but gdb's frames tell
        // more.
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
        if line.contains("frame #")
            && let Some(frame) = apple::lldb_frame(line)
        {
            self.open = None;
            let continues =
                self.current.as_ref().is_some_and(|trace| trace.frames.is_empty() || frame.number != Some(0));
            if !continues {
                self.end();
            }
            self.push(frame, Tool::Lldb);
            return true;
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
            if restarts && (other || found != Tool::Valgrind) {
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
        if body.is_empty() && last.is_none_or(|last| number != last + 1) {
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
            if let Some((source, pc)) = go::place(place)
                && let Some(last) = trace.frames.last_mut()
            {
                last.source = Some(source);
                last.address = last.address.or(pc);
                return true;
            }
            if text.starts_with("at ")
                && scan::is_source(place)
                && let Some(last) = trace.frames.last_mut()
            {
                last.source = Some(place.to_owned());
                return true;
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
