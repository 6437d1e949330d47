//! A failed execution, readable: a column for each thread, a row for each step, what a handler does set in
//! under what it interrupted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use serde_json::{Value, json};
use sigproof_shim::model::{AccessKind, Failure, Step};

use super::memory;
use super::picture::Picture;
use super::token::{Perturbed, perturbed_text};

/// The widest a column gets.
const WIDEST: usize = 64;

/// The table, below its sentence.
pub(super) fn render(failure: &Failure, sentence: &str, sources: &mut Sources) -> String {
    let rows: Vec<(usize, String, String)> =
        failure.steps.iter().map(|step| (step.thread, text(step, sources), place(step))).collect();
    let columns: Vec<&str> = failure.threads.iter().map(|t| t.name).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let widest = rows.iter().filter(|(t, ..)| *t == n).map(|(_, text, _)| text.chars().count()).max();
            widest.unwrap_or(0).min(WIDEST).max(name.len() + 7)
        })
        .collect();
    let mut table = format!("{sentence}\n  step");
    for (name, width) in columns.iter().zip(&widths) {
        let _ = write!(table, "  {:<width$}", format!("thread {name}"));
    }
    table.push('\n');
    for (number, (thread, text, place)) in rows.iter().enumerate() {
        let _ = write!(table, "  {number:>4}");
        for (n, width) in widths.iter().enumerate() {
            let cell: String = if n == *thread { text.chars().take(WIDEST).collect() } else { String::new() };
            let _ = write!(table, "  {cell:<width$}");
        }
        let _ = writeln!(table, "  {place}");
    }
    for thread in &failure.threads {
        let end = match &thread.waits_for {
            _ if thread.ended => continue,
            Some(waiting) => format!("waits for {}", waiting.what),
            None => "has not ended".to_owned(),
        };
        let within = thread.handlers.iter().map(|handler| format!(", in handler {handler}")).collect::<String>();
        let _ = writeln!(table, "  at the end thread {}{within}: {end}", thread.name);
    }
    table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// What happened in a step, with the name that the source gives to what it happened to.
pub(super) fn text(step: &Step, sources: &mut Sources) -> String {
    let indent = "| ".repeat(step.depth);
    match sources.receiver(step).filter(|_| step.access.is_some_and(|access| access.kind != AccessKind::Fence)) {
        Some(receiver) => format!("{indent}{receiver}: {}", step.what),
        None => format!("{indent}{}", step.what),
    }
}

pub(super) fn place(step: &Step) -> String {
    format!("{}:{}", step.file.strip_prefix("crates/").unwrap_or(step.file), step.line)
}

/// Source files, read once.
#[derive(Default)]
pub(super) struct Sources(BTreeMap<&'static str, Option<Vec<String>>>);

impl Sources {
    /// The expression whose method is called: what stands before its dot.
    fn receiver(&mut self, step: &Step) -> Option<String> {
        let read = || Some(fs::read_to_string(step.file).ok()?.lines().map(str::to_owned).collect());
        let lines = self.0.entry(step.file).or_insert_with(read).as_ref()?;
        let line = usize::try_from(step.line).ok()?.checked_sub(1)?;
        let before = lines.get(line)?.get(..usize::try_from(step.column).ok()?.checked_sub(1)?)?;
        let own = before.trim_end_matches('.');
        let whole = if own.trim().is_empty() { lines.get(line.checked_sub(1)?)?.trim_end() } else { own };
        // Back over names, dots and parentheses, as far as the latter are closed.
        let mut open = 0_u32;
        let start = whole.char_indices().rev().find(|(_, c)| match c {
            ')' => {
                open += 1;
                false
            }
            '(' if open > 0 => {
                open -= 1;
                false
            }
            c => !(c.is_alphanumeric() || matches!(c, '_' | '.')),
        });
        let name = whole.get(start.map_or(0, |(n, c)| n + c.len_utf8())..)?;
        // A field with a name says enough by it; the only field of a wrapper does not.
        let name =
            name.strip_prefix("self.").filter(|rest| !rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(name);
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// The same for programs.
pub(super) fn details(failure: &Failure, perturbed: &Perturbed, sources: &mut Sources) -> Value {
    let step = |s: &Step| json!({"thread": s.thread, "depth": s.depth, "what": s.what, "file": s.file, "line": s.line});
    let threads = failure.threads.iter().map(|t| {
        json!({
            "name": t.name, "handlers": t.handlers, "ended": t.ended,
            "waits_for": t.waits_for.as_ref().map(|w| json!({"what": w.what, "owner": w.owner})),
        })
    });
    let mut details = json!({
        "plan": perturbed_text(perturbed),
        "threads": threads.collect::<Vec<_>>(),
        "steps": failure.steps.iter().map(step).collect::<Vec<_>>(),
    });
    if let (Some(object), Some(graph)) = (details.as_object_mut(), &failure.graph) {
        object.insert("memory".to_owned(), memory::details(graph));
        object.insert("graph".to_owned(), json!(Picture::of(failure, sources)));
    }
    details
}
