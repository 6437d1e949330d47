//! A core file: its threads, the files that were mapped, and its memory.
//!
//! | note | holds |
//! |---|---|
//! | `NT_PRSTATUS` | one thread: its id at 32, its registers at 112; of the first one, the signal at 12 |
//! | `NT_SIGINFO` | the signal that ended the process |
//! | `NT_PRPSINFO` | the name of the process, at 40 |
//! | `NT_FILE` | which file was mapped where: a count, the unit of offsets, three words each, then the names |
//!
//! Sources: core(5), linux/elfcore.h, and `fill_files_note` of the kernel.

use crate::diagnose::linux::arch::{self, Registers};
use crate::diagnose::linux::memory::Segments;
use crate::hang::procfs::{Mapping, Syscall};
use memmap2::Mmap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The mark of an ELF file of 64 bits whose numbers begin with their lowest byte.
const MARK: &[u8] = b"\x7fELF\x02\x01";
/// `ET_CORE`, `PT_LOAD`, `PT_NOTE`; the notes; the flags of a segment that is executable, or may be written
/// to.
const CORE: u64 = 4;
const LOAD: u64 = 1;
const NOTE: u64 = 4;
const PRSTATUS: u64 = 1;
const PRPSINFO: u64 = 3;
const SIGINFO: u64 = 0x5349_4749;
const FILE: u64 = 0x4649_4c45;
const EXECUTABLE: u64 = 1;
const WRITABLE: u64 = 2;
/// Bytes of a program header.
const HEADER: usize = 56;
/// Where `elf_prstatus` has the signal, the blocked signals, the thread's id and its registers, and
/// `elf_prpsinfo` the name.
const SIGNAL_AT: usize = 12;
const BLOCKED_AT: usize = 24;
const ID_AT: usize = 32;
const REGISTERS_AT: usize = 112;
const NAME_AT: usize = 40;
const NAME_BYTES: usize = 16;
/// More files are not mapped by one process.
const FILES: u64 = 1 << 16;

/// What a core file holds.
pub(super) struct CoreFile {
    pub pid: u32,
    pub name: String,
    /// The signal that ended the process; 0 if none did.
    pub signal: i32,
    /// Its `si_code`, and the address of a fault.
    pub info: Option<(i32, u64)>,
    /// The one that the signal ended comes first.
    pub threads: Vec<CoreThread>,
    pub maps: Vec<Mapping>,
    pub memory: Segments,
    /// How many bytes are missing at the end.
    pub missing: u64,
}

/// One thread.
pub(super) struct CoreThread {
    pub tid: u32,
    pub registers: Registers,
    /// The call that it was in.
    pub syscall: Option<Syscall>,
    /// The signals that it blocked.
    pub blocked: u64,
}

