//! Explanations of executions of small programs.

use std::rc::Rc;

use super::*;
use crate::atomic::{AtomicU32, Ordering, fence};
use crate::{End, Explorer, thread};

/// The graph of the execution of two threads that gives these values.
fn graph<const N: usize>(
    wanted: [u32; N],
    first: impl Fn(&[AtomicU32; 2]) -> Vec<u32> + 'static,
    second: impl Fn(&[AtomicU32; 2]) -> Vec<u32> + 'static,
) -> Graph {
    let (first, second) = (Rc::new(first), Rc::new(second));
    let report = Explorer::new().run(move || {
        let words = Rc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let other = {
            let (words, first) = (Rc::clone(&words), Rc::clone(&first));
            thread::spawn(move || first(&words))
        };
        let mut values = second(&words);
        values.splice(0..0, other.join());
        values
    });
    report.ends[&End::Done(wanted.to_vec())].graph.clone()
}

fn message(release: Ordering, acquire: Ordering) -> Graph {
    graph(
        [1, 0],
        move |[x, y]| {
            x.store(1, Ordering::Relaxed);
            y.store(1, release);
            Vec::new()
        },
        move |[x, y]| vec![y.load(acquire), x.load(Ordering::Relaxed)],
    )
}

#[test]
fn a_message_without_release_and_acquire() {
    let ways = [
        (Ordering::Relaxed, Ordering::Relaxed, (true, true)),
        (Ordering::Release, Ordering::Relaxed, (false, true)),
        (Ordering::Relaxed, Ordering::Acquire, (true, false)),
    ];
    for (release, acquire, gap) in ways {
        let graph = message(release, acquire);
        assert_eq!(sequential(&graph, None), None);
        let weak = weak(&graph);
        assert_eq!(weak.len(), 1, "{weak:?}");
        assert_eq!(graph.event(weak[0].load).val, 0);
        assert_eq!((weak[0].source, graph.event(weak[0].newer).val), (Id::INIT, 1));
        let [found] = weak[0].gaps[..] else { panic!("{weak:?}") };
        assert_eq!((found.release, found.acquire), gap, "{release:?} {acquire:?}");
        assert_ne!(graph.event(found.edge.from).loc, graph.event(weak[0].load).loc, "the store of the other word");
    }
}

#[test]
fn a_fence_releases_and_acquires_for_others() {
    let graph = graph(
        [1, 0],
        |[x, y]| {
            x.store(1, Ordering::Relaxed);
            fence(Ordering::Release);
            y.store(1, Ordering::Relaxed);
            Vec::new()
        },
        |[x, y]| vec![y.load(Ordering::Relaxed), x.load(Ordering::Relaxed)],
    );
    let weak = weak(&graph);
    assert_eq!((weak[0].gaps[0].release, weak[0].gaps[0].acquire), (false, true));
}

#[test]
fn a_store_buffer_needs_more_than_release_and_acquire() {
    let graph = graph(
        [0, 0],
        |[x, y]| {
            x.store(1, Ordering::Release);
            vec![y.load(Ordering::Acquire)]
        },
        |[x, y]| {
            y.store(1, Ordering::Release);
            vec![x.load(Ordering::Acquire)]
        },
    );
    let weak = weak(&graph);
    assert_eq!(weak.len(), 1, "one cycle is told once: {weak:?}");
    let gaps: Vec<_> = weak[0].gaps.iter().map(|gap| (gap.edge.by, gap.release, gap.acquire)).collect();
    assert_eq!(gaps, [(Relation::Overwritten, false, false)]);
}

#[test]
fn an_execution_with_an_order() {
    let graph = message_in_order();
    let order = sequential(&graph, None).expect("an order");
    let events: usize = graph.threads.iter().map(|thread| thread.events.len()).sum();
    assert_eq!(order.len(), events);
    // Each load reads the newest store before it.
    for (at, &id) in order.iter().enumerate() {
        let event = graph.event(id);
        if event.kind == Kind::Load {
            let is_store =
                |other: &&Id| graph.event(**other).kind == Kind::Store && graph.event(**other).loc == event.loc;
            let newest = order[..at].iter().rev().find(is_store).copied().unwrap_or(Id::INIT);
            assert_eq!(newest, event.src);
        }
    }
    assert_eq!(weak(&graph), []);
    // An event is put last where that can be.
    let last = order.iter().copied().find(|id| graph.event(*id).kind == Kind::End && id.thread != 0).unwrap();
    let with_last = sequential(&graph, Some(last)).unwrap();
    assert_eq!(with_last.len(), events);
}

#[test]
fn a_read_modify_write_at_the_end_of_a_path_acquires_for_itself() {
    let graph = graph(
        [1],
        |[_, y]| {
            y.store(1, Ordering::Release);
            Vec::new()
        },
        |[_, y]| vec![y.swap(2, Ordering::Release)],
    );
    let behind = graph.threads[0].events.iter().rposition(|event| event.excl).unwrap() + 1;
    let (_, gaps) = between(&graph, Point { thread: 1, done: 1 }, Point { thread: 0, done: behind as u16 }).unwrap();
    let gaps: Vec<_> = gaps.iter().map(|gap| (gap.release, gap.acquire)).collect();
    assert_eq!(gaps, [(false, true)]);
}

fn message_in_order() -> Graph {
    graph(
        [1, 1],
        |[x, y]| {
            x.store(1, Ordering::Relaxed);
            y.store(1, Ordering::Relaxed);
            Vec::new()
        },
        |[x, y]| vec![y.load(Ordering::Relaxed), x.load(Ordering::Relaxed)],
    )
}

#[test]
fn a_read_modify_write_passes_on_what_it_does_not_acquire() {
    // The release of the first thread goes through the relaxed addition of the second to the third.
    let report = Explorer::new().run(|| {
        let words = Rc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let spawn = |body: fn(&[AtomicU32; 2]) -> u32| {
            let words = Rc::clone(&words);
            thread::spawn(move || body(&words))
        };
        let first = spawn(|[x, y]| {
            x.store(1, Ordering::Relaxed);
            y.store(1, Ordering::Release);
            0
        });
        let second = spawn(|[_, y]| y.fetch_add(1, Ordering::Relaxed));
        let seen = (words[1].load(Ordering::Relaxed), words[0].load(Ordering::Relaxed));
        first.join();
        (second.join(), seen)
    });
    let graph = &report.ends[&End::Done((1, (2, 0)))].graph;
    let weak = weak(graph);
    let gaps: Vec<_> = weak[0].gaps.iter().map(|gap| (gap.release, gap.acquire)).collect();
    assert_eq!(gaps, [(false, true)], "only the last load lacks something: {weak:?}");
}

#[test]
fn plain_accesses_that_no_value_orders() {
    let graph = message_in_order();
    let (other, main) = (1, 0);
    let first = Point { thread: other, done: 1 };
    let behind = graph.threads[0].events.iter().rposition(|event| event.kind == Kind::Load).unwrap() + 1;
    let (path, gaps) = between(&graph, first, Point { thread: main, done: behind as u16 }).expect("a path");
    assert!(path.iter().any(|edge| edge.by == Relation::Reads));
    assert_eq!((gaps[0].release, gaps[0].acquire), (true, true));
    assert_eq!(between(&graph, Point { thread: main, done: behind as u16 }, first), None);
}
