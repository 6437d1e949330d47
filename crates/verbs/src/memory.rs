//! Want of memory in this process: a message and the exit code of an environment that lacks something.
//!
//! Rust's answer is an abort, which looks like a bug of ours. A worker and a sweep keep it: their parent
//! knows it by its words and by SIGABRT.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;

use sigproof_report::exit::Exit;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

#[global_allocator]
static ALLOCATOR: OrEnd = OrEnd { ends: AtomicBool::new(false) };

/// From now on an allocation that fails ends the process with [`Exit::Environment`].
pub fn ends_the_command() {
    ALLOCATOR.ends.store(true, Ordering::Relaxed);
}

/// The system's allocator, and what to do when it has nothing left.
struct OrEnd {
    ends: AtomicBool,
}

impl OrEnd {
    /// Hands a block on. If there is none and the command is to end of it, does not return.
    fn checked(&self, block: *mut u8, size: usize) -> *mut u8 {
        if block.is_null() && self.ends.load(Ordering::Relaxed) {
            out_of_memory(size);
        }
        block
    }
}

// SAFETY: each call is handed to the system's allocator as it is, and its answer is handed back.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the allocator behind.
        self.checked(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.checked(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        self.checked(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Says what is wanting, without allocating, and ends the process. No destructor runs: they allocate. The
/// children are tied to this process and end with it, and an unfinished report has no name yet.
fn out_of_memory(size: usize) -> ! {
    let mut text = [0_u8; 256];
    let room = text.len();
    let mut rest = &mut text[..];
    // A message that does not fit is cut short.
    let _ = writeln!(
        rest,
        "error: out of memory: an allocation of {size} bytes failed\n  remedy: raise the limit (`ulimit -v`, the \
         container's), or set other work aside"
    );
    let length = room - rest.len();
    // SAFETY: `write` reads `length` bytes of a live buffer; `_exit` has no preconditions.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), length);
        libc::_exit(Exit::Environment.code().into())
    }
}
