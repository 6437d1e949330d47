//! Where handlers arrive in the texts of their threads.

use crate::enumerate::Ops;
use crate::program::Op;

/// What is done with the texts in which the handlers stand, and the thread and place of each of these.
pub type Each<'a> = dyn FnMut(&[Ops], &[(usize, usize)]) + 'a;

/// Two handlers of one thread may each interrupt the other, so each is put into the text first once.
pub fn orders(handlers: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    permutations(&(0..handlers).collect::<Vec<_>>(), &|_, _| true, &mut Vec::new(), &mut all);
    all
}

/// Puts the handlers that are left into the texts, at every place or not at all. `each` gets the texts, and
/// of each handler in them its thread and its place.
pub fn place(
    handlers: &[(usize, Ops)],
    left: &[usize],
    texts: &[Ops],
    inserted: &mut Vec<(usize, usize)>,
    each: &mut Each<'_>,
) {
    let Some((&next, left)) = left.split_first() else {
        each(texts, inserted);
        return;
    };
    let (thread, ops) = &handlers[next];
    for position in (0..=texts[*thread].len()).filter(|&position| is_open(&texts[*thread], position)) {
        let mut texts = texts.to_vec();
        texts[*thread].splice(position..position, ops.iter().copied());
        let moved = |&(other, at): &(usize, usize)| {
            (other, if other == *thread && at >= position { at + ops.len() } else { at })
        };
        let mut inserted: Vec<_> = inserted.iter().map(moved).collect();
        inserted.push((*thread, position));
        inserted.sort_unstable();
        place(handlers, left, &texts, &mut inserted, each);
    }
    place(handlers, left, texts, inserted, each);
}

/// Whether a handler may come at this place of a text.
fn is_open(text: &Ops, place: usize) -> bool {
    let closed = |ops: &[(usize, Op, bool)], from_end: bool| {
        let mut found = ops.iter().filter_map(|&(_, op, _)| if let Op::Closed(is) = op { Some(is) } else { None });
        if from_end { found.next_back() } else { found.next() }
    };
    closed(&text[..place], true).map_or_else(|| closed(&text[place..], false) != Some(false), |is_closed| !is_closed)
}

/// Every order of what is left, behind what is chosen, in which `b` is before an `a` that was before it
/// only if it may pass it.
pub fn permutations(
    left: &[usize],
    may_pass: &dyn Fn(usize, usize) -> bool,
    chosen: &mut Vec<usize>,
    all: &mut Vec<Vec<usize>>,
) {
    if left.is_empty() {
        all.push(chosen.clone());
    }
    for (nth, &next) in left.iter().enumerate() {
        if left[..nth].iter().all(|&before| may_pass(before, next)) {
            let rest: Vec<_> = left[..nth].iter().chain(&left[nth + 1..]).copied().collect();
            chosen.push(next);
            permutations(&rest, may_pass, chosen, all);
            chosen.pop();
        }
    }
}
