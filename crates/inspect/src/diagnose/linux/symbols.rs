//! What lies at the addresses of a process: of this very one, and so of the children that it forks, or of
//! another.
//!
//! A child that was forked and does not call exec has every object file, the vDSO included, where its parent
//! has it: the parent reads itself, at leisure, and the child is left alone.

use super::images::Images;
use super::memory::{Memory, PAGE};
use crate::diagnose::{Place, Places};
use crate::hang::procfs;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

/// The object files of this process, and every answer that was given about them.
///
/// Object files that are loaded later are not seen. An address is looked up once: a path goes through the
/// same code again and again.
pub struct Symbols(Mutex<Known>);

struct Known {
    images: Images,
    memory: Memory,
    places: HashMap<u64, Place>,
}

impl Symbols {
    /// Those of this process, as it is now.
    pub fn of_self() -> Self {
        Self::of(std::process::id())
    }

    /// Those of another process, as it is now. It has to live as long as it is asked about, and is told from
    /// others by its id alone.
    pub fn of(pid: u32) -> Self {
        let mut memory = Memory::new(pid);
        let images = Images::new(pid, &procfs::maps(pid), &mut memory);
        Self(Mutex::new(Known { images, memory, places: HashMap::new() }))
    }

    /// What lies at `pc`.
    pub fn place(&self, pc: u64) -> Place {
        let Known { images, places, .. } = &mut *self.known();
        places.entry(pc).or_insert_with(|| images.place(pc)).clone()
    }

    /// The bytes from `pc` on, at most `length`, fewer where memory ends.
    pub fn code(&self, pc: u64, length: usize) -> Vec<u8> {
        let memory = &mut self.known().memory;
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            let Some(at) = pc.checked_add(done as u64) else { break };
            let part = (length - done).min((PAGE - at % PAGE) as usize);
            if !memory.read(at, &mut bytes[done..done + part]) {
                break;
            }
            done += part;
        }
        bytes.truncate(done);
        bytes
    }

    /// A cache that was left half-way is a cache: entries are put in whole.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols").field("places", &self.known().places.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something whose name is looked for.
    #[inline(never)]
    fn a_known_function(n: u32) -> u32 {
        std::hint::black_box(n).rotate_left(3)
    }

    #[test]
    fn a_function_of_ours_has_its_name_and_its_line() {
        let symbols = Symbols::of_self();
        assert_eq!(a_known_function(1), 8);
        let start = a_known_function as *const () as u64;
        for offset in [0, 1] {
            let place = symbols.place(start + offset);
            let symbol = place.symbol.clone().unwrap();
            assert!(symbol.ends_with("::a_known_function"), "{place:?}");
            assert_eq!(place.offset, offset);
            assert_eq!(place.name(), format!("{symbol}+{offset:#x}"));
            assert_eq!(place.file.as_deref(), Some("crates/inspect/src/diagnose/linux/symbols.rs"), "{place:?}");
            assert!(place.line.is_some());
            assert!(place.object.as_ref().unwrap().starts_with("sigproof_inspect-"));
            // A static executable may be linked for the addresses at which it is.
            assert!(place.object_offset < start || is_static(), "an executable is mapped away from 0: {place:?}");
        }
        assert_eq!(symbols.place(start), symbols.place(start), "the second answer is that of the cache");
    }

    /// Whether this test's executable has the C library in itself.
    fn is_static() -> bool {
        !procfs::maps(std::process::id()).iter().any(|map| map.path.contains("/libc.so"))
    }

    #[test]
    fn libc_and_the_vdso_are_known_too() {
        let symbols = Symbols::of_self();
        let place = symbols.place(libc::pthread_mutex_lock as *const () as u64);
        assert_eq!(place.name(), "pthread_mutex_lock+0x0");
        let object = if is_static() { "sigproof_inspect-" } else { "libc.so" };
        assert!(place.in_object().starts_with(object), "{place:?}");
        let vdso = procfs::maps(std::process::id()).into_iter().find(|map| map.path == "[vdso]");
        if let Some(vdso) = vdso {
            let place = symbols.place(vdso.start + 1);
            assert_eq!(place.object.as_deref(), Some("[vdso]"));
            assert_eq!(place.object_offset, 1);
        }
    }

    #[test]
    fn what_is_no_code_is_only_an_address() {
        let symbols = Symbols::of_self();
        assert_eq!(symbols.place(0x10), Place { pc: 0x10, object_offset: 0x10, ..Place::default() });
        assert_eq!(symbols.place(0x10).name(), "0x10");
        assert!(symbols.code(0x10, 15).is_empty());
        assert!(symbols.code(u64::MAX, 15).is_empty());
    }

    #[test]
    fn code_is_that_of_this_process() {
        let symbols = Symbols::of_self();
        let start = a_known_function as *const () as u64;
        // SAFETY: a function is readable, and at least one byte long.
        let first = unsafe { *std::ptr::with_exposed_provenance::<u8>(a_known_function as *const () as usize) };
        let code = symbols.code(start, 15);
        assert_eq!((code.len(), code[0]), (15, first));
    }

    #[test]
    fn code_ends_where_memory_ends() {
        let maps = procfs::maps(std::process::id());
        let last = maps.iter().rfind(|map| map.path.ends_with("[stack]")).unwrap();
        assert_eq!(Symbols::of_self().code(last.end - 5, 15).len(), 5, "nothing is mapped right above the stack");
    }
}
