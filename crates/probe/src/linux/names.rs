//! Which function is where in the program: by the symbols of its object files, and of their debug files.
//!
//! Source: ELF gABI; the folder of debug files is that of gdb ("Separate Debug Files", by build id).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use object::{Object, ObjectSegment, ObjectSymbol, SegmentFlags, SymbolFlags, SymbolKind, elf};
use sigproof_inspect::diagnose::demangled;
use sigproof_inspect::hang::procfs;

use crate::{Trouble, WindowName};

/// A function in the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub name: String,
    /// The file name of the object file.
    pub object: String,
    /// Its first instruction.
    pub entry: u64,
}

/// An object file that is mapped.
struct Image {
    path: PathBuf,
    name: String,
    bias: u64,
    code: Range<u64>,
}

/// The most names that are proposed.
const NEAREST: usize = 3;

/// What a look for a name has come to.
pub(crate) enum Found {
    /// It is there.
    At(Function),
    /// No object file that is mapped has it. The nearest names, and whether its library is mapped.
    Nowhere {
        /// The nearest first.
        nearest: Vec<String>,
        /// Whether the library that was named is mapped.
        has_library: bool,
    },
}

/// Whether the program does not show its memory to this user. Its map may be shown all the same.
pub(crate) fn hidden(pid: i32) -> bool {
    let memory = File::open(format!("/proc/{pid}/mem"));
    matches!(memory, Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM)))
}

thread_local! {
    /// Where windows were found: the object file, and the address in it. A rerun asks for the same again.
    static KNOWN: RefCell<HashMap<String, (PathBuf, u64)>> = RefCell::default();
}

/// Looks for a function in the program as it is now.
pub(crate) fn find(pid: i32, window: &WindowName) -> Result<Found, Trouble> {
    let images = images(pid);
    let known = KNOWN.with_borrow(|known| known.get(&window.to_string()).cloned());
    if let Some((path, address)) = known
        && let Some(image) = images.iter().find(|image| image.path == path)
    {
        return Ok(Found::At(function(&window.function, image, image.bias.wrapping_add(address))));
    }
    let mut others = BTreeSet::new();
    let mut has_library = window.library.is_none();
    for image in &images {
        if window.library.as_ref().is_some_and(|library| !is_named(&image.name, library)) {
            continue;
        }
        has_library = true;
        if let Some(offset) = window.offset() {
            let at = image.bias.wrapping_add(offset);
            if image.code.contains(&at) {
                return Ok(Found::At(function(&window.function, image, at)));
            }
            continue;
        }
        for file in [Some(image.path.clone()), debug_file(&image.path)].into_iter().flatten() {
            match look(&file, &window.function, &mut others) {
                Some(Symbol::At(address)) => {
                    let place = (image.path.clone(), address);
                    KNOWN.with_borrow_mut(|known| known.insert(window.to_string(), place));
                    return Ok(Found::At(function(&window.function, image, image.bias.wrapping_add(address))));
                }
                Some(Symbol::Chosen) => {
                    return Err(Trouble::Usage(format!(
                        "{} of {} has several implementations, of which one is chosen as the program is loaded; name that \
                         one, such as __{}_avx2 (`nm -D`, or the debug symbols of the library, list them)",
                        window.function, image.name, window.function
                    )));
                }
                Some(Symbol::Several(symbols)) => {
                    return Err(Trouble::Usage(format!(
                        "{} of {} is the name of several functions; name one by its symbol: {}",
                        window.function,
                        image.name,
                        symbols.join(", ")
                    )));
                }
                None => {}
            }
        }
    }
    Ok(Found::Nowhere { nearest: nearest(&window.function, others), has_library })
}

fn function(name: &str, image: &Image, entry: u64) -> Function {
    Function { name: name.to_owned(), object: image.name.clone(), entry }
}

/// Whether `libc`, `libc.so` or `libc.so.6` names the file.
fn is_named(file: &str, library: &str) -> bool {
    file == library || file.strip_prefix(library).is_some_and(|rest| rest.starts_with(['.', '-']))
}

