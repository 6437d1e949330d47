//! Instructions of x86_64. Source: Intel SDM vol. 2; the System V ABI for the registers of a call.

use std::cell::RefCell;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::step::{Address, Convention, Effect, Flow, Operand, Reg, Step, Via};

const RAX: Reg = 0;
const RCX: Reg = 1;
const RSP: Reg = 4;
const RBP: Reg = 5;
const RSI: Reg = 6;
const RDI: Reg = 7;
/// The lower half of the first vector register, and the upper half.
const LOW: Reg = 16;
const HIGH: Reg = 32;

/// Linux, System V.
pub(crate) const CONVENTION: Convention = Convention {
    arguments: &[RDI, RSI, 2, RCX, 8, 9],
    result: RAX,
    lost: &[
        0, 1, 2, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
        36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
    ],
    stack: RSP,
    kernel: (RAX, &[RDI, RSI, 2, 10, 8, 9]),
    sigaction: 13,
};

thread_local! {
    /// Its buffers are used again.
    static INFO: RefCell<InstructionInfoFactory> = RefCell::new(InstructionInfoFactory::new());
}

/// The number of a general register, whatever part of it is meant.
fn general(register: Register) -> Option<Reg> {
    register.is_gpr().then(|| register.full_register().number() as Reg)
}

fn vector(register: Register) -> Option<Reg> {
    let whole = register.full_register();
    (register.is_vector_register() && whole.number() < 16).then(|| whole.number() as Reg)
}

/// The memory operand.
fn address(i: &Instruction) -> Address {
    let thread = matches!(i.memory_segment(), Register::FS | Register::GS);
    let base = i.memory_base();
    if matches!(base, Register::RIP | Register::EIP) {
        return Address { offset: i.ip_rel_memory_address(), thread, ..Address::default() };
    }
    let index = general(i.memory_index()).map(|index| (index, i.memory_index_scale() as u8));
    let vectored = i.memory_index().is_vector_register();
    Address {
        base: general(base),
        // Gathered from many places: from none that is known.
        index: if vectored { Some((RAX, 255)) } else { index },
        offset: i.memory_displacement64(),
        thread,
    }
}

fn immediate(i: &Instruction, operand: u32) -> Option<u64> {
    match i.op_kind(operand) {
        OpKind::Immediate8
        | OpKind::Immediate16
        | OpKind::Immediate32
        | OpKind::Immediate64
        | OpKind::Immediate8to16
        | OpKind::Immediate8to32
        | OpKind::Immediate8to64
        | OpKind::Immediate32to64 => Some(i.immediate(operand)),
        _ => None,
    }
}

/// A general register of 32 or 64 bits, which is set as a whole.
fn whole(register: Register) -> Option<Reg> {
    if register.is_gpr64() || register.is_gpr32() { general(register) } else { None }
}

/// The value of an operand that is a whole register or a number.
fn operand(i: &Instruction, number: u32, wide: bool) -> Option<Operand> {
    if i.op_kind(number) == OpKind::Register {
        return whole(i.op_register(number)).map(Operand::Reg);
    }
    immediate(i, number).map(|n| Operand::Number(if wide { n } else { n & 0xffff_ffff }))
}

/// The instruction that `code` begins with; false if it is none.
pub(crate) fn decode(code: &[u8], at: u64, step: &mut Step) -> bool {
    let i = Decoder::with_ip(64, code, at, DecoderOptions::NONE).decode();
    if i.is_invalid() {
        return false;
    }
    step.length = i.len() as u8;
    step.flow = flow(&i);
    if !followed(&i, &mut step.effects) {
        rest(&i, &mut step.effects);
    }
    true
}

fn flow(i: &Instruction) -> Flow {
    let via = || match i.op0_kind() {
        OpKind::Register => Via::Reg(general(i.op0_register()).unwrap_or(RAX)),
        _ => Via::Memory(address(i)),
    };
    match i.mnemonic() {
        Mnemonic::Syscall | Mnemonic::Sysenter => return Flow::Kernel,
        Mnemonic::Hlt | Mnemonic::Int3 | Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2 => return Flow::Stop,
        _ => {}
    }
    match i.flow_control() {
        FlowControl::UnconditionalBranch => Flow::Jump(i.near_branch_target()),
        FlowControl::ConditionalBranch => Flow::Branch(i.near_branch_target()),
        FlowControl::Call if i.is_call_near() => Flow::Call(i.near_branch_target()),
        FlowControl::IndirectBranch => Flow::JumpVia(via()),
        FlowControl::IndirectCall => Flow::CallVia(via()),
        FlowControl::Return => Flow::Return,
        FlowControl::Exception => Flow::Stop,
        _ => Flow::Next,
    }
}

