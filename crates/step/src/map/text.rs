//! The map for people: the counts, the strip, then every range with its ends, then the functions that hold
//! them.
//!
//! `{}` is short: the first ranges, and only the functions with a vulnerable boundary. `{:#}` leaves nothing
//! out. Boundaries are counted from 0, and both ends of `k 46..107` belong to it.

use std::fmt;

use sigproof_report::seen::{Spot, Stretch};

use super::{Map, NOT_TRIED, letter};
use sigproof_report::{Outcome, PROGRAM};

/// Boundaries in one row of the strip: a round number, so that a row and a column add up in one's head.
const ROW: usize = 100;
/// Ranges that the short text shows.
const RANGES: usize = 20;
/// No column is made wider than this for the sake of one long entry.
const PLACE: usize = 48;
/// The same for instructions.
const INSTRUCTION: usize = 32;

/// `k 46..107`, or `k 46`.
fn span(first: usize, last: usize) -> String {
    if first == last { format!("k {first}") } else { format!("k {first}..{last}") }
}

/// The width of a column: that of its widest entry, up to `most`.
fn width(entries: impl Iterator<Item = usize>, most: usize) -> usize {
    entries.filter(|entry| *entry <= most).max().unwrap_or(0)
}

/// `1 boundary`, `2 boundaries`.
fn boundaries(count: usize) -> String {
    format!("{count} {}", if count == 1 { "boundary" } else { "boundaries" })
}

impl Map {
    /// What the letters of the strip mean, for those that occur, in the order of the casebook.
    pub fn legend(&self) -> Vec<(char, &'static str)> {
        let outcomes = Outcome::ALL.iter().map(|outcome| (letter(Some(*outcome)), outcome.as_str()));
        let all = outcomes.chain([(letter(None), "not reached"), (NOT_TRIED, "not tried")]);
        all.filter(|(letter, _)| self.strip.contains(*letter)).collect()
    }

    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", boundaries(self.boundaries))?;
        if self.injected == self.boundaries {
            f.write_str("a signal at each")?;
        } else {
            write!(f, "a signal at {}", self.injected)?;
        }
        match self.vulnerable {
            0 => f.write_str(": none vulnerable")?,
            count => write!(f, ": {count} vulnerable ({:.1} %)", self.share * 100.0)?,
        }
        if self.diverged > 0 {
            write!(f, ", {} not reached", self.diverged)?;
        }
        writeln!(f)
    }

    fn strip(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters: Vec<char> = self.strip.chars().collect();
        for (row, letters) in letters.chunks(ROW).enumerate() {
            writeln!(f, "{:>6}  {}", row * ROW, String::from_iter(letters))?;
        }
        let legend: Vec<_> = self.legend().iter().map(|(letter, word)| format!("{letter} {word}")).collect();
        if legend.is_empty() { Ok(()) } else { writeln!(f, "{:>6}  {}", "", legend.join("   ")) }
    }

    fn ranges(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() { self.ranges.len() } else { self.ranges.len().min(RANGES) };
        let ranges = &self.ranges[..shown];
        let spots = || ranges.iter().flat_map(|range| [&range.first, &range.last]);
        let columns = Columns {
            place: width(spots().map(|spot| whereabouts(spot).chars().count()), PLACE),
            instruction: width(spots().map(|spot| spot.instruction.chars().count()), INSTRUCTION),
        };
        let spans = width(ranges.iter().map(|range| span(range.first.k, range.last.k).len()), usize::MAX);
        for range in ranges {
            let outcome = range.outcome.map_or("not reached", Outcome::as_str);
            writeln!(
                f,
                "\n  {:<spans$}   {} of {}  {outcome}",
                span(range.first.k, range.last.k),
                range.count,
                self.boundaries
            )?;
            for line in range.detail.lines() {
                writeln!(f, "     {line}")?;
            }
            if range.first.k == range.last.k {
                columns.line("at", &range.first, f)?;
            } else {
                columns.line("first", &range.first, f)?;
                columns.line("last", &range.last, f)?;
            }
            if let Some(token) = &range.token {
                writeln!(f, "     {PROGRAM} replay {token}")?;
            }
        }
        let hidden = &self.ranges[shown..];
        if hidden.is_empty() {
            return Ok(());
        }
        let count = boundaries(hidden.iter().map(|range| range.count).sum());
        writeln!(f, "\n  and {} more such ranges, of {count}", hidden.len())
    }

    fn functions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = f.alternate();
        let shown: Vec<&Stretch> = self.functions.iter().filter(|stretch| all || stretch.vulnerable > 0).collect();
        if shown.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n  {}", if all { "by function" } else { "by function, the vulnerable ones" })?;
        let spans = width(shown.iter().map(|stretch| span(stretch.first, stretch.last).len()), usize::MAX);
        let widest = width(shown.iter().map(|stretch| counts(stretch).len()), usize::MAX);
        for stretch in shown {
            writeln!(
                f,
                "     {:<spans$}   {:>widest$}  {}",
                span(stretch.first, stretch.last),
                counts(stretch),
                stretch.symbol
            )?;
        }
        Ok(())
    }
}

/// Widths of what is said of a spot.
struct Columns {
    place: usize,
    instruction: usize,
}

impl Columns {
    fn line(&self, what: &str, spot: &Spot, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, instruction } = *self;
        let source = spot.source.clone().unwrap_or_else(|| format!("({})", spot.object));
        // A place without a symbol is already said by its object file.
        let source = if spot.source.is_none() && spot.place == spot.object { String::new() } else { source };
        let line =
            format!("     {what:<5}  {:<place$}  {:<instruction$}  {source}", whereabouts(spot), spot.instruction);
        writeln!(f, "{}", line.trim_end())
    }
}

/// `3 of 41`, or how many there are if none is vulnerable.
fn counts(stretch: &Stretch) -> String {
    let Stretch { vulnerable, count, .. } = stretch;
    if *vulnerable == 0 { count.to_string() } else { format!("{vulnerable} of {count}") }
}

fn whereabouts(spot: &Spot) -> String {
    if spot.asleep { format!("asleep in {}", spot.place) } else { spot.place.clone() }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.strip(f)?;
        self.ranges(f)?;
        self.functions(f)
    }
}
