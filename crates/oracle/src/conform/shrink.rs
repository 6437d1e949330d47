//! From a sequence that disagrees to a shorter one that still does.
//!
//! | pass | tries |
//! |---|---|
//! | operations | to leave out half of them, then a quarter, and so on, down to each single one |
//! | numbers | zero in the place of each number, then bisects towards the smallest one |
//!
//! The passes alternate until neither changes the sequence, or the tries are used up. A sequence that still
//! disagrees replaces the one before it.

use std::io;

use super::rule::Rule;
use super::sequence::{Op, Sequence, Write};
use super::single::{Compared, Disagreement, Single};

/// The shortest disagreement found in at most `most` tries, each of which takes well under a millisecond, or
/// ten if the runtime dies of it. `None`: the sequence does not disagree when it is tried alone.
///
/// # Errors
/// The driver cannot be started.
pub fn shrink(sequence: &Sequence, single: &mut Single<'_>, rule: Rule, most: u32) -> io::Result<Option<Disagreement>> {
    let ask = |sequence: &Sequence| match single.compare(sequence, rule)? {
        Compared::Alike { .. } => Ok(None),
        // It ends with the first operation on which the two differ.
        Compared::Differs(found) => Ok(Some((found.sequence.clone(), *found))),
    };
    shortest(sequence, most, ask)
}

/// The result for the shortest sequence found for which `ask` has one. With it, `ask` returns the part of the
/// sequence that it takes.
fn shortest<T>(
    sequence: &Sequence,
    most: u32,
    mut ask: impl FnMut(&Sequence) -> io::Result<Option<(Sequence, T)>>,
) -> io::Result<Option<T>> {
    let Some((sequence, found)) = ask(sequence)? else { return Ok(None) };
    let mut shrinking = Shrinking { ask, left: most, sequence, found };
    while shrinking.operations()? | shrinking.numbers()? {}
    Ok(Some(shrinking.found))
}

struct Shrinking<T, Ask> {
    ask: Ask,
    left: u32,
    sequence: Sequence,
    found: T,
}

impl<T, Ask: FnMut(&Sequence) -> io::Result<Option<(Sequence, T)>>> Shrinking<T, Ask> {
    /// Whether this sequence replaces the shortest one.
    fn replaced_by(&mut self, other: Sequence) -> io::Result<bool> {
        let other = other.lawful();
        if self.left == 0 || other == self.sequence {
            return Ok(false);
        }
        self.left -= 1;
        let Some((sequence, found)) = (self.ask)(&other)? else { return Ok(false) };
        (self.sequence, self.found) = (sequence, found);
        Ok(true)
    }

    /// Leaves out operations; whether any.
    fn operations(&mut self) -> io::Result<bool> {
        let mut changed = false;
        let mut run = self.sequence.ops.len().div_ceil(2);
        while run > 0 {
            let mut at = 0;
            while at < self.sequence.ops.len() {
                let mut shorter = self.sequence.clone();
                shorter.ops.drain(at..shorter.ops.len().min(at + run));
                match self.replaced_by(shorter)? {
                    true => changed = true,
                    false => at += run,
                }
            }
            run /= 2;
        }
        Ok(changed)
    }

    /// Makes numbers smaller; whether any.
    fn numbers(&mut self) -> io::Result<bool> {
        let mut changed = false;
        let mut index = 0;
        while let Some(number) = numbers(&mut self.sequence.clone(), None).get(index).copied() {
            // The magnitude of a number that does not disagree, and of one that does.
            let (mut without, mut with) = (-1, number.abs());
            while with - without > 1 {
                let middle = if without < 0 { 0 } else { without + (with - without) / 2 };
                let mut smaller = self.sequence.clone();
                numbers(&mut smaller, Some((index, middle * number.signum())));
                match self.replaced_by(smaller)? {
                    true => (with, changed) = (middle, true),
                    false => without = middle,
                }
            }
            index += 1;
        }
        Ok(changed)
    }
}

