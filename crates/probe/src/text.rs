//! The map for people: the counts, the strip, and every range with its ends.
//!
//! `{}` is short, `{:#}` leaves no range out. Boundaries are counted from 0.

use std::fmt;

use sigproof_report::seen::Spot;

use crate::report::{Path, Range, Report};
use crate::{Ending, errno_text};

/// Boundaries in one row of a strip.
const ROW: usize = 100;
/// Rows that the short text shows.
const ROWS: usize = 12;
/// Ranges that the short text shows.
const RANGES: usize = 8;

pub(crate) fn boundaries(count: usize) -> String {
    format!("{count} {}", if count == 1 { "boundary" } else { "boundaries" })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {} in {} ({}) of {}", self.signal, self.window, self.object, self.program)?;
        let (judged, vulnerable) = (self.judged(), self.vulnerable());
        write!(f, "{} judged: ", boundaries(judged))?;
        match vulnerable {
            0 => writeln!(f, "none vulnerable")?,
            _ => {
                let kinds: Vec<_> = self.endings().iter().map(|ending| ending.as_str()).collect();
                let share = 100.0 * vulnerable as f64 / judged.max(1) as f64;
                writeln!(f, "{vulnerable} vulnerable ({share:.1} %): {}", kinds.join(", "))?;
            }
        }
        writeln!(f, "  without a signal: {}", self.untouched)?;
        writeln!(f, "  {} outside the window: {}", self.signal, self.reference)?;
        if let Some(errno) = self.errno {
            let left = errno_text(errno);
            writeln!(f, "errno spoiled: the handler left {left} in it; save it first, and put it back last")?;
        }
        for path in &self.paths {
            if path.judged == 0 && !f.alternate() {
                continue;
            }
            path.write(f, f.alternate())?;
        }
        let engines: Vec<_> = self.engines.iter().map(|(means, count)| format!("{count} by {means}")).collect();
        let engines = if engines.is_empty() { "nothing judged".to_owned() } else { engines.join(", ") };
        write!(f, "\n{engines}; {} starts; {:.2} s", self.starts, self.seconds)?;
        // Where runs judge each boundary, the walk judges none.
        match self.rate {
            rate if rate < 1.0 => f.write_str("\n")?,
            rate => writeln!(f, ", the walk {rate:.0} boundaries a second")?,
        }
        let paths = self.paths.len();
        let alike = self.alike();
        let unjudged = self.boundaries() - judged - alike;
        write!(
            f,
            "coverage: {} on {paths} {}",
            boundaries(self.boundaries()),
            if paths == 1 { "pass" } else { "passes" }
        )?;
        match (alike, unjudged) {
            (0, 0) => f.write_str(", all judged")?,
            _ => write!(f, ", {judged} judged")?,
        }
        if alike > 0 {
            write!(f, ", {alike} like one of an earlier pass")?;
        }
        if unjudged > 0 {
            write!(f, ", {unjudged} not judged")?;
        }
        f.write_str("\n")?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

impl Path {
    fn write(&self, f: &mut fmt::Formatter<'_>, whole: bool) -> fmt::Result {
        writeln!(
            f,
            "\npass {}: {}, {} judged, {} vulnerable",
            self.pass,
            boundaries(self.boundaries),
            self.judged,
            self.vulnerable
        )?;
        let letters: Vec<char> = self.strip.chars().collect();
        let rows = letters.len().div_ceil(ROW);
        let mut last: Option<(&[char], usize)> = None;
        let mut shown = 0;
        for (row, letters) in letters.chunks(ROW).enumerate() {
            // Equal rows are shown once.
            if last.is_some_and(|(before, _)| before == letters) && !whole {
                last = last.map(|(before, times)| (before, times + 1));
                continue;
            }
            tell_repeated(f, last)?;
            last = Some((letters, 0));
            if shown == ROWS && !whole {
                writeln!(f, "        ... {} more rows (--verbose shows them)", rows - row)?;
                last = None;
                break;
            }
            shown += 1;
            writeln!(f, "{:>6}  {}", row * ROW, String::from_iter(letters))?;
        }
        tell_repeated(f, last)?;
        let known = Ending::ALL.iter().map(|ending| (ending.letter(), ending.as_str()));
        let all = known.chain([('?', "not decided"), ('=', "like one of an earlier pass"), ('-', "not judged")]);
        let legend: Vec<_> = all
            .filter(|(letter, _)| letters.contains(letter))
            .map(|(letter, word)| format!("{letter} {word}"))
            .collect();
        writeln!(f, "        {}", legend.join("   "))?;
        let ranges = if whole { self.ranges.len() } else { self.ranges.len().min(RANGES) };
        for range in &self.ranges[..ranges] {
            range.write(f, self.boundaries)?;
        }
        let hidden = &self.ranges[ranges..];
        if !hidden.is_empty() {
            let count = hidden.iter().map(|range| range.count).sum();
            writeln!(f, "\n  and {} more such ranges, of {} (--verbose shows them)", hidden.len(), boundaries(count))?;
        }
        Ok(())
    }
}

fn tell_repeated(f: &mut fmt::Formatter<'_>, last: Option<(&[char], usize)>) -> fmt::Result {
    match last {
        Some((_, 1)) => writeln!(f, "        ... 1 more such row"),
        Some((_, times)) if times > 0 => writeln!(f, "        ... {times} more such rows"),
        _ => Ok(()),
    }
}

impl Range {
    fn write(&self, f: &mut fmt::Formatter<'_>, of: usize) -> fmt::Result {
        let (first, last) = (self.first.k, self.last.k);
        let span = if first == last { format!("k {first}") } else { format!("k {first}..{last}") };
        let confirmed = if self.confirmed { "confirmed" } else { "seen in copies only" };
        writeln!(f, "\n  {span}   {} of {of}  {}, {confirmed}", self.count, self.ending)?;
        for line in self.detail.lines() {
            writeln!(f, "     {line}")?;
        }
        if first == last {
            spot(f, "at", &self.first)?;
        } else {
            spot(f, "first", &self.first)?;
            spot(f, "last", &self.last)?;
        }
        writeln!(f, "     --replay {}", self.token)
    }
}

fn spot(f: &mut fmt::Formatter<'_>, what: &str, spot: &Spot) -> fmt::Result {
    let place = if spot.asleep { format!("asleep in {}", spot.place) } else { spot.place.clone() };
    let source = spot.source.clone().unwrap_or_else(|| format!("({})", spot.object));
    let source = if spot.place == spot.object { String::new() } else { source };
    let line = format!("     {what:<5}  {place:<32}  {:<28}  {source}", spot.instruction);
    writeln!(f, "{}", line.trim_end())
}
