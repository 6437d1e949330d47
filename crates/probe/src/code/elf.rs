//! An ELF file: its bytes by address, what its relocations put where, and where its functions start.
//!
//! Nothing here trusts the file: an address that no segment has reads as nothing, and a table that is cut off
//! ends there.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use object::elf;
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object as _, ObjectSection, ObjectSegment, ObjectSymbol, RelocationFlags, RelocationTarget};
use sigproof_inspect::diagnose::FileSymbols;

use super::step::Machine;

/// Larger files are refused.
const LARGEST: u64 = 2 << 30;

/// A part of the file that is loaded.
struct Segment {
    range: Range<u64>,
    /// Where its bytes lie in the file; memory behind them is zero.
    file: Range<usize>,
    writable: bool,
}

/// What the loader stores in a word of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The address of a symbol of another file, by its number.
    Import(u32),
    /// An address in this file.
    Own(u64),
    /// What the function at this address chooses, of several implementations of one function.
    Chosen(u64),
}

/// An object file.
pub(crate) struct Object {
    pub path: PathBuf,
    /// The file name.
    pub name: String,
    pub machine: Machine,
    bytes: Vec<u8>,
    segments: Vec<Segment>,
    /// What is read-only once it is relocated.
    relocated: Option<Range<u64>>,
    /// Code, by section, or by segment where the file has no sections.
    pub code: Vec<Range<u64>>,
    pub slots: HashMap<u64, Slot>,
    /// The names of symbols that other files define.
    pub imports: Vec<String>,
    /// Definitions by name.
    pub symbols: HashMap<String, u64>,
    /// Definitions that other files may use.
    pub exports: HashMap<String, u64>,
    /// Names of functions by address, local ones too.
    pub names: HashMap<u64, String>,
    /// Where functions start, in order.
    pub starts: Vec<u64>,
    /// Libraries that it needs.
    pub needed: Vec<String>,
    pub rpath: Vec<String>,
    pub runpath: Vec<String>,
    pub entry: u64,
    /// Whether the loader has to bind it to libraries.
    pub is_dynamic: bool,
    /// What its symbol tables and its debug information say, once somebody has asked.
    lines: OnceCell<Option<FileSymbols>>,
}

/// Reads the file, or says why that cannot be done.
pub(crate) fn open(path: &Path) -> Result<Object, String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("{shown} is no regular file; name the executable"));
    }
    if metadata.len() > LARGEST {
        return Err(format!("{shown} has {} bytes; files of at most {LARGEST} are read", metadata.len()));
    }
    let bytes = fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    parse(path, bytes).map_err(|why| format!("{shown} {why}"))
}

