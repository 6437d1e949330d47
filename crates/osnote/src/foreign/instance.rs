//! The memory of one note of a library: zeroed, aligned, never moved, and between two pages that cannot be
//! accessed.
//!
//! ```text
//!  | no access | filled ..... | the instance | filled | no access |
//!              ^ page                        ^ at most align - 1 bytes
//! ```
//!
//! The instance lies at the end of its pages: a write behind it faults. Where its size is no multiple of its
//! alignment, and before it, the rest of the pages is filled, and [`Instance::strayed`] compares.
//!
//! A handler of SIGSEGV asks [`guarded`] whether a fault is one of these. That table is of atomics, so the
//! question is async-signal-safe.

use core::ffi::c_void;
use std::io;

use sigproof_shim::native::atomic::{AtomicUsize, Ordering};

/// What the rest of the pages is filled with.
const FILLED: u8 = 0xA5;

/// How many instances are known to [`guarded`] at a time. A fault at one more is a fault like any other.
const KNOWN: usize = 256;

/// Where the known instances are: the first byte, and the one behind the last; both 0 if the entry is free.
static PLACES: [[AtomicUsize; 2]; KNOWN] = [const { [const { AtomicUsize::new(0) }; 2] }; KNOWN];

/// How far from an instance a fault still counts as one of its guards: a guard's own size.
const REACH: usize = GUARD;

/// The size of a guard, in bytes: a multiple of every page size.
const GUARD: usize = 1 << 16;

/// Which side of an instance was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below its first byte.
    Before,
    /// Above its last byte.
    Behind,
}

/// See the module.
#[derive(Debug)]
pub struct Instance {
    map: *mut u8,
    mapped: usize,
    /// The first byte that can be accessed, and the one behind the last.
    open: [*mut u8; 2],
    start: *mut u8,
    size: usize,
    place: Option<usize>,
}

// SAFETY: the memory belongs to the value; who calls the note's functions sees to their order.
unsafe impl Send for Instance {}
// SAFETY: as above; the methods here read bytes that only a broken library writes.
unsafe impl Sync for Instance {}

impl Instance {
    /// Zeroed memory of this size and alignment, a power of two.
    ///
    /// # Errors
    /// Those of `mmap` and `mprotect`.
    pub fn new(size: usize, align: usize) -> io::Result<Self> {
        // Guards are of 64 KiB and the map is aligned to a page, so that no larger alignment than 64 KiB fits
        // without slack.
        let inner = (size + align).div_ceil(GUARD) * GUARD;
        let mapped = inner + 2 * GUARD;
        let (none, open) = (libc::PROT_NONE, libc::PROT_READ | libc::PROT_WRITE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let map = unsafe { libc::mmap(core::ptr::null_mut(), mapped, none, flags, -1, 0) };
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let map = map.cast::<u8>();
        let first = map.wrapping_add(GUARD);
        let last = first.wrapping_add(inner);
        // SAFETY: the range is a part of the mapping above.
        if unsafe { libc::mprotect(first.cast(), inner, open) } != 0 {
            let error = io::Error::last_os_error();
            // SAFETY: the mapping is this function's own.
            unsafe { libc::munmap(map.cast(), mapped) };
            return Err(error);
        }
        let start = last.wrapping_sub(size);
        let start = start.wrapping_sub(start as usize % align);
        let mut instance = Self { map, mapped, open: [first, last], start, size, place: None };
        instance.fill(first, start as usize - first as usize);
        let behind = start.wrapping_add(size);
        instance.fill(behind, last as usize - behind as usize);
        instance.place = take(start as usize, behind as usize);
        Ok(instance)
    }

    /// The pointer that the functions of the library take.
    #[must_use]
    pub fn pointer(&self) -> *mut c_void {
        self.start.cast()
    }

    /// Zeroes it again. No thread is in a function of the note.
    pub fn zero(&self) {
        // SAFETY: the range is open, and nothing uses it, as above.
        unsafe { self.start.write_bytes(0, self.size) };
    }

    /// The side on which something has written next to the instance.
    #[must_use]
    pub fn strayed(&self) -> Option<Side> {
        let [first, last] = self.open;
        let behind = self.start.wrapping_add(self.size);
        // Only the neighbourhood: a stray write further away is caught by chance at best.
        let near = first.max(self.start.wrapping_sub(self.size.max(256)));
        if !filled(near, self.start as usize - near as usize) {
            return Some(Side::Before);
        }
        (!filled(behind, last as usize - behind as usize)).then_some(Side::Behind)
    }

    fn fill(&self, from: *mut u8, length: usize) {
        // SAFETY: the range is open and not yet given to anybody.
        unsafe { from.write_bytes(FILLED, length) };
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            give_back(place);
        }
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.map.cast(), self.mapped) };
    }
}

