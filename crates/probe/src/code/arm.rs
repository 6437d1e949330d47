//! Instructions of aarch64. Source: Arm ARM, chapter C4 (encodings); AAPCS64 for the registers of a call.

use super::step::{Address, Convention, Effect, Flow, Operand, Reg, Step, Via};

/// The stack pointer, or zero, as the instruction has it.
const SP: Reg = 31;
/// The lower half of the first vector register, and the upper half, for the first sixteen.
const LOW: Reg = 32;
const HIGH: Reg = 48;

/// Linux, AAPCS64.
pub(crate) const CONVENTION: Convention = Convention {
    arguments: &[0, 1, 2, 3, 4, 5],
    result: 0,
    lost: &[
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 30, 32, 33, 34, 35, 36, 37, 38, 39, 48, 49,
        50, 51, 52, 53, 54, 55,
    ],
    stack: SP,
    kernel: (8, &[0, 1, 2, 3, 4, 5]),
    sigaction: 134,
};

/// Some bits of an instruction.
fn bits(word: u32, from: u32, count: u32) -> u32 {
    word >> from & ((1 << count) - 1)
}

/// The number in some bits, with its sign.
fn signed(word: u32, from: u32, count: u32) -> i64 {
    let value = i64::from(bits(word, from, count));
    if value >> (count - 1) == 1 { value - (1 << count) } else { value }
}

/// A general register whose number 31 means zero.
fn source(number: u32) -> Operand {
    if number == 31 { Operand::Number(0) } else { Operand::Reg(number as Reg) }
}

/// The effect, unless its register is the one that reads as zero.
fn to(number: u32, effect: Effect) -> Option<Effect> {
    (number != 31).then_some(effect)
}

/// The instruction that `code` begins with; false if it is none.
pub(crate) fn decode(code: &[u8], at: u64, step: &mut Step) -> bool {
    let Some(word) = code.first_chunk::<4>() else { return false };
    let word = u32::from_le_bytes(*word);
    // Reserved, as permanently undefined: data.
    if bits(word, 25, 4) == 0 {
        step.length = 4;
        step.flow = Flow::Stop;
        return bits(word, 16, 16) == 0 && word != 0;
    }
    step.length = 4;
    let far = |distance: i64| at.wrapping_add_signed(4 * distance);
    let effects = &mut step.effects;
    match bits(word, 25, 4) {
        0b1000 | 0b1001 => immediate(word, at, effects),
        0b1010 | 0b1011 => match word {
            _ if word & 0x7c00_0000 == 0x1400_0000 => {
                let target = far(signed(word, 0, 26));
                step.flow = if word >> 31 == 1 { Flow::Call(target) } else { Flow::Jump(target) };
            }
            _ if word & 0xff00_0000 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 => {
                step.flow = Flow::Branch(far(signed(word, 5, 19)));
            }
            _ if word & 0x7e00_0000 == 0x3600_0000 => step.flow = Flow::Branch(far(signed(word, 5, 14))),
            _ if word & 0xfe00_0000 == 0xd600_0000 => {
                let via = Via::Reg(bits(word, 5, 5) as Reg);
                step.flow = match bits(word, 21, 4) {
                    0b0000 | 0b1000 => Flow::JumpVia(via),
                    0b0001 | 0b1001 => Flow::CallVia(via),
                    0b0010 => Flow::Return,
                    _ => Flow::Stop,
                };
            }
            _ if word & 0xffe0_001f == 0xd400_0001 => step.flow = Flow::Kernel,
            _ if word & 0xff00_0000 == 0xd400_0000 => step.flow = Flow::Stop,
            // mrs: the thread's own memory, or a counter.
            _ if word & 0xfff0_0000 == 0xd530_0000 => effects.push(Effect::Forget(bits(word, 0, 5) as Reg)),
            _ => {}
        },
        0b0100 | 0b0110 | 0b1100 | 0b1110 => memory(word, at, effects),
        0b0101 | 0b1101 => between_registers(word, effects),
        _ => vectors(word, effects),
    }
    true
}

