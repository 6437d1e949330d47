//! From a sequence that disagrees to the shortest found that does.

use std::io;

use proptest::strategy::{Strategy, ValueTree};

use super::rule::Rule;
use super::sequence::Sequence;
use super::single::{Compared, Disagreement, Single};
use super::strategy::tree;

/// The most sequences tried. Each takes well under a millisecond, unless the runtime dies of it.
const TRIES: u32 = 4000;

/// The shortest of what sequence `number` of `seed` can be shrunk to; `None` if that sequence does not disagree after all.
///
/// # Errors
/// The driver cannot be started.
pub fn shrink(
    strategy: &impl Strategy<Value = Sequence>,
    seed: u64,
    number: u64,
    single: &mut Single<'_>,
    rule: Rule,
) -> io::Result<Option<Disagreement>> {
    let Ok(mut tree) = tree(strategy, seed, number) else { return Ok(None) };
    let mut best = match single.compare(&tree.current(), rule)? {
        Compared::Alike { .. } => return Ok(None),
        Compared::Differs(found) => *found,
    };
    let mut tries = 0;
    let mut more = tree.simplify();
    while more && tries < TRIES {
        tries += 1;
        more = match single.compare(&tree.current(), rule)? {
            Compared::Differs(found) => {
                best = *found;
                tree.simplify()
            }
            Compared::Alike { .. } => tree.complicate(),
        };
    }
    without_any_op(best, single, rule).map(Some)
}

/// Leaves out whatever single operation can be left out: the strategy's own shrinking keeps what it drew beside the operations.
fn without_any_op(mut best: Disagreement, single: &mut Single<'_>, rule: Rule) -> io::Result<Disagreement> {
    let mut at = 0;
    while at < best.sequence.ops.len() {
        let mut shorter = best.sequence.clone();
        shorter.ops.remove(at);
        match single.compare(&shorter, rule)? {
            Compared::Differs(found) => best = *found,
            Compared::Alike { .. } => at += 1,
        }
    }
    Ok(best)
}
