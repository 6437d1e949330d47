//! The report as a page for a browser, in one file: summary, strips, ranges with their diagnosis, handlers.
//!
//! Nothing is loaded from elsewhere, and no script runs. Whatever comes from the program is escaped.
//! [`document`] is the frame of every page, also of those of other verbs.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sigproof_report::seen::Spot;

use crate::lint::Lint;
use crate::report::{Path, Range};
use crate::{Ending, Found, Report};

/// Boundaries in one row of a strip.
const ROW: usize = 100;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222 }
code, pre, .strip { font-family: ui-monospace, monospace; font-size: 13px }
table { border-collapse: collapse } td, th { padding: .2em .8em .2em 0; text-align: left; vertical-align: top }
pre.steps, .graph { white-space: pre; overflow-x: auto } .graph { background: #fff }
.strip { line-height: 1.25; white-space: pre; overflow-x: auto } .strip b { font-weight: 400; color: #888 }
.bad { color: #b00020 } .good { color: #1b6e2e } .open { color: #8a6d00 }
section { border-top: 1px solid #ddd; margin-top: 2em } pre { white-space: pre-wrap; margin: .3em 0 }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } .bad { color: #ff8a80 }
.good { color: #81c784 } .open { color: #ffd54f } section { border-color: #444 } }
";

/// The page of handlers and sweeps.
pub fn render(lints: &[Lint], found: &Found) -> String {
    let title = found.reports.first().map_or("probe".to_owned(), |report| format!("probe of {}", report.program));
    let body = html! {
        (summary(found))
        @for report in &found.reports { (sweep(report)) }
        @for lint in lints {
            section { h2 { "The handler of " (lint.signal) } pre { (lint) } }
        }
        @if !found.uncalled.is_empty() || !found.skipped.is_empty() {
            section {
                h2 { "Not swept" }
                ul {
                    @for window in &found.uncalled { li { code { (window) } ": it was not called" } }
                    @for (window, why) in &found.skipped { li { code { (window) } ": " (why) } }
                }
            }
        }
    };
    document(&title, &body)
}

/// A page with this title and content.
pub fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (body)
            }
        }
    };
    page.into_string()
}

fn summary(found: &Found) -> Markup {
    html! {
        table {
            tr { th { "signal" } th { "window" } th { "boundaries" } th { "judged" } th { "vulnerable" } th { "endings" } }
            @for report in &found.reports {
                @let endings: Vec<&str> = report.endings().iter().map(|ending| ending.as_str()).collect();
                tr {
                    td { (report.signal) }
                    td { code { (report.window) } " (" (report.object) ")" }
                    td { (report.boundaries()) }
                    td { (report.judged()) }
                    td class=(if report.vulnerable() > 0 { "bad" } else { "good" }) { (report.vulnerable()) }
                    td { (endings.join(", ")) }
                }
            }
        }
    }
}

fn sweep(report: &Report) -> Markup {
    html! {
        section {
            h2 { (report.signal) " in " code { (report.window) } }
            table {
                tr { td { "without a signal" } td { (report.untouched) } }
                tr { td { "the signal outside the window" } td { (report.reference) } }
                tr {
                    td { "judged by" }
                    td { @for (means, count) in &report.engines { (count) " by " (means) " " } }
                }
                tr { td { "starts of the program" } td { (report.starts) } }
                tr { td { "time" } td { (format!("{:.2} s", report.seconds)) } }
                @if let Some(errno) = report.errno {
                    tr {
                        td { "errno" }
                        td class="bad" { "the handler left " (crate::errno_text(errno)) " in it" }
                    }
                }
            }
            @for path in &report.paths { (pass(path)) }
            @if !report.notes.is_empty() { ul { @for note in &report.notes { li { (note) } } } }
        }
    }
}

fn pass(path: &Path) -> Markup {
    let letters: Vec<char> = path.strip.chars().collect();
    let known = Ending::ALL.iter().map(|ending| (ending.letter(), ending.as_str()));
    let legend = known.chain([('?', "not decided"), ('=', "like one of an earlier pass"), ('-', "not judged")]);
    html! {
        h3 { "pass " (path.pass) ": " (path.boundaries) " boundaries, " (path.judged) " judged, " (path.vulnerable) " vulnerable" }
        div.strip {
            @for (row, letters) in letters.chunks(ROW).enumerate() {
                b { (format!("{:>6}  ", row * ROW)) }
                @for run in letters.chunk_by(|one, next| class(*one) == class(*next)) {
                    span class=(class(run[0])) { (String::from_iter(run)) }
                }
                "\n"
            }
        }
        p {
            @for (letter, word) in legend.filter(|(letter, _)| letters.contains(letter)) {
                code class=(class(letter)) { (letter) } " " (word) "   "
            }
        }
        @for range in &path.ranges { (bad(range, path.boundaries)) }
    }
}

/// The colour of a letter.
fn class(letter: char) -> &'static str {
    match letter {
        '.' => "good",
        '?' | '-' | '=' => "open",
        _ => "bad",
    }
}

