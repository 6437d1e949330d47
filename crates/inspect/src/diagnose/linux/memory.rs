//! The child's memory, read page by page and kept for the length of one diagnosis.

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The unit that is read; a page of the machine is one or several of it.
pub(crate) const PAGE: u64 = 4096;

/// A view of the memory of one process, named by a living thread of it. Valid only as long as nothing in it
/// runs.
#[derive(Debug)]
pub(crate) struct Memory {
    pid: u32,
    /// The second way, where `process_vm_readv` is refused (seccomp filters do).
    file: Option<File>,
    /// The memory of a core file instead.
    core: Option<Segments>,
    pages: HashMap<u64, Option<Box<[u8]>>>,
}

/// Memory in files: where it was, and the bytes, fewer where the rest was zero or was left out.
pub(crate) type Segments = Vec<(Range<u64>, &'static [u8])>;

impl Memory {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid, file: File::open(format!("/proc/{pid}/mem")).ok(), core: None, pages: HashMap::new() }
    }

    /// That of a core file: of overlapping segments, the first one counts.
    pub(crate) fn of_core(segments: Segments) -> Self {
        Self { pid: 0, file: None, core: Some(segments), pages: HashMap::new() }
    }

    /// Whether it is that of a process that runs here.
    pub(crate) fn is_live(&self) -> bool {
        self.core.is_none()
    }

    /// Fills `into` from `address` on; false if any byte of it cannot be read.
    pub(crate) fn read(&mut self, address: u64, into: &mut [u8]) -> bool {
        let mut done = 0;
        while done < into.len() {
            let Some(at) = address.checked_add(done as u64) else { return false };
            let offset = (at % PAGE) as usize;
            let Some(page) = self.page(at - at % PAGE) else { return false };
            let length = (into.len() - done).min(page.len() - offset);
            into[done..done + length].copy_from_slice(&page[offset..offset + length]);
            done += length;
        }
        true
    }

    /// The 64-bit word at `address`.
    pub(crate) fn word(&mut self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes).then(|| u64::from_ne_bytes(bytes))
    }

    /// The 32-bit word at `address`.
    pub(crate) fn half_word(&mut self, address: u64) -> Option<u32> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes).then(|| u32::from_ne_bytes(bytes))
    }

    /// Reads the pages of a range in one call, and keeps them: later reads see the memory as it is now.
    pub(crate) fn keep(&mut self, range: Range<u64>) {
        let start = range.start - range.start % PAGE;
        let Some(length) = range.end.checked_sub(start).and_then(|length| usize::try_from(length).ok()) else { return };
        let mut bytes = vec![0; length.next_multiple_of(PAGE as usize)];
        let Ok(base) = usize::try_from(start) else { return };
        let remote = RemoteIoVec { base, len: bytes.len() };
        let pid = Pid::from_raw(self.pid as i32);
        let Ok(read) = process_vm_readv(pid, &mut [IoSliceMut::new(&mut bytes)], &[remote]) else { return };
        for (n, page) in bytes[..read].chunks_exact(PAGE as usize).enumerate() {
            self.pages.insert(start + n as u64 * PAGE, Some(page.into()));
        }
    }

    fn page(&mut self, start: u64) -> Option<&[u8]> {
        let (pid, file) = (self.pid, &self.file);
        let core = &self.core;
        let read = || match core {
            Some(segments) => in_core(segments, start),
            None => read_page(pid, file.as_ref(), start),
        };
        self.pages.entry(start).or_insert_with(read).as_deref()
    }
}

fn in_core(segments: &Segments, start: u64) -> Option<Box<[u8]>> {
    segments.iter().find_map(|(range, bytes)| {
        let at = usize::try_from(start.checked_sub(range.start)?).ok()?;
        let end = at.checked_add(PAGE as usize)?;
        range.contains(&start).then(|| bytes.get(at..end)).flatten().map(Into::into)
    })
}

fn read_page(pid: u32, file: Option<&File>, start: u64) -> Option<Box<[u8]>> {
    let mut page = vec![0; PAGE as usize].into_boxed_slice();
    let length = page.len();
    let remote = RemoteIoVec { base: usize::try_from(start).ok()?, len: length };
    if process_vm_readv(Pid::from_raw(pid as i32), &mut [IoSliceMut::new(&mut page)], &[remote]) == Ok(length) {
        return Some(page);
    }
    file?.read_exact_at(&mut page, start).ok()?;
    Some(page)
}
