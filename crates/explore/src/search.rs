//! The search: every consistent execution graph once, after TruSt (Kokologiannakis et al., POPL 2022).
//!
//! The search keeps one current graph, which a run extends event by event, and a stack of graphs that are
//! still to be run. At each new event every alternative goes onto the stack:
//!
//! - a load: one graph for each older write that it may read (canonical: the newest);
//! - a choice: one for each value (canonical: 0);
//! - a store: one for each place in the modification order (canonical: the last), and one for each *revisit*:
//!   an older load outside of the store's prefix reads it instead, and everything that was added after that
//!   load and is outside of the prefix is deleted. A revisit happens only if the load and all that is deleted
//!   was added canonically: of all graphs that lead to the same one by a revisit, exactly one has this
//!   property.
//!
//! Invariant: no graph is pushed twice. The tests count: runs of complete executions = distinct graphs.

use crate::graph::{Clock, Event, Graph, Id, Kind, order};

/// The state of a search.
#[derive(Debug, Default)]
pub struct Search {
    /// The current graph.
    pub graph: Graph,
    stack: Vec<Graph>,
    pool: Vec<Graph>,
    /// The most graphs that ever waited.
    pub deepest: usize,
    /// Runs so far.
    runs: u64,
    /// A fault put into the search on purpose: the tests of the tests.
    pub fault: Fault,
}

/// A fault that the comparison with the enumerator must find.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// None.
    #[default]
    None,
    /// Every order of sequentially consistent events is taken.
    NoSc,
    /// The first revisit of each store is lost.
    LostRevisit,
    /// Revisits do not ask how the deleted events were added.
    DoubleRevisit,
}

impl Search {
    fn consistent(&self, graph: &Graph) -> bool {
        graph.sc < 2 || self.fault == Fault::NoSc || order::exists(graph)
    }

    fn copy_of(&mut self, graph: &Graph) -> Graph {
        let mut copy = self.pool.pop().unwrap_or_default();
        copy.clone_from(graph);
        copy
    }

    fn push_current(&mut self) {
        let mut copy = self.pool.pop().unwrap_or_default();
        copy.clone_from(&self.graph);
        self.push(copy);
    }

    fn push(&mut self, graph: Graph) {
        self.stack.push(graph);
        self.deepest = self.deepest.max(self.stack.len());
    }

    /// Adds a load to the thread in `slot`, which reads the newest write.
    pub fn load(&mut self, slot: usize, event: Event) -> Id {
        let location = event.loc;
        let id = self.graph.append(slot, event);
        let oldest = self.graph.bound(location, &self.graph.event(id).view());
        let newest = self.graph.locations[location as usize].order.len();
        for place in oldest..newest {
            self.graph.read_from(id, self.graph.write_at(location, place));
            // A blocked load that reads an old write is neither revisited nor part of a deadlock.
            if !self.graph.event(id).blocked && self.consistent(&self.graph) {
                self.push_current();
            }
        }
        self.graph.read_from(id, self.graph.write_at(location, newest));
        id
    }

    /// Adds a choice among the values below `count`.
    pub fn choice(&mut self, slot: usize, count: u64) -> Id {
        let id = self.graph.append(slot, Event { kind: Kind::Choice, ..Event::default() });
        for value in 1..count {
            self.graph.event_mut(id).val = value;
            self.push_current();
        }
        self.graph.event_mut(id).val = 0;
        id
    }

    /// Adds a fence. False if no order of the sequentially consistent events is left.
    pub fn fence(&mut self, slot: usize, ord: u8) -> bool {
        let id = self.graph.append(slot, Event { kind: Kind::Fence, ord, ..Event::default() });
        self.graph.fence(id);
        self.consistent(&self.graph)
    }

    /// Adds a store; `load` is that of its read-modify-write. False if the store has no place in the
    /// modification order: its load reads what another read-modify-write reads, and the graph served only to
    /// displace that one.
    pub fn store(&mut self, slot: usize, event: Event, load: Option<Id>) -> bool {
        let location = event.loc;
        let id = self.graph.append(slot, Event { excl: load.is_some(), ..event });
        self.graph.release(id, load);
        self.revisits(id, load);
        let places = places(&self.graph, id, load);
        let Some((&last, others)) = places.split_last() else {
            return false;
        };
        for &place in others {
            self.graph.insert(location, place, id);
            if self.consistent(&self.graph) {
                self.push_current();
            }
            self.graph.locations[location as usize].order.remove(place);
        }
        self.graph.insert(location, last, id);
        self.consistent(&self.graph)
    }

