//! What a file says of itself, before it is loaded: the loader's own messages ("invalid ELF header", "wrong
//! ELF class") name no remedy.

use std::fs;
use std::io::Read;
use std::path::Path;

use object::read::elf::{ElfFile32, ElfFile64};
use object::{Architecture, Object, ObjectKind};

use super::bad::BadLibrary;
use crate::platform::Platform;

/// The largest file that is read. Its headers are at both ends.
const LARGEST: u64 = 1 << 30;

/// Whether the loader can be expected to take this file.
///
/// # Errors
/// The file cannot be read, is not a shared library, or is one for another machine.
pub fn look(path: &Path) -> Result<(), BadLibrary> {
    let unreadable = |why: String| BadLibrary::Unreadable { path: path.to_owned(), why };
    let not_shared = |what: &str| BadLibrary::NotShared { path: path.to_owned(), what: what.to_owned() };
    let metadata = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if metadata.is_dir() {
        return Err(not_shared("a folder"));
    }
    // A pipe has no end, and a device may have effects.
    if !metadata.is_file() {
        return Err(not_shared("not a regular file"));
    }
    if metadata.len() == 0 {
        return Err(not_shared("an empty file"));
    }
    if metadata.len() > LARGEST {
        return Err(not_shared("a file of more than a gigabyte"));
    }
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|error| unreadable(error.to_string()))?;
    // Other systems have other formats, of which their loaders tell.
    if Platform::current() == Platform::Darwin {
        return Ok(());
    }
    if !bytes.starts_with(b"\x7fELF") {
        return Err(not_shared(if bytes.starts_with(b"!<arch>\n") {
            "a static library (an archive of object files)"
        } else if bytes.starts_with(b"#!") {
            "a script"
        } else if bytes.starts_with(b"MZ") {
            "a library for Windows"
        } else if [[0xCF, 0xFA, 0xED, 0xFE], [0xCA, 0xFE, 0xBA, 0xBE]].iter().any(|magic| bytes.starts_with(magic)) {
            "a library for macOS"
        } else {
            "a file of another format"
        }));
    }
    // The class, 1 for 32 bits and 2 for 64, is the byte behind the mark.
    let (kind, architecture, wide) = match bytes.get(4) {
        Some(1) => {
            ElfFile32::<object::Endianness>::parse(&*bytes).map(|file| (file.kind(), file.architecture(), false))
        }
        _ => ElfFile64::<object::Endianness>::parse(&*bytes).map(|file| (file.kind(), file.architecture(), true)),
    }
    .map_err(|error| not_shared(&format!("a damaged ELF file ({error})")))?;
    match kind {
        ObjectKind::Dynamic => {}
        ObjectKind::Relocatable => return Err(not_shared("an object file (.o)")),
        ObjectKind::Executable => return Err(not_shared("an executable")),
        ObjectKind::Core => return Err(not_shared("a core file")),
        _ => return Err(not_shared("an ELF file of another kind")),
    }
    let ours = std::env::consts::ARCH;
    let its = name(architecture);
    if its != ours || wide != (usize::BITS == 64) {
        let its = if wide { its } else { format!("{its}, 32 bits") };
        return Err(BadLibrary::Architecture { path: path.to_owned(), its, ours: ours.to_owned() });
    }
    Ok(())
}

/// As [`std::env::consts::ARCH`] names it.
fn name(architecture: Architecture) -> String {
    match architecture {
        Architecture::X86_64 | Architecture::X86_64_X32 => "x86_64".to_owned(),
        Architecture::I386 => "x86".to_owned(),
        Architecture::Aarch64 => "aarch64".to_owned(),
        Architecture::Arm => "arm".to_owned(),
        Architecture::Riscv64 => "riscv64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the loader would say of each is "invalid ELF header", or worse: it would wait for a writer.
    #[test]
    fn a_file_that_is_no_library_is_said_to_be_what_it_is() {
        let folder = std::env::temp_dir().join(format!("sigproof-foreign-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let says = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).unwrap();
            look(&path).unwrap_err().to_string()
        };
        assert!(says("empty", b"").contains("an empty file"));
        assert!(says("script", b"#!/bin/sh\n").contains("a script"));
        assert!(says("archive", b"!<arch>\nfoo").contains("a static library"));
        assert!(says("text", b"hello").contains("another format"));
        assert!(says("cut", b"\x7fELF\x02\x01\x01").contains("damaged"));
        assert!(look(&folder).unwrap_err().to_string().contains("a folder"));
        assert!(look(&folder.join("none")).unwrap_err().to_string().contains("cannot be read"));
        fs::remove_dir_all(&folder).unwrap();
    }

    /// The header of a shared library of another machine: a real one of this machine, with another number.
    #[test]
    fn the_code_of_another_machine_is_named() {
        // e_ident of 64 bits, little-endian; e_type 3; e_machine 183 (AArch64) or 62 (x86-64).
        let other: u16 = if std::env::consts::ARCH == "aarch64" { 62 } else { 183 };
        let mut header = vec![0_u8; 64];
        header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        header[16] = 3;
        header[18..20].copy_from_slice(&other.to_le_bytes());
        header[20] = 1;
        header[52] = 64;
        let path = std::env::temp_dir().join(format!("sigproof-other-{}.so", std::process::id()));
        fs::write(&path, &header).unwrap();
        let error = look(&path).unwrap_err();
        assert!(matches!(error, BadLibrary::Architecture { .. }), "{error}");
        fs::remove_file(&path).unwrap();
    }
}
