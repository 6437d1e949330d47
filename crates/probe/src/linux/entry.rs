//! A function's first instruction, done by us: a copy has an `int3` in its place, which costs less than a
//! breakpoint of the processor, since that is exchanged with each switch of the thread.
//!
//! The instructions that functions begin with are few. For any other one the processor's breakpoint is used.
//! Flags are computed for `test` alone: after the others nothing at a function's entry reads them.
//! Source: Intel SDM vol. 2.

use super::cpu::Registers;

/// The instruction that stops a copy.
pub(crate) const STOP: u8 = 0xcc;

/// What a first instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Nothing,
    Push(u8),
    /// To the stack pointer.
    Add(i64),
    Move {
        to: u8,
        from: u8,
        wide: bool,
    },
    Set {
        to: u8,
        value: u64,
    },
    /// From an address that is relative to the next instruction.
    Load {
        to: u8,
        from: i64,
        wide: bool,
    },
    Address {
        to: u8,
        of: i64,
    },
    /// From the address in a register.
    Follow {
        to: u8,
        at: u8,
        wide: bool,
    },
    /// Of a register with itself, for the flags.
    Test {
        of: u8,
        wide: bool,
    },
}

/// A first instruction that can be done for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First {
    what: What,
    length: u8,
}

impl First {
    /// The instruction with these bytes, if it is one of those that are known.
    pub(crate) fn of(code: &[u8; 16]) -> Option<Self> {
        let (prefix, rest) = match code[0] {
            0x40..=0x4f => (code[0], &code[1..]),
            _ => (0, &code[..]),
        };
        let (wide, register, base) = (prefix & 8 != 0, (prefix & 4) << 1, (prefix & 1) << 3);
        let byte = |at: usize| i64::from(rest[at].cast_signed());
        let word = |at: usize| i32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        let (what, length) = match *rest {
            [0x0f, 0x1e, ..] => return None,
            [op @ 0x50..=0x57, ..] => (What::Push((op & 7) | base), 1),
            [0x83, 0xec, ..] if wide => (What::Add(-byte(2)), 3),
            [0x81, 0xec, ..] if wide => (What::Add(-i64::from(word(2))), 6),
            [0x89, modrm @ 0xc0..=0xff, ..] => {
                (What::Move { to: (modrm & 7) | base, from: (modrm >> 3 & 7) | register, wide }, 2)
            }
            [0x8b, modrm @ 0xc0..=0xff, ..] => {
                (What::Move { to: (modrm >> 3 & 7) | register, from: (modrm & 7) | base, wide }, 2)
            }
            // Relative to the next instruction: mode 0, base 5.
            [0x8b, modrm, ..] if modrm & 0xc7 == 5 => {
                (What::Load { to: (modrm >> 3 & 7) | register, from: i64::from(word(2)), wide }, 6)
            }
            // Mode 0, and no displacement: not bases 4 and 5, nor what they are with a prefix.
            [0x8b, modrm @ 0..=0x3f, ..] if !matches!(modrm & 7, 4 | 5) => {
                (What::Follow { to: (modrm >> 3 & 7) | register, at: (modrm & 7) | base, wide }, 2)
            }
            [0x85, modrm @ 0xc0..=0xff, ..] if modrm >> 3 & 7 == modrm & 7 && register == base => {
                (What::Test { of: (modrm & 7) | base, wide }, 2)
            }
            [0x8d, modrm, ..] if modrm & 0xc7 == 5 && wide => {
                (What::Address { to: (modrm >> 3 & 7) | register, of: i64::from(word(2)) }, 6)
            }
            [0x31, modrm @ 0xc0..=0xff, ..] if modrm >> 3 & 7 == modrm & 7 && register == base => {
                (What::Set { to: (modrm & 7) | base, value: 0 }, 2)
            }
            [op @ 0xb8..=0xbf, ..] if !wide => {
                (What::Set { to: (op & 7) | base, value: u64::from(word(1).cast_unsigned()) }, 5)
            }
            // ENDBR64.
            [0xf3, 0x0f, 0x1e, 0xfa, ..] if prefix == 0 => (What::Nothing, 4),
            _ => return None,
        };
        // A write to the stack pointer by a move is no way to begin.
        if matches!(what, What::Move { to: 4, .. } | What::Set { to: 4, .. } | What::Load { to: 4, .. })
            || matches!(what, What::Follow { to: 4, .. } | What::Address { to: 4, .. })
        {
            return None;
        }
        Some(Self { what, length: length + u8::from(prefix != 0) })
    }

