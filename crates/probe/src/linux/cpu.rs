//! Registers, breakpoints and instructions of an x86_64 processor.

pub(crate) use sigproof_step::traced::cpu::{Registers, clear_breaks, registers, set_break, set_registers};

/// What an instruction is to one who steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An ordinary one.
    Plain,
    /// It enters the kernel, and may sleep there.
    Call,
    /// It repeats itself, and stops before each turn; so many bytes.
    Repeats(u8),
}

/// What the instruction with these bytes is.
pub(crate) fn kind(code: &[u8]) -> Kind {
    match code {
        [0x0f, 0x05 | 0x34, ..] | [0xcd, 0x80, ..] => Kind::Call,
        [0xf2 | 0xf3, rest @ ..] => {
            let prefixes = rest.iter().take_while(|byte| matches!(byte, 0x66 | 0x67 | 0x40..=0x4f)).count();
            // The string instructions have one byte, and no operand.
            match rest.get(prefixes) {
                Some(0xa4..=0xa7 | 0xaa..=0xaf) => Kind::Repeats(prefixes as u8 + 2),
                _ => Kind::Plain,
            }
        }
        _ => Kind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[0x0f, 0x05, 0x90], Kind::Call)]
    #[case(&[0xf3, 0xa4, 0x90], Kind::Repeats(2))]
    #[case(&[0xf3, 0x48, 0xab], Kind::Repeats(3))]
    #[case(&[0xf3, 0x0f, 0x1e, 0xfa], Kind::Plain)]
    #[case(&[0xf3, 0x0f, 0x6f, 0x06], Kind::Plain)]
    #[case(&[0x90], Kind::Plain)]
    fn kinds(#[case] code: &[u8], #[case] expected: Kind) {
        assert_eq!(kind(code), expected);
    }
}
