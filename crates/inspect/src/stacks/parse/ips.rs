//! Crash reports of macOS 12 and later: two values of JSON, of which the second has the threads.

use serde_json::Value;

use super::scan;
use crate::rules::signals;
use crate::stacks::dump::{Dump, Tool, Trace, TraceFrame};
use crate::stacks::text;

/// The threads of a report, if the text is one or has a part of one. Prose around it is skipped.
pub fn parse(text: &str) -> Option<Dump> {
    if !["\"usedImages\"", "\"threads\"", "\"imageOffset\"", "&quot;imageOffset&quot;"]
        .iter()
        .any(|key| text.contains(key))
    {
        return None;
    }
    whole(text).or_else(|| {
        // A mail quotes JSON as well, and a log puts times before its lines.
        let mut lines = String::with_capacity(text.len());
        text::for_each_line(text, |line| {
            lines.push_str(line);
            lines.push('\n');
        });
        whole(&lines).or_else(|| cut(&lines))
    })
}

fn whole(text: &str) -> Option<Dump> {
    let starts = text.match_indices('{').map(|(at, _)| at).filter(|at| {
        *at == 0
            || text[..*at].trim_end_matches([' ', '\t', '>']).ends_with(['\n', '\r', '}'])
            || text[..*at].trim().is_empty()
    });
    for at in starts.take(8) {
        let values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        for value in values.take(3).map_while(Result::ok) {
            if value["threads"].is_array() {
                return Some(dump(&value));
            }
        }
    }
    None
}

/// More threads of a part than this are not read.
const THREADS: usize = 4096;

/// The stacks of a part of a report: whatever arrays of frames are whole, and the whole frames of the last
/// one.
fn cut(text: &str) -> Option<Dump> {
    if !text.contains("\"imageOffset\"") {
        return None;
    }
    let mut dump = Dump { cut: true, ..Dump::default() };
    dump.notices.bsd = true;
    let mut from = 0;
    for (at, key) in text.match_indices("\"frames\"").take(THREADS) {
        let Some(array) = after_colon(&text[at + key.len()..]).and_then(|rest| rest.strip_prefix('[')) else {
            continue;
        };
        let mut trace = Trace {
            title: format!("thread {}", dump.traces.len()),
            tool: Some(Tool::Apple),
            crashed: value_of(&text[from..at], "\"triggered\"") == Some("true"),
            ..Trace::default()
        };
        let mut rest = array.trim_start();
        while rest.starts_with('{') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            let Some(Ok(frame)) = values.next() else { break };
            rest = rest[values.byte_offset()..].trim_start().trim_start_matches(',').trim_start();
            trace.frames.push(one(&frame, None));
        }
        if !rest.starts_with(']') {
            trace.missing.push("the text ends within this thread".to_owned());
        }
        from = text.len() - rest.len();
        if !trace.frames.is_empty() {
            dump.traces.push(trace);
        }
    }
    let signal = text.find("\"exception\"").map(|at| text[at..].chars().take(300).collect::<String>());
    dump.notices.signal = signal.as_deref().and_then(signals::in_text);
    dump.notices.crashed = dump.notices.signal.is_some() || text.contains("\"faultingThread\"");
    (!dump.traces.is_empty()).then_some(dump)
}

fn after_colon(text: &str) -> Option<&str> {
    Some(text.trim_start().strip_prefix(':')?.trim_start())
}

/// The first word behind a key.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let rest = after_colon(&text[text.find(key)? + key.len()..])?;
    rest.split(|c: char| !c.is_alphanumeric()).next()
}

fn one(frame: &Value, images: Option<&Vec<Value>>) -> TraceFrame {
    let mut read = scan::frame(frame["symbol"].as_str().unwrap_or_default(), "");
    let image = frame["imageIndex"].as_u64().and_then(|at| images?.get(usize::try_from(at).ok()?));
    read.module = image.and_then(|image| image["name"].as_str()).map(str::to_owned);
    read.offset = frame["symbolLocation"].as_u64().or_else(|| frame["imageOffset"].as_u64());
    read.source = frame["sourceFile"].as_str().map(str::to_owned);
    read
}

fn dump(report: &Value) -> Dump {
    let mut dump = Dump::default();
    dump.notices.bsd = true;
    let exception = &report["exception"];
    let signal = exception["signal"].as_str().and_then(signals::in_text);
    dump.notices.signal =
        signal.or_else(|| exception["type"].as_str().and_then(signals::by_description).map(str::to_owned));
    dump.notices.crashed = dump.notices.signal.is_some();
    let images = report["usedImages"].as_array();
    for (index, thread) in report["threads"].as_array().into_iter().flatten().enumerate() {
        let mut trace = Trace { title: format!("thread {index}"), tool: Some(Tool::Apple), ..Trace::default() };
        trace.name = thread["name"].as_str().or_else(|| thread["queue"].as_str()).map(str::to_owned);
        trace.tid = thread["id"].as_u64();
        trace.crashed = thread["triggered"].as_bool() == Some(true);
        for frame in thread["frames"].as_array().into_iter().flatten() {
            trace.frames.push(one(frame, images));
        }
        dump.traces.push(trace);
    }
    dump
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_part_of_a_report_has_the_stacks_that_are_whole() {
        let text = r#""faultingThread" : 1, "threads" : [{"id":1,"frames":[{"imageOffset":1,"symbol":"__psynch_cvwait","imageIndex":0}]},
 {"triggered" : true, "frames" : [{"imageOffset":2,"symbol":"abort","imageIndex":0},{"imageOffset":3,"symb"#;
        let dump = super::parse(text).unwrap();
        let stacks: Vec<(bool, &str)> =
            dump.traces.iter().map(|trace| (trace.crashed, trace.frames[0].function.as_str())).collect();
        assert_eq!(stacks, [(false, "__psynch_cvwait"), (true, "abort")]);
        assert!(dump.cut && dump.notices.crashed && !dump.traces[1].missing.is_empty());
    }

    #[test]
    fn the_second_value_has_the_threads() {
        let text = r#"{"app_name":"a"}
{"exception":{"type":"EXC_CRASH","signal":"SIGABRT"},"usedImages":[{"name":"libsystem_kernel.dylib"}],
 "threads":[{"triggered":true,"id":7,"frames":[{"imageOffset":1,"symbol":"__psynch_mutexwait","symbolLocation":8,"imageIndex":0}]}]}"#;
        let dump = super::parse(text).unwrap();
        assert_eq!((dump.traces[0].crashed, dump.traces[0].frames[0].function.as_str()), (true, "__psynch_mutexwait"));
        assert_eq!(dump.notices.signal.as_deref(), Some("SIGABRT"));
    }
}
