//! The words of a litmus file. Comments of herd (`(* … *)`, which nest; outside of C) are kept apart, since
//! ours carry the outcomes to expect.

use super::Refused;

/// A word, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// The words, and the comments.
pub(crate) fn tokens(text: &str) -> Result<(Vec<Token>, Vec<String>), Refused> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut comments) = (Vec::new(), Vec::new());
    let (mut at, mut line, mut depth) = (0, 1, 0_usize);
    // The first braces hold initial values; those after them C.
    let (mut has_initial, mut in_code) = (false, false);
    let starts = |at: usize, with: &str| with.chars().enumerate().all(|(nth, c)| chars.get(at + nth) == Some(&c));
    while at < chars.len() {
        let c = chars[at];
        let begun = at;
        if c == '\n' {
            line += 1;
            at += 1;
        } else if c.is_whitespace() {
            at += 1;
        } else if starts(at, "//") {
            at += chars[at..].iter().position(|&c| c == '\n').unwrap_or(chars.len() - at);
        } else if (!in_code && starts(at, "(*")) || starts(at, "/*") {
            let Some(close) = end_of_comment(&chars, at) else {
                return Err(Refused { line, what: "a comment that does not end".into() });
            };
            let comment: String = chars[at + 2..close].iter().collect();
            line += comment.matches('\n').count();
            comments.push(comment);
            at = close + 2;
        } else if c == '"' {
            let close = chars[at + 1..].iter().position(|&c| c == '"').unwrap_or(0);
            line += chars[at..=at + 1 + close].iter().filter(|&&c| c == '\n').count();
            at += close + 2;
        } else {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            if is_word(c) {
                while chars.get(at).is_some_and(|&c| is_word(c)) {
                    at += 1;
                }
            } else {
                let pairs = [
                    "/\\", "\\/", "==", "!=", "&&", "||", "->", "<=", ">=", "++", "--", "=>", "<<", ">>", "+=", "-=",
                    "|=", "&=", "^=", "*=",
                ];
                at += if pairs.iter().any(|pair| starts(at, pair)) { 2 } else { 1 };
            }
            match c {
                '{' => depth += 1,
                '}' => {
                    depth = depth.saturating_sub(1);
                    has_initial |= depth == 0;
                }
                _ => {}
            }
            in_code = has_initial && depth > 0;
            tokens.push(Token { text: chars[begun..at].iter().collect(), line });
        }
    }
    Ok((tokens, comments))
}

/// Where the comment that begins at `at` ends: the place of its closing mark.
fn end_of_comment(chars: &[char], at: usize) -> Option<usize> {
    let nests = chars[at] == '(';
    let mut depth = 1;
    let mut next = at + 2;
    while next + 1 < chars.len() {
        match (chars[next], chars[next + 1]) {
            ('(', '*') if nests => depth += 1,
            ('*', ')') if nests => depth -= 1,
            ('*', '/') if !nests => depth -= 1,
            _ => {
                next += 1;
                continue;
            }
        }
        if depth == 0 {
            return Some(next);
        }
        next += 2;
    }
    None
}
