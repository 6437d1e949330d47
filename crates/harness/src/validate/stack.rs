//! How much stack a signal handler uses: it runs on an alternate stack that was painted.
//!
//! The depth is from the top of the stack to the lowest byte that is not painted any more: the kernel's frame
//! of the signal with the saved registers, the harness's own handler (less than 300 bytes), and the
//! library's. That is what a stack for `sigaltstack` has to hold.

use std::io;

use sigproof_shim::native::atomic::Ordering;

use crate::page::Page;

/// The size of the stack, in bytes. A handler that uses more hits the guard below it.
const SIZE: usize = 256 << 10;

/// Below it, in bytes: a multiple of every page size.
const GUARD: usize = 64 << 10;

/// What a word of it holds that no handler has touched.
const PAINT: u64 = 0x5AFE_57AC_5AFE_57AC;

/// The alternate stack of the calling thread, for the rest of this process's life.
pub(super) struct Painted {
    /// The lowest word.
    lowest: *const u64,
    /// How many words, from the lowest on, are known to be painted at most.
    painted: usize,
}

impl Painted {
    /// Makes it the alternate stack of the calling thread.
    pub(super) fn install() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let map = unsafe { libc::mmap(core::ptr::null_mut(), SIZE + GUARD, libc::PROT_NONE, flags, -1, 0) };
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let lowest = map.cast::<u8>().wrapping_add(GUARD);
        // SAFETY: the range is the upper part of the mapping above.
        if unsafe { libc::mprotect(lowest.cast(), SIZE, libc::PROT_READ | libc::PROT_WRITE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let words = lowest.cast::<u64>();
        for at in 0..SIZE / size_of::<u64>() {
            // SAFETY: the range is open and this function's own; the mapping is page-aligned.
            unsafe { words.add(at).write(PAINT) };
        }
        let stack = libc::stack_t { ss_sp: lowest.cast(), ss_flags: 0, ss_size: SIZE };
        // SAFETY: the stack stays mapped; no handler runs on another one now.
        if unsafe { libc::sigaltstack(&raw const stack, core::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { lowest: words, painted: SIZE / size_of::<u64>() })
    }

    /// Notes on the page how deep a handler has come, if that is deeper than before.
    pub(super) fn note(&mut self, page: &Page) {
        // SAFETY: the range is open, and no handler runs; a volatile read takes what a handler left.
        let whole = |at: &usize| unsafe { self.lowest.add(*at).read_volatile() } == PAINT;
        let painted = (0..self.painted).take_while(whole).count();
        if painted < self.painted {
            self.painted = painted;
            let depth = SIZE - painted * size_of::<u64>();
            page.handler_stack.fetch_max(depth as u64, Ordering::Relaxed);
        }
    }
}
