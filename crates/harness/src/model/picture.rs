//! The graph of a counterexample as a picture: threads as columns, a handler set in under what it interrupts.
//!
//! | edge | from | to |
//! |---|---|---|
//! | po | a step | the next one of its thread |
//! | rf | a store | a load that reads from it |
//! | co | a store | the next one in the modification order |
//! | fr | a load | the store behind the one that it reads from |
//! | system | a call | a call that learns from it, where an explanation goes that way |
//!
//! The edges of the cycle that makes a memory order weak are thick. The picture is a part of the report in
//! JSON, as `details.graph`; [`dot`](Picture::dot) and [`svg`](Picture::svg) draw it.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sigproof_shim::model::graph::{Edge as Related, Graph, Memory, Path, Relation};
use sigproof_shim::model::{Failure, Step};

use super::trace::{Sources, place, text};

/// A graph, for those who draw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The names of the threads, in the order of the columns.
    pub threads: Vec<String>,
    /// The steps, from the top.
    pub nodes: Vec<Node>,
    /// What comes before what.
    pub edges: Vec<Edge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub thread: usize,
    /// How many handlers deep.
    pub depth: usize,
    /// What happened.
    pub text: String,
    pub place: String,
}

/// An edge, between two steps by their places among the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// From here.
    pub from: usize,
    /// To here.
    pub to: usize,
    /// Which relation.
    pub kind: Kind,
    /// Whether it belongs to the cycle that makes the memory order weak, or to the path between racing
    /// accesses.
    pub in_cycle: bool,
}

/// The kinds of edges. See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Program order.
    Po,
    /// Reads from.
    Rf,
    /// Coherence: modification order.
    Co,
    /// From a read to what overwrites its value.
    Fr,
    /// Through the kernel.
    System,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Po, Self::Rf, Self::Co, Self::Fr, Self::System];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Po => "po",
            Self::Rf => "rf",
            Self::Co => "co",
            Self::Fr => "fr",
            Self::System => "system",
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Po => "#999999",
            Self::Rf => "#1a7f37",
            Self::Co => "#8250df",
            Self::Fr => "#cf222e",
            Self::System => "#0969da",
        }
    }
}

impl Picture {
    /// That of a failure with a graph.
    pub(super) fn of(failure: &Failure, sources: &mut Sources) -> Option<Self> {
        let graph = failure.graph.as_deref()?;
        let node = |step: &Step| {
            let text = text(step, sources).trim_start_matches(['|', ' ']).to_owned();
            Node { thread: step.thread, depth: step.depth, text, place: place(step) }
        };
        let nodes: Vec<Node> = failure.steps.iter().map(node).collect();
        let threads = failure.threads.iter().map(|thread| thread.name.to_owned()).collect();
        let mut edges = BTreeSet::new();
        for (number, node) in nodes.iter().enumerate() {
            let next = nodes[number + 1..].iter().position(|other| other.thread == node.thread);
            if let Some(next) = next {
                edges.insert((number, number + 1 + next, Kind::Po));
            }
        }
        edges
            .extend(graph.edges.iter().filter(|edge| !is_of_kernel(graph, edge)).filter_map(|edge| drawn(graph, edge)));
        let cycle = cycle(graph);
        edges.extend(cycle.iter().copied());
        let edges = edges.into_iter().map(|edge| {
            let (from, to, kind) = edge;
            Edge { from, to, kind, in_cycle: cycle.contains(&edge) }
        });
        Some(Self { threads, edges: edges.collect(), nodes })
    }

    /// As a graph of Graphviz.
    pub fn dot(&self) -> String {
        let mut dot = String::from("digraph execution {\n  node [shape=box, fontname=monospace, fontsize=10];\n");
        for (thread, name) in self.threads.iter().enumerate() {
            let _ = writeln!(dot, "  subgraph cluster_{thread} {{\n    label={};", quoted(&format!("thread {name}")));
            let mut depth = 0;
            for (number, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.thread == thread) {
                while depth < node.depth {
                    depth += 1;
                    let _ = writeln!(dot, "    subgraph cluster_{thread}_{number}_{depth} {{ label=handler;");
                }
                while depth > node.depth {
                    depth -= 1;
                    dot.push_str("    }\n");
                }
                let _ = writeln!(
                    dot,
                    "    s{number} [label={}];",
                    quoted(&format!("{number}  {}\n{}", node.text, node.place))
                );
            }
            dot.push_str(&"    }\n".repeat(depth));
            dot.push_str("  }\n");
        }
        for edge in &self.edges {
            let Edge { from, to, kind, in_cycle } = *edge;
            let (word, colour) = (kind.as_str(), kind.colour());
            let width = if in_cycle { 2.5 } else { 1.0 };
            let free = if kind == Kind::Po { "" } else { ", constraint=false" };
            let _ = writeln!(
                dot,
                "  s{from} -> s{to} [label={word}, color={}, fontcolor={}, penwidth={width}{free}];",
                quoted(colour),
                quoted(colour)
            );
        }
        dot.push_str("}\n");
        dot
    }

