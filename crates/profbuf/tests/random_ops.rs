//! Random operations against the plain model: every record, every count of dropped ones, every batch and
//! every wake-up is predicted.
//!
//! A blocking read of an empty buffer runs the operations that follow it inside its sleep, up to the next
//! read.

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sigproof_profbuf::{
    Config, Counts, EveryRecord, HalfFull, Read, ReadMode, Reader, Tag, WakePolicy, WriteError, Writer, Written,
};
use support::model::{Expected, Model};
use support::{Owned, Scripted};

#[derive(Clone, Debug)]
enum Op {
    Write { header: usize, stack: usize },
    Read(ReadMode),
    Close,
}

/// The writer's half of the world, reached from the main loop and from the sleep.
struct World<P: WakePolicy> {
    writer: Writer<Scripted, P>,
    note: Scripted,
    model: Model,
    ops: VecDeque<Op>,
    clock: i64,
    half: bool,
    /// The reader has announced itself, by the model.
    asleep: bool,
    expected_wakeups: u32,
}

impl<P: WakePolicy> World<P> {
    fn write(&mut self, header: usize, stack: usize) {
        self.clock += 1;
        let n = self.clock as u64;
        let record = Owned {
            time: self.clock,
            tag: self.clock as usize,
            header: (0..header as u64).map(|i| n * 100 + i + 1).collect(),
            stack: (0..stack as u64).map(|i| n * 1000 + i).collect(),
        };
        let result = self.writer.write(record.time, Tag(record.tag), &record.header, &record.stack);
        if self.model.closed {
            assert_eq!(result, Err(WriteError::Closed));
            return;
        }
        let stored = self.model.write(record);
        assert_eq!(result, Ok(if stored { Written::Stored } else { Written::Dropped }));
        if !stored || !self.half || self.model.half_full() {
            self.woken();
        }
    }

    fn close(&mut self) {
        assert_eq!(self.writer.close().is_ok(), !std::mem::replace(&mut self.model.closed, true));
        self.woken();
    }

    fn woken(&mut self) {
        self.expected_wakeups += u32::from(std::mem::take(&mut self.asleep));
        assert_eq!(self.note.wakeups(), self.expected_wakeups);
    }

    /// The operations up to the next read; past it if the sleeper has not been woken; in the end, close.
    fn while_asleep(&mut self) {
        self.asleep = true;
        loop {
            match self.ops.front().cloned() {
                Some(Op::Write { header, stack }) => self.write(header, stack),
                Some(Op::Read(_)) if !self.asleep => return,
                Some(Op::Read(_)) => {}
                Some(Op::Close) => self.close(),
                None if self.asleep => return self.close(),
                None => return,
            }
            self.ops.pop_front();
        }
    }
}

fn run<P: WakePolicy>(config: Config, counts: Counts, ops: Vec<Op>, half: bool) {
    let note = Scripted::default();
    let (writer, mut reader): (_, Reader<_, P>) =
        sigproof_profbuf::testing::new_at(config, counts, note.clone()).unwrap();
    let model = Model::new(config, counts);
    let world = Arc::new(Mutex::new(World {
        writer,
        note: note.clone(),
        model,
        ops: ops.into(),
        clock: 0,
        half,
        asleep: false,
        expected_wakeups: 0,
    }));
    let hook = Arc::clone(&world);
    note.on_sleep(move || {
        hook.lock().unwrap().while_asleep();
        Ok(())
    });

    let mut read = |mode| {
        let expected = world.lock().unwrap().model.read();
        let sleeps = note.sleeps();
        let got = match reader.read(mode).unwrap() {
            Read::Records(records) => Expected::Records(records.map(Owned::from).collect()),
            Read::Empty => Expected::Nothing,
            Read::EndOfFile => Expected::EndOfFile,
        };
        // A sleep happens if and only if there was nothing, and then what came during it is returned.
        let slept = note.sleeps() - sleeps;
        let must_sleep = mode == ReadMode::Blocking && expected == Expected::Nothing;
        assert_eq!(slept, u32::from(must_sleep));
        let expected = if must_sleep { world.lock().unwrap().model.read() } else { expected };
        assert_eq!(got, expected);
        got
    };

    loop {
        let op = world.lock().unwrap().ops.pop_front();
        match op {
            Some(Op::Write { header, stack }) => world.lock().unwrap().write(header, stack),
            Some(Op::Close) => world.lock().unwrap().close(),
            Some(Op::Read(mode)) => drop(read(mode)),
            None => break,
        }
    }
    if !world.lock().unwrap().model.closed {
        world.lock().unwrap().close();
    }
    while read(ReadMode::Blocking) != Expected::EndOfFile {}
    assert_eq!(read(ReadMode::Blocking), Expected::EndOfFile);
    assert_eq!(read(ReadMode::NonBlocking), Expected::EndOfFile);
    assert_eq!(note.wakeups(), note.clears());
    let model = &world.lock().unwrap().model;
    assert_eq!(model.written, model.delivered + model.counted);
}

