//! Colours of verdicts and outcomes. A colour repeats what the word says, so text without colours loses
//! nothing.
//!
//! Everything that is printed through [`Out::say`](crate::output::Out::say) may be styled: `say` removes the
//! styles where the stream shows no colours.

use anstyle::{AnsiColor, Style};
use sigproof_report::Verdict;

/// The colour of a verdict.
pub const fn verdict(verdict: Verdict) -> AnsiColor {
    match verdict {
        Verdict::AsExpected => AnsiColor::BrightGreen,
        Verdict::Unexpected => AnsiColor::BrightRed,
        Verdict::Inconclusive => AnsiColor::BrightYellow,
        Verdict::Skipped => AnsiColor::BrightBlack,
    }
}

/// The colour of a bad outcome: of one that must never occur, or of one that the variant is expected to show.
pub const fn bad(forbidden: bool) -> AnsiColor {
    if forbidden { AnsiColor::BrightRed } else { AnsiColor::BrightMagenta }
}

/// The colour of a word in a table of plain words, if it is a verdict.
pub fn word(word: &str) -> Option<AnsiColor> {
    let known = Verdict::ALL.iter().find(|known| known.as_str() == word).map(|known| verdict(*known));
    known.or(match word {
        "agree" => Some(verdict(Verdict::AsExpected)),
        "DISAGREE" => Some(verdict(Verdict::Unexpected)),
        _ => None,
    })
}

/// A text in a colour.
pub fn paint(color: AnsiColor, text: impl std::fmt::Display) -> String {
    styled(color.on_default(), text)
}

/// A text in bold type.
pub fn bold(text: impl std::fmt::Display) -> String {
    styled(Style::new().bold(), text)
}

fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
