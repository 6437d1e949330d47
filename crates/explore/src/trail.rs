//! One execution as a text, and the run that repeats it.
//!
//! The text has a part for each thread, in the order of their keys: what the program does not decide by
//! itself. The rest follows from the program.
//!
//! | letter | one event of the thread |
//! |---|---|
//! | `i` | a load of the initial value |
//! | `a`, `b`, ... then an index | a load from the event of the first, second, ... thread with this index |
//! | `n` | a store that is directly after this thread's last store to the location, or after its load |
//! | `m`, then a number | a store with so many others before it in the modification order |
//! | `k`, then a value | a choice; `z` is the choice 0 |
//! | `o` | anything else |
//!
//! A number behind `i`, `n`, `o` or `z` says how often it is repeated. Parts are separated by `-`.

use std::fmt::Write;

use crate::graph::{Graph, Id, Kind, THREADS};

/// What one event of a thread does, as far as the program does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Reads(Id),
    Stores(u32),
    Follows,
    Chooses(u64),
    Other,
}

/// An execution to be repeated: the threads by key, each with its steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trail {
    threads: Vec<(u64, Vec<Step>)>,
}

/// Whether a text is a trail of at most so many events.
pub fn is_trail(text: &str, most: usize) -> bool {
    Trail::read(text).is_some_and(|trail| trail.threads.iter().map(|(_, steps)| steps.len()).sum::<usize>() <= most)
}

impl Trail {
    /// That of a graph.
    pub fn of(graph: &Graph) -> Self {
        let mut order: Vec<usize> =
            (0..graph.threads.len()).filter(|&slot| !graph.threads[slot].events.is_empty()).collect();
        order.sort_by_key(|&slot| graph.threads[slot].key);
        let place = |slot: u8| order.iter().position(|&other| other == usize::from(slot)).unwrap_or(0) as u8;
        let threads = order.iter().map(|&slot| {
            let thread = &graph.threads[slot];
            let steps = (0_u16..).zip(&thread.events).map(|(index, event)| match event.kind {
                Kind::Load if event.src == Id::INIT => Step::Reads(Id::INIT),
                Kind::Load => Step::Reads(Id { thread: place(event.src.thread), index: event.src.index }),
                Kind::Store if event.excl => Step::Follows,
                Kind::Store => {
                    let own = Id { thread: slot as u8, index };
                    let rank = graph.place(event.loc, own);
                    let before = thread.events[..usize::from(index)]
                        .iter()
                        .rposition(|other| other.kind == Kind::Store && other.loc == event.loc);
                    let last = before.map_or(0, |before| graph.place(event.loc, Id { index: before as u16, ..own }));
                    if rank == last + 1 { Step::Follows } else { Step::Stores(rank as u32) }
                }
                Kind::Choice => Step::Chooses(event.val),
                _ => Step::Other,
            });
            (thread.key, steps.collect())
        });
        Self { threads: threads.collect() }
    }

    /// As a text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (number, (key, steps)) in self.threads.iter().enumerate() {
            if number > 0 {
                text.push('-');
            }
            let _ = write!(text, "{}", key_text(*key));
            let mut at = 0;
            while at < steps.len() {
                let count = steps[at..].iter().take_while(|step| **step == steps[at]).count();
                let simple = match steps[at] {
                    Step::Reads(Id::INIT) => Some('i'),
                    Step::Follows => Some('n'),
                    Step::Chooses(0) => Some('z'),
                    Step::Other => Some('o'),
                    _ => None,
                };
                if let Some(letter) = simple {
                    text.push(letter);
                    if count > 1 {
                        let _ = write!(text, "{count}");
                    }
                    at += count;
                    continue;
                }
                let _ = match steps[at] {
                    Step::Reads(id) => write!(text, "{}{}", char::from(b'a' + id.thread), id.index),
                    Step::Stores(rank) => write!(text, "m{rank}"),
                    Step::Chooses(value) => write!(text, "k{value}"),
                    Step::Follows | Step::Other => Ok(()),
                };
                at += 1;
            }
        }
        text
    }

    /// From a text; `None` if it is not one.
    pub fn read(text: &str) -> Option<Self> {
        let threads: Option<Vec<_>> = text.split('-').map(read_thread).collect();
        threads.filter(|threads| threads.len() <= THREADS).map(|threads| Self { threads })
    }

    pub(crate) fn steps(&self, key: u64) -> &[Step] {
        self.threads.iter().find(|(other, _)| *other == key).map_or(&[], |(_, steps)| steps)
    }

    pub(crate) fn key(&self, place: u8) -> Option<u64> {
        self.threads.get(usize::from(place)).map(|(key, _)| *key)
    }
}

