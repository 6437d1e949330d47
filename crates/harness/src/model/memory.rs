//! Why the memory model allows a failed execution, in words and for programs.
//!
//! | the graph | what is told |
//! |---|---|
//! | has an order in which each load reads the newest store | the failure happens under sequential consistency, too |
//! | has none | each load that reads an old store, the newer one, and why that one does not happen before the load |
//! | has two plain accesses without an order | what passes between them, and where it gives no happens-before |

use std::fmt::Write;

use serde_json::{Value, json};
use sigproof_shim::model::graph::{Edge, Gap, Graph, Memory, Path, Relation};
use sigproof_shim::model::{Failure, Step};

use super::trace::{Sources, place, text};

/// The explanation, below the table of the steps; empty if the engine does not tell.
pub(super) fn render(failure: &Failure, sources: &mut Sources) -> String {
    let Some(graph) = &failure.graph else { return String::new() };
    let mut told = Told { failure, graph, sources, text: String::new() };
    match &graph.memory {
        Memory::Unknown => {}
        Memory::Sequential => {
            told.line(
                "memory order: in the order above each load reads the newest store, so the failure happens under",
            );
            told.line("  sequential consistency, too: no stronger ordering forbids it");
        }
        Memory::Weak(weak) => {
            told.line("memory order: these loads read old values, and in no order of the steps would they not");
            for weak in weak.iter().take(LOADS) {
                let load = told.event(weak.load);
                let source = match weak.source {
                    Some(source) => format!("what {} stored", told.event(source)),
                    None => "the initial value".to_owned(),
                };
                let newer = told.event(weak.newer);
                told.line(&format!("  {load} reads {source}, and not what {newer} stored"));
                told.path(&weak.path);
            }
        }
        Memory::Race(race) => {
            let step = |step: Option<usize>| step.map_or("an access".to_owned(), |step| format!("step {step}"));
            let second = step(race.second);
            told.line(&match race.first {
                Some(first) => {
                    format!("memory order: step {first} and {second} access the same memory, without an order")
                }
                None => format!("memory order: {second} is not ordered behind the making of the object"),
            });
            match &race.path {
                Some(path) => told.path(path),
                None => {
                    told.line("  nothing that the second thread reads depends on what the first does after its");
                    told.line("  access: no stronger ordering orders the two");
                }
            }
        }
    }
    told.text
}

/// So many loads are told of.
const LOADS: usize = 3;

struct Told<'a> {
    failure: &'a Failure,
    graph: &'a Graph,
    sources: &'a mut Sources,
    text: String,
}

impl Told<'_> {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn thread(&self, event: usize) -> &str {
        self.failure.threads.get(self.graph.events[event].thread).map_or("?", |thread| thread.name)
    }

    /// `step 12 (thread reader)`.
    fn event(&self, event: usize) -> String {
        match self.graph.events[event].step {
            Some(step) => format!("step {step} (thread {})", self.thread(event)),
            None => format!("an event of thread {}", self.thread(event)),
        }
    }

    fn short(&self, event: usize) -> String {
        self.graph.events[event].step.map_or_else(|| self.event(event), |step| format!("step {step}"))
    }

    /// `step 12 (x: load Relaxed = 0x0, a.rs:9)`.
    fn whole(&mut self, event: usize) -> String {
        let failure = self.failure;
        let Some(step) = self.graph.events[event].step.and_then(|step| failure.steps.get(step)) else {
            return self.event(event);
        };
        let what = text(step, self.sources);
        format!("{} ({}, {})", self.short(event), what.trim_start_matches(['|', ' ']), place(step))
    }

    fn step(&self, event: usize) -> Option<&Step> {
        self.graph.events[event].step.and_then(|step| self.failure.steps.get(step))
    }

    fn path(&mut self, path: &Path) {
        let hops: Vec<Edge> = path.edges.iter().copied().filter(|edge| edge.by != Relation::Sequenced).collect();
        for edge in hops {
            let (from, to) = (self.whole(edge.from), self.whole(edge.to));
            let line = match edge.by {
                Relation::Reads => format!("{to} reads {from}"),
                Relation::Overwritten => format!("{from} reads an older value than {to} stores"),
                Relation::Modifies => format!("{from} stores before {to}, in the modification order"),
                Relation::Starts => format!("thread {} starts thread {}", self.thread(edge.from), self.thread(edge.to)),
                Relation::Joins | Relation::Sequenced => {
                    format!("thread {} waits for the end of thread {}", self.thread(edge.to), self.thread(edge.from))
                }
            };
            self.line(&format!("    between them: {line}"));
        }
        for gap in &path.gaps {
            let line = self.gap(gap);
            self.line(&format!("    no happens-before: {line}"));
        }
    }

    fn gap(&self, gap: &Gap) -> String {
        let lacks = |event: usize, what: &str| match self.step(event) {
            Some(step) => format!("{} does not {what} ({})", self.short(event), place(step)),
            None => format!("{} does not {what}", self.event(event)),
        };
        let is_kernel = [gap.edge.from, gap.edge.to].iter().any(|event| self.graph.events[*event].is_kernel);
        if is_kernel {
            return format!(
                "the system passes from {} to {}, and this call orders no memory",
                self.short(gap.edge.from),
                self.short(gap.edge.to)
            );
        }
        let parts =
            [gap.release.then(|| lacks(gap.edge.from, "release")), gap.acquire.then(|| lacks(gap.edge.to, "acquire"))];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return format!(
                "{} before {} orders only sequentially consistent accesses and fences",
                self.short(gap.edge.from),
                self.short(gap.edge.to)
            );
        }
        parts.join("; ")
    }
}

/// The same for programs.
pub(super) fn details(graph: &Graph) -> Value {
    let path = |path: &Path| {
        let gap = |gap: &Gap| {
            json!({"from": step(graph, gap.edge.from), "to": step(graph, gap.edge.to), "by": word(gap.edge.by),
                "lacks_release": gap.release, "lacks_acquire": gap.acquire})
        };
        let hop =
            |edge: &Edge| json!({"from": step(graph, edge.from), "to": step(graph, edge.to), "by": word(edge.by)});
        let hops = path.edges.iter().filter(|edge| edge.by != Relation::Sequenced).map(hop);
        json!({"path": hops.collect::<Vec<_>>(), "gaps": path.gaps.iter().map(gap).collect::<Vec<_>>()})
    };
    match &graph.memory {
        Memory::Unknown => Value::Null,
        Memory::Sequential => json!({"order": "sequential"}),
        Memory::Weak(weak) => {
            let load = |weak: &sigproof_shim::model::graph::Weak| {
                let source = weak.source.and_then(|source| step(graph, source));
                json!({"load": step(graph, weak.load), "reads": source, "instead_of": step(graph, weak.newer),
                    "because": path(&weak.path)})
            };
            json!({"order": "weak", "loads": weak.iter().map(load).collect::<Vec<_>>()})
        }
        Memory::Race(race) => {
            json!({"order": "race", "first": race.first, "second": race.second, "because": race.path.as_ref().map(path)})
        }
    }
}

fn step(graph: &Graph, event: usize) -> Option<usize> {
    graph.events[event].step
}

/// The word for a relation.
pub(super) fn word(relation: Relation) -> &'static str {
    match relation {
        Relation::Sequenced => "po",
        Relation::Reads => "rf",
        Relation::Modifies => "co",
        Relation::Overwritten => "fr",
        Relation::Starts => "starts",
        Relation::Joins => "joins",
    }
}