/// Those names that resemble it most.
fn nearest(name: &str, others: BTreeSet<String>) -> Vec<String> {
    let mut ranked: Vec<(f64, String)> = others
        .into_iter()
        .map(|other| (strsim::jaro_winkler(name, &other), other))
        .filter(|(near, _)| *near > 0.8)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().take(NEAREST).map(|(_, name)| name).collect()
}

enum Symbol {
    At(u64),
    Chosen,
    /// Functions of one name with different parameters.
    Several(Vec<String>),
}

/// Looks for a function in one file, and collects the names of the others.
fn look(path: &Path, name: &str, others: &mut BTreeSet<String>) -> Option<Symbol> {
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))?;
    // SAFETY: the file is only read; one that is cut meanwhile ends this process, as it would any reader.
    let bytes = unsafe { Mmap::map(&file) }.ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    let mut found = None;
    // A name without its parameters is one of C++ or Rust as well: of what is mangled in the file.
    let last = name.rsplit("::").next().unwrap_or(name);
    let (mut overloads, mut made) = (BTreeMap::new(), BTreeMap::new());
    for symbol in file.symbols().chain(file.dynamic_symbols()) {
        if !symbol.is_definition() || symbol.address() == 0 {
            continue;
        }
        let chosen =
            matches!(symbol.flags(), SymbolFlags::Elf { st_info, .. } if st_info.st_type() == elf::STT_GNU_IFUNC);
        if symbol.kind() != SymbolKind::Text && !chosen {
            continue;
        }
        let Some(own) = symbol.name().ok().map(|name| name.split('@').next().unwrap_or_default()) else { continue };
        // A name with a point is that of a part of a function.
        let mangled = own.starts_with("_Z") || own.starts_with("_R");
        if mangled && !own.contains('.') && own.contains(last) {
            let plain = demangled(own);
            if plain == name {
                overloads.entry(symbol.address()).or_insert_with(|| own.to_owned());
                continue;
            }
            if name != own && plain.len().abs_diff(name.len()) <= 4 {
                others.insert(plain);
            }
        }
        // What a compiler has made of a function that only this file calls.
        if own.strip_prefix(name).is_some_and(is_made_of) {
            made.entry(symbol.address()).or_insert_with(|| own.to_owned());
            continue;
        }
        if own == name {
            let symbol = if chosen { Symbol::Chosen } else { Symbol::At(symbol.address()) };
            // A public name wins over a private one of the same spelling.
            found.get_or_insert(symbol);
        } else if found.is_none() && own.len().abs_diff(name.len()) <= 4 {
            others.insert(own.to_owned());
        }
    }
    if found.is_some() {
        return found;
    }
    overloads.extend(made);
    match overloads.len() {
        0 => None,
        1 => overloads.into_keys().next().map(Symbol::At),
        _ => Some(Symbol::Several(overloads.into_values().collect())),
    }
}

/// Whether the end of a name says that a compiler has changed the parameters of the whole function: its first
/// instruction is that of the function. A part of a function (`.part.0`, `.cold`) has another.
fn is_made_of(end: &str) -> bool {
    [".constprop.", ".isra."].iter().any(|kind| end.starts_with(kind))
        && end.split('.').skip(1).all(|word| matches!(word, "constprop" | "isra") || word.parse::<u32>().is_ok())
}

/// The separate debug file of an object file, if it is installed.
fn debug_file(path: &Path) -> Option<PathBuf> {
    let file = File::open(path).ok()?;
    // SAFETY: as in `look`.
    let bytes = unsafe { Mmap::map(&file) }.ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    let id: Vec<String> = file.build_id().ok()??.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = id.split_first()?;
    let path = PathBuf::from(format!("/usr/lib/debug/.build-id/{first}/{}.debug", rest.concat()));
    path.exists().then_some(path)
}