/// Data processing with a number.
fn immediate(word: u32, at: u64, effects: &mut Vec<Effect>) {
    let (d, n) = (bits(word, 0, 5), bits(word, 5, 5));
    let is_wide = word >> 31 == 1;
    match bits(word, 23, 3) {
        0b000 | 0b001 => {
            let distance = signed(word, 5, 19) << 2 | i64::from(bits(word, 29, 2));
            let address = if is_wide {
                (at & !0xfff).wrapping_add_signed(distance << 12)
            } else {
                at.wrapping_add_signed(distance)
            };
            effects.extend(to(d, Effect::Set(d as Reg, Operand::Number(address))));
        }
        0b010 => {
            let number = u64::from(bits(word, 10, 12)) << (12 * bits(word, 22, 1));
            let (n, number) = (Operand::Reg(n as Reg), Operand::Number(number));
            // With flags, register 31 is zero: a comparison.
            if bits(word, 29, 1) == 1 && d == 31 {
                return;
            }
            effects.push(match bits(word, 30, 1) {
                0 => Effect::Add(d as Reg, n, number),
                _ => Effect::Subtract(d as Reg, n, number),
            });
        }
        0b101 => {
            let number = u64::from(bits(word, 5, 16)) << (16 * bits(word, 21, 2));
            let mask = if is_wide { u64::MAX } else { 0xffff_ffff };
            effects.extend(to(
                d,
                match bits(word, 29, 2) {
                    0b00 => Effect::Set(d as Reg, Operand::Number(!number & mask)),
                    0b10 => Effect::Set(d as Reg, Operand::Number(number)),
                    _ => Effect::Forget(d as Reg),
                },
            ));
        }
        // ubfm and sbfm: shifts and extensions.
        0b110 => {
            let (rotate, last) = (bits(word, 16, 6), bits(word, 10, 6));
            let size = if is_wide { 64 } else { 32 };
            let effect = if bits(word, 29, 2) == 0b10 && last != size - 1 && last + 1 == rotate {
                let by = size - rotate;
                if by <= 12 { Effect::Scale(d as Reg, source(n), 1 << by) } else { Effect::Forget(d as Reg) }
            } else if rotate == 0 && last == 31 {
                Effect::Set(d as Reg, source(n))
            } else {
                Effect::Forget(d as Reg)
            };
            effects.extend(to(d, effect));
        }
        // `and sp, x, #-16` aligns the stack, which is aligned already.
        0b100 if d == 31 => effects.push(Effect::Set(SP, source(n))),
        _ => effects.extend(to(d, Effect::Forget(d as Reg))),
    }
}

/// Data processing between registers.
fn between_registers(word: u32, effects: &mut Vec<Effect>) {
    let (d, n, m) = (bits(word, 0, 5), bits(word, 5, 5), bits(word, 16, 5));
    let effect = match word {
        // orr with zero: a move.
        _ if word & 0x7fe0_ffe0 == 0x2a00_03e0 => Effect::Set(d as Reg, source(m)),
        // add and sub of shifted registers.
        _ if word & 0x7f20_0000 == 0x0b00_0000 => {
            let by = bits(word, 10, 6);
            match bits(word, 22, 2) {
                0 if by == 0 => Effect::Add(d as Reg, source(n), source(m)),
                0 if by <= 12 && d != n && d != 31 => {
                    effects.push(Effect::Scale(d as Reg, source(m), 1 << by));
                    Effect::Add(d as Reg, source(n), Operand::Reg(d as Reg))
                }
                _ => Effect::Forget(d as Reg),
            }
        }
        _ if word & 0x7fe0_fc00 == 0x4b00_0000 => Effect::Subtract(d as Reg, source(n), source(m)),
        // add of an extended register, as in a jump through a table.
        _ if word & 0x7fe0_0000 == 0x0b20_0000 => {
            if d != n && d != 31 {
                effects.push(Effect::Scale(d as Reg, source(m), 1 << bits(word, 10, 3)));
                Effect::Add(d as Reg, Operand::Reg(n as Reg), Operand::Reg(d as Reg))
            } else {
                Effect::Forget(d as Reg)
            }
        }
        // csel: one or the other.
        _ if word & 0x7fe0_0c00 == 0x1a80_0000 => {
            if d != m {
                effects.extend(to(d, Effect::Set(d as Reg, source(n))));
                Effect::Choose(d as Reg, source(m))
            } else {
                Effect::Choose(d as Reg, source(n))
            }
        }
        _ => Effect::Forget(d as Reg),
    };
    effects.extend(to(d, effect));
}

