//! The object files that a child has mapped, where, and what lies at an address.

use super::arch::Unwinder;
use super::cfi::{self, Cfi};
use super::elf::{self, Elf};
use super::lines::demangled;
use super::memory::Memory;
use crate::diagnose::{Frame, Place};
use crate::hang::procfs::Mapping;
use framehop::{ExplicitModuleSectionInfo, Module, Unwinder as _};
use sigproof_shim::sync::Arc;
use std::borrow::Cow;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The largest vDSO image that is read.
const VDSO_LIMIT: u64 = 1 << 20;

/// One object file in the child.
pub(crate) struct Image {
    /// Address in the child minus address in the file.
    bias: u64,
    /// All of its mappings.
    range: Range<u64>,
    elf: Arc<Elf>,
}

/// All object files in the child.
pub(crate) struct Images {
    images: Vec<Image>,
    executable: Vec<Range<u64>>,
    /// By `.eh_frame`.
    eh_frame: Unwinder,
    /// By `.debug_frame`.
    debug_frame: Unwinder,
}

impl Images {
    pub(crate) fn new(pid: u32, maps: &[Mapping], memory: &mut Memory) -> Self {
        Self::by(maps, memory, |map, memory| file(pid, map, maps, memory))
    }

    /// Those of a core file: the files that it names, if they are still what they were.
    pub(crate) fn of_core(maps: &[Mapping], memory: &mut Memory) -> Self {
        Self::by(maps, memory, |map, memory| file_of_core(map, maps, memory))
    }

    fn by(maps: &[Mapping], memory: &mut Memory, file: impl Fn(&Mapping, &mut Memory) -> Option<Image>) -> Self {
        let executable = maps.iter().filter(|map| map.executable).map(|map| map.start..map.end).collect();
        let mut this = Self { images: Vec::new(), executable, eh_frame: Unwinder::new(), debug_frame: Unwinder::new() };
        for map in maps.iter().filter(|map| map.executable) {
            if this.images.iter().any(|image| image.range.contains(&map.start)) {
                continue;
            }
            let image = if map.path == "[vdso]" { vdso(map, memory) } else { file(map, memory) };
            if let Some(image) = image {
                this.eh_frame.add_module(module(&image));
                if image.elf.debug_frame.is_some() {
                    this.debug_frame.add_module(module_by_debug_frame(&image));
                }
                this.images.push(image);
            }
        }
        this
    }

