//! The pages in which a copy differs from the program.
//!
//! After a fork both map the same pages. A page that either of them has written since is its own: the kernel
//! shows it as mapped once (`/proc/PID/pagemap`, bit 56). So a page that is the same memory in both is no
//! candidate, and the candidates are few. They are looked for anew only when one of the two has had a page
//! fault since.
//!
//! # Limits
//! Memory that both share for good (`MAP_SHARED`) is not put back.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use sigproof_inspect::hang::procfs;
use std::io::{IoSlice, IoSliceMut};

/// The size of a page.
const PAGE: usize = 4096;

/// The most candidates that are put back; a copy with more is thrown away.
const MOST: usize = 2048;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pages {
    candidates: Vec<u64>,
    faults: Option<(u64, u64)>,
    buffer: Vec<u8>,
    /// Where the page faults of the thread and of the copy are told.
    stats: Option<(File, File)>,
}

impl Pages {
    /// Gives the pages of the program, whose `thread` alone has run since, to the copy; both are stopped.
    /// False: it cannot be done.
    pub(super) fn put_back(&mut self, program: i32, thread: i32, copy: i32) -> bool {
        if self.stats.is_none() {
            let open = |pid: i32, tid: i32| File::open(format!("/proc/{pid}/task/{tid}/stat")).ok();
            self.stats = open(program, thread).zip(open(copy, copy));
        }
        let Some((own, other)) = &self.stats else { return false };
        let Some(now) = faults(own).zip(faults(other)) else { return false };
        if self.faults != Some(now) {
            let Some(found) = differing(program, copy) else { return false };
            self.candidates = found;
            self.faults = Some(now);
        }
        if self.candidates.len() > MOST {
            return false;
        }
        // At most so many pieces a call.
        for pages in self.candidates.chunks(512) {
            self.buffer.resize(pages.len() * PAGE, 0);
            let remote: Vec<_> = pages.iter().map(|page| RemoteIoVec { base: *page as usize, len: PAGE }).collect();
            let length = self.buffer.len();
            let mut into = [IoSliceMut::new(&mut self.buffer)];
            if process_vm_readv(Pid::from_raw(program), &mut into, &remote) != Ok(length) {
                return false;
            }
            let from = [IoSlice::new(&self.buffer)];
            if process_vm_writev(Pid::from_raw(copy), &from, &remote) != Ok(length) {
                return false;
            }
        }
        // What is written from here is on the account of this process, not of the copy.
        true
    }
}

/// The page faults of a thread so far.
fn faults(stat: &File) -> Option<u64> {
    let mut buffer = [0; 256];
    let text = procfs::reread(stat, &mut buffer).ok()?;
    // The tenth word of the file, the eighth behind the name.
    text.rsplit_once(") ")?.1.split(' ').nth(7)?.parse().ok()
}

/// The pages of writable private memory that either maps alone.
fn differing(program: i32, copy: i32) -> Option<Vec<u64>> {
    let maps = procfs::maps(program.cast_unsigned());
    let open = |pid: i32| File::open(format!("/proc/{pid}/pagemap")).ok();
    let files = [open(program)?, open(copy)?];
    let mut found = Vec::new();
    for map in maps.iter().filter(|map| map.writable && !map.shared) {
        let pages = ((map.end - map.start) / PAGE as u64) as usize;
        let mut own = vec![false; pages];
        for file in &files {
            let mut entries = vec![0; pages * 8];
            file.read_exact_at(&mut entries, map.start / PAGE as u64 * 8).ok()?;
            for (own, entry) in own.iter_mut().zip(entries.as_chunks::<8>().0) {
                *own |= u64::from_le_bytes(*entry) & (1 << 56) != 0;
            }
        }
        let start = map.start;
        found.extend(own.iter().enumerate().filter(|(_, own)| **own).map(|(n, _)| start + (n * PAGE) as u64));
    }
    Some(found)
}
