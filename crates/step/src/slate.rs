//! What the sweeping process and its child tell each other beyond the child's [notes](crate::Notes): memory
//! that both have mapped.
//!
//! Every field is an atomic and relaxed, but where the code says otherwise: the two sides take turns, and
//! each turn is a ptrace stop, a signal or a system call, which order more than they need.

use std::io;
use std::num::NonZero;
use std::ops::Range;

use crate::Boundary;
use crate::follow::Path;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use sigproof_shim::native::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// The longest path that a process can write down about itself.
pub const PATH: usize = 1 << 15;

/// How many threads may take part beside the target, its helper and its bystander.
pub const OTHERS: usize = 4;

/// What the target is to do in its next execution, where it steps itself.
pub(crate) mod task {
    /// Nothing but run.
    pub(crate) const RUN: u32 = 0;
    /// Write down the path.
    pub(crate) const RECORD: u32 = 1;
    /// Send itself a signal at the boundary.
    pub(crate) const INJECT: u32 = 2;
}

/// See the module.
#[repr(C)]
#[derive(Debug)]
pub struct Slate {
    /// Whether a target that steps itself is between its marks.
    pub inside: AtomicU32,
    /// The target's thread id, or 0.
    pub target: AtomicU32,
    /// The helper's thread id, or 0.
    pub helper: AtomicU32,
    /// How often the helper was called.
    pub calls: AtomicU64,
    /// How many handlers have begun in this execution.
    pub bodies: AtomicU32,
    /// The bystander's thread id, or 0.
    pub bystander: AtomicU32,
    /// How many others there are.
    pub others: AtomicU32,
    /// Their thread ids.
    pub other: [AtomicU32; OTHERS],
    /// Whether the target steps itself.
    pub steps_itself: AtomicU32,
    /// What the target does in its next execution, where it steps itself.
    pub task: AtomicU32,
    /// The boundary to inject at, counted in traps.
    pub boundary: AtomicU64,
    /// Whether the target left the path before its boundary.
    pub astray: AtomicU32,
    /// Where the vDSO is: its first address, and the one behind it.
    pub vdso: [AtomicU64; 2],
    /// The stack pointer at the first mark.
    pub base: AtomicU64,
    /// How many boundaries are written down.
    pub len: AtomicU64,
    /// The boundaries: program counter and depth of the stack.
    pub path: [[AtomicU64; 2]; PATH],
}

impl Path for Slate {
    fn at(&self, number: usize) -> Option<Boundary> {
        let [pc, depth] = self.path.get(number)?;
        let (pc, depth) = (pc.load(Ordering::Relaxed), depth.load(Ordering::Relaxed));
        Some(Boundary { pc, depth, asleep: false })
    }
}

impl Slate {
    /// A fresh one, for the rest of this process's life; a child that is forked later shares it.
    pub(crate) fn make() -> io::Result<&'static Self> {
        let length = NonZero::new(size_of::<Self>()).ok_or(io::ErrorKind::InvalidInput)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let memory = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_SHARED) }?;
        // SAFETY: as large as a Slate, page-aligned, zeroed, never unmapped; every field is an atomic, for
        // which zero is a value.
        Ok(unsafe { memory.cast::<Self>().as_ref() })
    }

    /// As it was when it was made, but for the path, which is as long as it says.
    pub(crate) fn reset(&self) {
        for word in [
            &self.target,
            &self.bodies,
            &self.inside,
            &self.astray,
            &self.helper,
            &self.bystander,
            &self.others,
            &self.steps_itself,
            &self.task,
        ] {
            word.store(0, Ordering::Relaxed);
        }
        for word in [&self.calls, &self.boundary, &self.len] {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// All of it but the path, byte by byte: to be kept and put back while no child runs.
    pub fn header(&self) -> &[AtomicU8] {
        // SAFETY: the path is the last field of a `repr(C)` struct of atomics, so that as many bytes before
        // it are those of `self`; they may be shared, and whoever reads them so does it while nobody writes.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), core::mem::offset_of!(Self, path)) }
    }

    /// Writes down a boundary.
    pub(crate) fn write(&self, at: usize, boundary: Boundary) {
        if let Some([pc, depth]) = self.path.get(at) {
            pc.store(boundary.pc, Ordering::Relaxed);
            depth.store(boundary.depth, Ordering::Relaxed);
        }
    }

    /// The ids of the others.
    pub(crate) fn other_ids(&self) -> Vec<u32> {
        let count = (self.others.load(Ordering::Relaxed) as usize).min(OTHERS);
        self.other[..count].iter().map(|id| id.load(Ordering::Relaxed)).collect()
    }
}

/// The addresses of shared memory; they are the same in all children.
pub fn range(memory: &[AtomicU8]) -> Range<u64> {
    let start = memory.as_ptr().addr() as u64;
    start..start + memory.len() as u64
}

/// The content of memory.
///
/// # Safety
/// Nobody writes to it meanwhile: each child that has it is stopped.
pub unsafe fn keep(memory: &[AtomicU8]) -> Vec<u8> {
    // SAFETY: an atomic has the size of its byte, and by the caller's promise this read races with no write.
    unsafe { core::slice::from_raw_parts(memory.as_ptr().cast::<u8>(), memory.len()) }.to_vec()
}

/// Puts it back.
///
/// # Safety
/// Nobody reads or writes it meanwhile: each child that has it is stopped.
pub unsafe fn put_back(memory: &[AtomicU8], kept: &[u8]) {
    let length = memory.len().min(kept.len());
    // SAFETY: both have so many bytes and do not overlap; an atomic may be written to through a shared
    // reference, and by the caller's promise this write races with nothing.
    unsafe { core::ptr::copy_nonoverlapping(kept.as_ptr(), memory.as_ptr().cast::<u8>().cast_mut(), length) };
}
