//! Which table of an object file describes how to unwind the code at an address.
//!
//! framehop reads one kind of table for each module, and falls back to frame pointers in silence where the
//! table has no entry for an address. A static executable can have both kinds: musl is built without
//! `.eh_frame`, Rust's code always has it. So the tables are asked here first, and code without an entry is
//! left to [`guess`](super::guess).

use super::elf::{Elf, Section};
use addr2line::gimli::{BaseAddresses, DebugFrame, EhFrame, EhFrameHdr, LittleEndian, UnwindSection};

/// A kind of unwinding table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cfi {
    EhFrame,
    DebugFrame,
}

/// Bytes of an address.
const ADDRESS_BYTES: u8 = 8;

/// The table that has an entry for `address`, which is one of the file's own.
pub(super) fn table(elf: &Elf, address: u64) -> Option<Cfi> {
    if elf.eh_frame.as_ref().is_some_and(|section| in_eh_frame(elf, section, address)) {
        return Some(Cfi::EhFrame);
    }
    elf.debug_frame.as_ref().is_some_and(|section| in_debug_frame(section, address)).then_some(Cfi::DebugFrame)
}

fn in_eh_frame(elf: &Elf, section: &Section, address: u64) -> bool {
    let mut bases = BaseAddresses::default().set_eh_frame(section.range.start);
    if let Some(text) = &elf.text {
        bases = bases.set_text(text.range.start);
    }
    let mut frames = EhFrame::new(section.bytes, LittleEndian);
    frames.set_address_size(ADDRESS_BYTES);
    let Some(header) = &elf.eh_frame_hdr else {
        return frames.fde_for_address(&bases, address, EhFrame::cie_from_offset).is_ok();
    };
    let bases = bases.set_eh_frame_hdr(header.range.start);
    let Ok(header) = EhFrameHdr::new(header.bytes, LittleEndian).parse(&bases, ADDRESS_BYTES) else { return false };
    let Some(table) = header.table() else {
        return frames.fde_for_address(&bases, address, EhFrame::cie_from_offset).is_ok();
    };
    table.fde_for_address(&frames, &bases, address, EhFrame::cie_from_offset).is_ok_and(|fde| fde.contains(address))
}

fn in_debug_frame(section: &Section, address: u64) -> bool {
    let mut frames = DebugFrame::new(section.bytes, LittleEndian);
    frames.set_address_size(ADDRESS_BYTES);
    frames.fde_for_address(&BaseAddresses::default(), address, DebugFrame::cie_from_offset).is_ok()
}
