//! Why an execution shows a weak memory order, or that it shows none.
//!
//! An execution is sequentially consistent if sb ∪ rf ∪ mo ∪ rb has no cycle: then its events have one order
//! in which each load reads the newest store. rb relates a load to the stores behind the one that it reads.
//! In a cycle some load reads an old store although a newer one comes before it on a path of these relations.
//! The memory model allows that only if the path is no happens-before. [`weak`] says where it is none.
//!
//! | on the path | the store happens before the load |
//! |---|---|
//! | sb, spawn, join | yes |
//! | rf | if the store releases and the load acquires, or fences do so for them |
//! | mo, rb | no: only sequentially consistent accesses or fences order these |

use crate::graph::{Event, Graph, Id, Kind, bits};

/// How one event comes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// In the order of the program, directly: sb.
    Sequenced,
    /// A store before a load that reads from it: rf.
    Reads,
    /// A store directly before another of the same location: mo.
    Modifies,
    /// A load before the store directly behind the one that it reads: rb.
    Overwritten,
    /// The start of a thread before its first event.
    Starts,
    /// The last event of a thread before the end of a wait for it.
    Joins,
}

/// One event before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The earlier event.
    pub from: Id,
    /// How it is earlier.
    pub by: Relation,
    /// The later event.
    pub to: Id,
}

/// A load that reads an old store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weak {
    /// The load.
    pub load: Id,
    /// The store that it reads from.
    pub source: Id,
    /// A newer store, which comes before the load on the path.
    pub newer: Id,
    /// From the newer store to the load.
    pub path: Vec<Edge>,
    /// The steps of the path that give no happens-before.
    pub gaps: Vec<Gap>,
}

/// A step between threads that gives no happens-before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gap {
    /// The step.
    pub edge: Edge,
    /// Its store should release.
    pub release: bool,
    /// Its load should acquire.
    pub acquire: bool,
}

/// An access to a plain cell, which has no event: it lies behind so many events of its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point {
    /// The slot of the thread.
    pub thread: u8,
    /// How many of its events come before the access.
    pub done: u16,
}

/// All relations between the events of a graph, without what follows from others.
pub fn edges(graph: &Graph) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (thread, events) in (0_u8..).zip(&graph.threads) {
        for (index, event) in (0_u16..).zip(&events.events) {
            let id = Id { thread, index };
            if let Some(before) = index.checked_sub(1) {
                edges.push(Edge { from: Id { thread, index: before }, by: Relation::Sequenced, to: id });
            }
            match event.kind {
                Kind::Load => {
                    if event.src != Id::INIT {
                        edges.push(Edge { from: event.src, by: Relation::Reads, to: id });
                    }
                    let next = graph.locations[event.loc as usize].order.get(graph.place(event.loc, event.src));
                    if let Some(&next) = next.filter(|next| !is_own(graph, id, **next)) {
                        edges.push(Edge { from: id, by: Relation::Overwritten, to: next });
                    }
                }
                Kind::Spawn | Kind::Join => {
                    let Some(other) = slot_of(graph, event.val) else { continue };
                    let last = graph.threads[usize::from(other)].events.len().checked_sub(1);
                    if event.kind == Kind::Spawn && last.is_some() {
                        edges.push(Edge { from: id, by: Relation::Starts, to: Id { thread: other, index: 0 } });
                    } else if let Some(last) = last.filter(|_| event.kind == Kind::Join) {
                        let from = Id { thread: other, index: u16::try_from(last).unwrap_or(u16::MAX) };
                        edges.push(Edge { from, by: Relation::Joins, to: id });
                    }
                }
                _ => {}
            }
        }
    }
    for location in &graph.locations {
        let pairs = location.order.windows(2);
        edges.extend(pairs.map(|pair| Edge { from: pair[0], by: Relation::Modifies, to: pair[1] }));
    }
    edges
}

fn slot_of(graph: &Graph, key: u64) -> Option<u8> {
    graph.threads.iter().position(|thread| thread.key == key).and_then(|slot| u8::try_from(slot).ok())
}

/// Whether `store` belongs to the read-modify-write of `load`.
fn is_own(graph: &Graph, load: Id, store: Id) -> bool {
    let event = graph.event(store);
    event.excl && event.src == load
}

