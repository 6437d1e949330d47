//! The orders in which a compiler may put the operations of a thread: every permutation that keeps the pairs
//! which must stay in order.

use sigproof_explore::atomic::Ordering;

use crate::enumerate::Ops;
use crate::program::Op;

/// The texts with the operations of `thread` in each possible order.
pub fn orders_of(texts: &[Ops], thread: usize) -> Vec<Vec<Ops>> {
    let mut all = Vec::new();
    extend(&texts[thread], &mut Vec::new(), &mut all);
    let text = |order: Ops| {
        let mut texts = texts.to_vec();
        texts[thread] = order;
        texts
    };
    all.into_iter().map(text).collect()
}

fn extend(ops: &Ops, chosen: &mut Vec<usize>, all: &mut Vec<Ops>) {
    if chosen.len() == ops.len() {
        all.push(chosen.iter().map(|&nth| ops[nth]).collect());
    }
    for nth in (0..ops.len()).filter(|nth| !chosen.contains(nth)).collect::<Vec<_>>() {
        if (0..nth).all(|before| chosen.contains(&before) || !stay(ops[before].1, ops[nth].1)) {
            chosen.push(nth);
            extend(ops, chosen, all);
            chosen.pop();
        }
    }
}

/// Whether `a`, which is before `b` in the text, stays before it.
fn stay(a: Op, b: Op) -> bool {
    let at = |op: Op| match op {
        Op::Load(at, _)
        | Op::Store(at, ..)
        | Op::Add(at, ..)
        | Op::Swap(at, ..)
        | Op::Cas(at, ..)
        | Op::Weak(at, ..) => Some(at),
        _ => None,
    };
    if at(a).is_some() && at(a) == at(b) {
        return true;
    }
    let sinks = matches!(a, Op::Store(_, _, Ordering::Relaxed)) && !stops(b, Ordering::Release);
    let rises = matches!(b, Op::Load(_, Ordering::Relaxed)) && !stops(a, Ordering::Acquire);
    !(sinks || rises)
}

/// Whether an operation releases, or acquires: nothing sinks below the one, or rises above the other.
fn stops(op: Op, side: Ordering) -> bool {
    let has = |order: Ordering| matches!(order, Ordering::AcqRel | Ordering::SeqCst) || order == side;
    match op {
        Op::Load(_, order) | Op::Store(_, _, order) | Op::Add(_, _, order) | Op::Swap(_, _, order) => has(order),
        Op::Fence(order) | Op::Compiler(order) => has(order),
        Op::Cas(_, _, _, success, failure) | Op::Weak(_, _, _, success, failure) => has(success) || has(failure),
        Op::Await(..) | Op::Spawn(_) | Op::Join(_) | Op::Closed(_) => true,
    }
}
