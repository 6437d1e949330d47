//! Sequences at random: small rings, records around their size and beyond it, absent tags, short headers,
//! counts about to wrap, a reader that polls or sleeps, and a close at any time.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::{Config as Settings, RngAlgorithm, TestRng, TestRunner};
use sigproof_oracle::conform::sequence::{Op, Sequence, Write};
use sigproof_profbuf::{Config, Counts};

/// The most operations of a sequence.
const OPS: usize = 60;

/// All sequences of lawful operations.
pub fn sequences() -> impl Strategy<Value = Sequence> {
    (0..4_usize, 0..70_usize, 0..20_usize, counts(), any::<bool>()).prop_flat_map(
        |(header, words, tags, counts, polls)| {
            let config = Config { header, words, tags };
            (lost(), vec(op(header as u16, words.max(4) as u16, polls), 0..OPS)).prop_map(move |(lost, mut ops)| {
                if let Some((count, time)) = lost {
                    ops.insert(0, Op::Lose(count, time));
                }
                Sequence { config, counts, ops }.lawful()
            })
        },
    )
}

fn op(header: u16, words: u16, polls: bool) -> impl Strategy<Value = Op> {
    let stack = prop_oneof![5 => 0..8_u16, 2 => 0..=words, 1 => words..words * 2 + 3];
    let tag = prop_oneof![2 => Just(0), 5 => 1..1000_u16];
    let time = prop_oneof![8 => 0..1_000_000_i64, 1 => any::<i64>()];
    let record = (time, tag, 0..=header, stack)
        .prop_map(|(time, tag, header, stack)| Op::Write(Write { time, tag, header, stack }));
    let sleep = if polls { Op::Read } else { Op::Sleep };
    prop_oneof![60 => record, 20 => Just(Op::Read), 20 => Just(sleep), 1 => Just(Op::Close)]
}

/// Mostly none; now and then so many that one more or two more reach the top of the count.
fn lost() -> impl Strategy<Value = Option<(u32, i64)>> {
    let some = (prop_oneof![1..4_u32, u32::MAX - 2..=u32::MAX], any::<i64>());
    prop_oneof![9 => Just(None), 1 => some.prop_map(Some)]
}

/// Counts from zero, from just below each wrap, from anywhere.
fn counts() -> impl Strategy<Value = Counts> {
    let data = prop_oneof![Just(0), (0..200_u32).prop_map(|below| 0_u32.wrapping_sub(below)), any::<u32>()];
    let tags = prop_oneof![Just(0), (0..60_u32).prop_map(|below| (1 << 30) - 1 - below), 0..1_u32 << 30];
    (data, tags).prop_map(|(data, tags)| Counts { data, tags })
}

/// Sequence `number` of a seed, with all that it could be shrunk to. The same, whenever it is asked for.
pub fn tree<S: Strategy>(strategy: &S, seed: u64, number: u64) -> NewTree<S> {
    // The generator gives much the same numbers for much the same seeds: so neither the seed nor the number
    // is one as it is.
    let mut mixed = fastrand::Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut bytes = [0; 16];
    mixed.fill(&mut bytes);
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    let settings = Settings { failure_persistence: None, ..Settings::default() };
    strategy.new_tree(&mut TestRunner::new_with_rng(settings, rng))
}

/// Sequence `number` of a seed.
///
/// # Errors
/// The strategy's, which has none.
pub fn nth(strategy: &impl Strategy<Value = Sequence>, seed: u64, number: u64) -> Result<Sequence, String> {
    tree(strategy, seed, number).map(|tree| tree.current()).map_err(|reason| reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_oracle::conform::ours;
    use sigproof_oracle::conform::rule::Rule;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_sequence_is_read_back_from_its_text(sequence in sequences()) {
            prop_assert_eq!(sequence.to_string().parse(), Ok(sequence));
        }
    }

    #[test]
    fn a_number_names_a_sequence() {
        let all = sequences();
        let some: Vec<_> = (0..50).map(|number| nth(&all, 7, number).unwrap()).collect();
        assert!((0..50).all(|number| nth(&all, 7, number).unwrap() == some[number as usize]));
        assert!(some.windows(2).all(|two| two[0] != two[1]));
        assert_ne!(nth(&all, 8, 0).unwrap(), some[0]);
    }

    #[test]
    fn numbers_in_a_row_have_nothing_in_common() {
        let all = sequences();
        let some: Vec<_> = (0..2000).map(|number| nth(&all, 7, number).unwrap()).collect();
        let kinds = |of: fn(&Sequence) -> usize| some.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!((kinds(|s| s.config.header), kinds(|s| s.config.words), kinds(|s| s.config.tags)), (4, 70, 20));
        for rules in [[Rule::KeepsFlag, Rule::EveryRecord], [Rule::EveryRecord, Rule::HalfFull]] {
            let [one, other] = rules.map(|rule| some.iter().map(move |s| ours::run(s, rule).unwrap()));
            let differ = one.zip(other).filter(|(one, other)| one != other).count();
            assert!(differ > some.len() / 20, "only {differ} of {} tell {rules:?} apart", some.len());
        }
    }
}
