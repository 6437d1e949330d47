//! What our buffer answers to a sequence: the words that a runtime has to answer, too.
//!
//! A blocking read runs what comes after it inside its sleep, on the reader's own thread, up to the next read
//! that finds the note woken.

use sigproof_profbuf::{
    EveryRecord, HalfFull, KeepsFlag, Read, ReadMode, Reader, Tag, Wake, WakePolicy, WriteError, Writer,
};
use sigproof_shim::native::atomic::{AtomicU32, Ordering};
use sigproof_shim::sync::Arc;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::rule::Rule;
use super::sequence::{Op, Sequence, words_of};

/// Our answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The words of all of them.
    pub words: Vec<u64>,
    /// Where in `words` each of them ends.
    pub ends: Vec<usize>,
    /// Whether the operation after these is the death of a runtime: it wakes the note a second time.
    pub fatal: bool,
}

/// What a read gives, as the driver has it.
pub const NOTHING: u64 = 0;
/// Records.
pub const RECORDS: u64 = 1;
/// The end of the file.
pub const END_OF_FILE: u64 = 2;
/// Nothing: the reader has announced its sleep.
pub const ASLEEP: u64 = 3;
/// Not woken since.
pub const STILL_ASLEEP: u64 = 4;

impl Answers {
    fn push(&mut self, words: impl IntoIterator<Item = u64>) {
        self.words.extend(words);
        self.ends.push(self.words.len());
    }

    /// Answer `at`.
    pub fn get(&self, at: usize) -> Option<&[u64]> {
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.words.get(start..end)
    }
}

/// What our buffer answers under a wake policy; and, if no read of the sequence sleeps, what our polled
/// buffer answers, too.
///
/// # Errors
/// What our buffer refuses though it is lawful, or where the two differ, in words.
pub fn run(sequence: &Sequence, rule: Rule) -> Result<Answers, String> {
    let answers = match rule {
        Rule::EveryRecord => under::<EveryRecord>(sequence),
        Rule::HalfFull => under::<HalfFull>(sequence),
        Rule::KeepsFlag => under::<KeepsFlag>(sequence),
    }?;
    if sequence.only_polls() && polled(sequence)? != answers {
        return Err("our polled buffer answers something else".to_owned());
    }
    Ok(answers)
}

/// A note whose sleep goes on with the sequence.
struct Script<P: WakePolicy> {
    /// Wake-ups since the last clear.
    woken: AtomicU32,
    world: OnceLock<Weak<Mutex<World<P>>>>,
}

/// A clonable handle on a note.
struct Note<P: WakePolicy>(Arc<Script<P>>);

/// Why a sleep or a wake-up came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The sequence is over while the reader sleeps.
    Over,
    /// Woken twice since it was cleared.
    Double,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The writer's side, reached from the main loop and from the sleep.
struct World<P: WakePolicy> {
    ops: std::vec::IntoIter<Op>,
    at: usize,
    writer: Option<Writer<Note<P>, P>>,
    note: Note<P>,
    answers: Answers,
    refused: Option<String>,
    scratch: Vec<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: WakePolicy> Clone for Note<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: WakePolicy> Note<P> {
    fn is_woken(&self) -> bool {
        self.0.woken.load(Ordering::Relaxed) > 0
    }
}

impl<P: WakePolicy> Wake for Note<P> {
    type Error = Stop;

    fn clear(&self) {
        self.0.woken.store(0, Ordering::Relaxed);
    }

    fn sleep(&self) -> Result<(), Stop> {
        let world = self.0.world.get().and_then(Weak::upgrade).ok_or(Stop::Over)?;
        let mut world = lock(&world);
        world.answers.push([ASLEEP, 0, 0]);
        while world.next_read().is_some() {
            if self.is_woken() {
                return Ok(());
            }
            world.answers.push([STILL_ASLEEP, 0, 0]);
        }
        Err(Stop::Over)
    }

