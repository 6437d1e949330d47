//! What a stored record costs in atomic read-modify-writes, counted in the machine code itself: none where
//! the reader polls.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::convert::Infallible;
use std::hint::black_box;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};
use object::{Object, ObjectSection, ObjectSymbol};
use sigproof_profbuf::{Config, EveryRecord, NoNote, Polled, Tag, Wake, Writer};

struct Quiet;

impl Wake for Quiet {
    type Error = Infallible;
    fn clear(&self) {}
    fn sleep(&self) -> Result<(), Infallible> {
        Ok(())
    }
    fn wakeup(&self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[inline(never)]
fn write_to_one_who_polls(writer: &mut Writer<NoNote, Polled>, stack: &[u64]) -> bool {
    writer.write(1, Tag(1), &[1], stack).is_ok()
}

#[inline(never)]
fn write_to_one_who_sleeps(writer: &mut Writer<Quiet, EveryRecord>, stack: &[u64]) -> bool {
    writer.write(1, Tag(1), &[1], stack).is_ok()
}

/// The instructions of the function of this executable whose symbol has that word in it.
fn instructions(word: &str) -> Vec<Instruction> {
    let data = std::fs::read("/proc/self/exe").unwrap();
    let file = object::File::parse(&*data).unwrap();
    let named = |symbol: &object::Symbol<'_, '_>| symbol.size() > 0 && symbol.name().is_ok_and(|n| n.contains(word));
    let symbol = file.symbols().find(named).unwrap_or_else(|| panic!("there is no function {word}"));
    let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
    let code = section.data_range(symbol.address(), symbol.size()).unwrap().unwrap();
    Decoder::with_ip(64, code, symbol.address(), DecoderOptions::NONE).iter().collect()
}

/// Those that read, change and write memory as one: with a `lock` before them, or `xchg`, which has one
/// anyway.
fn atomic(instructions: &[Instruction]) -> usize {
    let in_memory = |i: &Instruction| (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Memory);
    instructions.iter().filter(|i| i.has_lock_prefix() || (i.mnemonic() == Mnemonic::Xchg && in_memory(i))).count()
}

#[test]
fn a_record_for_a_reader_that_polls_is_stored_without_a_read_modify_write() {
    let config = Config { header: 1, words: 64, tags: 8 };
    let (mut polled, _reader) = sigproof_profbuf::polled(config).unwrap();
    let (mut sleeping, _other) = sigproof_profbuf::new(config, Quiet).unwrap();
    let stack = black_box([1, 2]);
    assert!(write_to_one_who_polls(&mut polled, &stack) && write_to_one_who_sleeps(&mut sleeping, &stack));

    // What else a write may come to (misuse, records that are lost or have been) is a function that it calls.
    let sleeps = instructions("write_to_one_who_sleeps");
    assert!(atomic(&sleeps) > 0, "nothing is counted here: {} instructions", sleeps.len());
    let polls = instructions("write_to_one_who_polls");
    assert_eq!(atomic(&polls), 0, "of {} instructions", polls.len());
    assert!(polls.len() > 30, "the write is not in here: {} instructions", polls.len());
}
