//! Specimens that sleep in code of which little is known: functions that libc does not export, and code
//! without an unwinding table.

use crate::stuck::{in_thread, wait_without_a_waker};
use std::thread;

/// Name and body.
pub const TABLE: &[(&str, fn())] =
    &[("lost-libc-lock", lost_libc_lock), ("lost-without-table", || in_thread(call_without_table))];

unsafe extern "C" {
    fn flockfile(file: *mut libc::FILE);
    fn sigproof_without_table();
}

/// One thread holds the lock of a stream for ever, another waits for it. The wait is in a function that glibc
/// does not export.
fn lost_libc_lock() {
    // SAFETY: both strings end with a zero byte; the stream is never closed.
    let stream = unsafe { libc::fopen(c"/dev/null".as_ptr(), c"w".as_ptr()) };
    assert!(!stream.is_null(), "/dev/null cannot be opened: {}", std::io::Error::last_os_error());
    lock_stream(stream);
    let address = stream.expose_provenance();
    let waiter = thread::Builder::new().name("waiter".to_owned());
    let waiter = waiter.spawn(move || lock_stream(std::ptr::with_exposed_provenance_mut(address)));
    waiter.expect("a thread starts");
    wait_without_a_waker();
}

#[inline(never)]
fn lock_stream(stream: *mut libc::FILE) {
    // SAFETY: the stream is open for the life of the process.
    unsafe { flockfile(stream) };
    // Keeps the call from being the last, a mere jump.
    std::hint::black_box(());
}

#[inline(never)]
fn call_without_table() {
    // SAFETY: the function keeps to the C calling convention and touches nothing but its own frame.
    unsafe { sigproof_without_table() };
    std::hint::black_box(());
}

extern "C" fn wait_from_assembly() {
    wait_without_a_waker();
}

// Assembly without `.cfi` directives has no entry in any unwinding table. The frame pointer is of no use on
// x86_64, as in libraries that are built without one.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .text.sigproof_without_table, \"ax\", @progbits",
    ".globl sigproof_without_table",
    ".type sigproof_without_table, @function",
    "sigproof_without_table:",
    "push rbx",
    "push rbp",
    "mov ebp, 1",
    "sub rsp, 40",
    "call {wait}",
    "add rsp, 40",
    "pop rbp",
    "pop rbx",
    "ret",
    ".size sigproof_without_table, . - sigproof_without_table",
    ".popsection",
    wait = sym wait_from_assembly,
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .text.sigproof_without_table, \"ax\", %progbits",
    ".globl sigproof_without_table",
    ".type sigproof_without_table, %function",
    "sigproof_without_table:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "bl {wait}",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".size sigproof_without_table, . - sigproof_without_table",
    ".popsection",
    wait = sym wait_from_assembly,
);