    /// As a drawing that needs nothing else.
    pub fn svg(&self) -> String {
        let (width, height) = (LEFT + COLUMN * self.threads.len(), TOP + ROW * (self.nodes.len() + 1));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"monospace\" font-size=\"11\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n<defs>\n"
        );
        for kind in Kind::ALL {
            let (word, colour) = (kind.as_str(), kind.colour());
            let _ = writeln!(
                svg,
                "<marker id=\"{word}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
                 orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"{colour}\"/></marker>"
            );
        }
        svg.push_str("</defs>\n");
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"14\" fill=\"{}\">{}</text>",
                LEFT + at * 60,
                kind.colour(),
                kind.as_str()
            );
        }
        for (thread, name) in self.threads.iter().enumerate() {
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" font-weight=\"bold\">thread {}</text>",
                LEFT + thread * COLUMN,
                TOP - 8,
                escaped(name)
            );
        }
        for (number, node) in self.nodes.iter().enumerate() {
            let (left, top) = self.corner(number);
            let fill = if node.depth > 0 { "#fff8c5" } else { "#f6f8fa" };
            let width = COLUMN - GAP - node.depth * INDENT;
            let shown: String = format!("{number} {}", node.text).chars().take(width / LETTER).collect();
            let _ = writeln!(
                svg,
                "<g><title>{}</title><rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{BOX}\" fill=\"{fill}\" \
                 stroke=\"#d0d7de\"/><text x=\"{}\" y=\"{}\">{}</text></g>",
                escaped(&format!("{}  {}", node.text, node.place)),
                left + 4,
                top + 12,
                escaped(&shown)
            );
        }
        for edge in &self.edges {
            svg.push_str(&self.line(edge));
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The upper left corner of a node.
    fn corner(&self, number: usize) -> (usize, usize) {
        let node = &self.nodes[number];
        (LEFT + node.thread * COLUMN + node.depth * INDENT, TOP + number * ROW)
    }

    fn line(&self, edge: &Edge) -> String {
        let Edge { from, to, kind, in_cycle } = *edge;
        let ((left, top), (to_left, to_top)) = (self.corner(from), self.corner(to));
        let (own, other) = (&self.nodes[from], &self.nodes[to]);
        let middle = BOX / 2;
        let right = |column: usize| LEFT + column * COLUMN + COLUMN - GAP;
        let path = match own.thread.cmp(&other.thread) {
            // In one column: beside the boxes, further out for longer edges.
            std::cmp::Ordering::Equal if kind == Kind::Po => {
                let x = left.max(to_left) + 8;
                format!("M{x},{} L{x},{to_top}", top + BOX)
            }
            std::cmp::Ordering::Equal => {
                let x = right(own.thread);
                let out = x + 10 + from.abs_diff(to).min(8) * 4;
                format!(
                    "M{x},{} C{out},{} {out},{} {x},{}",
                    top + middle,
                    top + middle,
                    to_top + middle,
                    to_top + middle
                )
            }
            std::cmp::Ordering::Less => {
                format!("M{},{} L{to_left},{}", right(own.thread), top + middle, to_top + middle)
            }
            std::cmp::Ordering::Greater => {
                format!("M{left},{} L{},{}", top + middle, right(other.thread), to_top + middle)
            }
        };
        let (word, colour) = (kind.as_str(), kind.colour());
        let width = if in_cycle { 2.5 } else { 1.0 };
        format!(
            "<path class=\"{word}\" d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" \
             marker-end=\"url(#{word})\"/>\n"
        )
    }
}

const LEFT: usize = 20;
const TOP: usize = 50;
const COLUMN: usize = 440;
const GAP: usize = 70;
const ROW: usize = 28;
const BOX: usize = 18;
const INDENT: usize = 16;
const LETTER: usize = 7;

/// Between two steps, if it is.
fn drawn(graph: &Graph, edge: &Related) -> Option<(usize, usize, Kind)> {
    let (from, to) = (graph.events[edge.from].step?, graph.events[edge.to].step?);
    let kind = match edge.by {
        _ if is_of_kernel(graph, edge) => Kind::System,
        Relation::Reads => Kind::Rf,
        Relation::Modifies => Kind::Co,
        Relation::Overwritten => Kind::Fr,
        Relation::Sequenced | Relation::Starts | Relation::Joins => return None,
    };
    (from != to).then_some((from, to, kind))
}

fn is_of_kernel(graph: &Graph, edge: &Related) -> bool {
    [edge.from, edge.to].iter().any(|event| graph.events[*event].is_kernel)
}

/// The edges that make the memory order weak.
fn cycle(graph: &Graph) -> BTreeSet<(usize, usize, Kind)> {
    let path = |path: &Path| path.edges.iter().filter_map(|edge| drawn(graph, edge)).collect::<BTreeSet<_>>();
    match &graph.memory {
        Memory::Weak(weak) => {
            let Some(weak) = weak.first() else { return BTreeSet::new() };
            let back = Related { from: weak.load, by: Relation::Overwritten, to: weak.newer };
            path(&weak.path).into_iter().chain(drawn(graph, &back)).collect()
        }
        Memory::Race(race) => race.path.as_ref().map(path).unwrap_or_default(),
        Memory::Sequential | Memory::Unknown => BTreeSet::new(),
    }
}

/// A string of DOT.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\l"))
}

/// Text of XML, also within quotes.
fn escaped(text: &str) -> String {
    let is_allowed = |c: &char| !c.is_control();
    let text: String = text.chars().filter(is_allowed).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
