//! An answer in words, for people.

use super::ours::{ASLEEP, END_OF_FILE, NOTHING, RECORDS, STILL_ASLEEP};
use super::sequence::Op;

/// What these words say as the answer to this operation.
pub fn describe(op: Op, answer: &[u64]) -> String {
    let known = match op {
        Op::Write(_) | Op::Close => woken(answer).map(str::to_owned),
        Op::Read | Op::Sleep => read(answer),
        Op::Lose(..) => answer.is_empty().then(|| "done".to_owned()),
    };
    known.unwrap_or_else(|| format!("not an answer to this: {answer:x?}"))
}

fn woken(answer: &[u64]) -> Option<&'static str> {
    match answer {
        [0] => Some("the note has not been woken"),
        [1] => Some("the note has been woken"),
        _ => None,
    }
}

fn read(answer: &[u64]) -> Option<String> {
    let (&[status, words, tags], rest) = answer.split_first_chunk()?;
    let (words, tags) = (usize::try_from(words).ok()?, usize::try_from(tags).ok()?);
    if rest.len() != words.checked_add(tags)? {
        return None;
    }
    match status {
        NOTHING => Some("nothing".to_owned()),
        END_OF_FILE => Some("end of file".to_owned()),
        ASLEEP => Some("falls asleep".to_owned()),
        STILL_ASLEEP => Some("still asleep".to_owned()),
        RECORDS => {
            let (words, tags) = rest.split_at(words);
            Some(format!("words {words:x?} tags {tags:?}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Op::Close, &[1], "the note has been woken")]
    #[case(Op::Close, &[2], "not an answer to this: [2]")]
    #[case(Op::Read, &[0, 0, 0], "nothing")]
    #[case(Op::Sleep, &[3, 0, 0], "falls asleep")]
    #[case(Op::Read, &[1, 3, 1, 3, 0x10, 0x20, 7], "words [3, 10, 20] tags [7]")]
    #[case(Op::Read, &[1, 3, 1, 3, 0x10, 0x20], "not an answer to this: [1, 3, 1, 3, 10, 20]")]
    #[case(Op::Read, &[9, 0, 0], "not an answer to this: [9, 0, 0]")]
    #[case(Op::Read, &[1, u64::MAX, 1], "not an answer to this: [1, ffffffffffffffff, 1]")]
    #[case(Op::Lose(1, 2), &[], "done")]
    fn answers_are_told(#[case] op: Op, #[case] answer: &[u64], #[case] told: &str) {
        assert_eq!(describe(op, answer), told);
    }
}
