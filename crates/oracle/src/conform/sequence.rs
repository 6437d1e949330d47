//! What is done to a buffer: as a value, as a line of text that can be kept and replayed, and as the words of
//! a request.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sigproof_profbuf::{Config, Counts};

/// A buffer, and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sequence {
    pub config: Config,
    /// Where its counts start.
    pub counts: Counts,
    /// What is done.
    pub ops: Vec<Op>,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A record is written. Its words follow from its place in the sequence: see [`words_of`].
    Write(Write),
    /// A non-blocking read.
    Read,
    /// A blocking read.
    Sleep,
    /// The end of the file.
    Close,
    /// So many records count as dropped, the first of them at that time. Only before everything else.
    Lose(u32, i64),
}

/// What a record is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    pub time: i64,
    /// Its tag; 0 is none.
    pub tag: u16,
    /// Header words given.
    pub header: u16,
    /// Stack words given.
    pub stack: u16,
}

/// How a request wants its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// All at once.
    Bulk,
    /// Each before the next operation begins.
    Careful,
}

impl Sequence {
    /// Without what would be misuse after the end of the file, and without more header words than there are:
    /// both sides have it forbidden, each in its own way, and [`decisions`](super::decisions) covers that.
    #[must_use]
    pub fn lawful(mut self) -> Self {
        let mut closed = false;
        let limit = self.config.header.min(usize::from(u16::MAX)) as u16;
        self.ops.retain_mut(|op| match op {
            Op::Write(write) => {
                write.header = write.header.min(limit);
                !closed
            }
            Op::Close => !std::mem::replace(&mut closed, true),
            Op::Read | Op::Sleep | Op::Lose(..) => true,
        });
        self
    }

    /// Whether no read of it sleeps, so that a buffer without a note will do.
    pub fn only_polls(&self) -> bool {
        !self.ops.contains(&Op::Sleep)
    }

    /// The words of a request for the first `count` operations, appended.
    pub fn request(&self, count: usize, delivery: Delivery, to: &mut Vec<u64>) {
        let Config { header, words, tags } = self.config;
        let mode = match delivery {
            Delivery::Bulk => 0,
            Delivery::Careful => 1,
        };
        to.extend([mode, header as u64, words as u64, tags as u64]);
        to.extend([u64::from(self.counts.data), u64::from(self.counts.tags)]);
        for (at, op) in self.ops.iter().enumerate().take(count) {
            match *op {
                Op::Write(write) => {
                    let (header, stack) = (u64::from(write.header), u64::from(write.stack));
                    to.extend([0, write.time as u64, u64::from(write.tag), header, stack]);
                    to.extend(words_of(at, write));
                }
                Op::Read => to.push(1),
                Op::Sleep => to.push(2),
                Op::Close => to.push(3),
                Op::Lose(count, time) => to.extend([4, u64::from(count), time as u64]),
            }
        }
    }
}

/// The header words and the stack words of the record written by operation `at`. No two are alike, and none
/// is zero.
pub fn words_of(at: usize, write: Write) -> impl Iterator<Item = u64> {
    let base = (at as u64 + 1) << 32;
    let header = (1..=u64::from(write.header)).map(move |word| base | 1 << 24 | word);
    header.chain((1..=u64::from(write.stack)).map(move |word| base | word))
}

/// `new header=1 words=8 tags=2 at=0,0; write time=5 tag=1 header=1 stack=2; read; sleep; close`
impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { header, words, tags } = self.config;
        write!(f, "new header={header} words={words} tags={tags} at={},{}", self.counts.data, self.counts.tags)?;
        self.ops.iter().try_for_each(|op| write!(f, "; {op}"))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(Write { time, tag, header, stack }) => {
                write!(f, "write time={time} tag={tag} header={header} stack={stack}")
            }
            Self::Read => f.write_str("read"),
            Self::Sleep => f.write_str("sleep"),
            Self::Close => f.write_str("close"),
            Self::Lose(count, time) => write!(f, "lose count={count} time={time}"),
        }
    }
}

/// Why a text is not a sequence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{part}' is not part of a sequence such as 'new header=1 words=8 tags=2 at=0,0; write time=5 tag=1 header=1 stack=2; read; sleep; close'"
)]
pub struct NotASequence {
    /// What is not understood.
    pub part: String,
}

impl From<Sequence> for String {
    fn from(sequence: Sequence) -> Self {
        sequence.to_string()
    }
}

