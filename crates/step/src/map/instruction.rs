//! One instruction as text: disassembled where a disassembler is at hand, the bare word elsewhere.
//!
//! What a jump or a call goes to is named, not numbered, and data is given by its distance from the
//! instruction pointer: the same build gives the same text wherever it is mapped.

/// What is shown where no instruction can be read.
const UNREADABLE: &str = "(unreadable)";

/// The most bytes that an instruction has.
#[cfg(target_arch = "x86_64")]
pub const LONGEST: usize = 15;

/// The most bytes that an instruction has.
#[cfg(not(target_arch = "x86_64"))]
pub const LONGEST: usize = 4;

/// The instruction at `pc`, whose bytes `code` begins with; `name` says what lies at an address that it goes
/// to.
#[cfg(target_arch = "x86_64")]
pub fn text(pc: u64, code: &[u8], name: &dyn Fn(u64) -> String) -> String {
    use iced_x86::{Decoder, DecoderOptions, Formatter, NasmFormatter, SymbolResolver, SymbolResult};

    /// The name of the one target.
    struct Target(u64, String);

    impl SymbolResolver for Target {
        fn symbol(
            &mut self,
            _instruction: &iced_x86::Instruction,
            _operand: u32,
            _instruction_operand: Option<u32>,
            address: u64,
            _address_size: u32,
        ) -> Option<SymbolResult<'_>> {
            (address == self.0).then(|| SymbolResult::with_str(address, &self.1))
        }
    }

    let instruction = Decoder::with_ip(64, code, pc, DecoderOptions::NONE).decode();
    if instruction.is_invalid() {
        return UNREADABLE.to_owned();
    }
    let target = Some(instruction.near_branch_target()).filter(|target| *target != 0);
    let resolver = target.map(|target| Box::new(Target(target, name(target))) as Box<dyn SymbolResolver>);
    let mut formatter = NasmFormatter::with_options(resolver, None);
    let options = formatter.options_mut();
    options.set_rip_relative_addresses(true);
    options.set_show_branch_size(false);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    let mut text = String::new();
    formatter.format(&instruction, &mut text);
    text
}

/// The instruction at `_pc`, whose bytes `code` begins with, as a number.
#[cfg(not(target_arch = "x86_64"))]
pub fn text(_pc: u64, code: &[u8], _name: &dyn Fn(u64) -> String) -> String {
    code.first_chunk().map_or_else(|| UNREADABLE.to_owned(), |word| format!("{:#010x}", u32::from_le_bytes(*word)))
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[0x0f, 0x05], "syscall")]
    #[case(&[0xf0, 0x0f, 0xb1, 0x17], "lock cmpxchg [rdi],edx")]
    #[case(&[0x87, 0x17], "xchg edx,[rdi]")]
    #[case(&[0x83, 0x3f, 0x00], "cmp dword [rdi],0")]
    #[case(&[0x48, 0x8b, 0x44, 0x24, 0xd0], "mov rax,[rsp-0x30]")]
    #[case(&[0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0], "mov rax,[fs:0x28]")]
    #[case(&[0xff, 0x15, 0x10, 0x20, 0, 0], "call qword [rip+0x2010]")]
    #[case(&[0x74, 0x10], "je there+0x12")]
    #[case(&[0xe8, 0x10, 0, 0, 0], "call there+0x15")]
    #[case(&[0xf0], "(unreadable)")]
    #[case(&[], "(unreadable)")]
    fn text_has_no_address(#[case] code: &[u8], #[case] expected: &str) {
        let start = 0x7f00_1234_5678;
        assert_eq!(text(start, code, &|target| format!("there+{:#x}", target - start)), expected);
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod real_tests {
    use super::*;
    use sigproof_inspect::diagnose::Symbols;

    #[test]
    fn code_of_this_process_decodes() {
        let symbols = Symbols::of_self();
        for pc in [libc::pthread_mutex_lock as *const () as u64, code_of_this_process_decodes as *const () as u64] {
            let text = text(pc, &symbols.code(pc, LONGEST), &|target| symbols.place(target).name());
            assert_ne!(text, UNREADABLE);
        }
    }
}
