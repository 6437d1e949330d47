//! Object files, parsed once and kept for the life of the process.
//!
//! A supervisor diagnoses many children of one executable, so the cache has no bound but the number of
//! distinct files that children map; the files' mappings are leaked on purpose, which makes everything parsed
//! from them `'static`.
//!
//! Only a regular file is opened. A device that happens to be mapped (`/dev/zero`, a GPU) could be read
//! without end.

use super::lines::Lines;
use memmap2::Mmap;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};
use sigproof_shim::sync::Arc;
use std::collections::HashMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;

/// Identity of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

/// One object file. Addresses are the file's own (before relocation).
pub(super) struct Elf {
    /// File name without directories.
    pub name: String,
    /// Loadable segments.
    pub segments: Vec<Segment>,
    pub eh_frame: Option<Section>,
    pub eh_frame_hdr: Option<Section>,
    pub debug_frame: Option<Section>,
    pub text: Option<Section>,
    functions: Table,
    variables: Table,
    pub lines: Option<Lines>,
    /// Whether the names of functions that are not exported are known: the file has a full symbol table, or
    /// its debug file does.
    pub full_names: bool,
}

/// A loadable segment.
pub(super) struct Segment {
    /// Where its bytes lie in the file.
    file: Range<u64>,
    /// Its addresses.
    pub range: Range<u64>,
    executable: bool,
}

/// A section: its addresses and its bytes.
#[derive(Clone)]
pub(super) struct Section {
    pub range: Range<u64>,
    pub bytes: &'static [u8],
}

static CACHE: Mutex<Option<HashMap<Key, Option<Arc<Elf>>>>> = Mutex::new(None);

/// The parsed object file at `path`, of whose regular-file inode `accept` must approve. `None` if it is no
/// such thing.
pub(super) fn open(path: &Path, accept: impl FnOnce(&fs::Metadata) -> bool) -> Option<Arc<Elf>> {
    open_as(path, path.file_name()?.to_string_lossy().into_owned(), accept)
}

/// The same for a file that goes by another name than the path ends in.
pub(super) fn open_as(path: &Path, name: String, accept: impl FnOnce(&fs::Metadata) -> bool) -> Option<Arc<Elf>> {
    // Asked before opening: opening a device may already do something.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || !accept(&metadata) {
        return None;
    }
    let key = Key {
        device: metadata.dev(),
        inode: metadata.ino(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        size: metadata.size(),
    };
    // A poisoned cache is a cache: entries are put in whole.
    let mut cache = CACHE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    cache.get_or_insert_default().entry(key).or_insert_with(|| load(&file, name).map(Arc::new)).clone()
}

fn load(file: &File, name: String) -> Option<Elf> {
    let bytes = map(file)?;
    let own = object::File::parse(bytes).ok()?;
    let mut elf = parse(name, &own)?;
    let mut symbols = Symbols::default();
    symbols.add(&own);
    // Debian, Fedora and others keep the full symbol table apart, under the build id.
    elf.full_names = own.symbols().next().is_some();
    if let Some(debug) = debug_file(&own) {
        symbols.add(&debug);
        elf.full_names |= debug.symbols().next().is_some();
    }
    (elf.functions, elf.variables) = symbols.finish();
    elf.lines = Lines::of(&own);
    Some(elf)
}

/// What an image in memory says: the vDSO.
pub(super) fn in_memory(name: &str, bytes: &'static [u8]) -> Option<Elf> {
    let own = object::File::parse(bytes).ok()?;
    let mut elf = parse(name.to_owned(), &own)?;
    let mut symbols = Symbols::default();
    symbols.add(&own);
    (elf.functions, elf.variables) = symbols.finish();
    Some(elf)
}

fn parse(name: String, own: &object::File<'static>) -> Option<Elf> {
    let section = |name: &str| {
        let section = own.section_by_name(name)?;
        let bytes = section.data().ok()?;
        Some(Section { range: section.address()..section.address() + section.size(), bytes })
    };
    let segments = own
        .segments()
        .map(|segment| {
            let (at, length) = segment.file_range();
            let executable = segment.permissions().executable();
            Segment { file: at..at + length, range: segment.address()..segment.address() + segment.size(), executable }
        })
        .collect();
    Some(Elf {
        name,
        segments,
        eh_frame: section(".eh_frame"),
        eh_frame_hdr: section(".eh_frame_hdr"),
        debug_frame: section(".debug_frame"),
        text: section(".text"),
        functions: Table::default(),
        variables: Table::default(),
        lines: None,
        full_names: false,
    })
}

fn map(file: &File) -> Option<&'static [u8]> {
    // SAFETY: the mapping is private and read-only. An executable or library that is in use is replaced by a
    // new inode, not rewritten in place (the kernel refuses to write to a running executable), so the bytes
    // do not change or vanish beneath us.
    let mapping = unsafe { Mmap::map(file) }.ok()?;
    Some(Box::leak(Box::new(mapping)))
}