    fn wakeup(&self) -> Result<(), Stop> {
        if self.0.woken.fetch_add(1, Ordering::Relaxed) > 0 { Err(Stop::Double) } else { Ok(()) }
    }
}

impl<P: WakePolicy> World<P> {
    /// Performs what comes before the next read, whose mode it returns; `None` at the end.
    fn next_read(&mut self) -> Option<ReadMode> {
        while !self.answers.fatal && self.refused.is_none() {
            let (op, at) = (self.ops.next()?, self.at);
            self.at += 1;
            let Some(writer) = &mut self.writer else { return None };
            let done = match op {
                Op::Read => return Some(ReadMode::NonBlocking),
                Op::Sleep => return Some(ReadMode::Blocking),
                Op::Lose(count, time) => {
                    sigproof_profbuf::testing::preset_lost(writer, count, time);
                    self.answers.push([]);
                    continue;
                }
                Op::Close => writer.close().map_err(|error| match error {
                    sigproof_profbuf::CloseError::Wake(Stop::Double) => None,
                    error => Some(error.to_string()),
                }),
                Op::Write(write) => {
                    self.scratch.clear();
                    self.scratch.extend(words_of(at, write));
                    let (header, stack) = self.scratch.split_at(usize::from(write.header).min(self.scratch.len()));
                    let tag = Tag(usize::from(write.tag));
                    writer.write(write.time, tag, header, stack).map(drop).map_err(|error| match error {
                        WriteError::Wake(Stop::Double) => None,
                        error => Some(error.to_string()),
                    })
                }
            };
            match done {
                Ok(()) => self.answers.push([u64::from(self.note.is_woken())]),
                Err(None) => self.answers.fatal = true,
                Err(refused) => self.refused = refused,
            }
        }
        None
    }
}

fn under<P: WakePolicy>(sequence: &Sequence) -> Result<Answers, String> {
    let note = Note(Arc::new(Script { woken: AtomicU32::new(0), world: OnceLock::new() }));
    let made = sigproof_profbuf::testing::new_at::<_, P>(sequence.config, sequence.counts, note.clone());
    let (writer, mut reader) = made.map_err(|error| error.to_string())?;
    let world = World {
        ops: sequence.ops.clone().into_iter(),
        at: 0,
        writer: Some(writer),
        note: note.clone(),
        answers: Answers::default(),
        refused: None,
        scratch: Vec::new(),
    };
    let world = Arc::new(Mutex::new(world));
    let _ = note.0.world.set(Arc::downgrade(&world));
    loop {
        let Some(mode) = lock(&world).next_read() else { break };
        match read(&mut reader, mode) {
            Ok(answer) => lock(&world).answers.push(answer),
            Err(None) => break,
            Err(Some(refused)) => return Err(refused),
        }
    }
    let mut world = lock(&world);
    match world.refused.take() {
        None => Ok(std::mem::take(&mut world.answers)),
        Some(refused) => Err(refused),
    }
}

/// The same of a buffer whose reader cannot sleep.
fn polled(sequence: &Sequence) -> Result<Answers, String> {
    let made = sigproof_profbuf::testing::polled_at(sequence.config, sequence.counts);
    let (mut writer, mut reader) = made.map_err(|error| error.to_string())?;
    let mut answers = Answers::default();
    for (at, op) in sequence.ops.iter().enumerate() {
        match *op {
            Op::Write(write) => {
                let words: Vec<_> = words_of(at, write).collect();
                let (header, stack) = words.split_at(usize::from(write.header).min(words.len()));
                let written = writer.write(write.time, Tag(usize::from(write.tag)), header, stack);
                written.map_err(|error| error.to_string())?;
                answers.push([0]);
            }
            Op::Close => {
                writer.close().map_err(|error| error.to_string())?;
                answers.push([0]);
            }
            Op::Lose(count, time) => {
                sigproof_profbuf::testing::preset_lost(&mut writer, count, time);
                answers.push([]);
            }
            Op::Read | Op::Sleep => answers.push(given(reader.poll().map_err(|error| error.to_string())?)),
        }
    }
    Ok(answers)
}

/// What a read gave, in words.
fn given(read: Read<'_>) -> Vec<u64> {
    match read {
        Read::Records(records) => {
            let words = records.words();
            let mut answer = Vec::with_capacity(3 + words.len() + records.len());
            answer.extend([RECORDS, words.len() as u64, records.len() as u64]);
            answer.extend(words);
            answer.extend(records.map(|record| record.tag().0 as u64));
            answer
        }
        Read::Empty => vec![NOTHING, 0, 0],
        Read::EndOfFile => vec![END_OF_FILE, 0, 0],
    }
}

/// The answer of a read; `None` for one that sleeps on at the end of the sequence.
fn read<P: WakePolicy>(reader: &mut Reader<Note<P>, P>, mode: ReadMode) -> Result<Vec<u64>, Option<String>> {
    match reader.read(mode) {
        Ok(read) => Ok(given(read)),
        Err(sigproof_profbuf::ReadError::Wake(_)) => Err(None),
        Err(error) => Err(Some(error.to_string())),
    }
}
