//! From bytes to lines as the tool printed them: without the quoting, escapes and colours that a mail, a
//! tracker or a log has added.

use std::borrow::Cow;

/// More bytes than this are not read.
pub const LONGEST: usize = 256 << 20;

/// The longest line that is read whole.
const LONGEST_LINE: usize = 1 << 20;

/// The text in `bytes`: UTF-8, UTF-16 with or without a byte order mark, or any other encoding with the
/// letters of ASCII.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ => {
            let head = &bytes[..bytes.len().min(512)];
            let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
            if head.len() >= 16 && zeros(1) * 4 > head.len() && zeros(0) * 8 < head.len() {
                return Cow::Owned(utf16(bytes, u16::from_le_bytes));
            }
            if head.len() >= 16 && zeros(0) * 4 > head.len() && zeros(1) * 8 < head.len() {
                return Cow::Owned(utf16(bytes, u16::from_be_bytes));
            }
            String::from_utf8_lossy(bytes)
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Calls `each` for every line, cleaned. A line that holds several (`#012` of syslog, `\n` of JSON, `<br>`)
/// is taken apart.
pub fn for_each_line(text: &str, mut each: impl FnMut(&str)) {
    let mut clean = |line: &str| {
        let line = unquoted(line);
        match line.find("https://github.com/").filter(|at| line[..*at].trim().is_empty()) {
            Some(at) => each(&without_link(line, at)),
            None => each(line),
        }
    };
    for line in text.split('\n').flat_map(|line| line.trim_end_matches('\r').split('\r')) {
        let mut end = line.len().min(LONGEST_LINE);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let line = cleaned(&line[..end]);
        match parts(&line) {
            Some(lines) => lines.split('\n').for_each(&mut clean),
            None => clean(&line),
        }
    }
}

/// The line with a newline in each place where another line was joined to it; `None` if there is no such
/// place.
fn parts(line: &str) -> Option<String> {
    let bytes = line.as_bytes();
    if line.len() < 24 {
        return None;
    }
    let of_syslog = line.matches("#012").count();
    if of_syslog >= 2 {
        return Some(line.replace("#012", "\n").replace("#011", "\t"));
    }
    if line.matches("\\n").count() >= 2 {
        return Some(line.replace("\\n", "\n").replace("\\t", "\t"));
    }
    if line.contains("<br") {
        return Some(line.replace("<br>", "\n").replace("<br/>", "\n").replace("<br />", "\n"));
    }
    // `#0 f () #1 g () #2 <signal handler called>` on one line.
    if !bytes.contains(&b'#') {
        return None;
    }
    let mut found = String::new();
    let (mut from, mut expected, mut count) = (0, None::<u32>, 0);
    for (at, _) in line.match_indices('#') {
        let digits = line[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let Ok(number) = line[at + 1..at + 1 + digits].parse::<u32>() else { continue };
        let after = line[at + 1 + digits..].chars().next();
        let before = line[..at].chars().next_back();
        let apart =
            before.is_none_or(char::is_whitespace) || before == Some(',') || before == Some(';') || before == Some('>');
        if !apart || !after.is_some_and(char::is_whitespace) {
            continue;
        }
        match expected {
            None if number == 0 => {}
            Some(next) if number == next => {}
            _ => continue,
        }
        if expected.is_some() {
            found.push_str(line[from..at].trim_end_matches([' ', ',', ';']));
            found.push('\n');
            from = at;
            count += 1;
        } else {
            found.push_str(&line[..at]);
            found.push('\n');
            from = at;
        }
        expected = Some(number + 1);
    }
    if count == 0 {
        return None;
    }
    found.push_str(&line[from..]);
    Some(found)
}

/// Without escapes of terminals and of HTML, without control characters.
fn cleaned(line: &str) -> Cow<'_, str> {
    let plain = line.bytes().all(|b| b == b'\t' || (b >= 0x20 && b != b'&' && b != b'\\' && b < 0x7f));
    if plain {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => match chars.next() {
                Some('[') => {
                    while chars.next_if(|c| !c.is_ascii_alphabetic() && *c != '@' && *c != '~').is_some() {}
                    chars.next();
                }
                Some(']') => while chars.next().is_some_and(|c| c != '\x07' && c != '\x1b') {},
                _ => {}
            },
            '\t' => text.push('\t'),
            '\u{a0}' | '\u{2007}' | '\u{202f}' => text.push(' '),
            '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' => {}
            '\u{2018}' | '\u{2019}' => text.push('\''),
            '\u{201c}' | '\u{201d}' => text.push('"'),
            '\\' if chars.peek().is_some_and(|next| next.is_ascii_punctuation() && *next != '\\') => {}
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    // Trackers escape twice at times.
    for _ in 0..2 {
        if !text.contains('&') {
            break;
        }
        text = unescaped(&text);
    }
    Cow::Owned(text)
}

/// GitHub has made a link of `#7`: `https://github.com/a/b/pull/7  0x1 in f ()`.
fn without_link(line: &str, at: usize) -> String {
    let end = line[at..].find([' ', '\t']).map_or(line.len(), |end| at + end);
    let number = line[at..end].rsplit('/').next().unwrap_or_default();
    let linked = line[at..end].contains("/pull/") || line[at..end].contains("/issues/");
    if !linked || number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return line.to_owned();
    }
    format!("{}#{number} {}", &line[..at], &line[end..])
}