/// The bytes of a key that are not zero, as `T1.2.`: the second child of the first thread.
fn key_text(key: u64) -> String {
    let bytes = key.to_be_bytes();
    let path: Vec<String> = bytes.iter().skip(1).take_while(|byte| **byte != 0).map(u8::to_string).collect();
    format!("T{}.", path.join("."))
}

fn read_thread(text: &str) -> Option<(u64, Vec<Step>)> {
    let rest = text.strip_prefix('T')?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let path = rest[..end].strip_suffix('.')?;
    let mut bytes = [0; 8];
    bytes[0] = 1;
    for (byte, number) in bytes[1..].iter_mut().zip(path.split('.').filter(|number| !number.is_empty())) {
        *byte = number.parse().ok()?;
    }
    let mut letters = rest[end..].chars().peekable();
    let mut steps = Vec::new();
    while let Some(letter) = letters.next() {
        let mut number = None;
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            let digit = u64::from(digit as u32 - '0' as u32);
            number = Some(number.unwrap_or(0_u64).checked_mul(10)?.checked_add(digit)?);
        }
        let count = usize::try_from(number.unwrap_or(1)).ok()?;
        if steps.len() > usize::from(u16::MAX)
            || count > usize::from(u16::MAX) && matches!(letter, 'i' | 'n' | 'z' | 'o')
        {
            return None;
        }
        match letter {
            'i' => steps.extend(std::iter::repeat_n(Step::Reads(Id::INIT), count)),
            'n' => steps.extend(std::iter::repeat_n(Step::Follows, count)),
            'z' => steps.extend(std::iter::repeat_n(Step::Chooses(0), count)),
            'o' => steps.extend(std::iter::repeat_n(Step::Other, count)),
            'm' => steps.push(Step::Stores(u32::try_from(number?).ok()?)),
            'k' => steps.push(Step::Chooses(number?)),
            'a'..='h' => {
                let index = u16::try_from(number?).ok()?;
                steps.push(Step::Reads(Id { thread: letter as u8 - b'a', index }));
            }
            _ => return None,
        }
    }
    Some((u64::from_be_bytes(bytes), steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["T.", "T.oiz3k1n2", "T.ob3-T1.om4a2i4-T1.2.oo"] {
            let trail = Trail::read(text);
            let again = trail.as_ref().map(Trail::text);
            assert_eq!(again.and_then(|text| Trail::read(&text)), trail, "{text}");
            assert!(trail.is_some(), "{text}");
        }
    }

    /// No letter of a thread is that of something else.
    #[test]
    fn each_step_has_a_text_of_its_own() {
        let reads = (0..THREADS as u8).map(|thread| Step::Reads(Id { thread, index: 5 }));
        let others = [Step::Reads(Id::INIT), Step::Stores(5), Step::Follows, Step::Chooses(5), Step::Other];
        for step in reads.chain(others) {
            let trail = Trail { threads: vec![(1 << 56, vec![step])] };
            assert_eq!(Trail::read(&trail.text()), Some(trail));
        }
    }

    #[test]
    fn nonsense() {
        for text in ["", "x", "T", "T.q", "T.a", "T.m", "T.o99999999999999999999", "T.o70000", "T.i-", "T.h"] {
            assert_eq!(Trail::read(text), None, "{text}");
        }
        assert!(is_trail("T.o9", 9) && !is_trail("T.o9", 8));
    }
}
