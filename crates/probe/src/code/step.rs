//! What one instruction does, in terms that serve every processor: values that move between registers and
//! memory, and where execution goes next.
//!
//! Only what the search for handlers needs is told apart. Anything else that an instruction does to a
//! register is [`Effect::Forget`].

/// A register: the general ones first, then the lower and the upper halves of the vector registers.
pub(crate) type Reg = u8;

/// Registers that are followed.
pub(crate) const REGS: usize = 64;

/// What is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// What the register holds.
    Reg(Reg),
    Number(u64),
}

/// The address of a memory operand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub base: Option<Reg>,
    /// The second register, and what it is multiplied with.
    pub index: Option<(Reg, u8)>,
    pub offset: u64,
    /// In the thread's own memory: never shared.
    pub thread: bool,
}

impl Address {
    /// A fixed one.
    #[cfg(test)]
    pub(crate) fn fixed(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    /// Relative to a register.
    pub(crate) fn at(base: Reg, offset: i64) -> Self {
        Self { base: Some(base), offset: offset.cast_unsigned(), ..Self::default() }
    }
}

/// One thing that an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The register gets the value.
    Set(Reg, Operand),
    /// The register keeps its value, or gets this one.
    Choose(Reg, Operand),
    /// The register becomes the sum.
    Add(Reg, Operand, Operand),
    /// The register becomes the difference.
    Subtract(Reg, Operand, Operand),
    /// The register becomes the product.
    Scale(Reg, Operand, u32),
    /// The register becomes the address.
    Point(Reg, Address),
    /// The register becomes what memory holds; `signed` if the value is extended by its sign.
    Load { to: Reg, from: Address, width: u8, signed: bool },
    /// Memory becomes the value; without one, something that is not known.
    Store { to: Address, width: u8, value: Option<Operand> },
    /// Memory is read and written by one instruction.
    Update { at: Address, width: u8 },
    /// Memory is read, and the value is not followed.
    Read { at: Address, width: u8 },
    /// The register holds something that is not known.
    Forget(Reg),
    /// Words are stored from the address in the first register on, as many as the second says, of the value
    /// in the third.
    Fill(Reg, Reg, Reg),
    /// Words are copied to the address in the first register from that in the second, as many as the third
    /// says.
    Copy(Reg, Reg, Reg),
}

/// Where a target that is no number lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Reg(Reg),
    Memory(Address),
}

/// Where execution goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    #[default]
    Next,
    Jump(u64),
    /// There, or to the next instruction.
    Branch(u64),
    JumpVia(Via),
    Call(u64),
    CallVia(Via),
    Return,
    /// Nowhere: a trap.
    Stop,
    /// Into the kernel and back.
    Kernel,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub length: u8,
    pub effects: Vec<Effect>,
    pub flow: Flow,
}

/// What differs from processor to processor.
pub(crate) struct Convention {
    /// The registers of the first arguments.
    pub arguments: &'static [Reg],
    /// The register of the result.
    pub result: Reg,
    /// What a call may change.
    pub lost: &'static [Reg],
    /// The stack pointer.
    pub stack: Reg,
    /// The register with the number of a system call, and those with its arguments.
    pub kernel: (Reg, &'static [Reg]),
    /// The number of `rt_sigaction`.
    pub sigaction: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    X86,
    Arm,
}

impl Machine {
    pub(crate) fn convention(self) -> &'static Convention {
        match self {
            Self::X86 => &super::x86::CONVENTION,
            Self::Arm => &super::arm::CONVENTION,
        }
    }

    /// The instruction that `code` begins with; false if it is none.
    pub(crate) fn decode(self, code: &[u8], at: u64, step: &mut Step) -> bool {
        step.effects.clear();
        step.flow = Flow::Next;
        match self {
            Self::X86 => super::x86::decode(code, at, step),
            Self::Arm => super::arm::decode(code, at, step),
        }
    }
}
