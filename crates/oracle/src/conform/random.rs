//! Random sequences: small rings, records around the size of the ring and larger, absent tags, short headers,
//! counts about to wrap, a reader that polls or sleeps, and a close at any time.
//!
//! A seed and a number name a sequence. No library of property tests makes them: `cargo xtask` would be built
//! with it, for this one verb.

use std::ops::RangeInclusive;

use fastrand::Rng;
use sigproof_profbuf::{Config, Counts};

use super::sequence::{Op, Sequence, Write};

/// A sequence has fewer operations.
const OPS: usize = 60;

/// Sequence `number` of `seed`: the same one each time.
pub fn nth(seed: u64, number: u64) -> Sequence {
    // Similar seeds make similar sequences, so the number is spread over all bits.
    let mut random = Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let random = &mut random;
    let config = Config { header: random.usize(..4), words: random.usize(..70), tags: random.usize(..20) };
    let counts = Counts { data: data_count(random), tags: tag_count(random) };
    let polls = random.bool();
    let mut ops = Vec::from_iter(lost(random));
    let count = random.usize(..OPS);
    ops.extend((0..count).map(|_| op(config, polls, random)));
    Sequence { config, counts, ops }.lawful()
}

/// An index, with these weights.
fn weighted<const N: usize>(weights: [u32; N], random: &mut Rng) -> usize {
    let mut rest = random.u32(..weights.iter().sum::<u32>());
    let lies_in = |weight: &u32| {
        let here = rest < *weight;
        rest = rest.saturating_sub(*weight);
        here
    };
    weights.iter().position(lies_in).unwrap_or_default()
}

fn op(config: Config, polls: bool, random: &mut Rng) -> Op {
    match weighted([60, 20, 20, 1], random) {
        0 => Op::Write(record(config, random)),
        1 => Op::Read,
        2 if polls => Op::Read,
        2 => Op::Sleep,
        _ => Op::Close,
    }
}

fn record(config: Config, random: &mut Rng) -> Write {
    let words = config.words.max(4) as u16;
    let time = if weighted([8, 1], random) == 0 { random.i64(..1_000_000) } else { any_time(random) };
    let tag = if weighted([2, 5], random) == 0 { 0 } else { random.u16(1..1000) };
    let stack = match weighted([5, 2, 1], random) {
        0 => random.u16(..8),
        1 => random.u16(..=words),
        _ => random.u16(words..words * 2 + 3),
    };
    Write { time, tag, header: random.u16(..=config.header as u16), stack }
}

fn any_time(random: &mut Rng) -> i64 {
    random.i64(..)
}

/// In one sequence of ten: lost records, few, or so many that one or two more reach the largest count.
fn lost(random: &mut Rng) -> Option<Op> {
    const MANY: RangeInclusive<u32> = u32::MAX - 2..=u32::MAX;
    if weighted([9, 1], random) == 0 {
        return None;
    }
    let count = if random.bool() { random.u32(1..4) } else { random.u32(MANY) };
    Some(Op::Lose(count, any_time(random)))
}

/// Zero, or a little before it wraps, or anything.
fn data_count(random: &mut Rng) -> u32 {
    match random.u8(..3) {
        0 => 0,
        1 => 0_u32.wrapping_sub(random.u32(..200)),
        _ => random.u32(..),
    }
}

/// The same; it has 30 bits.
fn tag_count(random: &mut Rng) -> u32 {
    const END: u32 = 1 << 30;
    match random.u8(..3) {
        0 => 0,
        1 => END - 1 - random.u32(..60),
        _ => random.u32(..END),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::ours;
    use crate::conform::rule::Rule;
    use std::collections::BTreeSet;

    #[test]
    fn a_number_names_a_sequence() {
        let some: Vec<_> = (0..50).map(|number| nth(7, number)).collect();
        assert!((0..50).all(|number| nth(7, number) == some[number as usize]));
        assert!(some.windows(2).all(|two| two[0] != two[1]));
        assert_ne!(nth(8, 0), some[0]);
    }

    #[test]
    fn consecutive_numbers_are_independent() {
        let some: Vec<_> = (0..2000).map(|number| nth(7, number)).collect();
        let kinds = |of: fn(&Sequence) -> usize| some.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!((kinds(|s| s.config.header), kinds(|s| s.config.words), kinds(|s| s.config.tags)), (4, 70, 20));
        for rules in [[Rule::KeepsFlag, Rule::EveryRecord], [Rule::EveryRecord, Rule::HalfFull]] {
            let [one, other] = rules.map(|rule| some.iter().map(move |s| ours::run(s, rule).unwrap()));
            let differ = one.zip(other).filter(|(one, other)| one != other).count();
            assert!(differ > some.len() / 20, "only {differ} of {} tell {rules:?} apart", some.len());
        }
    }

    #[test]
    fn every_part_that_is_listed_occurs() {
        let some: Vec<_> = (0..2000).map(|number| nth(7, number)).collect();
        let has = |what: fn(&Sequence, &Op) -> bool| some.iter().any(|s| s.ops.iter().any(|op| what(s, op)));
        assert!(has(|_, op| *op == Op::Sleep) && has(|_, op| *op == Op::Close) && has(|_, op| *op == Op::Read));
        assert!(has(|_, op| matches!(op, Op::Lose(u32::MAX, _))) && has(|_, op| matches!(op, Op::Lose(1, _))));
        assert!(has(|s, op| matches!(op, Op::Write(w) if usize::from(w.stack) > s.config.words.max(4) * 2)));
        assert!(has(|s, op| matches!(op, Op::Write(w) if w.tag == 0 && usize::from(w.header) < s.config.header)));
        assert!(has(|_, op| matches!(op, Op::Write(w) if w.time < 0)));
        assert!(some.iter().any(|s| s.counts.data > u32::MAX - 200) && some.iter().any(|s| s.counts.data == 0));
        assert!(some.iter().any(|s| s.counts.tags > (1 << 30) - 61) && some.iter().all(|s| s.counts.tags < 1 << 30));
    }
}