/// Loads and stores.
fn memory(word: u32, at: u64, effects: &mut Vec<Effect>) {
    let (t, n) = (bits(word, 0, 5), bits(word, 5, 5) as Reg);
    let vector = bits(word, 26, 1) == 1;
    let size = bits(word, 30, 2);
    match bits(word, 27, 3) {
        // Literals.
        0b011 if bits(word, 24, 2) == 0b00 => {
            let from = Address { offset: at.wrapping_add_signed(4 * signed(word, 5, 19)), ..Address::default() };
            let width = if size == 0 { 4 } else { 8 };
            if !vector && size < 3 {
                effects.extend(to(t, Effect::Load { to: t as Reg, from, width, signed: size == 2 }));
            }
        }
        // Pairs.
        0b101 => pair(word, effects),
        0b111 => {
            let (opc, is_load) = (bits(word, 22, 2), bits(word, 22, 2) != 0);
            let width = 1_u8 << size;
            let wide = vector && size == 0 && opc >= 2;
            let width = if wide { 16 } else { width };
            let offset = if bits(word, 24, 1) == 1 {
                i64::from(bits(word, 10, 12)) * i64::from(width)
            } else {
                signed(word, 12, 9)
            };
            let mut address = Address::at(n, offset);
            let mut after = None;
            if bits(word, 24, 1) == 0 {
                match (bits(word, 21, 1), bits(word, 10, 2)) {
                    (0, 0b01) => {
                        address = Address::at(n, 0);
                        after = Some(offset);
                    }
                    (0, 0b11) => {
                        effects.push(Effect::Add(n, Operand::Reg(n), Operand::Number(offset.cast_unsigned())));
                        address = Address::at(n, 0);
                    }
                    (1, 0b10) => {
                        let scale = if bits(word, 12, 1) == 1 { width } else { 1 };
                        let index = bits(word, 16, 5);
                        address = Address { base: Some(n), index: Some((index as Reg, scale)), ..Address::default() };
                    }
                    // Atomic operations.
                    (1, 0b00) => {
                        effects.push(Effect::Update { at: Address::at(n, 0), width });
                        effects.extend(to(t, Effect::Forget(t as Reg)));
                        return;
                    }
                    _ => {}
                }
            }
            if vector {
                halves(t, address, width, if wide { opc == 3 } else { opc == 1 }, effects);
            } else if is_load {
                // 2 and 3 extend a sign; prefetches have size 3 and opc 2.
                if !(size == 3 && opc == 2) {
                    let load = Effect::Load { to: t as Reg, from: address, width, signed: opc >= 2 };
                    effects.push(to(t, load).unwrap_or(Effect::Read { at: address, width }));
                }
            } else {
                effects.push(Effect::Store { to: address, width, value: Some(source(t)) });
            }
            if let Some(by) = after {
                effects.push(Effect::Add(n, Operand::Reg(n), Operand::Number(by.cast_unsigned())));
            }
        }
        // Exclusive, acquiring and releasing ones.
        0b001 if !vector => {
            let width = 1_u8 << size;
            let address = Address::at(n, 0);
            if bits(word, 22, 1) == 1 {
                effects.push(
                    to(t, Effect::Load { to: t as Reg, from: address, width, signed: false })
                        .unwrap_or(Effect::Read { at: address, width }),
                );
            } else {
                let status = bits(word, 16, 5);
                effects.push(Effect::Store { to: address, width, value: None });
                effects.extend(to(status, Effect::Forget(status as Reg)));
            }
        }
        // Structures of vectors.
        _ => effects.push(Effect::Update { at: Address::at(n, 0), width: 16 }),
    }
}

/// A vector register, loaded or stored.
fn halves(t: u32, address: Address, width: u8, is_load: bool, effects: &mut Vec<Effect>) {
    if t >= 16 {
        if !is_load {
            effects.push(Effect::Store { to: address, width, value: None });
        }
        return;
    }
    let upper = Address { offset: address.offset.wrapping_add(8), ..address };
    let (low, high) = (LOW + t as Reg, HIGH + t as Reg);
    let part = width.min(8);
    if is_load {
        effects.push(Effect::Load { to: low, from: address, width: part, signed: false });
        effects.push(match width {
            16 => Effect::Load { to: high, from: upper, width: 8, signed: false },
            _ => Effect::Set(high, Operand::Number(0)),
        });
    } else {
        effects.push(Effect::Store { to: address, width: part, value: Some(Operand::Reg(low)) });
        if width == 16 {
            effects.push(Effect::Store { to: upper, width: 8, value: Some(Operand::Reg(high)) });
        }
    }
}

fn pair(word: u32, effects: &mut Vec<Effect>) {
    let (first, second, n) = (bits(word, 0, 5), bits(word, 10, 5), bits(word, 5, 5) as Reg);
    let vector = bits(word, 26, 1) == 1;
    let is_load = bits(word, 22, 1) == 1;
    let width: u8 = match (vector, bits(word, 30, 2)) {
        (true, size) => 4 << size.min(2),
        (false, 2) => 8,
        (false, _) => 4,
    };
    let offset = signed(word, 15, 7) * i64::from(width);
    let before = |effects: &mut Vec<Effect>| {
        effects.push(Effect::Add(n, Operand::Reg(n), Operand::Number(offset.cast_unsigned())));
    };
    let mode = bits(word, 23, 2);
    let start = match mode {
        0b11 => {
            before(effects);
            0
        }
        0b01 => 0,
        _ => offset,
    };
    for (number, register) in [first, second].into_iter().enumerate() {
        let address = Address::at(n, start + i64::from(width) * number as i64);
        if vector {
            halves(register, address, width, is_load, effects);
        } else if is_load {
            effects.extend(to(register, Effect::Load { to: register as Reg, from: address, width, signed: false }));
        } else {
            effects.push(Effect::Store { to: address, width, value: Some(source(register)) });
        }
    }
    if mode == 0b01 {
        before(effects);
    }
}