/// The events in numbers, with what comes after each.
struct Numbered<'a> {
    graph: &'a Graph,
    starts: Vec<usize>,
    after: Vec<Vec<Edge>>,
}

impl<'a> Numbered<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut starts = vec![0];
        for thread in &graph.threads {
            starts.push(starts.last().copied().unwrap_or(0) + thread.events.len());
        }
        let mut after = vec![Vec::new(); starts.last().copied().unwrap_or(0)];
        for edge in edges(graph) {
            after[starts[usize::from(edge.from.thread)] + usize::from(edge.from.index)].push(edge);
        }
        Self { graph, starts, after }
    }

    fn number(&self, id: Id) -> usize {
        self.starts[usize::from(id.thread)] + usize::from(id.index)
    }

    /// The cheapest path from one of these events to another, with the relations that `allows`, and its cost.
    fn path(&self, from: &[Id], to: Id, allows: impl Fn(&Edge) -> bool) -> Option<(u32, Vec<Edge>)> {
        let mut best: Vec<Option<(u32, Option<Edge>)>> = vec![None; self.after.len()];
        let mut heap = std::collections::BTreeSet::new();
        for &id in from {
            best[self.number(id)] = Some((0, None));
            heap.insert((0, self.number(id), id));
        }
        while let Some((cost, number, id)) = heap.pop_first() {
            if id == to {
                break;
            }
            for edge in self.after[number].iter().filter(|edge| allows(edge)) {
                let (next, sum) = (self.number(edge.to), cost + self.cost(edge));
                if best[next].is_none_or(|(known, _)| sum < known) {
                    if let Some((known, _)) = best[next] {
                        heap.remove(&(known, next, edge.to));
                    }
                    best[next] = Some((sum, Some(*edge)));
                    heap.insert((sum, next, edge.to));
                }
            }
        }
        let (cost, _) = best[self.number(to)]?;
        let mut path = Vec::new();
        let mut at = to;
        while let Some((_, Some(edge))) = best[self.number(at)] {
            path.push(edge);
            at = edge.from;
        }
        path.reverse();
        Some((cost, path))
    }

    /// A path is easier to follow with few steps between threads, and without the kernel's.
    fn cost(&self, edge: &Edge) -> u32 {
        match edge.by {
            Relation::Sequenced => 1,
            Relation::Starts | Relation::Joins => 1_000,
            Relation::Reads if self.graph.event(edge.from).kernel => 20_000,
            Relation::Reads => 1_000,
            Relation::Modifies | Relation::Overwritten => COHERENCE,
        }
    }
}

/// The cost of a step that only sequentially consistent accesses order.
const COHERENCE: u32 = 1_000_000;

/// The events in an order in which each load reads the newest store, if there is one. `last` stands at its
/// end where the relations allow it. A thread goes on for as long as it can.
pub fn sequential(graph: &Graph, last: Option<Id>) -> Option<Vec<Id>> {
    let numbered = Numbered::new(graph);
    let mut before = vec![0_usize; numbered.after.len()];
    for edge in numbered.after.iter().flatten() {
        before[numbered.number(edge.to)] += 1;
    }
    let mut done = vec![0_u16; graph.threads.len()];
    let mut order: Vec<Id> = Vec::with_capacity(before.len());
    while order.len() < before.len() {
        let next = |thread: usize| {
            let index = done[thread];
            let id = Id { thread: u8::try_from(thread).ok()?, index };
            let event = graph.threads[thread].events.get(usize::from(index))?;
            (before[numbered.number(id)] == 0).then_some((event.stamp, id))
        };
        let able: Vec<_> = (0..graph.threads.len()).filter_map(next).collect();
        let current = order.last().map(|id| id.thread);
        let ranked = |(stamp, id): &(u32, Id)| (Some(*id) == last, Some(id.thread) != current, *stamp);
        let &(_, id) = able.iter().min_by_key(|entry| ranked(entry))?;
        for edge in &numbered.after[numbered.number(id)] {
            before[numbered.number(edge.to)] -= 1;
        }
        done[usize::from(id.thread)] += 1;
        order.push(id);
    }
    Some(order)
}