/// The separate debug file of an object, by its build id.
fn debug_file(own: &object::File<'static>) -> Option<object::File<'static>> {
    let id = own.build_id().ok()??;
    let (first, rest) = id.split_first()?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = format!("/usr/lib/debug/.build-id/{first:02x}/{rest}.debug");
    if !fs::metadata(&path).ok()?.is_file() {
        return None;
    }
    object::File::parse(map(&File::open(path).ok()?)?).ok()
}

impl Elf {
    /// The function at `address`: name as in the table, and distance from its start.
    pub(super) fn function(&self, address: u64) -> Option<(&'static str, u64)> {
        self.functions.find(address)
    }

    /// Whether a function has this name.
    pub(super) fn has_function(&self, name: &str) -> bool {
        self.functions.0.iter().any(|entry| entry.name == name)
    }

    /// The variable at `address`.
    pub(super) fn variable(&self, address: u64) -> Option<(&'static str, u64)> {
        self.variables.find(address)
    }

    /// What to add to the file's addresses, if an executable mapping of the file's bytes from `offset` on is
    /// at `mapped`.
    pub(super) fn bias(&self, mapped: &Range<u64>, offset: u64) -> Option<u64> {
        let end = offset.checked_add(mapped.end.checked_sub(mapped.start)?)?;
        // A mapping starts at the page that holds its segment's first byte, and so may begin with another
        // segment's last bytes.
        let code = self.segments.iter().find(|s| s.executable && s.file.start < end && offset < s.file.end)?;
        Some(mapped.start.wrapping_sub(code.range.start.wrapping_sub(code.file.start).wrapping_add(offset)))
    }
}

/// A symbol while it is collected.
struct Entry {
    address: u64,
    size: u64,
    /// Where its section ends, and so everything in it.
    limit: u64,
    name: &'static str,
    global: bool,
}

#[derive(Default)]
struct Symbols {
    functions: Vec<Entry>,
    variables: Vec<Entry>,
}

impl Symbols {
    fn add(&mut self, file: &object::File<'static>) {
        for symbol in file.symbols().chain(file.dynamic_symbols()) {
            let into = match symbol.kind() {
                SymbolKind::Text => &mut self.functions,
                SymbolKind::Data => &mut self.variables,
                _ => continue,
            };
            let Ok(name) = symbol.name() else { continue };
            if symbol.is_definition() && symbol.address() != 0 && !name.is_empty() {
                let (address, size) = (symbol.address(), symbol.size());
                let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
                let limit = section.map_or(u64::MAX, |section| section.address().saturating_add(section.size()));
                into.push(Entry { address, size, limit, name: unversioned(name), global: symbol.is_global() });
            }
        }
    }

    fn finish(self) -> (Table, Table) {
        (Table::new(self.functions), Table::new(self.variables))
    }
}

/// `pthread_cond_wait@@GLIBC_2.3.2` without its version.
fn unversioned(name: &'static str) -> &'static str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// Symbols by address, one per address.
#[derive(Default)]
struct Table(Vec<Entry>);

/// How far back a symbol may start that covers an address although others start in between.
const NESTING: usize = 16;

impl Table {
    fn new(mut entries: Vec<Entry>) -> Self {
        // Of several names for one address, the public one without underscores is the one that people know.
        let underscores = |name: &str| name.len() - name.trim_start_matches('_').len();
        entries.sort_unstable_by(|a, b| {
            let rank = |e: &Entry| (e.size == 0, underscores(e.name), !e.global, e.name.len(), e.name);
            a.address.cmp(&b.address).then_with(|| rank(a).cmp(&rank(b)))
        });
        entries.dedup_by_key(|entry| entry.address);
        Self(entries)
    }

    fn find(&self, address: u64) -> Option<(&'static str, u64)> {
        let end = self.0.partition_point(|entry| entry.address <= address);
        let candidates = self.0[..end].iter().rev().take(NESTING);
        let mut sized = candidates.filter(|entry| address - entry.address < entry.size);
        if let Some(entry) = sized.next() {
            return Some((entry.name, address - entry.address));
        }
        // Hand-written assembly often has no size: such a symbol reaches up to the next, but not into another
        // section. What follows `_fini` may be the linkage table.
        let entry = self.0[..end].last()?;
        (entry.size == 0 && address < entry.limit).then_some((entry.name, address - entry.address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::sized(0x1004, Some(("sized", 4)))]
    #[case::behind_it(0x1010, None)]
    #[case::nested(0x1108, Some(("inner", 0)))]
    #[case::around_it(0x110c, Some(("outer", 0xc)))]
    #[case::up_to_the_next(0x11ff, Some(("assembly", 0x7f)))]
    #[case::end_of_section(0x1208, Some(("_fini", 8)))]
    #[case::next_section(0x1209, None)]
    #[case::before_all(0xfff, None)]
    fn what_covers_an_address(#[case] address: u64, #[case] expected: Option<(&'static str, u64)>) {
        let entry = |address, size, limit, name| Entry { address, size, limit, name, global: true };
        let table = Table::new(vec![
            entry(0x1200, 0, 0x1209, "_fini"),
            entry(0x1180, 0, 0x1200, "assembly"),
            entry(0x1108, 4, 0x1200, "inner"),
            entry(0x1100, 0x40, 0x1200, "outer"),
            entry(0x1000, 0x10, 0x1200, "sized"),
        ]);
        assert_eq!(table.find(address), expected);
    }
}