fn unescaped(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        found.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(10).position(|b| b == b';');
        let entity = end.map(|end| &rest[1..end]);
        let c = match entity {
            Some("lt" | "LT") => Some('<'),
            Some("gt" | "GT") => Some('>'),
            Some("amp") => Some('&'),
            Some("quot") => Some('"'),
            Some("apos") => Some('\''),
            Some("nbsp") => Some(' '),
            Some("lpar") => Some('('),
            Some("rpar") => Some(')'),
            Some(number) if number.starts_with("#x") => {
                u32::from_str_radix(&number[2..], 16).ok().and_then(char::from_u32)
            }
            Some(number) if number.starts_with('#') => number[1..].parse().ok().and_then(char::from_u32),
            _ => None,
        };
        match (c, end) {
            (Some(c), Some(end)) => {
                match c {
                    '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' => {}
                    '\u{a0}' | '\u{2007}' | '\u{202f}' => found.push(' '),
                    c => found.push(if c.is_control() { ' ' } else { c }),
                }
                rest = &rest[end + 1..];
            }
            _ => {
                found.push('&');
                rest = &rest[1..];
            }
        }
    }
    found.push_str(rest);
    found
}

/// Without what a logger has put before a line: a time, a level, a container's name.
fn without_prefix(line: &str) -> &str {
    let start = line.trim_start();
    let bytes = start.as_bytes();
    let is_date = bytes.len() > 20
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && (bytes[10] == b' ' || bytes[10] == b'T')
        && bytes[13] == b':';
    if is_date && start.is_char_boundary(19) {
        let rest =
            start[19..].trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | 'Z' | '+' | ':'));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let head: &str = rest.get(..rest.len().min(24)).unwrap_or(rest);
        let rest = head.find(": > ").map_or(rest, |at| &rest[at + 4..]);
        return without_seconds(rest).unwrap_or(rest);
    }
    if let Some(rest) = without_seconds(start) {
        return rest;
    }
    // Xorg and the kernel: `[ 42277.724] `.
    if let Some((time, rest)) = start.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        let time = time.trim();
        if time.len() < 20 && time.contains('.') && time.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return without_pid(rest);
        }
    }
    // docker compose: `app-1     | `.
    if let Some((name, rest)) = start.split_once(" | ") {
        let name = name.trim_end();
        if !name.is_empty()
            && name.len() < 40
            && name.ends_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        {
            return rest;
        }
    }
    without_pid(line)
}

