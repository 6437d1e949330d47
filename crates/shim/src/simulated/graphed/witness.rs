//! The graph of a failed execution, with the steps of its trace.

use std::boxed::Box;
use std::format;
use std::vec::Vec;

use sigproof_explore::explain::{self, Point};
use sigproof_explore::graph::{self, Id, Kind};

use crate::model::graph::{Edge, Event, EventKind, Gap, Graph, Memory, Path, Race, Relation, Weak};
use crate::model::{Failure, FailureKind, Step};
use crate::simulated::world::Trace;

/// What is said of a load that reads an old store.
const OLD: &str = ", not the newest";

/// Adds its graph to a failure, and puts its steps in an order in which each load reads the newest store, if
/// there is one.
pub(super) fn explain(failure: &mut Failure, mut trace: Trace, graph: &graph::Graph, race: Option<[Point; 2]>) {
    let raced = race.map(|[first, second]| keep_race(&mut trace, first, second));
    let places: Vec<usize> = match failure.kind {
        // The access that fails has no event, and stands last.
        FailureKind::Race => (0..trace.steps.len()).collect(),
        _ => sorted(graph, &trace.steps).unwrap_or_else(|| (0..trace.steps.len()).collect()),
    };
    let mut steps: Vec<Step> = places.iter().map(|&place| trace.steps[place].clone()).collect();
    mark_old(graph, &mut steps);
    let numbered = Numbered::new(graph, &steps);
    let memory = match (race, raced) {
        (Some([first, second]), Some(raced)) if first.thread != second.thread => {
            let path = explain::between(graph, first, second).map(|(edges, gaps)| numbered.path(&edges, &gaps));
            Memory::Race(Race { first: raced[0], second: raced[1], path })
        }
        _ if failure.kind == FailureKind::Race => Memory::Unknown,
        _ => {
            let weak = explain::weak(graph);
            if weak.is_empty() { Memory::Sequential } else { Memory::Weak(numbered.weak(&weak)) }
        }
    };
    let edges = explain::edges(graph).iter().map(|edge| numbered.edge(edge)).collect();
    failure.graph = Some(Box::new(Graph { events: numbered.events(graph, &steps), edges, memory }));
    failure.steps = steps;
}

/// Keeps of the accesses to plain memory the two that race. Gives their places among the steps.
fn keep_race(trace: &mut Trace, first: Point, second: Point) -> [Option<usize>; 2] {
    let at = |point: Point| (point.thread, point.done);
    let is_use = trace.steps.last().is_some_and(|step| step.what == crate::simulated::below::NOT_MADE);
    let is_of = |plain: &crate::simulated::world::Plain, point: Point| {
        plain.step.event.map_or((point.thread, 0), |(thread, index)| (thread, index + 1)) == at(point)
    };
    let Some(later) = trace.plain.iter().rposition(|plain| is_of(plain, second)).filter(|_| !is_use) else {
        // The use of an object is a step of its own.
        return [None, trace.steps.len().checked_sub(1)];
    };
    let cell = trace.plain[later].cell;
    let earlier = trace.plain[..later].iter().rposition(|plain| plain.cell == cell && is_of(plain, first));
    let mut places = [None; 2];
    // From behind, so that the places in front stay.
    for (place, which) in [(1, Some(later)), (0, earlier)] {
        let Some(plain) = which.map(|which| &trace.plain[which]) else { continue };
        trace.steps.insert(plain.place, plain.step.clone());
        places[place] = Some(plain.place);
        if place == 0 {
            places[1] = places[1].map(|later| later + 1);
        }
    }
    places
}

/// The places of the steps, in an order of the events in which each load reads the newest store. A step
/// without an event of its own stays behind the one before it.
fn sorted(graph: &graph::Graph, steps: &[Step]) -> Option<Vec<usize>> {
    let last = steps.last().and_then(|step| step.event).map(|(thread, index)| Id { thread, index });
    let order = explain::sequential(graph, last)?;
    let mut ranks: Vec<Vec<usize>> = graph.threads.iter().map(|thread| vec![0; thread.events.len()]).collect();
    for (rank, id) in order.iter().enumerate() {
        ranks[usize::from(id.thread)][usize::from(id.index)] = rank;
    }
    let rank = |step: &Step| {
        let (thread, index) = step.event?;
        ranks.get(usize::from(thread))?.get(usize::from(index)).copied()
    };
    let mut places: Vec<usize> = (0..steps.len()).collect();
    places.sort_by_key(|&place| (rank(&steps[place]), place));
    Some(places)
}