    /// Whether code may run at `address`.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.executable.iter().any(|range| range.contains(&address))
    }

    /// Whether an object file whose name begins like this is mapped.
    pub(crate) fn has_object(&self, prefix: &str) -> bool {
        self.images.iter().any(|image| image.elf.name.starts_with(prefix))
    }

    /// Whether the executable or a library has a function of this name.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.images.iter().any(|image| image.elf.has_function(name))
    }

    /// The unwinder that has a table for the code at `address`.
    pub(super) fn unwinder(&self, address: u64) -> Option<(Cfi, &Unwinder)> {
        let image = self.find(address)?;
        let table = cfi::table(&image.elf, address.wrapping_sub(image.bias))?;
        Some((table, self.unwinder_of(table)))
    }

    /// The unwinder that reads this kind of table.
    pub(super) fn unwinder_of(&self, table: Cfi) -> &Unwinder {
        match table {
            Cfi::EhFrame => &self.eh_frame,
            Cfi::DebugFrame => &self.debug_frame,
        }
    }

    /// The function at `address`: its name as in the table, and where it starts.
    pub(crate) fn function(&self, address: u64) -> Option<(&'static str, u64)> {
        let image = self.find(address)?;
        let (name, offset) = image.elf.function(address.wrapping_sub(image.bias))?;
        Some((name, address.wrapping_sub(offset)))
    }

    /// Whether functions that the object file at `address` does not export have names here; true where there
    /// is no object file.
    pub(crate) fn has_full_names(&self, address: u64) -> bool {
        self.find(address).is_none_or(|image| image.elf.full_names)
    }

    fn find(&self, address: u64) -> Option<&Image> {
        self.images.iter().find(|image| image.range.contains(&address))
    }

    /// The frames of the code at `pc`, inlined ones first. `is_return` says that `pc` is a return address:
    /// the call is before it.
    pub(crate) fn frames(&self, pc: u64, is_return: bool) -> Vec<Frame> {
        let bare = Frame { pc, ..Frame::default() };
        let Some(image) = self.find(pc) else { return vec![bare] };
        let probe = pc.wrapping_sub(image.bias).wrapping_sub(u64::from(is_return));
        let object = Some(image.elf.name.clone());
        let (symbol, offset) = match image.elf.function(probe) {
            Some((name, offset)) => (Some(demangled(name)), offset + u64::from(is_return)),
            None => (None, pc.wrapping_sub(image.bias)),
        };
        let mut sources = image.elf.lines.as_ref().map(|lines| lines.at(probe)).unwrap_or_default();
        let outermost = sources.pop();
        let inlined = sources.into_iter().map(|source| Frame {
            symbol: source.function,
            object: object.clone(),
            file: source.file,
            line: source.line,
            inlined: true,
            ..bare.clone()
        });
        let mut frames: Vec<Frame> = inlined.collect();
        let (function, file, line) = outermost.map_or((None, None, None), |o| (o.function, o.file, o.line));
        frames.push(Frame { symbol: symbol.or(function), offset, object, file, line, ..bare });
        frames
    }

    /// What lies at `pc`, an instruction that is to be executed.
    pub(crate) fn place(&self, pc: u64) -> Place {
        let Some(image) = self.find(pc) else { return Place { pc, object_offset: pc, ..Place::default() } };
        let object_offset = pc.wrapping_sub(image.bias);
        let (symbol, offset) = match image.elf.function(object_offset) {
            Some((name, offset)) => (Some(demangled(name)), offset),
            None => (None, 0),
        };
        let frames = self.frames(pc, false);
        let source = frames.iter().find(|frame| frame.is_ours()).or(frames.first());
        let (file, line) = source.map_or((None, None), |frame| (frame.file.clone(), frame.line));
        let inlined = frames.into_iter().filter(|frame| frame.inlined).filter_map(|frame| frame.symbol).collect();
        Place { pc, symbol, offset, inlined, object: Some(image.elf.name.clone()), object_offset, file, line }
    }

    /// The name of the static variable at `address`, with the distance from its start if there is one.
    pub(crate) fn variable(&self, address: u64) -> Option<String> {
        let image = self.find(address)?;
        let (name, offset) = image.elf.variable(address.wrapping_sub(image.bias))?;
        let name = demangled(name);
        Some(if offset == 0 { name } else { format!("{name}+{offset:#x}") })
    }
}

/// The object file behind a mapping. It must be a regular file and the one that was mapped: replaced files
/// have another inode.
fn file(pid: u32, map: &Mapping, maps: &[Mapping], memory: &mut Memory) -> Option<Image> {
    if map.inode == 0 || !map.path.starts_with('/') {
        return None;
    }
    let device = nix::sys::stat::makedev(u64::from(map.device.0), u64::from(map.device.1));
    let first = maps.iter().find(|other| other.inode == map.inode && other.path == map.path && other.offset == 0);
    let mut head = [0; 64];
    let head_known = first.is_some_and(|first| memory.read(first.start, &mut head));
    let open = |path: &Path| {
        elf::open(path, |metadata| {
            let same = (metadata.dev(), metadata.ino()) == (device, map.inode);
            // Stacked file systems show another device in maps than in stat: then the first bytes must agree
            // with what is mapped.
            same || (head_known && head_of(path) == Some(head))
        })
    };
    let (plain, deleted) = match map.path.strip_suffix(" (deleted)") {
        Some(path) => (path, true),
        None => (map.path.as_str(), false),
    };
    let executable = format!("/proc/{pid}/exe");
    // A file that was replaced while the child runs is still to be had through the executable's link, if it
    // is the executable.
    let elf = if deleted { None } else { open(Path::new(plain)) };
    let elf = match elf {
        Some(elf) => elf,
        None if fs::read_link(&executable).is_ok_and(|target| target.to_str() == Some(&map.path)) => {
            open(Path::new(&executable))?
        }
        None => {
            // In a container, the path is one of its own root. The kernel's own link to the mapped file needs
            // a capability.
            let in_root = format!("/proc/{pid}/root{plain}");
            let mapped = format!("/proc/{pid}/map_files/{:x}-{:x}", map.start, map.end);
            let name = Path::new(plain).file_name()?.to_string_lossy().into_owned();
            let below = if deleted { None } else { open(Path::new(&in_root)) };
            below.or_else(|| elf::open_as(Path::new(&mapped), name, |_| true))?
        }
    };
    placed(elf, map)
}

