//! The diagnosis where another process cannot be looked into by these means: same shape, no result.

use super::{DiagnoseError, Diagnosis, Place, Places};
use crate::hang::Stuck;

/// Always [`DiagnoseError::Unsupported`].
///
/// # Errors
/// Always.
pub fn diagnose(_pid: u32, _stuck: Stuck) -> Result<Diagnosis, DiagnoseError> {
    Err(DiagnoseError::Unsupported("it needs Linux's /proc on x86_64 or aarch64"))
}

/// No thread may be stopped.
pub fn counters(_pid: u32) -> Option<Vec<u64>> {
    None
}

/// Nothing to read ahead.
pub fn warm_up() {}

/// Nothing is known of any address.
#[derive(Debug)]
pub struct Symbols(());

impl Symbols {
    /// Those of this process: none.
    pub fn of_self() -> Self {
        Self(())
    }

    /// Those of another process: none.
    pub fn of(_pid: u32) -> Self {
        Self(())
    }

    /// Nothing but the address.
    pub fn place(&self, pc: u64) -> Place {
        Place { pc, object_offset: pc, ..Place::default() }
    }

    /// No bytes.
    pub fn code(&self, _pc: u64, _length: usize) -> Vec<u8> {
        Vec::new()
    }
}

impl Places for Symbols {
    fn place(&self, pc: u64) -> Place {
        Self::place(self, pc)
    }

    fn code(&self, pc: u64, length: usize) -> Vec<u8> {
        Self::code(self, pc, length)
    }
}

/// Nothing is known of any object file.
#[derive(Debug)]
pub struct FileSymbols(());

impl FileSymbols {
    /// None.
    pub fn open(_path: &std::path::Path) -> Option<Self> {
        None
    }

    /// None.
    pub fn function(&self, _address: u64) -> Option<(&'static str, u64)> {
        None
    }

    /// None.
    pub fn variable(&self, _address: u64) -> Option<(String, u64)> {
        None
    }

    /// Nothing but the address.
    pub fn place(&self, address: u64) -> Place {
        Place { pc: address, object_offset: address, ..Place::default() }
    }
}

/// The name as it is.
pub fn demangled(name: &str) -> String {
    name.to_owned()
}
