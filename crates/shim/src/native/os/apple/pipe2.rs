//! `pipe2`, which macOS has from 27 on: looked up at run time, so that one binary serves old and new systems.

use crate::native::atomic::{AtomicPtr, Ordering};
use crate::native::os::error::{OsError, check};

type Pipe2 = unsafe extern "C" fn(*mut libc::c_int, libc::c_int) -> libc::c_int;

/// Null: not looked up yet; itself: looked up, absent; else the function.
static FOUND: AtomicPtr<libc::c_void> = AtomicPtr::new(core::ptr::null_mut());

fn look_up() -> Option<Pipe2> {
    let absent = (&raw const FOUND).cast_mut().cast::<libc::c_void>();
    // Relaxed: every thread that looks it up finds the same, and nothing hangs on the order.
    let mut found = FOUND.load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: the name ends in a zero byte.
        found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pipe2".as_ptr()) };
        if found.is_null() {
            found = absent;
        }
        FOUND.store(found, Ordering::Relaxed);
    }
    // SAFETY: a non-null answer of dlsym for this name is the C library's function of this type.
    (found != absent).then(|| unsafe { core::mem::transmute::<*mut libc::c_void, Pipe2>(found) })
}

pub(in crate::native::os) fn pipe2(ends: &mut [libc::c_int; 2], flags: libc::c_int) -> Result<(), OsError> {
    let Some(pipe2) = look_up() else {
        return Err(OsError::Unsupported { what: "pipe2 on this system" });
    };
    // SAFETY: room for the two numbers.
    check("pipe2", unsafe { pipe2(ends.as_mut_ptr(), flags) }).map(drop)
}

pub(in crate::native::os) fn has_pipe2() -> bool {
    look_up().is_some()
}
