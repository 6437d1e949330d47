//! Crash reports of macOS 12 and later: two values of JSON, of which the second has the threads.

use serde_json::Value;

use super::scan;
use crate::rules::signals;
use crate::stacks::dump::{Dump, Tool, Trace};

/// The threads of a report, if the text is one. Prose around it is skipped.
pub fn parse(text: &str) -> Option<Dump> {
    if !text.contains("\"usedImages\"") && !text.contains("\"threads\"") {
        return None;
    }
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
            let mut read = scan::frame(frame["symbol"].as_str().unwrap_or_default(), "");
            let image = frame["imageIndex"].as_u64().and_then(|at| images?.get(usize::try_from(at).ok()?));
            read.module = image.and_then(|image| image["name"].as_str()).map(str::to_owned);
            read.offset = frame["symbolLocation"].as_u64().or_else(|| frame["imageOffset"].as_u64());
            read.source = frame["sourceFile"].as_str().map(str::to_owned);
            trace.frames.push(read);
        }
        dump.traces.push(trace);
    }
    dump
}

#[cfg(test)]
mod tests {
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