fn bad(range: &Range, of: usize) -> Markup {
    let (first, last) = (range.first.k, range.last.k);
    html! {
        h4 {
            "boundaries " (first) @if last != first { " to " (last) } ": " (range.count) " of " (of) ", "
            span.bad { (range.ending) }
            @if range.confirmed { ", confirmed" } @else { ", seen in copies only" }
        }
        pre { (range.detail) }
        table {
            (place("first", &range.first))
            @if last != first { (place("last", &range.last)) }
        }
        p { "to see it again: " code { "--replay '" (range.token) "'" } }
    }
}

fn place(word: &str, spot: &Spot) -> Markup {
    html! {
        tr {
            td { (word) }
            td { code { @if spot.asleep { "asleep in " } (spot.place) } }
            td { code { (spot.instruction) } }
            td { @if let Some(source) = &spot.source { (source) } @else { (spot.object) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Means;

    fn found() -> Found {
        let spot = |k| Spot {
            k,
            asleep: false,
            place: "operator<<+0x1".to_owned(),
            object: "libx.so+0x10".to_owned(),
            source: None,
            instruction: "ret".to_owned(),
        };
        let range = Range {
            ending: Ending::SelfDeadlock,
            count: 2,
            first: spot(1),
            last: spot(2),
            confirmed: true,
            detail: "a <script>alert(1)</script> & \"more\"".to_owned(),
            token: "x:SIGTERM@f:20@k1@libx.so+0x10#1".to_owned(),
            answer: None,
        };
        let path = Path {
            pass: 20,
            strip: ".DD.".to_owned(),
            boundaries: 4,
            judged: 4,
            vulnerable: 2,
            alike: 0,
            ranges: vec![range],
        };
        let report = Report {
            program: "<b>".to_owned(),
            signal: "SIGTERM".to_owned(),
            window: "f".to_owned(),
            object: "libx.so".to_owned(),
            untouched: "exit status 0".to_owned(),
            reference: "the program goes on".to_owned(),
            paths: vec![path],
            engines: vec![(Means::Undo, 4)],
            starts: 3,
            steps: 9,
            seconds: 0.5,
            rate: 1.0,
            errno: None,
            notes: vec!["a note".to_owned()],
            incomplete: false,
        };
        Found { reports: vec![report], uncalled: vec!["g".to_owned()], skipped: Vec::new() }
    }

    #[test]
    fn the_page_shows_the_map_and_escapes_what_is_not_ours() {
        let page = render(&[], &found());
        assert!(page.starts_with("<!DOCTYPE html>"));
        for text in ["SIGTERM", "self-deadlock", "boundaries 1 to 2", "k1@libx.so", "a note", "it was not called"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(page.contains("<span class=\"bad\">DD</span>"), "{page}");
        assert!(page.contains("operator&lt;&lt;+0x1") && page.contains("probe of &lt;b&gt;"), "{page}");
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("<b>\n"), "{page}");
    }
}