fn filled(from: *const u8, length: usize) -> bool {
    // SAFETY: the range is open, as both callers have it; a volatile read takes what a stray write left.
    (0..length).all(|at| unsafe { from.add(at).read_volatile() } == FILLED)
}

/// Takes an entry of the table. Relaxed and then release: whoever finds the second word finds the first.
fn take(start: usize, behind: usize) -> Option<usize> {
    let free =
        |place: &[AtomicUsize; 2]| place[0].compare_exchange(0, start, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    let place = PLACES.iter().position(free)?;
    PLACES[place][1].store(behind, Ordering::Release);
    Some(place)
}

fn give_back(place: usize) {
    PLACES[place][1].store(0, Ordering::Relaxed);
    PLACES[place][0].store(0, Ordering::Release);
}

/// The side of an instance whose guard holds this address. Async-signal-safe.
#[must_use]
pub fn guarded(address: usize) -> Option<Side> {
    PLACES.iter().find_map(|place| {
        let behind = place[1].load(Ordering::Acquire);
        let start = place[0].load(Ordering::Relaxed);
        if behind == 0 {
            return None;
        }
        // What alignment leaves, up to the guard, counts as well.
        let above = (behind..behind.saturating_add(2 * REACH)).contains(&address);
        // The filled part lies between the instance and the guard below it.
        let below = (start.saturating_sub(3 * REACH)..start).contains(&address);
        match (above, below) {
            (true, _) => Some(Side::Behind),
            (_, true) => Some(Side::Before),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::byte(1, 1)]
    #[case::odd(13, 8)]
    #[case::page(4096, 4096)]
    #[case::wide(100, 1 << 16)]
    #[case::large(300_000, 64)]
    fn an_instance_is_zeroed_aligned_and_at_the_end(#[case] size: usize, #[case] align: usize) {
        let instance = Instance::new(size, align).unwrap();
        let start = instance.pointer() as usize;
        assert_eq!(start % align, 0);
        let gap = instance.open[1] as usize - (start + size);
        assert!(gap < align, "{gap} bytes lie between the instance and its guard");
        // SAFETY: the instance is open and this test's own.
        let bytes = unsafe { core::slice::from_raw_parts(start as *const u8, size) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        assert_eq!(instance.strayed(), None);
        assert_eq!(guarded(instance.open[1] as usize), Some(Side::Behind));
        assert_eq!(guarded(instance.open[0] as usize - 1), Some(Side::Before));
        assert_eq!(guarded(start), None);
    }

    #[test]
    fn a_write_next_to_an_instance_is_seen() {
        let instance = Instance::new(13, 8).unwrap();
        let start = instance.pointer().cast::<u8>();
        // SAFETY: the byte is in the open part, and this test's own.
        unsafe { start.sub(1).write(0) };
        assert_eq!(instance.strayed(), Some(Side::Before));
        // SAFETY: as above.
        unsafe { start.sub(1).write(FILLED) };
        // SAFETY: as above.
        unsafe { start.add(13).write(0) };
        assert_eq!(instance.strayed(), Some(Side::Behind));
    }
}