    fn revisits(&mut self, id: Id, load: Option<Id>) {
        let location = self.graph.event(id).loc;
        let prefix = self.graph.event(id).porf;
        let mut lose = self.fault == Fault::LostRevisit;
        for index in 0..self.graph.locations[location as usize].reads.len() {
            let read = self.graph.locations[location as usize].reads[index];
            if prefix.has(read) || !(self.fault == Fault::DoubleRevisit || self.is_canonical(read, &prefix)) {
                continue;
            }
            if std::mem::take(&mut lose) {
                continue;
            }
            let mut without = self.pool.pop().unwrap_or_default();
            without.clone_from(&self.graph);
            let stamp = without.event(read).stamp;
            without.restrict(stamp, &prefix);
            if self.fault == Fault::DoubleRevisit && !is_whole(&without) {
                continue;
            }
            without.read_from(read, Id::INIT);
            let oldest = without.bound(location, &without.event(read).view());
            let places = places(&without, id, load);
            for place in places.into_iter().filter(|&place| place >= oldest) {
                let mut graph = self.copy_of(&without);
                graph.insert(location, place, id);
                graph.read_from(read, id);
                let is_newest = place + 1 == graph.locations[location as usize].order.len();
                if (!graph.event(read).blocked || is_newest) && self.consistent(&graph) {
                    self.push(graph);
                } else {
                    self.pool.push(graph);
                }
            }
            self.pool.push(without);
        }
    }

    /// Whether the load `read`, and all that was added later and is not in `prefix`, was added canonically,
    /// as seen when only what was added before it and `prefix` existed.
    fn is_canonical(&self, read: Id, prefix: &Clock) -> bool {
        let since = self.graph.event(read).stamp;
        (0_u8..).zip(&self.graph.threads).all(|(thread, events)| {
            let slot = usize::from(thread);
            let kept = if slot == usize::from(read.thread) { read.index } else { prefix.get(slot) };
            (kept..)
                .zip(&events.events[usize::from(kept)..])
                .all(|(index, event)| event.stamp < since || self.was_canonical(Id { thread, index }, event, prefix))
        })
    }

    fn was_canonical(&self, id: Id, event: &Event, prefix: &Clock) -> bool {
        let graph = &self.graph;
        let existed = |other: Id| other == Id::INIT || prefix.has(other) || graph.event(other).stamp <= event.stamp;
        let is_last = |write: Id| {
            let place = graph.place(event.loc, write);
            existed(write) && !graph.locations[event.loc as usize].order[place..].iter().any(|&later| existed(later))
        };
        match event.kind {
            Kind::Choice => event.val == 0,
            Kind::Load => is_last(event.src),
            Kind::Store => {
                let reads = &graph.locations[event.loc as usize].reads;
                is_last(id) && !reads.iter().any(|&read| graph.event(read).src == id && existed(read))
            }
            Kind::Begin | Kind::End | Kind::Fence | Kind::Spawn | Kind::Join => true,
        }
    }

    /// Takes the next graph from the stack; false if there is none.
    pub fn advance(&mut self) -> bool {
        self.runs += 1;
        while let Some(graph) = self.stack.pop() {
            self.pool.push(std::mem::replace(&mut self.graph, graph));
            let Some(slot) = self.graph.open() else { return true };
            let events = &self.graph.threads[slot].events;
            let Some(&Event { new: Some(val), loc, success, kernel, .. }) = events.last() else { return true };
            let load = Id { thread: slot as u8, index: (events.len() - 1) as u16 };
            let store = Event { kind: Kind::Store, ord: success, loc, val, kernel, ..Event::default() };
            if self.store(slot, store, Some(load)) {
                return true;
            }
        }
        false
    }

    /// Gives away at most so many of the graphs that wait, those that have waited longest.
    pub fn give(&mut self, most: usize) -> Vec<Graph> {
        let most = most.min(self.stack.len());
        self.stack.drain(..most).collect()
    }

    /// Puts graphs on the stack.
    pub fn take(&mut self, graphs: Vec<Graph>) {
        self.stack.extend(graphs);
    }

    /// How many runs there were.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Takes a graph whose memory is used again.
    pub fn forget(&mut self, graph: Graph) {
        self.pool.push(graph);
    }

    /// How many graphs wait.
    pub fn waiting(&self) -> usize {
        self.stack.len()
    }

    /// Forgets everything but the memory.
    pub fn reset(&mut self) {
        self.pool.append(&mut self.stack);
        self.graph = Graph::default();
    }
}

/// The places where the store `id`, which is in no modification order yet, may stand.
fn places(graph: &Graph, id: Id, load: Option<Id>) -> Vec<usize> {
    let location = graph.event(id).loc;
    let (oldest, newest) = match load {
        Some(load) => {
            let place = graph.place(location, graph.event(load).src);
            (place, place)
        }
        None => {
            let newest = graph.locations[location as usize].order.len();
            (graph.bound(location, &graph.event(id).view()), newest)
        }
    };
    (oldest..=newest).filter(|&place| graph.may_follow(location, place)).collect()
}

/// Whether every load's source is there.
fn is_whole(graph: &Graph) -> bool {
    let loads = graph.threads.iter().flat_map(|thread| &thread.events).filter(|event| event.kind == Kind::Load);
    loads
        .filter(|load| load.src != Id::INIT)
        .all(|load| graph.threads[usize::from(load.src.thread)].events.len() > usize::from(load.src.index))
}
