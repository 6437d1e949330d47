//! Small readers of text that several formats share.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::rules::name::Name;
use crate::stacks::dump::TraceFrame;

/// Longer texts of a function or of arguments are cut.
const LONGEST: usize = 2048;

/// The number at the start in decimal, and the rest.
pub fn decimal(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Some((text.get(..digits)?.parse().ok()?, &text[digits..]))
}

/// The number at the start in hexadecimal with `0x`, and the rest.
pub fn hex(text: &str) -> Option<(u64, &str)> {
    let rest = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    bare_hex(rest)
}

/// The number at the start in hexadecimal without `0x`, and the rest.
pub fn bare_hex(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    let number = text.get(..digits).filter(|digits| !digits.is_empty() && digits.len() <= 16)?;
    Some((u64::from_str_radix(number, 16).ok()?, &text[digits..]))
}

/// A number in decimal or in hexadecimal with `0x`; nothing else.
pub fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match hex(text) {
        Some((value, "")) => Some(value),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

/// Splits off the last group of parentheses: `f(int) (x=1)` is `f(int) ` and `x=1`. `None` if the text does
/// not end with one.
pub fn last_group(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end();
    if !text.ends_with(')') {
        return None;
    }
    let mut depth = 0_u32;
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => {
                depth -= 1;
                if depth == 0 {
                    return Some((&text[..at], &text[at + 1..text.len() - 1]));
                }
            }
            _ => {}
        }
    }
    None
}

/// How many parentheses are open at the end.
pub fn open_groups(text: &str) -> i64 {
    text.bytes().map(|b| i64::from(b == b'(') - i64::from(b == b')')).sum()
}

/// Splits `f + 12` or `f+0x1f` into the function and its offset.
pub fn split_offset(text: &str) -> (&str, Option<u64>) {
    let Some((before, after)) = text.rsplit_once('+') else { return (text, None) };
    match number(after.trim().trim_end_matches(')')) {
        Some(offset) if !before.ends_with("operator") => (before.trim_end(), Some(offset)),
        _ => (text, None),
    }
}

/// Whether a text is a place in a source: `../sysdeps/x.S:120`, `main.c:7:3`.
pub fn is_source(text: &str) -> bool {
    let text = text.trim();
    let (file, line) = match text.rsplit_once(':') {
        Some(parts) => parts,
        None => return text.starts_with('/') && !text.contains(' ') && text.contains('.'),
    };
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0
        && !file.is_empty()
        && !file.contains(" (")
        && (file.contains('.') || file.contains('/') || line.len() == digits)
}

/// Names that are kept; a dump of many threads prints the same ones again and again.
const KEPT: usize = 20_000;

fn name_of(function: &str) -> Name {
    thread_local! {
        static NAMES: RefCell<HashMap<String, Name>> = RefCell::new(HashMap::new());
    }
    NAMES.with_borrow_mut(|names| {
        if let Some(name) = names.get(function) {
            return name.clone();
        }
        if names.len() >= KEPT {
            names.clear();
        }
        let name = Name::of(function);
        names.insert(function.to_owned(), name.clone());
        name
    })
}

/// A frame whose texts are cut to a length that is enough for any name.
pub fn frame(function: &str, args: &str) -> TraceFrame {
    let function = shorter(function.trim());
    TraceFrame {
        name: name_of(function),
        function: function.to_owned(),
        args: shorter(args.trim()).to_owned(),
        ..TraceFrame::default()
    }
}

fn shorter(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether a text may be the name of a function.
pub fn is_name(text: &str) -> bool {
    let text = text.trim();
    let first = text.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || "_~<?([-+@$.".contains(c)) && text.len() <= 4096
}

/// Whether a text is one word that may be the name of a function of C, C++, Rust or Go.
pub fn is_word(text: &str) -> bool {
    !text.is_empty() && is_name(text) && text.chars().all(|c| c.is_alphanumeric() || "_:~.<>$@*&,-{}#'[]+=".contains(c))
}