/// The effects of the instructions that are followed; false for another.
fn followed(i: &Instruction, effects: &mut Vec<Effect>) -> bool {
    use Effect::{Add, Choose, Forget, Load, Point, Set, Store, Subtract, Update};
    let wide = i.op0_kind() != OpKind::Register || i.op0_register().is_gpr64();
    let to = if i.op0_kind() == OpKind::Register { whole(i.op0_register()) } else { None };
    let into_memory = i.op0_kind() == OpKind::Memory;
    let from_memory = i.op_count() > 1 && i.op1_kind() == OpKind::Memory;
    let width = i.memory_size().size() as u8;
    match i.mnemonic() {
        Mnemonic::Mov if into_memory => {
            let value = operand(i, 1, width == 8);
            effects.push(Store { to: address(i), width, value });
        }
        Mnemonic::Mov => match to {
            Some(to) if from_memory => effects.push(Load { to, from: address(i), width, signed: false }),
            Some(to) => match operand(i, 1, wide) {
                Some(value) => effects.push(Set(to, value)),
                None => return false,
            },
            None => return false,
        },
        Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd => match to {
            Some(to) if from_memory => {
                let signed = i.mnemonic() != Mnemonic::Movzx;
                effects.push(Load { to, from: address(i), width, signed });
            }
            Some(to) if i.op1_register().is_gpr32() => match whole(i.op1_register()) {
                Some(from) => effects.push(Set(to, Operand::Reg(from))),
                None => return false,
            },
            _ => return false,
        },
        Mnemonic::Cdqe => effects.push(Set(RAX, Operand::Reg(RAX))),
        Mnemonic::Lea => match to {
            Some(to) => effects.push(Point(to, address(i))),
            None => return false,
        },
        Mnemonic::Xor | Mnemonic::Sub
            if i.op0_kind() == OpKind::Register
                && i.op1_kind() == OpKind::Register
                && i.op0_register() == i.op1_register()
                && to.is_some() =>
        {
            effects.push(Set(to.unwrap_or(RAX), Operand::Number(0)));
        }
        Mnemonic::Or if to.is_some() && immediate(i, 1) == Some(u64::MAX) => {
            effects.push(Set(to.unwrap_or(RAX), Operand::Number(u64::MAX)));
        }
        Mnemonic::Shl => match (to, immediate(i, 1)) {
            (Some(to), Some(by @ 0..=12)) => effects.push(Effect::Scale(to, Operand::Reg(to), 1 << by)),
            _ => return false,
        },
        Mnemonic::Imul if i.op_count() == 3 && i.op1_kind() == OpKind::Register => {
            let factor = immediate(i, 2).and_then(|by| u32::try_from(by).ok()).filter(|by| (1..4096).contains(by));
            match (to, operand(i, 1, wide), factor) {
                (Some(to), Some(value), Some(factor)) => effects.push(Effect::Scale(to, value, factor)),
                _ => return false,
            }
        }
        // The stack is aligned already, for all that is asked here.
        Mnemonic::And if to == Some(RSP) => {}
        Mnemonic::Add | Mnemonic::Sub | Mnemonic::Inc | Mnemonic::Dec => {
            let by = match i.mnemonic() {
                Mnemonic::Inc | Mnemonic::Dec => Some(Operand::Number(1)),
                _ => operand(i, 1, true),
            };
            let less = matches!(i.mnemonic(), Mnemonic::Sub | Mnemonic::Dec);
            if into_memory {
                effects.push(Update { at: address(i), width });
                return true;
            }
            match (to, by) {
                (Some(to), Some(by)) if less => effects.push(Subtract(to, Operand::Reg(to), by)),
                (Some(to), Some(by)) => effects.push(Add(to, Operand::Reg(to), by)),
                _ => return false,
            }
        }
        Mnemonic::Push => {
            effects.push(Subtract(RSP, Operand::Reg(RSP), Operand::Number(8)));
            let value = operand(i, 0, true);
            effects.push(Store { to: Address::at(RSP, 0), width: 8, value });
        }
        Mnemonic::Pop => {
            match to {
                Some(to) => effects.push(Load { to, from: Address::at(RSP, 0), width: 8, signed: false }),
                None => return false,
            }
            if to != Some(RSP) {
                effects.push(Add(RSP, Operand::Reg(RSP), Operand::Number(8)));
            }
        }
        Mnemonic::Leave => {
            effects.push(Set(RSP, Operand::Reg(RBP)));
            effects.push(Load { to: RBP, from: Address::at(RSP, 0), width: 8, signed: false });
            effects.push(Add(RSP, Operand::Reg(RSP), Operand::Number(8)));
        }
        Mnemonic::Stosq if i.has_rep_prefix() => effects.push(Effect::Fill(RDI, RCX, RAX)),
        Mnemonic::Movsq if i.has_rep_prefix() => effects.push(Effect::Copy(RDI, RSI, RCX)),
        // Calls change nothing here: what they do is the affair of who follows them.
        Mnemonic::Call | Mnemonic::Syscall | Mnemonic::Ret => {}
        Mnemonic::Movaps
        | Mnemonic::Movups
        | Mnemonic::Movapd
        | Mnemonic::Movupd
        | Mnemonic::Movdqa
        | Mnemonic::Movdqu
        | Mnemonic::Vmovaps
        | Mnemonic::Vmovups
        | Mnemonic::Vmovdqa
        | Mnemonic::Vmovdqu => {
            if i.op_count() != 2 || !matches!(width, 0 | 16) {
                return false;
            }
            let half = |by: u64| {
                let at = address(i);
                Address { offset: at.offset.wrapping_add(by), ..at }
            };
            match (i.op0_kind(), i.op1_kind()) {
                (OpKind::Memory, _) => {
                    let Some(from) = vector(i.op1_register()) else { return false };
                    effects.push(Store { to: half(0), width: 8, value: Some(Operand::Reg(LOW + from)) });
                    effects.push(Store { to: half(8), width: 8, value: Some(Operand::Reg(HIGH + from)) });
                }
                (_, OpKind::Memory) => {
                    let Some(to) = vector(i.op0_register()) else { return false };
                    effects.push(Load { to: LOW + to, from: half(0), width: 8, signed: false });
                    effects.push(Load { to: HIGH + to, from: half(8), width: 8, signed: false });
                }
                _ => {
                    let (Some(to), Some(from)) = (vector(i.op0_register()), vector(i.op1_register())) else {
                        return false;
                    };
                    effects.push(Set(LOW + to, Operand::Reg(LOW + from)));
                    effects.push(Set(HIGH + to, Operand::Reg(HIGH + from)));
                }
            }
        }
        Mnemonic::Movq | Mnemonic::Vmovq => return moved_word(i, effects),
        Mnemonic::Movlps | Mnemonic::Movhps if i.op_count() == 2 => {
            let part = if i.mnemonic() == Mnemonic::Movlps { LOW } else { HIGH };
            if into_memory {
                let Some(from) = vector(i.op1_register()) else { return false };
                effects.push(Store { to: address(i), width: 8, value: Some(Operand::Reg(part + from)) });
            } else {
                let Some(to) = vector(i.op0_register()) else { return false };
                effects.push(Load { to: part + to, from: address(i), width: 8, signed: false });
            }
        }
        Mnemonic::Punpcklqdq if !from_memory => {
            let (Some(to), Some(from)) = (vector(i.op0_register()), vector(i.op1_register())) else { return false };
            effects.push(Set(HIGH + to, Operand::Reg(LOW + from)));
        }
        Mnemonic::Pxor | Mnemonic::Xorps | Mnemonic::Xorpd | Mnemonic::Vpxor | Mnemonic::Vxorps => {
            let last = i.op_count() - 1;
            let same = i.op_register(last - 1) == i.op_register(last) && i.op_kind(last) == OpKind::Register;
            let Some(to) = vector(i.op0_register()) else { return false };
            for half in [LOW, HIGH] {
                effects.push(if same { Set(half + to, Operand::Number(0)) } else { Forget(half + to) });
            }
            return same || !from_memory;
        }
        _ if i.mnemonic() >= Mnemonic::Cmova && i.mnemonic() <= Mnemonic::Cmovs && !from_memory => {
            match (to, operand(i, 1, wide)) {
                (Some(to), Some(value)) => effects.push(Choose(to, value)),
                _ => return false,
            }
        }
        _ => return false,
    }
    true
}

