//! The order of the sequentially consistent events: RC11's psc must have no cycle.
//!
//! ```text
//! scb  = sb ∪ sb≠loc;hb;sb≠loc ∪ hb=loc ∪ mo ∪ rb
//! psc  = ([SC] ∪ [F.SC];hb?) ; scb ; ([SC] ∪ hb?;[F.SC])  ∪  [F.SC] ; (hb ∪ hb;eco;hb) ; [F.SC]
//! ```
//!
//! rb relates a load to the writes after its source, eco is (rf ∪ mo ∪ rb)+. Each event gets two sets of
//! sequentially consistent events as bit masks: those from which a step of scb may begin at it, and those at
//! which one may end.

use super::{Event, Graph, Id, Kind, bits};

/// The most sequentially consistent events in an execution.
pub const MOST: usize = 128;

struct Node<'a> {
    id: Id,
    event: &'a Event,
    /// Twice the place in the modification order of what it wrote or read; a load stands behind its source.
    place: usize,
    begins: u128,
    ends: u128,
}

impl Node<'_> {
    fn is_access(&self) -> bool {
        matches!(self.event.kind, Kind::Load | Kind::Store)
    }

    fn meets(&self, other: &Self) -> bool {
        self.is_access() && other.is_access() && self.event.loc == other.event.loc
    }

    fn happens_before(&self, other: &Self) -> bool {
        self.id != other.id && other.event.hb.has(self.id)
    }
}

/// Whether the sequentially consistent events of `graph` can be put into one order.
///
/// # Panics
///
/// If there are more than [`MOST`] of them.
pub fn exists(graph: &Graph) -> bool {
    let mut nodes = Vec::with_capacity(64);
    let mut sc = Vec::with_capacity(16);
    for (slot, thread) in (0_u8..).zip(&graph.threads) {
        for (index, event) in (0_u16..).zip(&thread.events) {
            let id = Id { thread: slot, index };
            let place = match event.kind {
                Kind::Load => 2 * graph.place(event.loc, event.src) + 1,
                Kind::Store => 2 * graph.place(event.loc, id),
                _ => 0,
            };
            if event.ord & bits::SC != 0 {
                sc.push(nodes.len());
            }
            if matches!(event.kind, Kind::Load | Kind::Store | Kind::Fence) {
                nodes.push(Node { id, event, place, begins: 0, ends: 0 });
            }
        }
    }
    assert!(sc.len() <= MOST, "explore: {} sequentially consistent events; {MOST} are possible", sc.len());
    let mut fences = 0_u128;
    for (number, &own) in sc.iter().enumerate() {
        let bit = 1_u128 << number;
        nodes[own].begins |= bit;
        nodes[own].ends |= bit;
        if nodes[own].event.kind != Kind::Fence {
            continue;
        }
        fences |= bit;
        for other in 0..nodes.len() {
            if nodes[own].happens_before(&nodes[other]) {
                nodes[other].begins |= bit;
            }
            if nodes[other].happens_before(&nodes[own]) {
                nodes[other].ends |= bit;
            }
        }
    }
    let mut next = [0_u128; MOST];
    for a in nodes.iter().filter(|node| node.begins != 0) {
        for b in nodes.iter().filter(|node| node.ends != 0) {
            if a.id == b.id {
                continue;
            }
            let step = before(graph, a, b);
            let both = a.meets(b);
            let eco = both && (a.place < b.place);
            if step {
                each(a.begins, |from| next[from] |= b.ends);
            }
            if eco {
                each(a.begins & fences, |from| next[from] |= b.ends & fences);
            }
        }
    }
    for (number, &own) in sc.iter().enumerate() {
        if nodes[own].event.kind == Kind::Fence {
            for (other_number, &other) in sc.iter().enumerate() {
                if nodes[other].event.kind == Kind::Fence && nodes[own].happens_before(&nodes[other]) {
                    next[number] |= 1 << other_number;
                }
            }
        }
    }
    acyclic(&next[..sc.len()])
}

fn each(mut set: u128, mut what: impl FnMut(usize)) {
    while set != 0 {
        what(set.trailing_zeros() as usize);
        set &= set - 1;
    }
}

/// Whether `a` is before `b` in scb.
fn before(graph: &Graph, a: &Node<'_>, b: &Node<'_>) -> bool {
    if a.id.thread == b.id.thread && a.id.index < b.id.index {
        return true;
    }
    if a.meets(b) {
        let is_store = b.event.kind == Kind::Store;
        if (is_store && a.place < b.place) || a.happens_before(b) {
            return true;
        }
    }
    let other = |event: &Event, than: &Node<'_>| {
        matches!(event.kind, Kind::Load | Kind::Store | Kind::Fence) && !(than.is_access() && is_at(event, than))
    };
    let after_a = graph.threads[usize::from(a.id.thread)].events.iter().enumerate().skip(usize::from(a.id.index) + 1);
    let Some((first, _)) = after_a.into_iter().find(|(_, event)| other(event, a)) else { return false };
    let before_b = graph.threads[usize::from(b.id.thread)].events[..usize::from(b.id.index)].iter().enumerate();
    let Some((_, last)) = before_b.rev().find(|(_, event)| other(event, b)) else { return false };
    let first = Id { thread: a.id.thread, index: u16::try_from(first).expect("an index") };
    last.hb.has(first) && a.id.thread != b.id.thread
}

fn is_at(event: &Event, node: &Node<'_>) -> bool {
    matches!(event.kind, Kind::Load | Kind::Store) && event.loc == node.event.loc
}

/// Whether the relation `next` has no cycle.
fn acyclic(next: &[u128]) -> bool {
    let mut left = if next.len() == MOST { u128::MAX } else { (1_u128 << next.len()) - 1 };
    loop {
        let mut ends = 0_u128;
        each(left, |node| {
            if next[node] & left == 0 {
                ends |= 1 << node;
            }
        });
        if ends == 0 {
            return left == 0;
        }
        left &= !ends;
    }
}
