//! From a sequence that disagrees to the shortest found that does.

use std::io;

use proptest::strategy::{Strategy, ValueTree};
use sigproof_oracle::conform::rule::Rule;
use sigproof_oracle::conform::sequence::{Op, Sequence};
use sigproof_oracle::conform::single::{Compared, Disagreement, Single};
use sigproof_profbuf::Counts;

use super::strategy::tree;

/// The shortest of what sequence `number` of `seed` can be shrunk to, in about so many tries, each of which
/// takes well under a millisecond, or ten if the runtime dies of it; `None` if that sequence does not
/// disagree after all.
///
/// # Errors
/// The driver cannot be started.
pub fn shrink(
    strategy: &impl Strategy<Value = Sequence>,
    seed: u64,
    number: u64,
    single: &mut Single<'_>,
    rule: Rule,
    most: u32,
) -> io::Result<Option<Disagreement>> {
    let Ok(mut tree) = tree(strategy, seed, number) else { return Ok(None) };
    let mut best = match single.compare(&tree.current(), rule)? {
        Compared::Alike { .. } => return Ok(None),
        Compared::Differs(found) => *found,
    };
    let mut tries = 0;
    let mut more = tree.simplify();
    while more && tries < most {
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

/// Leaves out whatever single operation can be left out: the strategy's own shrinking keeps what it drew
/// beside the operations.
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
    for plain in plainer(&best.sequence) {
        if let Compared::Differs(found) = single.compare(&plain, rule)? {
            best = *found;
        }
    }
    Ok(best)
}

/// Without what seldom matters: counts that are not zero; times and tags that are not small.
fn plainer(sequence: &Sequence) -> [Sequence; 2] {
    let counted = Sequence { counts: Counts::default(), ..sequence.clone() };
    let mut small = counted.clone();
    for (at, op) in small.ops.iter_mut().enumerate() {
        if let Op::Write(write) = op {
            (write.time, write.tag) = (at as i64, write.tag.min(1));
        }
    }
    [counted, small]
}
