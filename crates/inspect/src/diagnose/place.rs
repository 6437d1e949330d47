//! What lies at an address of this process's code, as data.

/// One address of code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The address of the instruction.
    pub pc: u64,
    /// The function that has the code, demangled, without hash and arguments of generics: the one that others
    /// were inlined into.
    pub symbol: Option<String>,
    /// Bytes from the start of `symbol`; 0 without one.
    pub offset: u64,
    /// The functions that were inlined there, innermost first.
    pub inlined: Vec<String>,
    /// File name of the object file, without directories.
    pub object: Option<String>,
    /// The address in the object file, which is the same wherever the file is mapped; `pc` without one.
    pub object_offset: u64,
    /// Source file of the innermost function that is the program's own, or else of the innermost: an atomic's
    /// line in `library/core` says less than the line that uses it.
    pub file: Option<String>,
    /// Line in `file`.
    pub line: Option<u32>,
}

impl Place {
    /// `symbol+0x12`, the best short name that there is.
    pub fn name(&self) -> String {
        match &self.symbol {
            Some(symbol) => format!("{symbol}+{:#x}", self.offset),
            None => self.in_object(),
        }
    }

    /// `libc.so.6+0x8f123`.
    pub fn in_object(&self) -> String {
        match &self.object {
            Some(object) => format!("{object}+{:#x}", self.object_offset),
            None => format!("{:#x}", self.pc),
        }
    }

    /// `file:line`, if known.
    pub fn source(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        Some(self.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
    }
}

/// Something that knows what lies where: [`Symbols`](super::Symbols), or a test's own drawing.
pub trait Places {
    /// What lies at `pc`.
    fn place(&self, pc: u64) -> Place;

    /// The bytes from `pc` on, at most `length`, fewer where memory ends.
    fn code(&self, pc: u64, length: usize) -> Vec<u8>;
}