    /// Does it, for a thread that is stopped behind the [`STOP`] in its place. False if memory is not there.
    pub(crate) fn perform(
        self,
        registers: &mut Registers,
        read: impl Fn(u64, &mut [u8]) -> bool,
        write: impl Fn(u64, &[u8]) -> bool,
    ) -> bool {
        let next = (registers.rip - 1).wrapping_add(u64::from(self.length));
        registers.rip = next;
        match self.what {
            What::Nothing => {}
            What::Push(from) => {
                let value = *register(registers, from);
                registers.rsp = registers.rsp.wrapping_sub(8);
                return write(registers.rsp, &value.to_le_bytes());
            }
            What::Add(amount) => registers.rsp = registers.rsp.wrapping_add_signed(amount),
            What::Move { to, from, wide } => {
                let value = *register(registers, from);
                *register(registers, to) = if wide { value } else { value & u64::from(u32::MAX) };
            }
            What::Set { to, value } => *register(registers, to) = value,
            What::Address { to, of } => *register(registers, to) = next.wrapping_add_signed(of),
            What::Load { .. } | What::Follow { .. } => {
                let (to, at, wide) = match self.what {
                    What::Load { to, from, wide } => (to, next.wrapping_add_signed(from), wide),
                    What::Follow { to, at, wide } => (to, *register(registers, at), wide),
                    _ => return false,
                };
                let mut bytes = [0; 8];
                let length = if wide { 8 } else { 4 };
                if !read(at, &mut bytes[..length]) {
                    return false;
                }
                *register(registers, to) = u64::from_le_bytes(bytes);
            }
            What::Test { of, wide } => {
                /// Carry, parity, zero, sign and overflow.
                const FLAGS: u64 = 0x8c5;
                let value = *register(registers, of);
                let value = if wide { value } else { value & u64::from(u32::MAX) };
                let sign = value >> if wide { 63 } else { 31 } & 1;
                let parity = u64::from((value as u8).count_ones().is_multiple_of(2));
                registers.eflags &= !FLAGS;
                registers.eflags |= parity << 2 | u64::from(value == 0) << 6 | sign << 7;
            }
        }
        true
    }
}

/// A general register by its number.
fn register(registers: &mut Registers, number: u8) -> &mut u64 {
    match number {
        0 => &mut registers.rax,
        1 => &mut registers.rcx,
        2 => &mut registers.rdx,
        3 => &mut registers.rbx,
        4 => &mut registers.rsp,
        5 => &mut registers.rbp,
        6 => &mut registers.rsi,
        7 => &mut registers.rdi,
        8 => &mut registers.r8,
        9 => &mut registers.r9,
        10 => &mut registers.r10,
        11 => &mut registers.r11,
        12 => &mut registers.r12,
        13 => &mut registers.r13,
        14 => &mut registers.r14,
        _ => &mut registers.r15,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn code(bytes: &[u8]) -> [u8; 16] {
        let mut code = [0x90; 16];
        code[..bytes.len()].copy_from_slice(bytes);
        code
    }

    #[rstest]
    #[case::push_rbx(&[0x53], What::Push(3), 1)]
    #[case::push_r15(&[0x41, 0x57], What::Push(15), 2)]
    #[case::sub_rsp(&[0x48, 0x83, 0xec, 0x18], What::Add(-0x18), 4)]
    #[case::sub_rsp_far(&[0x48, 0x81, 0xec, 0xd8, 0, 0, 0], What::Add(-0xd8), 7)]
    #[case::mov_rdx_rsi(&[0x48, 0x89, 0xf2], What::Move { to: 2, from: 6, wide: true }, 3)]
    #[case::mov_r8d_edi(&[0x41, 0x89, 0xf8], What::Move { to: 8, from: 7, wide: false }, 3)]
    #[case::xor_eax(&[0x31, 0xc0], What::Set { to: 0, value: 0 }, 2)]
    #[case::mov_eax(&[0xb8, 0x0b, 0, 0, 0], What::Set { to: 0, value: 11 }, 5)]
    #[case::mov_rax_rip(&[0x48, 0x8b, 0x05, 8, 0, 0, 0], What::Load { to: 0, from: 8, wide: true }, 7)]
    #[case::lea(&[0x4c, 0x8d, 0x05, 8, 0, 0, 0], What::Address { to: 8, of: 8 }, 7)]
    #[case::mov_rdi_rdi_memory(&[0x48, 0x8b, 0x3f], What::Follow { to: 7, at: 7, wide: true }, 3)]
    #[case::test_rdi(&[0x48, 0x85, 0xff], What::Test { of: 7, wide: true }, 3)]
    #[case::endbr64(&[0xf3, 0x0f, 0x1e, 0xfa], What::Nothing, 4)]
    fn known(#[case] bytes: &[u8], #[case] what: What, #[case] length: u8) {
        assert_eq!(First::of(&code(bytes)), Some(First { what, length }));
    }

    #[rstest]
    #[case::add_memory(&[0x83, 0x07, 1])]
    #[case::sub_esp(&[0x83, 0xec, 8])]
    #[case::call(&[0xe8, 0, 0, 0, 0])]
    #[case::jump(&[0xeb, 2])]
    #[case::mov_rsp_rax(&[0x48, 0x89, 0xc4])]
    fn unknown(#[case] bytes: &[u8]) {
        assert_eq!(First::of(&code(bytes)), None);
    }

    #[test]
    fn a_push_is_done() {
        // SAFETY: numbers only.
        let mut registers: Registers = unsafe { core::mem::zeroed() };
        (registers.rip, registers.rsp, registers.rbx) = (0x101, 0x2000, 7);
        let written = std::cell::Cell::new((0, 0));
        let first = First::of(&code(&[0x53])).unwrap();
        let done = first.perform(
            &mut registers,
            |_, _| false,
            |at, bytes| {
                written.set((at, bytes[0]));
                true
            },
        );
        assert!(done);
        assert_eq!((registers.rip, registers.rsp, written.get()), (0x101, 0x1ff8, (0x1ff8, 7)));
    }
}