/// The file behind a mapping of a core file: its first bytes must be those that were mapped, where these are
/// kept.
fn file_of_core(map: &Mapping, maps: &[Mapping], memory: &mut Memory) -> Option<Image> {
    let path = map.path.strip_prefix('/').map(|_| Path::new(&map.path))?;
    let first = maps.iter().find(|other| other.path == map.path && other.offset == 0);
    let mut head = [0; 64];
    let known = first.is_some_and(|first| memory.read(first.start, &mut head));
    placed(elf::open(path, |_| !known || head_of(path) == Some(head))?, map)
}

fn placed(elf: Arc<Elf>, map: &Mapping) -> Option<Image> {
    let bias = elf.bias(&(map.start..map.end), map.offset)?;
    // .bss has no file behind it, so the range comes from the segments, not from the mappings.
    let start = elf.segments.iter().map(|segment| segment.range.start).min()?.wrapping_add(bias);
    let end = elf.segments.iter().map(|segment| segment.range.end).max()?.wrapping_add(bias);
    Some(Image { bias, range: start.min(map.start)..end.max(map.end), elf })
}

fn head_of(path: &Path) -> Option<[u8; 64]> {
    use std::io::Read;
    let mut head = [0; 64];
    fs::File::open(path).ok()?.read_exact(&mut head).ok()?;
    Some(head)
}

/// The vDSO exists in memory only.
fn vdso(map: &Mapping, memory: &mut Memory) -> Option<Image> {
    let length = map.end.checked_sub(map.start).filter(|length| *length <= VDSO_LIMIT)?;
    let mut bytes = vec![0; length as usize];
    if !memory.read(map.start, &mut bytes) {
        return None;
    }
    let elf = Arc::new(elf::in_memory("[vdso]", kept(bytes))?);
    let bias = elf.bias(&(map.start..map.end), 0)?;
    Some(Image { bias, range: map.start..map.end, elf })
}

/// The kernel gives every process the same vDSO, so at most a few are ever kept.
fn kept(bytes: Vec<u8>) -> &'static [u8] {
    static SEEN: std::sync::Mutex<Vec<&'static [u8]>> = std::sync::Mutex::new(Vec::new());
    let mut seen = SEEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(known) = seen.iter().find(|known| **known == bytes) {
        return known;
    }
    let bytes: &'static [u8] = bytes.leak();
    seen.push(bytes);
    bytes
}

/// The module for the unwinder that reads `.eh_frame`.
fn module(image: &Image) -> Module<Cow<'static, [u8]>> {
    let elf = &image.elf;
    let tables = ExplicitModuleSectionInfo {
        eh_frame_svma: range(&elf.eh_frame),
        eh_frame: bytes(&elf.eh_frame),
        eh_frame_hdr_svma: range(&elf.eh_frame_hdr),
        eh_frame_hdr: bytes(&elf.eh_frame_hdr),
        ..Default::default()
    };
    module_with(image, tables)
}

/// The same module for the unwinder that reads `.debug_frame`.
fn module_by_debug_frame(image: &Image) -> Module<Cow<'static, [u8]>> {
    let tables = ExplicitModuleSectionInfo { debug_frame: bytes(&image.elf.debug_frame), ..Default::default() };
    module_with(image, tables)
}

fn module_with(image: &Image, tables: ExplicitModuleSectionInfo<Cow<'static, [u8]>>) -> Module<Cow<'static, [u8]>> {
    let elf = &image.elf;
    let sections =
        ExplicitModuleSectionInfo { base_svma: 0, text_svma: range(&elf.text), text: bytes(&elf.text), ..tables };
    Module::new(elf.name.clone(), image.range.clone(), image.bias, sections)
}

fn range(section: &Option<elf::Section>) -> Option<Range<u64>> {
    section.as_ref().map(|section| section.range.clone())
}

fn bytes(section: &Option<elf::Section>) -> Option<Cow<'static, [u8]>> {
    section.as_ref().map(|section| Cow::Borrowed(section.bytes))
}
