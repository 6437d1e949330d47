//! Why an execution of a test is weaker than sequential consistency, in words; see [`crate::explain`].

use std::fmt::Write;

use crate::explain::{Edge, Gap, Relation, Weak, sequential, weak};
use crate::graph::{Graph, Id};

/// Lines about the memory order of a graph. `name` names the location of an event.
pub(super) fn explained(graph: &Graph, name: impl Fn(Id) -> String) -> String {
    if sequential(graph, None).is_some() {
        return "sequentially consistent: in some order of its events each load reads the newest store\n".to_owned();
    }
    weak(graph).iter().map(|weak| about(weak, &name)).collect()
}

fn about(weak: &Weak, name: &impl Fn(Id) -> String) -> String {
    let Weak { load, source, newer, path, gaps } = weak;
    let (load, newer, name) = (label(*load), label(*newer), name(*load));
    let read = match *source {
        Id::INIT => format!("the initial value of {name}"),
        source => format!("{name} from {}", label(source)),
    };
    let mut text = format!("weak: {load} reads {read}, although {newer} is newer and comes before it:\n");
    let _ = write!(text, "  {newer}");
    for edge in path {
        let _ = write!(text, " -{}-> {}", word(edge.by), label(edge.to));
    }
    text.push('\n');
    for gap in gaps {
        let _ = writeln!(text, "  {}", missing(gap));
    }
    text
}

/// What a step lacks that gives no happens-before.
fn missing(gap: &Gap) -> String {
    let Gap { edge: Edge { from, by, to }, release, acquire } = *gap;
    let (from, to) = (label(from), label(to));
    let why = match (by, release, acquire) {
        (Relation::Modifies | Relation::Overwritten, ..) => {
            "only sequentially consistent accesses or fences order these".to_owned()
        }
        (_, true, true) => format!("{from} does not release, and {to} does not acquire"),
        (_, true, false) => format!("{from} does not release"),
        (_, false, true) => format!("{to} does not acquire"),
        (_, false, false) => "the kernel orders nothing".to_owned(),
    };
    format!("no happens-before from {from} to {to}: {why}")
}

const fn word(relation: Relation) -> &'static str {
    match relation {
        Relation::Sequenced => "sb",
        Relation::Reads => "rf",
        Relation::Modifies => "mo",
        Relation::Overwritten => "rb",
        Relation::Starts => "spawn",
        Relation::Joins => "join",
    }
}

fn label(id: Id) -> String {
    format!("P{}#{}", id.thread, id.index)
}
