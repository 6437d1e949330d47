//! The call graphs of macOS `sample` and spindump: outermost first, indented, with counts. Each path from
//! the root to a leaf becomes a stack, innermost first.

use super::scan;
use crate::stacks::dump::{Tool, Trace, TraceFrame};

/// More paths of one thread than this are not kept: the ones with the most samples come first in the text.
const PATHS: usize = 400;

/// Deeper paths are cut.
const DEPTH: usize = 4096;

/// A call graph that is being read.
#[derive(Debug, Default)]
pub struct Tree {
    thread: Option<Trace>,
    path: Vec<Node>,
    traces: Vec<Trace>,
    cut: bool,
    /// The last line was a leaf so far.
    fresh: bool,
    /// Paths of the present thread.
    paths: usize,
}

#[derive(Debug)]
struct Node {
    column: usize,
    count: u64,
    /// Samples of children that were seen.
    below: u64,
    frame: TraceFrame,
}

impl Tree {
    /// Takes a line; `false` if it is none of a call graph.
    pub fn line(&mut self, line: &str) -> bool {
        let start = line.find(|c: char| c.is_ascii_digit() || c == '*' || c.is_alphabetic() || c == '?');
        let Some(column) = start else { return line.trim_matches([' ', '+', '!', ':', '|', '\t']).is_empty() };
        if !line[..column].chars().all(|c| " +!:|\t".contains(c)) {
            return false;
        }
        let text = line[column..].trim_start_matches('*');
        let Some((count, rest)) = scan::decimal(text) else { return false };
        let rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with(['.', ',', ':']) {
            return false;
        }
        if let Some(thread) = rest.strip_prefix("Thread_").or_else(|| rest.strip_prefix("Thread ")) {
            self.finish_thread();
            let title = thread.split_whitespace().next().unwrap_or_default();
            let name = thread[title.len()..].trim();
            self.thread = Some(Trace {
                title: format!("thread {}", title.trim_end_matches(':')),
                name: Some(name.split_once(": ").map_or(name, |(_, name)| name).to_owned())
                    .filter(|name| !name.is_empty()),
                tool: Some(Tool::Sample),
                samples: Some(count),
                ..Trace::default()
            });
            return true;
        }
        self.node(column, count, frame(rest));
        true
    }

    /// A thread's header of spindump.
    pub fn thread(&mut self, title: &str, name: Option<String>) {
        self.finish_thread();
        self.thread = Some(Trace { title: title.to_owned(), name, tool: Some(Tool::Sample), ..Trace::default() });
    }

    fn node(&mut self, column: usize, count: u64, frame: TraceFrame) {
        let ends = self.path.last().is_some_and(|last| column <= last.column);
        if ends {
            self.leaf();
            while self.path.last().is_some_and(|last| column <= last.column) {
                self.pop();
            }
        }
        if let Some(parent) = self.path.last_mut() {
            parent.below += count;
        }
        if self.path.len() < DEPTH {
            self.path.push(Node { column, count, below: 0, frame });
            self.fresh = true;
        } else {
            self.cut = true;
        }
    }

    /// A node that has samples of its own beside its children is a leaf as well.
    fn pop(&mut self) {
        if let Some(node) = self.path.last()
            && node.below > 0
            && node.count > node.below
        {
            let own = node.count - node.below;
            self.emit(own);
        }
        self.path.pop();
    }

    fn leaf(&mut self) {
        if self.fresh {
            let count = self.path.last().map_or(0, |node| node.count);
            self.emit(count);
            self.fresh = false;
        }
    }

    fn emit(&mut self, count: u64) {
        let base = self.thread.clone().unwrap_or_else(|| Trace {
            title: "thread".to_owned(),
            tool: Some(Tool::Sample),
            ..Trace::default()
        });
        if self.paths >= PATHS {
            self.cut = true;
            return;
        }
        self.paths += 1;
        let frames = self.path.iter().rev().map(|node| node.frame.clone()).collect();
        self.traces.push(Trace { frames, samples: Some(count), ..base });
    }

    fn finish_thread(&mut self) {
        self.leaf();
        while !self.path.is_empty() {
            self.pop();
        }
        self.paths = 0;
    }

    /// The stacks, and whether some were left out.
    pub fn finish(mut self) -> (Vec<Trace>, bool) {
        self.finish_thread();
        (self.traces, self.cut)
    }
}

/// `f  (in lib) + 12  [0x1]` of sample; `f + 12 (lib + 34) [0x1]` of spindump.
fn frame(text: &str) -> TraceFrame {
    let (text, address) = match text.rsplit_once('[') {
        Some((before, address)) => (before.trim_end(), scan::hex(address).map(|(address, _)| address)),
        None => (text, None),
    };
    let mut frame = match text.split_once("  (in ") {
        Some((function, rest)) => {
            let (module, rest) = rest.split_once(')').unwrap_or((rest, ""));
            let mut frame = scan::frame(function, "");
            frame.module = Some(module.to_owned());
            frame.offset =
                rest.trim().strip_prefix("+ ").and_then(|rest| scan::decimal(rest).map(|(offset, _)| offset));
            frame
        }
        None => {
            let (function, module) = match scan::last_group(text) {
                Some((before, inner)) if before.ends_with(' ') => (before.trim_end(), Some(inner)),
                _ => (text, None),
            };
            let (function, offset) = scan::split_offset(function);
            let mut frame = scan::frame(function, "");
            frame.offset = offset;
            frame.module = module.map(|module| scan::split_offset(module).0.to_owned());
            frame
        }
    };
    frame.address = address;
    frame
}

/// Whether the line can be nothing else than a node of spindump: `43  f + 68 (app + 1098) [0x1]`.
pub fn is_node(text: &str) -> bool {
    let Some((_, rest)) = scan::decimal(text.trim_start_matches('*')) else { return false };
    let Some(rest) = rest.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) else { return false };
    // Intervals of samples may follow: ` 1-43`.
    let Some((before, address)) = rest.rsplit_once(") [0x") else { return false };
    let Some((_, place)) = before.rsplit_once(" (") else { return false };
    address.contains(']') && scan::split_offset(place).1.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_spindump_is_known_without_its_header() {
        assert!(is_node("43  on_segv + 68 (app + 1098188) [0x1cc] 1-43"));
        assert!(is_node("*7  ??? (kernel + 60) [0xff] 1-7"));
        assert!(!is_node("43 of them (app + 1098188) [0x1cc]"));
        assert!(!is_node("2  libfoo.so  0x1 f + 2"));
    }

    #[test]
    fn each_path_is_a_stack_innermost_first() {
        let mut tree = Tree::default();
        for line in [
            "    100 Thread_7   DispatchQueue_1: com.apple.main-thread  (serial)",
            "    + 100 start  (in dyld) + 1  [0x1]",
            "    +   60 work  (in app) + 2  [0x2]",
            "    +   ! 60 read  (in libsystem_kernel.dylib) + 3  [0x3]",
            "    +   40 _sigtramp  (in libsystem_platform.dylib) + 4  [0x4]",
        ] {
            assert!(tree.line(line), "{line}");
        }
        let (traces, cut) = tree.finish();
        let stacks: Vec<Vec<&str>> =
            traces.iter().map(|t| t.frames.iter().map(|f| f.function.as_str()).collect()).collect();
        assert_eq!(stacks, [vec!["read", "work", "start"], vec!["_sigtramp", "start"]]);
        assert!(!cut);
    }
}
