//! What lies at the addresses of an object file that no process has mapped.

use super::elf::{self, Elf};
use super::lines::demangled;
use crate::diagnose::{Frame, Place};
use sigproof_shim::sync::Arc;
use std::fmt;
use std::path::Path;

/// The symbols and the source lines of one object file. Addresses are the file's own, before relocation.
pub struct FileSymbols(Arc<Elf>);

impl FileSymbols {
    /// Those of the file at `path`, with those of its separate debug file; `None` if it is no object file.
    pub fn open(path: &Path) -> Option<Self> {
        elf::open(path, |_| true).map(Self)
    }

    /// The function at `address`, as the symbol table spells it, and where the function starts.
    pub fn function(&self, address: u64) -> Option<(&'static str, u64)> {
        self.0.function(address).map(|(name, offset)| (name, address.wrapping_sub(offset)))
    }

    /// The static variable at `address`, and the distance from its start.
    pub fn variable(&self, address: u64) -> Option<(String, u64)> {
        self.0.variable(address).map(|(name, offset)| (demangled(name), offset))
    }

    /// What lies at `address`.
    pub fn place(&self, address: u64) -> Place {
        let (symbol, offset) = match self.0.function(address) {
            Some((name, offset)) => (Some(demangled(name)), offset),
            None => (None, 0),
        };
        let frames = self.0.lines.as_ref().map(|lines| lines.at(address)).unwrap_or_default();
        let lines = frames.iter().map(|frame| Frame { file: frame.file.clone(), line: frame.line, ..Frame::default() });
        let lines: Vec<Frame> = lines.collect();
        let source = lines.iter().find(|frame| frame.is_ours()).or(lines.first());
        let (file, line) = source.map_or((None, None), |frame| (frame.file.clone(), frame.line));
        let inlined = frames.iter().rev().skip(1).rev().filter_map(|frame| frame.function.clone()).collect();
        let object = Some(self.0.name.clone());
        Place { pc: address, symbol, offset, inlined, object, object_offset: address, file, line }
    }
}

impl fmt::Debug for FileSymbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileSymbols").field(&self.0.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something whose place in the executable is looked for.
    #[inline(never)]
    fn a_function_in_a_file(n: u32) -> u32 {
        std::hint::black_box(n).rotate_left(5)
    }

    #[test]
    fn a_file_says_what_its_process_says() {
        assert_eq!(a_function_in_a_file(1), 32);
        let process = super::super::Symbols::of_self().place(a_function_in_a_file as *const () as u64);
        let file = FileSymbols::open(&std::env::current_exe().unwrap()).unwrap();
        let place = file.place(process.object_offset);
        assert_eq!((&place.symbol, &place.file, place.line), (&process.symbol, &process.file, process.line));
        assert_eq!(file.function(process.object_offset).map(|(_, start)| start), Some(process.object_offset));
    }

    #[test]
    fn a_text_is_no_object_file() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(FileSymbols::open(&path).is_none());
        assert!(FileSymbols::open(Path::new("/")).is_none());
    }
}
