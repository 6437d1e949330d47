//! The answer as data and as text.

use std::fmt::Write;

use serde::Serialize;

use super::dump::{Dump, Trace};
use super::verdict::Verdict;
use crate::rules::bugs::Bug;
use crate::rules::fingerprint::Fingerprint;

/// How sure the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// The dump shows it.
    Shown,
    /// The holder or the signal frame is not shown.
    Likely,
}

/// A further line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    label: &'static str,
    text: String,
}

impl Line {
    /// A line with a label.
    pub fn new(label: &'static str, text: String) -> Self {
        Self { label, text }
    }
}

/// The answer for a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The first words.
    pub verdict: Verdict,
    /// How sure they are.
    pub certainty: Certainty,
    /// The answer in one sentence.
    pub sentence: String,
    /// The name of the thread that it is about.
    pub thread: Option<String>,
    /// The handler's function.
    pub handler: Option<String>,
    /// The name of the signal that was handled.
    pub signal: Option<String>,
    /// The signal, with how it is known.
    pub signal_known: Option<String>,
    /// What the handler waits for.
    pub waits_for: Option<String>,
    /// Who holds it.
    pub held_by: Option<String>,
    /// The function that the signal interrupted.
    pub interrupted: Option<String>,
    /// The function of the handler in which the program ended.
    pub faulted_in: Option<String>,
    /// Why, where no handler is on a stack.
    pub why: Option<String>,
    /// The rule that the handler breaks, with its source.
    pub rule: Option<String>,
    /// The casebook's entry.
    pub casebook: Option<&'static Bug>,
    /// Equal for equal hangs.
    pub fingerprint: Option<Fingerprint>,
    /// What the dump does not show.
    pub missing: Vec<String>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// Further lines.
    pub lines: Vec<Line>,
    /// The tools that printed the dump.
    pub tools: Vec<String>,
    /// How many stacks were read.
    pub stacks: usize,
}

impl Answer {
    /// An answer without a sentence yet.
    pub fn new(verdict: Verdict, dump: &Dump) -> Self {
        Self {
            verdict,
            certainty: Certainty::Shown,
            sentence: String::new(),
            thread: None,
            handler: None,
            signal: None,
            signal_known: None,
            waits_for: None,
            held_by: None,
            interrupted: None,
            faulted_in: None,
            why: None,
            rule: None,
            casebook: None,
            fingerprint: None,
            missing: Vec::new(),
            notes: Vec::new(),
            lines: Vec::new(),
            tools: dump.tools().iter().map(ToString::to_string).collect(),
            stacks: dump.traces.len(),
        }
    }

    /// Adds what a stack does not show.
    pub fn add_missing(&mut self, trace: &Trace) {
        for missing in trace.missing.iter().take(6) {
            self.missing.push(missing.clone());
        }
        if trace.missing.len() > 6 {
            self.missing.push(format!("and {} more gaps", trace.missing.len() - 6));
        }
    }

    /// Puts the sentence together.
    pub fn tell(&mut self, dump: &Dump) {
        if dump.cut {
            self.missing.push("the rest of the text, which is longer than this command reads".to_owned());
        }
        let mut text = self.thread.clone().unwrap_or_default();
        let add = |part: String, text: &mut String| {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&part);
        };
        if let Some(handler) = &self.handler {
            let signal = self.signal_known.as_ref().map_or_else(String::new, |signal| format!(" ({signal})"));
            add(format!("in the handler {handler}{signal}"), &mut text);
        } else if let Some(signal) = self.signal_known.as_ref().or(self.signal.as_ref()) {
            add(format!("signal {signal}"), &mut text);
        }
        if let Some(what) = &self.waits_for {
            let verb = if self.verdict == Verdict::Runs { "spins for" } else { "waits for" };
            add(format!("{verb} {what}"), &mut text);
        }
        if let Some(place) = &self.faulted_in {
            add(format!("faults in {place}"), &mut text);
        }
        if let Some(holder) = &self.held_by {
            let _ = write!(text, "; held by: {holder}");
        }
        if let Some(place) = &self.interrupted {
            let _ = write!(text, "; interrupted at {place}");
        }
        if let Some(why) = &self.why {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(why);
        }
        self.sentence = text;
    }

    /// The answer as text, without colours.
    pub fn render(&self) -> String {
        let likely = if self.certainty == Certainty::Likely { " (likely)" } else { "" };
        let mut text = format!("{}{likely}: {}\n", self.verdict.words(), self.sentence);
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "  {label}: {value}");
        };
        for extra in &self.lines {
            line(extra.label, &extra.text);
        }
        if let Some(rule) = &self.rule {
            line("rule", rule);
        }
        if let Some(entry) = self.casebook {
            line("casebook", &entry.describe());
        }
        if let Some(fingerprint) = &self.fingerprint {
            line("fingerprint", fingerprint.as_str());
        }
        for note in &self.notes {
            line("note", note);
        }
        for missing in &self.missing {
            line("not shown", missing);
        }
        let tools = if self.tools.is_empty() { "no known format".to_owned() } else { self.tools.join(", ") };
        line("read", &format!("{} {}, {tools}", self.stacks, if self.stacks == 1 { "stack" } else { "stacks" }));
        text
    }

    /// The report: the schema `sigproof.stacks/1`.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Report<'a> {
            schema: &'static str,
            verdict: &'static str,
            certainty: Certainty,
            sentence: &'a str,
            thread: Option<&'a str>,
            handler: Option<&'a str>,
            signal: Option<&'a str>,
            waits_for: Option<&'a str>,
            held_by: Option<&'a str>,
            interrupted: Option<&'a str>,
            rule: Option<&'a str>,
            casebook: Option<&'a str>,
            upstream: &'a [&'a str],
            fingerprint: Option<&'a str>,
            chain: Vec<&'a str>,
            missing: &'a [String],
            notes: &'a [String],
            tools: &'a [String],
            stacks: usize,
        }
        let report = Report {
            schema: "sigproof.stacks/1",
            verdict: self.verdict.words(),
            certainty: self.certainty,
            sentence: &self.sentence,
            thread: self.thread.as_deref(),
            handler: self.handler.as_deref(),
            signal: self.signal.as_deref(),
            waits_for: self.waits_for.as_deref(),
            held_by: self.held_by.as_deref(),
            interrupted: self.interrupted.as_deref(),
            rule: self.rule.as_deref(),
            casebook: self.casebook.map(|bug| bug.name),
            upstream: self.casebook.map_or(&[], |bug| bug.upstream),
            fingerprint: self.fingerprint.as_ref().map(Fingerprint::as_str),
            chain: self.lines.iter().map(|line| line.text.as_str()).collect(),
            missing: &self.missing,
            notes: &self.notes,
            tools: &self.tools,
            stacks: self.stacks,
        };
        serde_json::to_string_pretty(&report).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}
