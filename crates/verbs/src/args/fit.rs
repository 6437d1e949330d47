//! The texts below a help, filled to the width of the terminal.
//!
//! clap wraps long lines but never joins short ones. A text that is wrapped for one width is therefore ragged
//! on a narrower terminal. [`fit`] joins the lines of each paragraph and of each row, and wraps them anew.
//!
//! | lines | are |
//! |---|---|
//! | without indentation | a paragraph |
//! | indented | a row: a term, two or more spaces, a description |
//! | indented by three columns more than a row with a description | the rest of the description |

use textwrap::{Options, WordSeparator, WordSplitter};

/// The widest text, as clap has it.
const WIDEST: usize = 100;

/// The indentation of what follows the first line of a row without a column for it.
const CONTINUED: usize = 8;

/// The columns of the terminal, or of `COLUMNS` if there is none; at most [`WIDEST`].
pub fn width() -> usize {
    let terminal = terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| usize::from(columns));
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(columns).filter(|columns| *columns > 0).map_or(WIDEST, |columns| columns.min(WIDEST))
}

/// The text in lines of at most so many columns; a longer word has a line of its own.
pub fn fit(text: &str, width: usize) -> String {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if goes_on(block, line) => {
                block.push(' ');
                block.push_str(line.trim_start());
            }
            _ => blocks.push(line.to_owned()),
        }
    }
    let fitted: Vec<String> = blocks.iter().map(|block| wrapped(block, width)).collect();
    fitted.join("\n") + if text.ends_with('\n') { "\n" } else { "" }
}

/// Whether a line belongs to the paragraph or the row above it.
fn goes_on(block: &str, line: &str) -> bool {
    match (indentation(block), indentation(line)) {
        _ if block.is_empty() || line.is_empty() => false,
        (0, 0) => true,
        (0, _) | (_, 0) => false,
        // The exit codes are flush right: the next row may begin one or two columns further to the left.
        (of_row, of_line) => of_line >= of_row + 3 && description(block).is_some(),
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn wrapped(block: &str, width: usize) -> String {
    match description(block) {
        _ if block.len() <= width => block.to_owned(),
        _ if indentation(block) == 0 => filled(block, 0, width),
        // In the right half there is little room: below its term there is more.
        Some(column) if column > width / 2 => {
            let (term, description) = block.split_at(column);
            let below = format!("{:CONTINUED$}{description}", "");
            format!("{}\n{}", filled(term.trim_end(), CONTINUED, width), filled(&below, CONTINUED, width))
        }
        column => filled(block, column.unwrap_or(CONTINUED), width),
    }
}

/// The text in lines, each but the first indented.
fn filled(text: &str, indented: usize, width: usize) -> String {
    let indented = " ".repeat(indented);
    let options = Options::new(width)
        .subsequent_indent(&indented)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    textwrap::fill(text, options)
}

/// The column of a row's description.
fn description(row: &str) -> Option<usize> {
    let term = indentation(row);
    let gap = term + row[term..].find("  ")?;
    Some(gap + indentation(&row[gap..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
A window is a piece of code between two marks: a note's sleep,
a buffer's write.

Rows:
  case        the bug, or the part of the core
  boundaries  the length of the path, with what was not
             reached
  {program} step --note sema --window sleep --variant broken    one window
  a-term-with-its-description-below
      the description
";

    #[test]
    fn a_paragraph_and_a_row_are_wrapped_anew() {
        assert_eq!(
            fit(TEXT, 50),
            "\
A window is a piece of code between two marks: a
note's sleep, a buffer's write.

Rows:
  case        the bug, or the part of the core
  boundaries  the length of the path, with what
              was not reached
  {program} step --note sema --window sleep
        --variant broken
        one window
  a-term-with-its-description-below
      the description
"
        );
    }

    #[test]
    fn a_wide_terminal_joins_what_was_wrapped() {
        let fitted = fit(TEXT, 100);
        assert_eq!(
            fitted.lines().next(),
            Some("A window is a piece of code between two marks: a note's sleep, a buffer's write.")
        );
        assert!(fitted.contains("  boundaries  the length of the path, with what was not reached\n"), "{fitted}");
    }

    #[test]
    fn no_line_is_wider_and_no_word_is_lost() {
        for width in [1, 20, 40, 80, 100] {
            let fitted = fit(TEXT, width);
            assert_eq!(words(&fitted), words(TEXT), "{width}");
            let longest = TEXT.split_whitespace().map(str::len).max().unwrap() + CONTINUED;
            assert!(fitted.lines().all(|line| line.len() <= width.max(longest)), "{width}:\n{fitted}");
        }
    }

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }
}