/// The object files of the program: its own first, then the libraries, the loader last.
fn images(pid: i32) -> Vec<Image> {
    let maps = procfs::maps(pid.cast_unsigned());
    let mut images: Vec<Image> = Vec::new();
    for map in maps.iter().filter(|map| map.executable && map.inode != 0 && map.path.starts_with('/')) {
        if images.iter().any(|image| image.path == Path::new(&map.path)) {
            continue;
        }
        let path = PathBuf::from(&map.path);
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let Some(bias) = bias(&path, map.start, map.offset) else { continue };
        images.push(Image { path, name, bias, code: map.start..map.end });
    }
    images.sort_by_key(|image| image.name.starts_with("ld-") || image.name.starts_with("ld."));
    images
}

/// The functions of libraries that the program itself asks for, each with the name by which it does: a
/// function may have several.
pub(crate) fn imported(pid: i32) -> HashMap<u64, String> {
    let images = images(pid);
    let mut wanted = BTreeSet::new();
    let mut found = HashMap::new();
    for (number, image) in images.iter().enumerate() {
        let Ok(file) = File::open(&image.path) else { continue };
        // SAFETY: as in `look`.
        let Ok(bytes) = (unsafe { Mmap::map(&file) }) else { continue };
        let Ok(file) = object::File::parse(&*bytes) else { continue };
        for symbol in file.dynamic_symbols() {
            let Some(name) = symbol.name().ok().map(|name| name.split('@').next().unwrap_or_default()) else {
                continue;
            };
            if number == 0 && symbol.is_undefined() {
                wanted.insert(name.to_owned());
            } else if symbol.is_definition() && wanted.contains(name) {
                found.entry(image.bias.wrapping_add(symbol.address())).or_insert_with(|| name.to_owned());
            }
        }
    }
    found
}

/// Address in the program minus address in the file.
fn bias(path: &Path, start: u64, offset: u64) -> Option<u64> {
    let file = File::open(path).ok()?;
    // SAFETY: as in `look`.
    let bytes = unsafe { Mmap::map(&file) }.ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    let segment = file.segments().find(|segment| {
        let (at, size) = segment.file_range();
        let executes =
            matches!(segment.flags(), SegmentFlags::Elf { p_flags, .. } if p_flags & elf::PF_X != elf::ProgramFlags(0));
        executes && at < offset + 4096 && offset < at + size
    })?;
    let (at, _) = segment.file_range();
    Some(start.wrapping_sub(segment.address().wrapping_sub(at).wrapping_add(offset)))
}

/// The bytes of a `syscall` instruction.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Where the program has a `syscall` instruction that may be used.
pub(crate) fn syscall_instruction(pid: i32, read: impl Fn(u64, &mut [u8]) -> bool) -> Option<u64> {
    let maps = procfs::maps(pid.cast_unsigned());
    let mut code: Vec<_> = maps.iter().filter(|map| map.executable && map.path != "[vsyscall]").collect();
    code.sort_by_key(|map| !map.path.contains("/ld-"));
    code.iter().find_map(|map| {
        let mut bytes = vec![0; usize::try_from((map.end - map.start).min(4 << 20)).ok()?];
        read(map.start, &mut bytes).then_some(())?;
        bytes.windows(2).position(|pair| pair == SYSCALL).map(|at| map.start + at as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("libc.so.6", "libc", true)]
    #[case("libc.so.6", "libc.so", true)]
    #[case("libc.so.6", "libc.so.6", true)]
    #[case("libcrypt.so.1", "libc", false)]
    #[case("libc-2.31.so", "libc", true)]
    fn libraries_by_a_part_of_their_name(#[case] file: &str, #[case] library: &str, #[case] is: bool) {
        assert_eq!(is_named(file, library), is);
    }

    #[test]
    fn the_nearest_names_come_first() {
        let others = ["gmtime_r", "localtime", "localtime_r", "write"].map(str::to_owned).into();
        assert_eq!(nearest("localtme_r", others)[0], "localtime_r");
    }
}
