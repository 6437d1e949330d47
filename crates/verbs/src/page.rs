//! The report of runs as a page for a browser: a table, and each counterexample with its steps, its
//! explanation and its execution graph. The frame is that of `probe`'s page.
//!
//! What comes from a name, a program or a source is escaped; the graph escapes its own texts.

use maud::{Markup, PreEscaped, html};
use sigproof_probe::page::document;
use sigproof_report::{Finding, Report, Run, Verdict};

use crate::drawing::picture;

/// The page of these runs.
pub fn render(report: &Report) -> String {
    let title = match &report.runs[..] {
        [run] => format!("sigproof: {} {}", run.setup.case, run.title()),
        runs => format!("sigproof: {} runs", runs.len()),
    };
    let body = html! {
        @if report.interrupted { p.open { "The command was interrupted: not every run is here." } }
        (table(&report.runs))
        @for run in &report.runs { (details(run)) }
    };
    document(&title, &body)
}

fn table(runs: &[Run]) -> Markup {
    html! {
        table {
            tr { th { "technique" } th { "case" } th { "setup" } th { "outcomes" } th { "attempts" } th { "verdict" } }
            @for run in runs {
                @let outcomes: Vec<_> =
                    run.observed.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
                tr {
                    td { (run.technique().as_str()) }
                    td { (run.setup.case) }
                    td { (run.title()) }
                    td { (outcomes.join(", ")) }
                    td { (run.attempts) }
                    td class=(class(run.verdict)) { (run.verdict) }
                }
            }
        }
    }
}

/// The colour of a verdict.
const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::AsExpected => "good",
        Verdict::Unexpected => "bad",
        Verdict::Inconclusive | Verdict::Skipped => "open",
    }
}

fn details(run: &Run) -> Markup {
    let told = run.findings().any(|finding| run.reason.as_deref() == Some(&finding.sentence));
    html! {
        @if run.findings().next().is_some() || run.reason.is_some() {
            section {
                h2 { (run.setup.case) " " (run.title()) }
                @if let Some(reason) = run.reason.as_ref().filter(|_| !told) { p class=(class(run.verdict)) { (reason) } }
                @for finding in run.findings() { (counterexample(finding)) }
            }
        }
    }
}

fn counterexample(finding: &Finding) -> Markup {
    html! {
        h3 { (finding.outcome) }
        p { (finding.sentence) }
        @if !finding.text.is_empty() { pre.steps { (finding.text) } }
        @if let Some(picture) = picture(finding) { div.graph { (PreEscaped(picture.svg())) } }
        @if let Some(replay) = &finding.replay { p { "to see it again: " code { (replay) } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sigproof_report::{Expected, Outcome, SetupId, Technique, Variant};

    const HOSTILE: &str = "</svg></pre><script>alert(\"1\")</script>&'\u{1b}[31m";

    fn report() -> Report {
        let id = SetupId::new("a-model", Variant::Broken);
        let mut run = Run::new(Technique::Model, id, Expected::delivered());
        run.verdict = Verdict::Unexpected;
        run.reason = Some(format!("reason {HOSTILE}"));
        let mut finding = Finding::new(Outcome::LostWakeup, format!("sentence {HOSTILE}"));
        finding.text = format!("  step  thread main\n     0  {HOSTILE}\n");
        finding.replay = Some(format!("cargo xtask replay '{HOSTILE}'"));
        let node = |thread: usize| json!({"thread": thread, "depth": 0, "text": HOSTILE, "place": HOSTILE});
        finding.details = json!({"graph": {
            "threads": [HOSTILE, "writer"],
            "nodes": [node(0), node(1)],
            "edges": [{"from": 0, "to": 1, "kind": "rf", "in_cycle": true}],
        }});
        run.add_finding(finding);
        Report { runs: vec![run], ..Report::new() }
    }

    #[test]
    fn a_counterexample_has_its_steps_its_sentence_and_its_graph() {
        let page = render(&report());
        assert!(page.starts_with("<!DOCTYPE html>"));
        for text in ["a-model", "lost wake-up", "sentence ", "thread main", "to see it again", "<svg ", "</svg>"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert_eq!(page.matches("<path class=\"rf\"").count(), 1, "the edge is drawn: {page}");
    }

    /// Names come from programs that others wrote.
    #[test]
    fn hostile_names_stay_text() {
        let page = render(&report());
        assert!(!page.contains("<script") && !page.contains("alert(\"1\")"), "{page}");
        assert_eq!(page.matches("<svg ").count(), page.matches("</svg>").count(), "{page}");
        assert_eq!(page.matches("<pre").count(), page.matches("</pre>").count(), "{page}");
        assert!(page.matches("&lt;script&gt;").count() >= 7, "{page}");
        assert!(!page.contains("src=") && !page.contains("href="), "nothing is loaded: {page}");
    }
}
