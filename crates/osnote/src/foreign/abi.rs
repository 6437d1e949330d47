//! The declarations of `include/sigproof.h`, version 1.
//!
//! A function pointer is an `Option`: a library may leave it null, and the checks of
//! [`library`](super::library) say where it may not.

use core::ffi::{c_char, c_int, c_void};

/// The version of the structs below.
pub const ABI: u32 = 1;

/// The name of the function that returns the note.
pub const NOTE: &str = "sigproof_note";

/// The name of the function that returns the windows.
pub const WINDOWS: &str = "sigproof_windows";

/// A note: `wakeup` may be called from a signal handler.
pub const WAKEUP_IN_HANDLER: u32 = 1;

/// A note: `sleep_timeout` exists.
pub const TIMED_SLEEP: u32 = 2;

/// A note: a process can have one instance.
pub const ONE_INSTANCE: u32 = 4;

/// A window: the handler allocates and frees no memory, and takes no lock.
pub const NO_MALLOC: u32 = 1;

/// A window: `check` gives a digest of the result.
pub const DIGEST: u32 = 2;

/// The longest name.
pub const NAME: usize = 64;

/// The largest instance, in bytes.
pub const SIZE: usize = 16 << 20;

/// The largest alignment, in bytes.
pub const ALIGN: usize = 1 << 16;

/// The largest errno value that a function may return (the kernel's `MAX_ERRNO`).
pub const ERRNO: c_int = 4095;

/// How many windows are read from an array before it counts as one without an end.
pub const MOST_WINDOWS: usize = 1000;

/// `int (*)(void *)`.
pub type Call = unsafe extern "C" fn(*mut c_void) -> c_int;

/// `struct sigproof_note_v1`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NoteV1 {
    /// [`ABI`].
    pub abi: u32,
    /// [`WAKEUP_IN_HANDLER`], [`TIMED_SLEEP`], [`ONE_INSTANCE`].
    pub flags: u32,
    /// A C string.
    pub name: *const c_char,
    /// Of one instance.
    pub size: usize,
    /// Of one instance.
    pub align: usize,
    /// Makes a cleared note of zeroed memory.
    pub init: Option<Call>,
    /// Gives back what `init` took.
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Re-arms the note.
    pub clear: Option<Call>,
    /// Sleeps until woken.
    pub sleep: Option<Call>,
    /// Sleeps until woken or until so many nanoseconds have passed.
    pub sleep_timeout: Option<unsafe extern "C" fn(*mut c_void, u64) -> c_int>,
    /// Wakes the sleeper, or the next one.
    pub wakeup: Option<Call>,
}

// SAFETY: the functions may be called from any thread, by the header; the name is read by one thread only.
unsafe impl Send for NoteV1 {}
// SAFETY: as above.
unsafe impl Sync for NoteV1 {}

/// `struct sigproof_window_v1`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WindowV1 {
    /// [`ABI`].
    pub abi: u32,
    /// [`NO_MALLOC`], [`DIGEST`].
    pub flags: u32,
    /// A C string.
    pub name: *const c_char,
    /// Makes what the others are given.
    pub make: Option<unsafe extern "C" fn() -> *mut c_void>,
    /// Before each execution.
    pub prepare: Option<Call>,
    /// What is interrupted.
    pub window: Option<Call>,
    /// In the signal handler.
    pub handler: Option<Call>,
    /// In another thread, once the window's thread sleeps.
    pub helper: Option<Call>,
    /// After each execution.
    pub check: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> c_int>,
}

/// `sigproof_note`.
pub type NoteFunction = unsafe extern "C" fn() -> *const NoteV1;

/// `sigproof_windows`.
pub type WindowsFunction = unsafe extern "C" fn() -> *const *const WindowV1;
