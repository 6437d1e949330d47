//! One line, one frame: which format a line without `#N` has.

use super::{apple, go, hash, jvm, lists, plain, python, scan};
use crate::stacks::dump::{Tool, TraceFrame};

/// The formats of one line a frame. Those that prose could be taken for need a thread of their kind.
pub fn listed(line: &str, text: &str, tool: Option<Tool>, blank: bool) -> Option<(TraceFrame, Tool)> {
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
        b'[' if tool == Some(Tool::Glibc) && plain::address(text).is_some() => {
            plain::address(text).map(with(Tool::Glibc))
        }
        b'-' if text.contains(" @bci=") => jvm::forced_frame(text).map(with(Tool::Jstack)),
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