/// Without what the journal has put before a line: `Nov 26 11:43:00 host name[7]: `.
fn without_pid(line: &str) -> &str {
    let start = line.trim_start();
    if let Some(at) = start.get(..start.len().min(90)).and_then(|head| head.find("]: ")) {
        let before = &start[..at];
        let pid = before
            .rfind('[')
            .is_some_and(|open| before.len() > open + 1 && before[open + 1..].bytes().all(|b| b.is_ascii_digit()));
        let time = before.matches(':').count() >= 2 || before.starts_with('[');
        if pid && time {
            return &start[at + 3..];
        }
    }
    line
}

/// Without Xorg's time, in seconds: `[   91.440] (EE) `.
fn without_seconds(start: &str) -> Option<&str> {
    let (time, rest) = start.strip_prefix('[')?.split_once("] ")?;
    let time = time.trim_start();
    let seconds = time.contains('.') && time.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (seconds && rest.starts_with('(')).then_some(rest)
}

/// Without the marks of a quotation and without tags of HTML that surround a line.
fn unquoted(line: &str) -> &str {
    let mut line = without_prefix(line);
    loop {
        let start = line.trim_start_matches([' ', '\t']);
        let inner = if let Some(rest) = start.strip_prefix('>') {
            rest.strip_prefix(' ').unwrap_or(rest)
        } else if let Some(rest) = start.strip_prefix("| ").or_else(|| start.strip_prefix("\u{2502} ")) {
            rest
        } else if let Some(rest) = TAGS.iter().find_map(|tag| start.strip_prefix(tag)) {
            rest
        } else {
            break;
        };
        line = without_prefix(inner);
    }
    // A list of strings: `" #0 0x1 f (x+0x1)"`.
    let inner = line.trim().strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    if let Some(inner) = inner.filter(|inner| inner.trim_start().starts_with('#')) {
        return inner;
    }
    for tag in TAGS {
        line = line.trim_end().strip_suffix(tag).unwrap_or(line);
    }
    line.trim_end()
}

const TAGS: &[&str] = &[
    "<pre>", "</pre>", "<code>", "</code>", "<p>", "</p>", "<div>", "</div>", "<li>", "</li>", "<span>", "</span>",
    "```",
];

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn lines(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_line(text, |line| found.push(line.to_owned()));
        found
    }

    #[rstest]
    #[case("> > #1  <signal handler called>", "#1  <signal handler called>")]
    #[case("#1  &lt;signal handler called&gt;", "#1  <signal handler called>")]
    #[case("#1  &amp;lt;signal handler called&amp;gt;", "#1  <signal handler called>")]
    #[case("\x1b[33m#1  \x1b[0m<signal handler called>\x07", "#1  <signal handler called>")]
    #[case("#1  \\<signal handler called\\>", "#1  <signal handler called>")]
    #[case("#1\u{a0} \\_int\\_malloc", "#1  _int_malloc")]
    #[case("<pre>#0  0x1 in f ()", "#0  0x1 in f ()")]
    fn a_line_is_as_the_tool_printed_it(#[case] line: &str, #[case] clean: &str) {
        assert_eq!(lines(line), [clean]);
    }

    #[test]
    fn joined_lines_are_taken_apart() {
        let joined = "kernel: Stack trace of thread 7:#012#0  0x1 f (libc.so.6)#012#1  0x2 main (app)";
        assert_eq!(lines(joined).len(), 3);
        assert_eq!(
            lines("bt: #0 f () #1 <signal handler called> #2 main ()"),
            ["bt:", "#0 f ()", "#1 <signal handler called>", "#2 main ()"]
        );
        assert_eq!(lines("see #0 of the list, and issue #4711 too"), ["see #0 of the list, and issue #4711 too"]);
    }

    #[rstest]
    #[case(b"\xff\xfea\0b\0", "ab")]
    #[case(b"\xfe\xff\0a\0b", "ab")]
    #[case(b"\xef\xbb\xbfab", "ab")]
    #[case(b"a\xe4b", "a\u{fffd}b")]
    fn encodings_are_told_apart(#[case] bytes: &[u8], #[case] text: &str) {
        assert_eq!(decode(bytes), text);
    }
}