impl CoreFile {
    /// Reads the core file at `path`.
    ///
    /// # Errors
    /// What is wrong with it, in words with the remedy.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let failed = |error: io::Error| format!("{name}: {error}");
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(format!("{name} is not a regular file"));
        }
        let bytes = map(path).map_err(failed)?;
        if !bytes.starts_with(MARK) || number(bytes, 16, 2) != Some(CORE) {
            return Err(format!("{name} is no core file of a program of 64 bits: `gcore PID` makes one"));
        }
        let own = map(Path::new("/proc/self/exe")).map_err(failed)?;
        if number(bytes, 18, 2) != number(own, 18, 2) {
            return Err(format!("{name} is of another architecture: explain it on such a machine"));
        }
        let cut =
            || format!("{name} is cut off before the state of its threads: raise `ulimit -c`, and make room for it");
        let (at, count) = (number(bytes, 32, 8).ok_or_else(cut)?, number(bytes, 56, 2).ok_or_else(cut)?);
        let mut this = Self {
            pid: 0,
            name: String::new(),
            signal: 0,
            info: None,
            threads: Vec::new(),
            maps: Vec::new(),
            memory: Vec::new(),
            missing: 0,
        };
        let mut files = Vec::new();
        for n in 0..count as usize {
            let header = usize::try_from(at).ok().and_then(|at| at.checked_add(n * HEADER)).ok_or_else(cut)?;
            let field = |offset: usize, bytes_of: usize| number(bytes, header + offset, bytes_of).ok_or_else(cut);
            let (kind, flags, offset) = (field(0, 4)?, field(4, 4)?, field(8, 8)?);
            let (address, kept, size) = (field(16, 8)?, field(32, 8)?, field(40, 8)?);
            let end = offset.saturating_add(kept);
            this.missing = this.missing.max(end.saturating_sub(bytes.len() as u64));
            let (from, to) = (offset.min(bytes.len() as u64) as usize, end.min(bytes.len() as u64) as usize);
            match kind {
                NOTE => this.notes(&bytes[from..to], &mut files),
                LOAD => {
                    this.memory.push((address..address.saturating_add(size), &bytes[from..to]));
                    this.maps.push(Mapping {
                        start: address,
                        end: address.saturating_add(size),
                        executable: flags & EXECUTABLE != 0,
                        writable: flags & WRITABLE != 0,
                        shared: false,
                        offset: 0,
                        device: (0, 0),
                        inode: 0,
                        path: if bytes[from..to].starts_with(&MARK[..4]) { "[vdso]".to_owned() } else { String::new() },
                    });
                }
                _ => {}
            }
        }
        if this.threads.is_empty() {
            return Err(cut());
        }
        this.add_files(&files);
        Ok(this)
    }

    /// A note: the lengths of its name and of its description, its kind, the name and the description, each
    /// rounded up to 4 bytes.
    fn notes(&mut self, bytes: &'static [u8], files: &mut Vec<(u64, u64, u64, String)>) {
        let mut at = 0;
        while let (Some(name), Some(length), Some(kind)) =
            (number(bytes, at, 4), number(bytes, at + 4, 4), number(bytes, at + 8, 4))
        {
            let start = at + 12 + (name as usize).next_multiple_of(4);
            let Some(note) = bytes.get(start..start.saturating_add(length as usize)) else { return };
            match kind {
                PRSTATUS => self.thread(note),
                PRPSINFO => {
                    let name = note.get(NAME_AT..NAME_AT + NAME_BYTES).unwrap_or_default();
                    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                    self.name = String::from_utf8_lossy(name).into_owned();
                }
                SIGINFO if self.info.is_none() => {
                    self.info = number(note, 8, 4).zip(number(note, 16, 8)).map(|(code, at)| (code as i32, at));
                }
                FILE => *files = mapped_files(note),
                _ => {}
            }
            at = start + (length as usize).next_multiple_of(4);
        }
    }

    fn thread(&mut self, note: &[u8]) {
        let (Some(tid), Some((registers, syscall))) =
            (number(note, ID_AT, 4), note.get(REGISTERS_AT..).and_then(arch::in_core))
        else {
            return;
        };
        if self.threads.is_empty() {
            self.signal = number(note, SIGNAL_AT, 2).unwrap_or_default() as i32;
            self.pid = tid as u32;
        }
        let blocked = number(note, BLOCKED_AT, 8).unwrap_or_default();
        self.threads.push(CoreThread { tid: tid as u32, registers, syscall, blocked });
    }

    /// The files: what was not written to is not in the core file, but in them.
    fn add_files(&mut self, files: &[(u64, u64, u64, String)]) {
        for (start, end, offset, path) in files {
            for mapping in self.maps.iter_mut().filter(|mapping| mapping.start < *end && *start < mapping.end) {
                mapping.path.clone_from(path);
                mapping.offset = offset + mapping.start.saturating_sub(*start);
                mapping.inode = 1;
            }
            // gdb leaves out what the files have as well; the kernel keeps an empty segment for it.
            if self.maps.iter().all(|mapping| mapping.end <= *start || *end <= mapping.start) {
                self.maps.push(Mapping {
                    start: *start,
                    end: *end,
                    executable: true,
                    writable: false,
                    shared: false,
                    offset: *offset,
                    device: (0, 0),
                    inode: 1,
                    path: path.clone(),
                });
            }
            let Ok(bytes) = map(Path::new(path)) else { continue };
            if let Some(bytes) = usize::try_from(*offset).ok().and_then(|offset| bytes.get(offset..)) {
                let length = bytes.len().min((end - start) as usize);
                self.memory.push((*start..*end, &bytes[..length]));
            }
        }
    }
}

/// A count, the unit of the offsets, three words for each file, then the names.
fn mapped_files(note: &[u8]) -> Vec<(u64, u64, u64, String)> {
    let word = |n: usize| number(note, 8 * n, 8);
    let (Some(count), Some(unit)) = (word(0).filter(|count| *count <= FILES), word(1)) else { return Vec::new() };
    let names = note.get(16 + 24 * count as usize..).unwrap_or_default().split(|byte| *byte == 0);
    let files = (0..count as usize).zip(names).filter_map(|(n, name)| {
        let (start, end, offset) = (word(2 + 3 * n)?, word(3 + 3 * n)?, word(4 + 3 * n)?);
        (start < end).then(|| (start, end, offset.saturating_mul(unit), String::from_utf8_lossy(name).into_owned()))
    });
    files.collect()
}

/// A number of so many bytes, the lowest one first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The bytes of a file, for the life of this process, which explains one core file.
fn map(path: &Path) -> io::Result<&'static [u8]> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the mapping is private and read-only; no process writes to a finished core file, or to a
    // program in use.
    let mapping = unsafe { Mmap::map(&File::open(path)?) }?;
    Ok(Box::leak(Box::new(mapping)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_files() {
        assert_eq!(number(&[1, 2, 0, 0, 9], 0, 4), Some(0x201));
        assert_eq!(number(&[1, 2], 1, 2), None);
        let mut note: Vec<u8> = [1_u64, 4096, 0x1000, 0x3000, 2].iter().flat_map(|word| word.to_le_bytes()).collect();
        note.extend(b"/bin/a\0");
        assert_eq!(mapped_files(&note), [(0x1000, 0x3000, 8192, "/bin/a".to_owned())]);
        assert!(mapped_files(&note[..9]).is_empty());
    }

    #[test]
    fn what_is_no_core_file_is_told() {
        let said = |path: &Path| CoreFile::read(path).err().unwrap();
        assert!(said(Path::new("/nowhere")).contains("/nowhere: "), "the error of the system");
        assert!(said(Path::new("/dev/zero")).contains("not a regular file"));
        assert!(said(&std::env::current_exe().unwrap()).contains("no core file"));
        let cut = tempfile::NamedTempFile::new().unwrap();
        let mut head = MARK.to_vec();
        head.resize(16, 0);
        head.extend([4, 0]);
        head.extend(&map(Path::new("/proc/self/exe")).unwrap()[18..20]);
        fs::write(cut.path(), head).unwrap();
        assert!(said(cut.path()).contains("cut off"));
    }
}