/// The loads that keep the execution from being sequentially consistent, the simplest cycles first. With the
/// path of the first one closed, this execution cannot be.
pub fn weak(graph: &Graph) -> Vec<Weak> {
    let numbered = Numbered::new(graph);
    let mut found = Vec::new();
    for (thread, events) in (0_u8..).zip(&graph.threads) {
        for (index, event) in (0_u16..).zip(&events.events).filter(|(_, event)| event.kind == Kind::Load) {
            let load = Id { thread, index };
            let order = &graph.locations[event.loc as usize].order;
            let newer: Vec<Id> = order[graph.place(event.loc, event.src)..].to_vec();
            let newer: Vec<Id> = newer.into_iter().filter(|store| !is_own(graph, load, *store)).collect();
            if let Some((cost, path)) = numbered.path(&newer, load, |_| true) {
                let newer = path.first().map_or(load, |edge| edge.from);
                let gaps = gaps(graph, &path, load);
                found.push((cost, Weak { load, source: event.src, newer, path, gaps }));
            }
        }
    }
    found.sort_by_key(|(cost, weak)| (*cost, weak.load));
    let simplest = found.first().map_or(0, |(cost, _)| *cost);
    // A cycle that needs sequential consistency goes through several loads: it is told once.
    found.retain({
        let mut is_first = true;
        move |(cost, _)| std::mem::take(&mut is_first) || (simplest < COHERENCE && *cost < COHERENCE)
    });
    found.into_iter().map(|(_, weak)| weak).collect()
}

/// A path of sb, rf, spawn and join from behind one plain access to another, and where it gives no
/// happens-before. `None`: no value goes that way, so that no ordering orders the two.
pub fn between(graph: &Graph, first: Point, second: Point) -> Option<(Vec<Edge>, Vec<Gap>)> {
    let exists = |id: &Id| usize::from(id.index) < graph.threads[usize::from(id.thread)].events.len();
    let from = Some(Id { thread: first.thread, index: first.done }).filter(exists)?;
    let to = Some(Id { thread: second.thread, index: second.done.checked_sub(1)? }).filter(exists)?;
    let carries = |edge: &Edge| !matches!(edge.by, Relation::Modifies | Relation::Overwritten);
    let (_, path) = Numbered::new(graph).path(&[from], to, carries)?;
    let gaps = gaps(graph, &path, to);
    Some((path, gaps))
}

/// Where a path to `end` gives no happens-before.
fn gaps(graph: &Graph, path: &[Edge], end: Id) -> Vec<Gap> {
    let mut gaps = Vec::new();
    // What the next store has to pass on.
    let mut carried = path.first().map_or(end, |edge| edge.from);
    for (number, &edge) in path.iter().enumerate() {
        match edge.by {
            Relation::Sequenced => continue,
            Relation::Starts | Relation::Joins => {}
            Relation::Modifies | Relation::Overwritten => {
                gaps.push(Gap { edge, release: false, acquire: false });
            }
            Relation::Reads => {
                let leaves = path[number + 1..].iter().find(|edge| edge.by != Relation::Sequenced);
                // A read-modify-write goes on with the release sequence of the store that it reads from.
                let goes_on = leaves.is_some_and(|leaves| is_own(graph, edge.to, leaves.from));
                let leaves = leaves.map_or(end, |edge| edge.from);
                let releases = graph.event(edge.from).msg.has(carried);
                let acquires = goes_on || acquires(graph, edge.to, leaves);
                if !(releases && acquires) || graph.event(edge.to).kernel {
                    gaps.push(Gap { edge, release: !releases, acquire: !acquires });
                }
                if goes_on {
                    carried = if releases { carried } else { Id::INIT };
                    continue;
                }
            }
        }
        carried = edge.to;
    }
    gaps
}

/// Whether a load acquires before the event `until` of its thread: by itself, or by a fence.
fn acquires(graph: &Graph, load: Id, until: Id) -> bool {
    let is_acquire = |event: &Event| event.ord & bits::ACQ != 0;
    let events = &graph.threads[usize::from(load.thread)].events;
    let between = &events[usize::from(load.index)..=usize::from(until.index.max(load.index))];
    is_acquire(&between[0]) || between.iter().any(|event| event.kind == Kind::Fence && is_acquire(event))
}

#[cfg(test)]
mod tests;
