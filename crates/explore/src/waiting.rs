//! A graph of an unfinished search as a text: another process with the same program goes on from it.
//!
//! The text is the [`Trail`] of the graph and, for each event, when it was added: `TRAIL!NEXT!0.1.4-2.3`. It
//! holds no address. A run along the trail builds the graph again.

use std::fmt::Write;

use crate::explorer::Explorer;
use crate::graph::{Graph, Id};
use crate::trail::Trail;
use crate::walk::Walk;

/// A graph that waits, apart from its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    trail: Trail,
    next: u32,
    /// Of each thread of the trail, the stamps of its events.
    stamps: Vec<Vec<u32>>,
}

impl Waiting {
    /// That of a graph.
    pub fn of(graph: &Graph) -> Self {
        let mut threads: Vec<_> = graph.threads.iter().filter(|thread| !thread.events.is_empty()).collect();
        threads.sort_by_key(|thread| thread.key);
        let stamps = threads.iter().map(|thread| thread.events.iter().map(|event| event.stamp).collect()).collect();
        Self { trail: Trail::of(graph), next: graph.stamp, stamps }
    }

    /// As a text.
    pub fn text(&self) -> String {
        let mut text = format!("{}!{}!", self.trail.text(), self.next);
        for (number, stamps) in self.stamps.iter().enumerate() {
            text.push_str(if number > 0 { "-" } else { "" });
            for (index, stamp) in stamps.iter().enumerate() {
                let _ = write!(text, "{}{stamp}", if index > 0 { "." } else { "" });
            }
        }
        text
    }

    /// From a text; `None` if it is not one.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('!');
        let (trail, next, stamps) = (parts.next()?, parts.next()?, parts.next()?);
        let of_thread = |text: &str| text.split('.').map(|stamp| stamp.parse().ok()).collect::<Option<Vec<u32>>>();
        if stamps.is_empty() {
            // Nothing has been run yet.
            return (trail.is_empty() && parts.next().is_none()).then(|| Self::of(&Graph::default()));
        }
        let stamps = stamps.split('-').map(of_thread).collect::<Option<Vec<_>>>()?;
        let found = Self { trail: Trail::read(trail)?, next: next.parse().ok()?, stamps };
        parts.next().is_none().then_some(found)
    }

    /// A walk whose first run builds the graph again.
    pub fn walk(&self, explorer: &Explorer) -> Walk {
        Walk::along(explorer, self.trail.clone())
    }

    /// The graph that this walk has built; `None` if the program is not the one of the text.
    pub fn graph(&self, walk: &Walk) -> Option<Graph> {
        let mut graph = walk.graph().clone();
        if Trail::of(&graph) != self.trail {
            return None;
        }
        let mut slots: Vec<usize> =
            (0..graph.threads.len()).filter(|&slot| !graph.threads[slot].events.is_empty()).collect();
        slots.sort_by_key(|&slot| graph.threads[slot].key);
        if slots.len() != self.stamps.len() {
            return None;
        }
        for (&slot, stamps) in slots.iter().zip(&self.stamps) {
            if graph.threads[slot].events.len() != stamps.len() {
                return None;
            }
            for (index, &stamp) in (0_u16..).zip(stamps) {
                graph.event_mut(Id { thread: u8::try_from(slot).ok()?, index }).stamp = stamp;
            }
        }
        graph.stamp = self.next;
        Some(graph)
    }
}
