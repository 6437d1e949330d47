//! Frames of a name and an offset: what programs, their users and app stores keep of a stack without its addresses.

use super::scan;
use crate::stacks::dump::TraceFrame;

/// `2   on_segv + 26`: number, name, offset in decimal. `0 libc.so syscall + 32`: the library between.
pub fn numbered(text: &str) -> Option<TraceFrame> {
    let (number, rest) = scan::decimal(text)?;
    if !rest.starts_with([' ', '\t']) || number > 9999 {
        return None;
    }
    let rest = rest.trim_start();
    let (function, offset) = rest.rsplit_once(" + ")?;
    let offset = offset.parse().ok()?;
    let (module, function) = match function.split_once(' ') {
        Some((module, function)) if is_library(module) => (Some(module), function.trim()),
        Some(_) => return None,
        None => (None, function),
    };
    // A sum of two numbers is prose.
    if !function.starts_with(|c: char| c.is_alphabetic() || "_~<".contains(c)) {
        return None;
    }
    if module.is_none() && !scan::is_word(function) {
        return None;
    }
    let mut frame = scan::frame(function, "");
    frame.number = u32::try_from(number).ok();
    frame.module = module.map(str::to_owned);
    frame.offset = Some(offset);
    Some(frame)
}

fn is_library(word: &str) -> bool {
    [".so", ".apk", ".dylib", ".odex", ".oat", ".vdex", ".dll"].iter().any(|end| word.contains(end))
}

/// `[0x2b00] on_segv +393`, `[0x2b00] ???`: Crystal, and what libunwind's users print.
pub fn bracketed(text: &str) -> Option<TraceFrame> {
    let (address, rest) = scan::hex(text.strip_prefix('[')?)?;
    let rest = rest.strip_prefix("] ")?.trim();
    let (function, offset) = match rest.rsplit_once(" +") {
        Some((function, offset)) => (function, Some(offset.parse().ok()?)),
        None if rest.starts_with("??") => (rest, None),
        None => return None,
    };
    let mut frame = scan::frame(function, "");
    frame.address = Some(address);
    frame.offset = offset;
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("3   set_trap + 40", "set_trap", None, 40)]
    #[case("0 libc.so syscall + 32", "syscall", Some("libc.so"), 32)]
    #[case("1 libc.so futex_wait(void volatile*, bool) + 148", "futex_wait", Some("libc.so"), 148)]
    #[case("4 split_config.arm64_v8a.apk on_signal + 136", "on_signal", Some("split_config.arm64_v8a.apk"), 136)]
    fn a_number_may_come_before_a_name(
        #[case] line: &str,
        #[case] path: &str,
        #[case] module: Option<&str>,
        #[case] offset: u64,
    ) {
        let frame = numbered(line).unwrap();
        assert_eq!((frame.name.path.as_str(), frame.module.as_deref(), frame.offset), (path, module, Some(offset)));
    }

    #[rstest]
    #[case("3 of the threads + 40")]
    #[case("1 2 + 3")]
    #[case("12 apples")]
    fn prose_is_no_frame(#[case] line: &str) {
        assert!(numbered(line).is_none() && bracketed(line).is_none());
    }

    #[test]
    fn an_address_may_stand_in_brackets() {
        let frame = bracketed("[0x2b00] on_segv +393").unwrap();
        assert_eq!((frame.function.as_str(), frame.address, frame.offset), ("on_segv", Some(0x2b00), Some(393)));
        assert!(bracketed("[0x2b00] ???").unwrap().is_unknown());
        assert!(bracketed("[12.5] a kernel's line").is_none());
    }
}