impl TryFrom<String> for Sequence {
    type Error = NotASequence;

    fn try_from(text: String) -> Result<Self, NotASequence> {
        text.parse()
    }
}

impl FromStr for Sequence {
    type Err = NotASequence;

    fn from_str(text: &str) -> Result<Self, NotASequence> {
        let mut parts = text.split(';').map(str::trim);
        let first = parts.next().unwrap_or_default();
        let wrong = || NotASequence { part: first.to_owned() };
        let [header, words, tags, at] = values(first, "new", ["header", "words", "tags", "at"]).ok_or_else(wrong)?;
        let (data, tag_count) = at.split_once(',').ok_or_else(wrong)?;
        let number = |text: &str| text.parse().map_err(|_| wrong());
        let config = Config { header: number(header)?, words: number(words)?, tags: number(tags)? };
        let counts = Counts { data: data.parse().map_err(|_| wrong())?, tags: tag_count.parse().map_err(|_| wrong())? };
        let ops = parts.filter(|part| !part.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { config, counts, ops })
    }
}

impl FromStr for Op {
    type Err = NotASequence;

    fn from_str(text: &str) -> Result<Self, NotASequence> {
        let op = match text {
            "read" => Some(Self::Read),
            "sleep" => Some(Self::Sleep),
            "close" => Some(Self::Close),
            _ => lose(text).or_else(|| write(text)),
        };
        op.ok_or_else(|| NotASequence { part: text.to_owned() })
    }
}

fn write(text: &str) -> Option<Op> {
    let [time, tag, header, stack] = values(text, "write", ["time", "tag", "header", "stack"])?;
    let (time, tag) = (time.parse().ok()?, tag.parse().ok()?);
    Some(Op::Write(Write { time, tag, header: header.parse().ok()?, stack: stack.parse().ok()? }))
}

fn lose(text: &str) -> Option<Op> {
    let [count, time] = values(text, "lose", ["count", "time"])?;
    Some(Op::Lose(count.parse().ok()?, time.parse().ok()?))
}

/// The values of `name key=value key=value`, with these keys in this order.
fn values<'a, const N: usize>(text: &'a str, name: &str, keys: [&str; N]) -> Option<[&'a str; N]> {
    let mut words = text.split_whitespace();
    if words.next() != Some(name) {
        return None;
    }
    let mut all = [""; N];
    for (value, key) in all.iter_mut().zip(keys) {
        *value = words.next()?.strip_prefix(key)?.strip_prefix('=')?;
    }
    words.next().is_none().then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", "")]
    #[case("read", "read")]
    #[case("new header=1 words=8 tags=2", "new header=1 words=8 tags=2")]
    #[case("new header=1 words=8 tags=2 at=0,0; write", "write")]
    #[case(
        "new header=1 words=8 tags=2 at=0,0; write time=0 tag=0 header=0 stack=99999",
        "write time=0 tag=0 header=0 stack=99999"
    )]
    #[case("new header=1 words=8 tags=2 at=0,0; read; reed", "reed")]
    fn what_is_no_sequence_is_named(#[case] text: &str, #[case] part: &str) {
        assert_eq!(text.parse::<Sequence>(), Err(NotASequence { part: part.to_owned() }));
    }

    #[test]
    fn misuse_is_left_out() {
        let text = "new header=1 words=8 tags=2 at=0,0; write time=0 tag=0 header=9 stack=0; close; close; read; write time=0 tag=0 header=0 stack=0";
        let lawful = text.parse::<Sequence>().unwrap().lawful();
        assert_eq!(
            lawful.to_string(),
            "new header=1 words=8 tags=2 at=0,0; write time=0 tag=0 header=1 stack=0; close; read"
        );
    }

    #[test]
    fn a_request_has_every_word() {
        let text = "new header=2 words=8 tags=3 at=5,6; lose count=4 time=-1; write time=7 tag=8 header=1 stack=2; sleep; read; close";
        let mut words = Vec::new();
        text.parse::<Sequence>().unwrap().request(9, Delivery::Careful, &mut words);
        let record = [2 << 32 | 1 << 24 | 1, 2 << 32 | 1, 2 << 32 | 2];
        let expected: Vec<u64> = [&[1, 2, 8, 3, 5, 6, 4, 4, u64::MAX, 0, 7, 8, 1, 2][..], &record, &[2, 1, 3]].concat();
        assert_eq!(words, expected);
    }
}
