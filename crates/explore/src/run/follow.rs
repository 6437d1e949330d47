//! A run along a [`Trail`]: it builds the graph again, event by event.

use super::step::{Attempt, Request, open_load};
use super::{Run, Status, Stop};
use crate::graph::{Event, Graph, Id, Kind, order};
use crate::trail::{Step, Trail};

/// The execution to repeat.
#[derive(Debug, Default)]
pub(crate) struct Guide {
    trail: Trail,
    /// Of each location, the places of its stores in the whole modification order.
    ranks: Vec<Vec<u32>>,
}

impl Guide {
    pub(crate) fn new(trail: Trail) -> Self {
        Self { trail, ranks: Vec::new() }
    }
}

impl Run {
    /// How many events the thread in `slot` has in this execution, as far as is known before.
    pub(crate) fn known(&self, slot: usize) -> usize {
        let thread = &self.search.graph.threads[slot];
        self.guide.as_ref().map_or(thread.events.len(), |guide| guide.trail.steps(thread.key).len())
    }

    /// Whether the next event of the thread that runs is a choice; `None` without a trail.
    pub(super) fn chooses_next(&self) -> Option<bool> {
        let (slot, guide) = (self.current, self.guide.as_ref()?);
        let steps = guide.trail.steps(self.search.graph.threads[slot].key);
        Some(matches!(steps.get(self.fibers[slot].done), Some(Step::Chooses(_))))
    }

    /// The next event of the thread in `slot`, as the trail says.
    pub(super) fn follow(&mut self, request: Request, slot: usize, done: usize) -> Attempt {
        let key = self.search.graph.threads[slot].key;
        let Some(step) = self.guide.as_ref().and_then(|guide| guide.trail.steps(key).get(done).copied()) else {
            if let Request::Join { slot: child, .. } = request {
                self.fibers[slot].joins = Some(child);
            }
            self.fibers[slot].status = Status::New;
            return Attempt::Wait;
        };
        if let Request::Join { slot: child, .. } = request
            && self.fibers[child].status != Status::Done
        {
            return Attempt::Wait;
        }
        match (request, step) {
            (Request::Load(access), Step::Reads(source)) => {
                let Some(source) = self.source(source) else { return Attempt::Wait };
                self.fibers[slot].done += 1;
                let graph = &mut self.search.graph;
                let id = graph.append(slot, access.event());
                let oldest = graph.bound(access.loc, &graph.event(id).view());
                graph.read_from(id, source);
                if graph.place(access.loc, source) < oldest || !has_order(graph) {
                    return self.leave();
                }
                let event = self.search.graph.event(id);
                if event.blocked {
                    self.fibers[slot].status = Status::Blocked;
                    return Attempt::Wait;
                }
                Attempt::Got(event.val)
            }
            (
                Request::Store { loc, val, .. } | Request::StoreLater { loc, val, .. } | Request::Plain { loc, val },
                Step::Stores(_) | Step::Follows,
            ) => {
                let is_later = matches!(request, Request::StoreLater { .. });
                let load = if is_later { open_load(self, slot) } else { None };
                if is_later && load.is_none() {
                    return self.leave();
                }
                let (ord, kernel, plain) = match request {
                    Request::Store { ord, kernel, .. } | Request::StoreLater { ord, kernel, .. } => {
                        (ord, kernel, false)
                    }
                    _ => (0, false, true),
                };
                let rank = match step {
                    Step::Stores(rank) => rank,
                    _ => self.rank_before(slot, loc, load) + 1,
                };
                self.fibers[slot].done += 1;
                let event =
                    Event { kind: Kind::Store, loc, val, ord, kernel, plain, excl: load.is_some(), ..Event::default() };
                let graph = &mut self.search.graph;
                let id = graph.append(slot, event);
                graph.release(id, load);
                let oldest = if load.is_none() { graph.bound(loc, &graph.event(id).view()) } else { 0 };
                if self.put(id, loc, rank) < oldest || !has_order(&self.search.graph) {
                    return self.leave();
                }
                Attempt::Got(0)
            }
            (Request::Choice(count), Step::Chooses(value)) if value < count => {
                self.fibers[slot].done += 1;
                self.search.graph.append(slot, Event { kind: Kind::Choice, val: value, ..Event::default() });
                Attempt::Got(value)
            }
            (Request::Fence(ord), Step::Other) => {
                self.fibers[slot].done += 1;
                let id = self.search.graph.append(slot, Event { kind: Kind::Fence, ord, ..Event::default() });
                self.search.graph.fence(id);
                if has_order(&self.search.graph) { Attempt::Got(0) } else { self.leave() }
            }
            (Request::Begin(_) | Request::End | Request::Spawn(_) | Request::Join { .. }, Step::Other) => {
                self.fibers[slot].done += 1;
                self.extend(request, slot)
            }
            _ => self.leave(),
        }
    }

    /// The execution is none of this program: it has other operations, or its orderings forbid it.
    fn leave(&mut self) -> Attempt {
        self.halt(Stop::Discard);
        Attempt::Wait
    }

    /// The event that a step reads from, by the slots of this run, if it has been done.
    fn source(&self, source: Id) -> Option<Id> {
        if source == Id::INIT {
            return Some(source);
        }
        let key = self.guide.as_ref()?.trail.key(source.thread)?;
        let slot = self.search.graph.threads.iter().position(|thread| thread.key == key)?;
        let event = self.search.graph.threads[slot].events.get(usize::from(source.index))?;
        (event.kind == Kind::Store).then_some(Id { thread: slot as u8, ..source })
    }

    fn rank_of(&self, loc: u32, id: Id) -> u32 {
        let place = self.search.graph.place(loc, id);
        let ranks = self.guide.as_ref().and_then(|guide| guide.ranks.get(loc as usize));
        place.checked_sub(1).and_then(|index| ranks?.get(index).copied()).unwrap_or(0)
    }

    fn rank_before(&self, slot: usize, loc: u32, load: Option<Id>) -> u32 {
        let graph = &self.search.graph;
        let before = load.map(|load| graph.event(load).src).or_else(|| {
            let events = &graph.threads[slot].events;
            let index = events.iter().rposition(|event| event.kind == Kind::Store && event.loc == loc)?;
            Some(Id { thread: slot as u8, index: index as u16 })
        });
        before.map_or(0, |before| self.rank_of(loc, before))
    }

    fn put(&mut self, id: Id, loc: u32, rank: u32) -> usize {
        let Some(guide) = &mut self.guide else { return 0 };
        if guide.ranks.len() <= loc as usize {
            guide.ranks.resize_with(loc as usize + 1, Vec::new);
        }
        let ranks = &mut guide.ranks[loc as usize];
        let place = ranks.partition_point(|&other| other < rank);
        ranks.insert(place, rank);
        self.search.graph.insert(loc, place, id);
        place
    }

    /// Whether a thread wants more than the trail has for it: the trail is that of another program.
    pub(super) fn has_left_the_trail(&self) -> bool {
        self.fibers.iter().any(|fiber| match fiber.status {
            Status::New => !fiber.joins.is_some_and(|child| self.fibers[child].status != Status::Done),
            Status::Ready => fiber.coroutine.is_some(),
            _ => false,
        })
    }
}

/// Whether the sequentially consistent events can be put into one order.
fn has_order(graph: &Graph) -> bool {
    graph.sc < 2 || order::exists(graph)
}
