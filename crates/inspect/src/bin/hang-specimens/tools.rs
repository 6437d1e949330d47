//! What several specimens need.

use sigproof_shim::native::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::fs::File;

static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// Maps the page shared with the test, for the life of the process.
pub fn map_page(path: &str) {
    let file = File::options().read(true).write(true).open(path).expect("the page opens");
    // SAFETY: a shared mapping of a file that test and specimen only touch through atomics, and that no
    // process shortens.
    let page = unsafe { memmap2::MmapMut::map_mut(&file) }.expect("the page maps");
    assert!(page.len() >= 16);
    // Relaxed: stored before any other thread or handler exists.
    PAGE.store(Box::leak(Box::new(page)).as_mut_ptr().cast(), Ordering::Relaxed);
}

fn word(n: usize) -> &'static AtomicU64 {
    // SAFETY: mapped by `map_page`, page-aligned, at least two words long, never unmapped.
    unsafe { &*PAGE.load(Ordering::Relaxed).add(n) }
}

/// The progress count.
pub fn progress() -> &'static AtomicU64 {
    word(0)
}

/// Not 0 while a timer is armed.
pub fn armed() -> &'static AtomicU64 {
    word(1)
}

/// Installs a handler without flags.
pub fn handle(signal: i32, handler: extern "C" fn(i32)) {
    // SAFETY: a zeroed sigaction is a valid one; the handler has the signature that no flags ask for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
    }
}

/// Sends `signal` to the calling thread.
#[inline(always)]
pub fn raise(signal: i32) {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// A close-on-exec pipe: read end, write end.
pub fn pipe() -> [i32; 2] {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    ends
}