/// `movq` between a general register, memory and the lower half of a vector register.
fn moved_word(i: &Instruction, effects: &mut Vec<Effect>) -> bool {
    let part = |register: Register| vector(register).map(|number| LOW + number).or_else(|| whole(register));
    if i.op0_kind() == OpKind::Memory {
        let Some(from) = part(i.op1_register()) else { return false };
        effects.push(Effect::Store { to: address(i), width: 8, value: Some(Operand::Reg(from)) });
        return true;
    }
    let Some(to) = part(i.op0_register()) else { return false };
    if i.op1_kind() == OpKind::Memory {
        effects.push(Effect::Load { to, from: address(i), width: 8, signed: false });
    } else {
        let Some(from) = part(i.op1_register()) else { return false };
        effects.push(Effect::Set(to, Operand::Reg(from)));
    }
    if let Some(number) = vector(i.op0_register()) {
        effects.push(Effect::Set(HIGH + number, Operand::Number(0)));
    }
    true
}

/// What is known of any instruction: which memory it uses, and which registers it changes.
fn rest(i: &Instruction, effects: &mut Vec<Effect>) {
    INFO.with_borrow_mut(|factory| {
        let info = factory.info(i);
        if (0..i.op_count()).any(|number| i.op_kind(number) == OpKind::Memory)
            && let Some(memory) = info.used_memory().first()
        {
            let (at, width) = (address(i), i.memory_size().size() as u8);
            match memory.access() {
                OpAccess::Read | OpAccess::CondRead => effects.push(Effect::Read { at, width }),
                OpAccess::Write => effects.push(Effect::Store { to: at, width, value: None }),
                OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite => {
                    effects.push(Effect::Update { at, width });
                }
                OpAccess::None | OpAccess::NoMemAccess => {}
            }
        }
        for used in info.used_registers() {
            if !matches!(
                used.access(),
                OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
            ) {
                continue;
            }
            if let Some(register) = general(used.register()) {
                effects.push(Effect::Forget(register));
            } else if let Some(register) = vector(used.register()) {
                effects.push(Effect::Forget(LOW + register));
                effects.push(Effect::Forget(HIGH + register));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn one(code: &[u8]) -> Step {
        let mut step = Step::default();
        assert!(decode(code, 0x1000, &mut step));
        step
    }

    #[rstest]
    #[case(&[0xbf, 0x0e, 0, 0, 0], Effect::Set(RDI, Operand::Number(14)))]
    #[case(&[0x48, 0x8d, 0x35, 0x10, 0, 0, 0], Effect::Point(RSI, Address::fixed(0x1017)))]
    #[case(&[0x31, 0xc0], Effect::Set(RAX, Operand::Number(0)))]
    #[case(&[0x48, 0x83, 0xc8, 0xff], Effect::Set(RAX, Operand::Number(u64::MAX)))]
    #[case(&[0x48, 0x89, 0x04, 0x24], Effect::Store { to: Address::at(RSP, 0), width: 8, value: Some(Operand::Reg(RAX)) })]
    #[case(&[0x48, 0x0f, 0x44, 0xf0], Effect::Choose(RSI, Operand::Reg(RAX)))]
    #[case(&[0x83, 0x05, 0x10, 0, 0, 0, 1], Effect::Update { at: Address::fixed(0x1017), width: 4 })]
    #[case(&[0x0f, 0xaf, 0xc1], Effect::Forget(RAX))]
    fn effects(#[case] code: &[u8], #[case] expected: Effect) {
        assert_eq!(one(code).effects, [expected]);
    }

    #[rstest]
    #[case(&[0xe8, 0x0b, 0, 0, 0], Flow::Call(0x1010))]
    #[case(&[0xe9, 0x0b, 0, 0, 0], Flow::Jump(0x1010))]
    #[case(&[0x74, 0x0e], Flow::Branch(0x1010))]
    #[case(&[0xf2, 0xff, 0x25, 0x09, 0, 0, 0], Flow::JumpVia(Via::Memory(Address::fixed(0x1010))))]
    #[case(&[0xff, 0xd0], Flow::CallVia(Via::Reg(RAX)))]
    #[case(&[0x0f, 0x05], Flow::Kernel)]
    #[case(&[0x0f, 0x0b], Flow::Stop)]
    #[case(&[0xc3], Flow::Return)]
    fn flows(#[case] code: &[u8], #[case] expected: Flow) {
        assert_eq!(one(code).flow, expected);
    }

    #[test]
    fn what_is_no_instruction() {
        assert!(!decode(&[0x06], 0, &mut Step::default()));
        assert!(!decode(&[], 0, &mut Step::default()));
    }
}