/// Vectors: only moves from and to general registers, and zeros.
fn vectors(word: u32, effects: &mut Vec<Effect>) {
    let (d, n) = (bits(word, 0, 5), bits(word, 5, 5));
    let low = |number: u32| (number < 16).then(|| LOW + number as Reg);
    match word {
        // fmov d, x
        _ if word & 0xffff_fc00 == 0x9e67_0000 => {
            if let Some(low) = low(d) {
                effects.push(Effect::Set(low, source(n)));
                effects.push(Effect::Set(low + 16, Operand::Number(0)));
            }
        }
        // fmov x, d
        _ if word & 0xffff_fc00 == 0x9e66_0000 => {
            effects
                .extend(to(d, low(n).map_or(Effect::Forget(d as Reg), |low| Effect::Set(d as Reg, Operand::Reg(low)))));
        }
        // Other moves to general registers: umov, fcvt and their like.
        _ if word & 0x5f20_0000 == 0x1e20_0000 && bits(word, 10, 6) == 0 => {
            effects.extend(to(d, Effect::Forget(d as Reg)));
            effects.extend(low(d).map(Effect::Forget));
        }
        // movi with zero.
        _ if word & 0x9ff8_0c00 == 0x0f00_0400 && bits(word, 5, 5) == 0 && bits(word, 16, 3) == 0 => {
            if let Some(low) = low(d) {
                effects.push(Effect::Set(low, Operand::Number(0)));
                effects.push(Effect::Set(low + 16, Operand::Number(0)));
            }
        }
        // mov v.d[1], x
        _ if word & 0xffff_fc00 == 0x4e18_1c00 => {
            if let Some(low) = low(d) {
                effects.push(Effect::Set(low + 16, source(n)));
            }
        }
        _ => {
            effects.extend(to(d, Effect::Forget(d as Reg)));
            if let Some(low) = low(d) {
                effects.push(Effect::Forget(low));
                effects.push(Effect::Forget(low + 16));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn one(word: u32) -> Step {
        let mut step = Step::default();
        assert!(decode(&word.to_le_bytes(), 0x1_0000, &mut step));
        step
    }

    #[rstest]
    // adrp x1, +0x1000; add x1, x1, #0x123; mov w0, #14; mov x0, x19; ldr x1, [x2, #16]; str x1, [sp, #8]
    #[case(0xb000_0001, Effect::Set(1, Operand::Number(0x1_1000)))]
    #[case(0x9104_8c21, Effect::Add(1, Operand::Reg(1), Operand::Number(0x123)))]
    #[case(0x5280_01c0, Effect::Set(0, Operand::Number(14)))]
    #[case(0xaa13_03e0, Effect::Set(0, Operand::Reg(19)))]
    #[case(0xf940_0841, Effect::Load { to: 1, from: Address::at(2, 16), width: 8, signed: false })]
    #[case(0xf900_07e1, Effect::Store { to: Address::at(SP, 8), width: 8, value: Some(Operand::Reg(1)) })]
    fn effects(#[case] word: u32, #[case] expected: Effect) {
        assert_eq!(one(word).effects, [expected]);
    }

    #[rstest]
    // bl +16; b +16; cbz x0, +16; br x17; blr x1; ret; svc #0
    #[case(0x9400_0004, Flow::Call(0x1_0010))]
    #[case(0x1400_0004, Flow::Jump(0x1_0010))]
    #[case(0xb400_0080, Flow::Branch(0x1_0010))]
    #[case(0xd61f_0220, Flow::JumpVia(Via::Reg(17)))]
    #[case(0xd63f_0020, Flow::CallVia(Via::Reg(1)))]
    #[case(0xd65f_03c0, Flow::Return)]
    #[case(0xd400_0001, Flow::Kernel)]
    fn flows(#[case] word: u32, #[case] expected: Flow) {
        assert_eq!(one(word).flow, expected);
    }

    #[test]
    fn a_frame_is_pushed_before_it_is_filled() {
        // stp x29, x30, [sp, #-32]!
        let step = one(0xa9be_7bfd);
        assert_eq!(step.effects[0], Effect::Add(SP, Operand::Reg(SP), Operand::Number((-32_i64).cast_unsigned())));
        assert_eq!(step.effects[2], Effect::Store { to: Address::at(SP, 8), width: 8, value: Some(Operand::Reg(30)) });
    }
}