/// The same, of a buffer that no thread can sleep on: both kinds of read poll.
fn run_polled(config: Config, counts: Counts, ops: Vec<Op>) {
    let (mut writer, mut reader) = sigproof_profbuf::testing::polled_at(config, counts).unwrap();
    let mut model = Model::new(config, counts);
    let mut read = |model: &mut Model| {
        let got = match reader.poll().unwrap() {
            Read::Records(records) => Expected::Records(records.map(Owned::from).collect()),
            Read::Empty => Expected::Nothing,
            Read::EndOfFile => Expected::EndOfFile,
        };
        assert_eq!(got, model.read());
        got
    };
    for (n, op) in (1_u64..).zip(ops) {
        match op {
            Op::Write { header, stack } => {
                let record = Owned {
                    time: n as i64,
                    tag: n as usize,
                    header: (0..header as u64).map(|i| n * 100 + i + 1).collect(),
                    stack: (0..stack as u64).map(|i| n * 1000 + i).collect(),
                };
                let result = writer.write(record.time, Tag(record.tag), &record.header, &record.stack);
                if model.closed {
                    assert_eq!(result, Err(WriteError::Closed));
                } else {
                    let stored = model.write(record);
                    assert_eq!(result, Ok(if stored { Written::Stored } else { Written::Dropped }));
                }
                assert!(sigproof_profbuf::testing::free_tags_are_empty(&mut writer));
            }
            Op::Read(_) => drop(read(&mut model)),
            Op::Close => assert_eq!(writer.close().is_ok(), !std::mem::replace(&mut model.closed, true)),
        }
    }
    if !std::mem::replace(&mut model.closed, true) {
        writer.close().unwrap();
    }
    while read(&mut model) != Expected::EndOfFile {}
    assert_eq!(read(&mut model), Expected::EndOfFile);
    assert_eq!(model.written, model.delivered + model.counted);
}

fn ops(header: usize, words: usize) -> impl Strategy<Value = Vec<Op>> {
    let stack = prop_oneof![5 => 0..8_usize, 2 => 0..=words, 1 => words..words * 2 + 3];
    let op = prop_oneof![
        60 => (0..=header, stack).prop_map(|(header, stack)| Op::Write { header, stack }),
        20 => Just(Op::Read(ReadMode::NonBlocking)),
        20 => Just(Op::Read(ReadMode::Blocking)),
        1 => Just(Op::Close),
    ];
    vec(op, 0..120)
}

/// Counts from zero, from just below each wrap, from anywhere.
fn counts() -> impl Strategy<Value = Counts> {
    let data = prop_oneof![Just(0), (0..200_u32).prop_map(|below| 0_u32.wrapping_sub(below)), any::<u32>()];
    let tags = prop_oneof![Just(0), (0..60_u32).prop_map(|below| (1 << 30) - 1 - below), 0..1_u32 << 30];
    (data, tags).prop_map(|(data, tags)| Counts { data, tags })
}

fn world() -> impl Strategy<Value = (Config, Counts, Vec<Op>)> {
    (0..4_usize, 0..70_usize, 0..20_usize, counts()).prop_flat_map(|(header, words, tags, counts)| {
        (Just(Config { header, words, tags }), Just(counts), ops(header, words.max(4)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))), ..ProptestConfig::default() })]

    #[test]
    fn every_record((config, counts, ops) in world()) {
        run::<EveryRecord>(config, counts, ops, false);
    }

    #[test]
    fn half_full((config, counts, ops) in world()) {
        run::<HalfFull>(config, counts, ops, true);
    }

    #[test]
    fn polled((config, counts, ops) in world()) {
        run_polled(config, counts, ops);
    }
}
