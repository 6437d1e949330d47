//! The lines that a transcript should have: the output, as far as the transcript shows it.
//!
//! | the transcript shows | the new transcript |
//! |---|---|
//! | a line that the output still has | takes that line; `...` at its end cuts it after as many words |
//! | a line that the output no longer has | drops it, and says so |
//! | a line of `...` between two lines | keeps it, if the output still has lines between the two |
//! | two lines side by side | takes all lines between them; of a stack, the frames that were shown |
//!
//! So a transcript of one line `?` becomes the whole output.

use rstest::rstest;

use super::compare::{frame, is_it, plain};

/// A new transcript.
#[derive(Debug, Default)]
pub struct Rewritten {
    pub lines: Vec<String>,
    /// The old lines that the output no longer has.
    pub dropped: Vec<String>,
}

impl Rewritten {
    fn put(&mut self, line: &str) {
        self.lines.push(line.trim_end().to_owned());
    }

    /// The part between two lines of the output: `between` are the frames and gaps that were shown there.
    fn fill(&mut self, output: &[&str], between: &[&str]) {
        let is_gap = |line: &&&str| line.trim() == "...";
        let gaps = between.iter().any(|line| is_gap(&line));
        let mut shown: Vec<_> = between.iter().filter(|line| !is_gap(line)).collect();
        if !gaps {
            let all = shown.is_empty();
            for line in output {
                let wanted = shown.iter().position(|shown| frame(shown) == frame(line));
                if frame(line).is_none() || all || wanted.is_some() {
                    self.put(line);
                }
                if let (Some(_), Some(at)) = (frame(line), wanted) {
                    shown.remove(at);
                }
            }
            self.dropped.extend(shown.iter().map(|line| (**line).to_owned()));
            return;
        }
        let mut rest = output;
        for line in between {
            if is_gap(&line) {
                let more = rest.iter().any(|line| !line.trim().is_empty());
                match more {
                    true if self.lines.last().is_none_or(|last| last != "...") => self.put("..."),
                    true => {}
                    false => std::mem::take(&mut rest).iter().for_each(|line| self.put(line)),
                }
            } else if let Some(at) = rest.iter().position(|new| frame(new) == frame(line)) {
                self.put(rest[at]);
                rest = &rest[at + 1..];
            } else {
                self.dropped.push((*line).to_owned());
            }
        }
    }
}

/// The new lines for a transcript that shows these.
pub fn rewritten(shown: &[String], output: &str) -> Rewritten {
    let output: Vec<_> = output.lines().collect();
    let (mut new, mut at, mut between) = (Rewritten::default(), 0, Vec::new());
    for line in shown.iter().map(String::as_str) {
        if line.trim() == "..." || frame(line).is_some() {
            between.push(line);
            continue;
        }
        // The strip of a map and blank lines come back with the lines around them.
        let Some(wanted) = plain(line) else { continue };
        let is_that = |new: &&str| frame(new).is_none() && plain(new).is_some_and(|new| is_it(&wanted, &new));
        let gap = between.iter().any(|line| line.trim() == "...");
        let mut candidates = (at..output.len()).filter(|n| is_that(&output[*n]));
        // Behind a gap the line that is most like the old one: lines may differ in nothing but numbers.
        let next = match gap {
            true => candidates.rev().max_by_key(|n| words_in_common(line, output[*n])),
            false => candidates.next(),
        };
        let Some(next) = next else {
            new.dropped.push(line.to_owned());
            continue;
        };
        new.fill(&output[at..next], &between);
        new.put(&cut(line, output[next]));
        between.clear();
        at = next + 1;
    }
    new.fill(&output[at..], &between);
    while new.lines.last().is_some_and(String::is_empty) {
        new.lines.pop();
    }
    new
}

fn words_in_common(old: &str, new: &str) -> usize {
    old.split_whitespace().zip(new.split_whitespace()).filter(|(old, new)| old == new).count()
}

/// The new line, with as many words as the old one shows before its `...`.
fn cut(old: &str, new: &str) -> String {
    let Some(shown) = old.trim_end().strip_suffix("...") else { return new.to_owned() };
    let mut end = 0;
    for _ in shown.split_whitespace() {
        end += new[end..].len() - new[end..].trim_start().len();
        end += new[end..].find(char::is_whitespace).unwrap_or(new.len() - end);
    }
    format!("{} ...", &new[..end])
}

#[rstest]
#[case::numbers("a 12 b", "a 7 b\n", "a 7 b", "")]
#[case::whole("?", "a\n\nb 1\n#1 x::f  at a.rs:1\nc\n", "a\n\nb 1\n#1 x::f  at a.rs:1\nc", "?")]
#[case::a_new_line("a\nc", "a\nb\nc\nd", "a\nb\nc\nd", "")]
#[case::a_line_that_is_gone("a\nb\nc", "a\nc", "a\nc", "b")]
#[case::gap("a\n...\nc 1", "a\nb\nb\nc 2", "a\n...\nc 2", "")]
#[case::alike_but_for_numbers("a\n...\nc 3\nd", "a\nc 2\nx\nc 3\nd", "a\n...\nc 3\nd", "")]
#[case::needless_gap("a\n...\nc", "a\n\nc", "a\n\nc", "")]
#[case::one_gap_is_left("a\n...\nb\n...\nc", "a\nx\ny\nc", "a\n...\nc", "b")]
#[case::gap_at_the_end("a\n...", "a\nb", "a\n...", "")]
#[case::rest_of_a_line("  a  1 ...", "  a  2 c d", "  a  2 ...", "")]
#[case::chosen_frames("a\n#1 f  at a.rs:1\nb", "a\n#0 g  at a.rs:7\n#1 f  at a.rs:2\nb", "a\n#1 f  at a.rs:2\nb", "")]
#[case::frame_that_is_gone("a\n#1 f  at a.rs:1\nb", "a\n#0 g  at a.rs:7\nb", "a\nb", "#1 f  at a.rs:1")]
#[case::frame_and_gap("a\n#1 f  at a.rs:1\n...\nb", "a\n#0 f  at a.rs:7\nx\nb", "a\n#0 f  at a.rs:7\n...\nb", "")]
fn what_becomes_of_a_transcript(#[case] old: &str, #[case] output: &str, #[case] new: &str, #[case] dropped: &str) {
    let old: Vec<_> = old.lines().map(str::to_owned).collect();
    let written = rewritten(&old, output);
    assert_eq!((written.lines.join("\n").as_str(), written.dropped.join("\n").as_str()), (new, dropped));
    assert_eq!(super::compare(&written.lines, output), Ok(()), "what is written is compared with the same output");
}