fn parse(path: &Path, bytes: Vec<u8>) -> Result<Object, String> {
    match bytes.get(..5) {
        Some([0x7f, b'E', b'L', b'F', 2]) => {}
        Some([0x7f, b'E', b'L', b'F', _]) => {
            return Err("is no 64-bit ELF file; handlers are read in x86_64 and aarch64".to_owned());
        }
        Some([b'#', b'!', ..]) => {
            return Err("is a script; name the interpreter that runs it, or run it: --lint -- COMMAND".to_owned());
        }
        _ => return Err("is no ELF file".to_owned()),
    }
    let file = ElfFile64::<Endianness>::parse(&*bytes).map_err(|error| format!("is a damaged ELF file: {error}"))?;
    let header = file.elf_header();
    let endian = file.endian();
    let machine = match header.e_machine(endian) {
        elf::EM_X86_64 => Machine::X86,
        elf::EM_AARCH64 if endian == Endianness::Little => Machine::Arm,
        other => return Err(format!("is for another processor (ELF machine {other}); x86_64 and aarch64 are read")),
    };
    match header.e_type(endian) {
        elf::ET_EXEC | elf::ET_DYN => {}
        elf::ET_REL => return Err("is not linked yet; name the executable or the library".to_owned()),
        _ => return Err("is neither an executable nor a library".to_owned()),
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut object = Object {
        path: path.to_owned(),
        name,
        machine,
        bytes: Vec::new(),
        segments: Vec::new(),
        relocated: None,
        code: Vec::new(),
        slots: HashMap::new(),
        imports: Vec::new(),
        symbols: HashMap::new(),
        exports: HashMap::new(),
        names: HashMap::new(),
        starts: Vec::new(),
        needed: Vec::new(),
        rpath: Vec::new(),
        runpath: Vec::new(),
        entry: file.entry(),
        is_dynamic: false,
        lines: OnceCell::new(),
    };
    object.segments(&file, bytes.len());
    if object.code.is_empty() {
        return Err("has no code that its headers name".to_owned());
    }
    let mut starts = BTreeSet::from([object.entry]);
    object.named(&file, &mut starts);
    object.relocated(&file);
    object.dynamic(&file);
    object.unwound(&file, &mut starts);
    starts.retain(|start| object.is_code(*start));
    object.starts = starts.into_iter().collect();
    drop(file);
    object.bytes = bytes;
    Ok(object)
}

type File<'data> = ElfFile64<'data, Endianness>;

impl Object {
    fn segments(&mut self, file: &File<'_>, length: usize) {
        let mut executable = Vec::new();
        for segment in file.segments() {
            let (start, size) = (segment.address(), segment.size());
            let (at, kept) = segment.file_range();
            let first = usize::try_from(at).unwrap_or(usize::MAX).min(length);
            let last = usize::try_from(at.saturating_add(kept)).unwrap_or(usize::MAX).min(length);
            let Some(end) = start.checked_add(size) else { continue };
            let range = start..end;
            if segment.permissions().executable() {
                // What is executed is in the file.
                executable.push(start..start.saturating_add((last - first) as u64).min(end));
            }
            self.segments.push(Segment { range, file: first..last, writable: segment.permissions().writable() });
        }
        let endian = file.endian();
        let fixed = file.elf_program_headers().iter().find(|header| header.p_type(endian) == elf::PT_GNU_RELRO);
        self.relocated = fixed.map(|header| {
            let start = header.p_vaddr(endian);
            start..start.saturating_add(header.p_memsz(endian))
        });
        let is_code = |flags| {
            let object::SectionFlags::Elf { sh_flags, .. } = flags else { return false };
            sh_flags.0 & elf::SHF_EXECINSTR.0 != 0
        };
        let sections = file.sections().filter(|section| is_code(section.flags()) && section.size() > 0);
        self.code = sections
            .filter_map(|section| Some(section.address()..section.address().checked_add(section.size())?))
            .filter(|range| executable.iter().any(|whole| whole.start <= range.start && range.end <= whole.end))
            .collect();
        if self.code.is_empty() {
            self.code = executable;
        }
        self.code.sort_by_key(|range| range.start);
    }

    fn named(&mut self, file: &File<'_>, starts: &mut BTreeSet<u64>) {
        self.imports = vec![String::new(); 1];
        for symbol in file.dynamic_symbols() {
            let Ok(name) = symbol.name() else { continue };
            let index = symbol.index().0;
            if self.imports.len() <= index {
                self.imports.resize(index + 1, String::new());
            }
            self.imports[index] = name.to_owned();
            if symbol.is_definition() {
                self.exports.entry(name.to_owned()).or_insert(symbol.address());
            }
        }
        for symbol in file.symbols().chain(file.dynamic_symbols()) {
            let Ok(name) = symbol.name() else { continue };
            if !symbol.is_definition() || name.is_empty() {
                continue;
            }
            self.symbols.entry(name.to_owned()).or_insert(symbol.address());
            let kind = symbol.elf_symbol().st_type();
            if matches!(kind, elf::STT_FUNC | elf::STT_GNU_IFUNC) {
                starts.insert(symbol.address());
                // Of several names, the one without underscores is the one that people know.
                let rank = |name: &str| (name.len() - name.trim_start_matches('_').len(), name.len());
                match self.names.get_mut(&symbol.address()) {
                    Some(known) if rank(known) <= rank(name) => {}
                    Some(known) => name.clone_into(known),
                    None => {
                        self.names.insert(symbol.address(), name.to_owned());
                    }
                }
            }
        }
    }

    fn relocated(&mut self, file: &File<'_>) {
        let Some(relocations) = file.dynamic_relocations() else { return };
        for (at, relocation) in relocations {
            let addend = relocation.addend().cast_unsigned();
            let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
            let slot = match (self.machine, r_type) {
                (Machine::X86, elf::R_X86_64_RELATIVE) | (Machine::Arm, elf::R_AARCH64_RELATIVE) => Slot::Own(addend),
                (Machine::X86, elf::R_X86_64_IRELATIVE) | (Machine::Arm, elf::R_AARCH64_IRELATIVE) => {
                    Slot::Chosen(addend)
                }
                (Machine::X86, elf::R_X86_64_64 | elf::R_X86_64_GLOB_DAT | elf::R_X86_64_JUMP_SLOT)
                | (Machine::Arm, elf::R_AARCH64_ABS64 | elf::R_AARCH64_GLOB_DAT | elf::R_AARCH64_JUMP_SLOT) => {
                    let RelocationTarget::Symbol(index) = relocation.target() else { continue };
                    match file.symbol_by_dynamic_index(index) {
                        Some(address) => Slot::Own(address.wrapping_add(addend)),
                        None => Slot::Import(u32::try_from(index.0).unwrap_or(0)),
                    }
                }
                _ => continue,
            };
            self.slots.insert(at, slot);
        }
    }

    fn dynamic(&mut self, file: &File<'_>) {
        let endian = file.endian();
        let Ok(sections) = file.elf_header().sections(endian, file.data()) else { return };
        let Ok(Some((entries, link))) = sections.dynamic(endian, file.data()) else { return };
        let Ok(strings) = sections.strings(endian, file.data(), link) else { return };
        self.is_dynamic = true;
        let text = |offset: u32| strings.get(offset).ok().map(|text| String::from_utf8_lossy(text).into_owned());
        let paths = |offset| {
            let text: Option<String> = text(offset);
            text.map(|text| text.split(':').map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default()
        };
        for entry in entries {
            let Ok(offset) = u32::try_from(entry.d_val(endian)) else { continue };
            match entry.d_tag(endian) {
                elf::DT_NEEDED => self.needed.extend(text(offset)),
                elf::DT_RPATH => self.rpath.extend(paths(offset)),
                elf::DT_RUNPATH => self.runpath.extend(paths(offset)),
                _ => {}
            }
        }
    }

    /// The starts of functions in the unwinder's table of contents, which a stripped file has too: pairs of
    /// 32-bit distances from the section, the first of each to a function. Source: LSB Core, `.eh_frame_hdr`.
    fn unwound(&self, file: &File<'_>, starts: &mut BTreeSet<u64>) {
        const HEADER: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
        let Some(section) = file.section_by_name(".eh_frame_hdr") else {
            if let Some(section) = file.section_by_name(".eh_frame")
                && let Ok(data) = section.data()
            {
                starts.extend(super::frames::starts(data, section.address()));
            }
            return;
        };
        let Ok(data) = section.data() else { return };
        if data.get(..4) != Some(&HEADER) {
            return;
        }
        for pair in data.get(12..).unwrap_or_default().chunks_exact(8) {
            let Some((distance, _)) = pair.split_first_chunk::<4>() else { continue };
            let distance = i64::from(i32::from_le_bytes(*distance));
            starts.insert(section.address().wrapping_add_signed(distance));
        }
    }

    /// The bytes from `address` on to the end of its segment's part of the file.
    pub(crate) fn bytes(&self, address: u64) -> &[u8] {
        let holds = |segment: &&Segment| segment.range.contains(&address);
        let Some(segment) = self.segments.iter().find(holds) else { return &[] };
        let from = usize::try_from(address - segment.range.start).unwrap_or(usize::MAX);
        self.bytes.get(segment.file.clone()).and_then(|bytes| bytes.get(from..)).unwrap_or_default()
    }

    /// The number in memory as the loader leaves it, without relocations.
    pub(crate) fn number(&self, address: u64, width: u8) -> Option<u64> {
        let width = usize::from(width.min(8));
        let mut word = [0; 8];
        if let Some(bytes) = self.bytes(address).get(..width) {
            word[..width].copy_from_slice(bytes);
            return Some(u64::from_le_bytes(word));
        }
        // Behind the file's part: zero.
        self.segments.iter().any(|segment| segment.range.contains(&address)).then_some(0)
    }

    /// The word that the loader leaves at an address.
    pub(crate) fn word(&self, address: u64) -> Option<u64> {
        match self.slots.get(&address) {
            Some(Slot::Own(value)) => Some(*value),
            Some(Slot::Import(_) | Slot::Chosen(_)) => None,
            None => self.number(address, 8),
        }
    }

    /// Whether code lies there.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        let end = self.code.partition_point(|range| range.start <= address);
        self.code[..end].last().is_some_and(|range| range.contains(&address))
    }

    /// Whether it is loaded.
    pub(crate) fn is_loaded(&self, address: u64) -> bool {
        self.segments.iter().any(|segment| segment.range.contains(&address))
    }

    /// Whether the program may write there.
    pub(crate) fn is_writable(&self, address: u64) -> bool {
        if self.relocated.as_ref().is_some_and(|range| range.contains(&address)) {
            return false;
        }
        self.segments.iter().any(|segment| segment.writable && segment.range.contains(&address))
    }

    /// Where the function that holds `address` starts, and where the next one does.
    pub(crate) fn function(&self, address: u64) -> Option<Range<u64>> {
        let at = self.code.iter().find(|range| range.contains(&address))?;
        let next = self.starts.partition_point(|start| *start <= address);
        let start = self.starts[..next].last().copied().filter(|start| at.contains(start))?;
        let end = self.starts.get(next).copied().unwrap_or(at.end).min(at.end);
        Some(start..end)
    }

    /// Whether a function starts there.
    pub(crate) fn is_start(&self, address: u64) -> bool {
        self.starts.binary_search(&address).is_ok()
    }

    /// The name of the function that starts there, as the symbol table spells it.
    pub(crate) fn symbol(&self, address: u64) -> Option<&str> {
        if let Some(name) = self.names.get(&address) {
            return Some(name);
        }
        let (name, start) = self.lines()?.function(address)?;
        (start == address).then_some(name)
    }

    /// What its symbol tables and its debug information say.
    pub(crate) fn lines(&self) -> Option<&FileSymbols> {
        self.lines.get_or_init(|| FileSymbols::open(&self.path)).as_ref()
    }

    /// The name of the symbol with this number.
    pub(crate) fn import(&self, number: u32) -> &str {
        self.imports.get(number as usize).map_or("", String::as_str)
    }
}

/// A dynamic symbol's own definition.
trait ByDynamicIndex {
    fn symbol_by_dynamic_index(&self, index: object::SymbolIndex) -> Option<u64>;
}

impl ByDynamicIndex for File<'_> {
    fn symbol_by_dynamic_index(&self, index: object::SymbolIndex) -> Option<u64> {
        let symbol = self.dynamic_symbol_table()?;
        let symbol = object::ObjectSymbolTable::symbol_by_index(&symbol, index).ok()?;
        symbol.is_definition().then(|| symbol.address())
    }
}
