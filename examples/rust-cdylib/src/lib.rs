//! A wake-up primitive in Rust, over the C ABI of sigproof: a byte in a pipe, or a condition variable.
//!
//! ```text
//! cargo build
//! sigproof validate target/debug/librust_note.so             safe as claimed
//! cargo build --features mutex
//! sigproof validate target/debug/librust_note.so             claims to be safe; self-deadlocks at ..
//! ```

use std::ffi::{c_char, c_int, c_void};

#[cfg(not(feature = "mutex"))]
mod pipe;
#[cfg(feature = "mutex")]
#[path = "mutex.rs"]
mod pipe;

use pipe::Note;

/// `struct sigproof_note_v1` of sigproof.h.
#[repr(C)]
pub struct NoteV1 {
    abi: u32,
    flags: u32,
    name: *const c_char,
    size: usize,
    align: usize,
    init: unsafe extern "C" fn(*mut c_void) -> c_int,
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    clear: unsafe extern "C" fn(*mut c_void) -> c_int,
    sleep: unsafe extern "C" fn(*mut c_void) -> c_int,
    sleep_timeout: Option<unsafe extern "C" fn(*mut c_void, u64) -> c_int>,
    wakeup: unsafe extern "C" fn(*mut c_void) -> c_int,
}

// SAFETY: the functions may be called from any thread, and the name is a constant.
unsafe impl Sync for NoteV1 {}

/// SIGPROOF_WAKEUP_IN_HANDLER.
const WAKEUP_IN_HANDLER: u32 = 1;

static NOTE: NoteV1 = NoteV1 {
    abi: 1,
    flags: WAKEUP_IN_HANDLER,
    name: c"rust-note".as_ptr(),
    size: size_of::<Note>(),
    align: align_of::<Note>(),
    init,
    destroy: Some(destroy),
    clear,
    sleep,
    sleep_timeout: None,
    wakeup,
};

/// The note of this library.
#[unsafe(no_mangle)]
pub extern "C" fn sigproof_note() -> *const NoteV1 {
    &raw const NOTE
}

unsafe extern "C" fn init(note: *mut c_void) -> c_int {
    match Note::new() {
        Ok(made) => {
            // SAFETY: sigproof gives memory of this size and alignment.
            unsafe { note.cast::<Note>().write(made) };
            0
        }
        Err(error) => error.raw_os_error().unwrap_or(5),
    }
}

unsafe extern "C" fn destroy(note: *mut c_void) {
    // SAFETY: `init` has made it.
    unsafe { note.cast::<Note>().drop_in_place() };
}

unsafe extern "C" fn clear(note: *mut c_void) -> c_int {
    // SAFETY: `init` has made it.
    unsafe { &*note.cast::<Note>() }.clear();
    0
}

unsafe extern "C" fn sleep(note: *mut c_void) -> c_int {
    // SAFETY: `init` has made it.
    unsafe { &*note.cast::<Note>() }.sleep();
    0
}

unsafe extern "C" fn wakeup(note: *mut c_void) -> c_int {
    // SAFETY: `init` has made it.
    if unsafe { &*note.cast::<Note>() }.wakeup() { 0 } else { 114 }
}
