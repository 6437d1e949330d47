//! The instructions of the window, each under a label of its own, by target.
//!
//! The marks are part of it, so that the first label is the first boundary and the last label, at the second
//! mark, is the last one. No instruction touches more than what a C function may change.

pub(super) use selected::{LABELS, LACKS, addresses, run};

/// Assembles the window and names its labels. `$mark` is the trap instruction of
/// [`Stage::window`](sigproof_harness::forked::Stage::window).
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
macro_rules! window {
    ($mark:literal; $($label:ident: $instruction:literal;)*) => {
        core::arch::global_asm!(
            ".pushsection .text.sigproof_places,\"ax\",%progbits",
            ".balign 16",
            ".globl sigproof_places",
            ".type sigproof_places, %function",
            "sigproof_places:",
            $mark,
            $(
                concat!(".globl ", stringify!($label)),
                concat!(".type ", stringify!($label), ", %function"),
                concat!(stringify!($label), ": ", $instruction),
                concat!(".size ", stringify!($label), ", . - ", stringify!($label)),
            )*
            "ret",
            ".popsection",
        );

        unsafe extern "C" {
            fn sigproof_places();
            $(fn $label();)*
        }

        /// What a handler says that has interrupted the window before the instruction of this label.
        pub(in super::super) const LABELS: &[&str] = &[$(concat!("the signal interrupted ", stringify!($label))),*];

        /// Where the labels are, in the order of the instructions.
        pub(in super::super) fn addresses() -> Vec<usize> {
            vec![$($label as *const () as usize),*]
        }
    };
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod selected {
    pub(in super::super) const LACKS: Option<&str> = None;

    #[cfg(target_arch = "x86_64")]
    window! {
        "int3";
        sigproof_place_0: "nop";
        sigproof_place_1: "mov eax, 1";
        sigproof_place_2: "add eax, 2";
        sigproof_place_3: "push rax";
        sigproof_place_4: "pop rax";
        sigproof_place_5: "jmp sigproof_place_6";
        sigproof_place_6: "cmp eax, 3";
        sigproof_place_7: "mov ecx, eax";
        sigproof_place_8: "nop";
        sigproof_place_9: "int3";
    }

    #[cfg(target_arch = "aarch64")]
    window! {
        "brk #1";
        sigproof_place_0: "nop";
        sigproof_place_1: "mov x0, #1";
        sigproof_place_2: "add x0, x0, #2";
        sigproof_place_3: "sub sp, sp, #16";
        sigproof_place_4: "add sp, sp, #16";
        sigproof_place_5: "b sigproof_place_6";
        sigproof_place_6: "cmp x0, #3";
        sigproof_place_7: "mov x1, x0";
        sigproof_place_8: "nop";
        sigproof_place_9: "brk #1";
    }

    /// Runs the window once, from mark to mark.
    pub(in super::super) fn run() {
        // SAFETY: a function of the C ABI that changes two registers and the flags; its traps are taken by
        // the engine that runs this.
        unsafe { sigproof_places() }
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod selected {
    pub(in super::super) const LACKS: Option<&str> =
        Some("its instructions are written for Linux on x86_64 and aarch64; run it there");
    pub(in super::super) const LABELS: &[&str] = &[];

    pub(in super::super) fn addresses() -> Vec<usize> {
        Vec::new()
    }

    pub(in super::super) fn run() {}
}