/// All numbers of a sequence, in order. `new`: the one at this index is replaced first.
fn numbers(sequence: &mut Sequence, new: Option<(usize, i128)>) -> Vec<i128> {
    let mut all = Vec::new();
    let mut pass = |number: i128| {
        let number = new.filter(|(index, _)| *index == all.len()).map_or(number, |(_, new)| new);
        all.push(number);
        number
    };
    // Each number only gets smaller, so it fits its type.
    let Sequence { config, counts, ops } = sequence;
    for size in [&mut config.header, &mut config.words, &mut config.tags] {
        *size = pass(*size as i128) as usize;
    }
    for count in [&mut counts.data, &mut counts.tags] {
        *count = pass(i128::from(*count)) as u32;
    }
    for op in ops {
        match op {
            Op::Write(Write { time, tag, header, stack }) => {
                *time = pass(i128::from(*time)) as i64;
                for number in [tag, header, stack] {
                    *number = pass(i128::from(*number)) as u16;
                }
            }
            Op::Lose(count, time) => {
                *count = pass(i128::from(*count)) as u32;
                *time = pass(i128::from(*time)) as i64;
            }
            Op::Read | Op::Sleep | Op::Close => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::random::nth;

    /// A disagreement on a sleep after a record with at least five stack words.
    fn large_record_then_sleep(sequence: &Sequence) -> Option<Sequence> {
        let large = |op: &Op| matches!(op, Op::Write(write) if write.stack >= 5);
        let first = sequence.ops.iter().position(large)?;
        let sleep = first + sequence.ops[first..].iter().position(|op| *op == Op::Sleep)?;
        Some(Sequence { ops: sequence.ops[..=sleep].to_vec(), ..sequence.clone() })
    }

    fn shrunk(sequence: &Sequence, most: u32) -> (Option<String>, u32) {
        let mut tries = 0;
        let found = shortest(sequence, most, |sequence| {
            tries += 1;
            Ok(large_record_then_sleep(sequence).map(|part| (part.clone(), part.to_string())))
        });
        (found.unwrap(), tries)
    }

    #[test]
    fn only_what_disagrees_is_left() {
        let all: Vec<_> = (0..300).map(|number| nth(7, number)).collect();
        let some: Vec<_> = all.iter().filter(|s| large_record_then_sleep(s).is_some()).collect();
        assert!(some.len() > 50, "{}", some.len());
        for sequence in some {
            let (text, tries) = shrunk(sequence, 4000);
            let least = "new header=0 words=0 tags=0 at=0,0; write time=0 tag=0 header=0 stack=5; sleep";
            assert_eq!(text.as_deref(), Some(least), "from {sequence}");
            assert!(tries < 500, "{tries} tries for {sequence}");
        }
    }

    #[test]
    fn numbers_keep_their_sign_and_their_least_magnitude() {
        let sequence: Sequence = "new header=1 words=9 tags=3 at=7,8; lose count=4 time=-900".parse().unwrap();
        let early = |op: &Op| matches!(op, Op::Lose(_, time) if *time <= -33);
        let found = shortest(&sequence, 4000, |s| Ok(s.ops.iter().any(early).then(|| (s.clone(), s.to_string()))));
        let least = "new header=0 words=0 tags=0 at=0,0; lose count=0 time=-33";
        assert_eq!(found.unwrap().as_deref(), Some(least));
    }

    #[test]
    fn tries_are_limited_and_agreement_is_no_result() {
        let sequence = (0..).map(|number| nth(7, number)).find(|s| large_record_then_sleep(s).is_some()).unwrap();
        assert_eq!(shrunk(&sequence, 3).1, 1 + 3);
        let alike: Sequence = "new header=0 words=8 tags=2 at=0,0; read".parse().unwrap();
        assert_eq!(shrunk(&alike, 4000), (None, 1));
    }
}