/// Marks the loads behind a newer store in the order that is shown.
fn mark_old(graph: &graph::Graph, steps: &mut [Step]) {
    let mut shown = vec![0_u16; graph.threads.len()];
    for step in steps {
        let Some((thread, index)) = step.event else { continue };
        let event = &graph.threads[usize::from(thread)].events[usize::from(index)];
        if step.access.is_some() && event.kind == Kind::Load {
            let newer = &graph.locations[event.loc as usize].order[graph.place(event.loc, event.src)..];
            if newer.iter().any(|id| id.index < shown[usize::from(id.thread)]) {
                step.what = format!("{}{OLD}", step.what);
            }
        }
        let seen = &mut shown[usize::from(thread)];
        *seen = (*seen).max(index + 1);
    }
}

/// The events as numbers.
struct Numbered {
    starts: Vec<usize>,
    /// Of each slot, the number of its thread.
    threads: Vec<usize>,
}

impl Numbered {
    fn new(graph: &graph::Graph, steps: &[Step]) -> Self {
        let mut starts = vec![0];
        for thread in &graph.threads {
            starts.push(starts.last().copied().unwrap_or(0) + thread.events.len());
        }
        let number = |slot: usize| {
            let of = |step: &&Step| step.event.is_some_and(|(thread, _)| usize::from(thread) == slot);
            steps.iter().find(of).map_or(slot, |step| step.thread)
        };
        Self { starts, threads: (0..graph.threads.len()).map(number).collect() }
    }

    fn number(&self, id: Id) -> usize {
        self.starts[usize::from(id.thread)] + usize::from(id.index)
    }

    fn edge(&self, edge: &explain::Edge) -> Edge {
        let by = match edge.by {
            explain::Relation::Sequenced => Relation::Sequenced,
            explain::Relation::Reads => Relation::Reads,
            explain::Relation::Modifies => Relation::Modifies,
            explain::Relation::Overwritten => Relation::Overwritten,
            explain::Relation::Starts => Relation::Starts,
            explain::Relation::Joins => Relation::Joins,
        };
        Edge { from: self.number(edge.from), by, to: self.number(edge.to) }
    }

    fn path(&self, edges: &[explain::Edge], gaps: &[explain::Gap]) -> Path {
        let gap = |gap: &explain::Gap| Gap { edge: self.edge(&gap.edge), release: gap.release, acquire: gap.acquire };
        Path { edges: edges.iter().map(|edge| self.edge(edge)).collect(), gaps: gaps.iter().map(gap).collect() }
    }

    fn weak(&self, weak: &[explain::Weak]) -> Vec<Weak> {
        let one = |weak: &explain::Weak| Weak {
            load: self.number(weak.load),
            source: (weak.source != Id::INIT).then(|| self.number(weak.source)),
            newer: self.number(weak.newer),
            path: self.path(&weak.path, &weak.gaps),
        };
        weak.iter().map(one).collect()
    }

    fn events(&self, graph: &graph::Graph, steps: &[Step]) -> Vec<Event> {
        let mut all = Vec::new();
        for (slot, thread) in graph.threads.iter().enumerate() {
            let own: Vec<(usize, u16)> = steps
                .iter()
                .enumerate()
                .filter_map(|(place, step)| {
                    let (thread, index) = step.event?;
                    (usize::from(thread) == slot).then_some((place, index))
                })
                .collect();
            for (index, event) in (0_u16..).zip(&thread.events) {
                // An operation of several events is a step at its last one.
                let is_access = matches!(event.kind, Kind::Load | Kind::Store);
                let step = own.iter().filter(|(_, last)| *last >= index && is_access);
                let step = step.min_by_key(|(place, last)| (*last, *place));
                all.push(Event {
                    thread: self.threads[slot],
                    step: step.map(|(place, _)| *place),
                    kind: kind(event),
                    location: is_access.then_some(event.loc),
                    value: event.val,
                    is_kernel: event.kernel,
                });
            }
        }
        all
    }
}

fn kind(event: &graph::Event) -> EventKind {
    match event.kind {
        Kind::Begin => EventKind::Begin,
        Kind::End => EventKind::End,
        Kind::Load => EventKind::Load,
        Kind::Store if event.excl => EventKind::Update,
        Kind::Store => EventKind::Store,
        Kind::Fence => EventKind::Fence,
        Kind::Choice => EventKind::Choice,
        Kind::Spawn => EventKind::Spawn,
        Kind::Join => EventKind::Join,
    }
}
