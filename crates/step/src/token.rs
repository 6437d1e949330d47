//! The text that names one boundary, `LABEL@kK@OBJECT+0xOFF@SYMBOL+0xOFF#N`, without a character that a shell
//! minds.
//!
//! | part | says |
//! |---|---|
//! | `LABEL` | the window ([`Subject::label`](crate::Subject::label)), which has one `@` itself |
//! | `kK` | the index on the path; `kK:asleep` for a sleeper, whose address is that behind its system call |
//! | `OBJECT+0xOFF` | the object file and the address in it; without a file the bare address |
//! | `SYMBOL+0xOFF` | the function and the distance from its start; may be absent |
//! | `#N` | on the path this is the N-th boundary, from 1, with this address and this kind of sleep |
//!
//! `K` is enough for the build that made the token. The rest finds the boundary again after a rebuild, and
//! tells when it is another. Letters, digits and `_ : . + , / = -` stand for themselves; other bytes of a
//! name are `%` and two hexadecimal digits.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use super::Boundary;
use sigproof_inspect::diagnose::{Place, Places};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which window: [`Subject::label`](crate::Subject::label).
    pub label: String,
    /// The index on the path.
    pub k: usize,
    /// Asleep in the system call before the address.
    pub asleep: bool,
    /// File name of the object file.
    pub object: Option<String>,
    /// The address in the object file.
    pub object_offset: u64,
    /// The function.
    pub symbol: Option<String>,
    /// Bytes from the start of `symbol`; 0 without one.
    pub offset: u64,
    /// Which arrival there it is, from 1.
    pub occurrence: usize,
}

/// A text that is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a replay token: {0}; a token is WINDOW@kK@OBJECT+0xOFF@SYMBOL+0xOFF#N, as a sweep prints it")]
pub struct BadToken(&'static str);

/// Where a token's boundary is on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The index on the path.
    pub k: usize,
    /// That, and how, it had to be looked for; none if everything is as the token says.
    pub moved: Option<String>,
}

/// A boundary of the path with all that a token says of it.
struct Candidate {
    k: usize,
    place: Place,
    occurrence: usize,
}

/// The boundaries with this kind of sleep.
fn candidates(path: &[Boundary], asleep: bool, places: &dyn Places) -> Vec<Candidate> {
    let mut arrivals = HashMap::new();
    let alike = path.iter().enumerate().filter(|(_, boundary)| boundary.asleep == asleep);
    alike
        .map(|(k, boundary)| {
            let occurrence = arrivals.entry(boundary.pc).and_modify(|n| *n += 1).or_insert(1);
            Candidate { k, place: places.place(boundary.pc), occurrence: *occurrence }
        })
        .collect()
}

impl Token {
    /// Whether a text is meant as such a token, good or bad, rather than as one of a model, which has three
    /// parts.
    pub fn looks_like(text: &str) -> bool {
        let mut parts = text.split('@').skip(2);
        let k = parts.next().and_then(|part| part.strip_prefix('k'));
        k.is_some_and(|k| k.starts_with(|digit: char| digit.is_ascii_digit())) && parts.next().is_some()
    }

    /// The token of boundary `k` of the window `label`.
    ///
    /// # Panics
    /// If the path has no `k`.
    pub fn of(label: &str, path: &[Boundary], k: usize, places: &dyn Places) -> Self {
        let Boundary { pc, asleep, .. } = path[k];
        let occurrence = path[..=k].iter().filter(|other| (other.pc, other.asleep) == (pc, asleep)).count();
        let Place { symbol, offset, object, object_offset, .. } = places.place(pc);
        Self { label: label.to_owned(), k, asleep, object, object_offset, symbol, offset, occurrence }
    }

    /// Looks for the boundary on a path, which may be that of another build: at the same index, or else by
    /// its place and its occurrence, or else what is nearest in the same function. `None`: the path does not
    /// go there any more.
    pub fn locate(&self, path: &[Boundary], places: &dyn Places) -> Option<Located> {
        let candidates = candidates(path, self.asleep, places);
        let as_told = |found: &Candidate| (found.k, found.occurrence) == (self.k, self.occurrence);
        if candidates.iter().any(|found| as_told(found) && self.is_same_code(&found.place)) {
            return Some(Located { k: self.k, moved: None });
        }
        let closest = |found: &&Candidate| (found.place.object != self.object, found.k.abs_diff(self.k));
        let same = candidates.iter().filter(|found| self.is_there(&found.place) && found.occurrence == self.occurrence);
        if let Some(found) = same.min_by_key(closest) {
            let (was, k, name) = (self.k, found.k, found.place.name());
            let now = if k == was { "still" } else { "now" };
            let moved = format!("{}: k {was} is {now} {k}, found by {name}", self.change(&found.place));
            return Some(Located { k, moved: Some(moved) });
        }
        let near = candidates.iter().filter(|found| match self.symbol {
            Some(_) => found.place.symbol == self.symbol,
            None => self.is_there(&found.place),
        });
        let found = near.min_by_key(|found| {
            let offset = found.place.offset.abs_diff(self.offset);
            (offset, found.occurrence.abs_diff(self.occurrence), closest(found))
        })?;
        Some(Located { k: found.k, moved: Some(self.neighbour(found)) })
    }

    /// Whether this is the same code of the same build.
    fn is_same_code(&self, place: &Place) -> bool {
        (&place.symbol, place.offset) == (&self.symbol, self.offset)
            && (&place.object, place.object_offset) == (&self.object, self.object_offset)
    }

    /// Whether this is the same place, as far as a rebuild leaves it the same.
    fn is_there(&self, place: &Place) -> bool {
        match self.symbol {
            Some(_) => (&place.symbol, place.offset) == (&self.symbol, self.offset),
            None => self.is_same_code(place),
        }
    }

    /// What is another than it was when the token was made.
    fn change(&self, place: &Place) -> &'static str {
        if self.is_same_code(place) { "the path has changed" } else { "the build has changed" }
    }

    /// What is said of a boundary that is not the token's own.
    fn neighbour(&self, found: &Candidate) -> String {
        let (was, k, place) = (self.k, found.k, &found.place);
        if self.is_there(place) {
            let (now, before, name) = (found.occurrence, self.occurrence, place.name());
            if k == was {
                return format!("{}: k {k} is arrival {now} at {name}, not {before}", self.change(place));
            }
            return format!("{}: k {was} is gone, k {k} is arrival {now} at {name}, not {before}", self.change(place));
        }
        let symbol = place.symbol.as_deref().unwrap_or_default();
        let (now, before) = (place.offset, self.offset);
        format!(
            "the build has changed: k {was} is gone, the nearest in {symbol} is k {k} at +{now:#x}, not +{before:#x}"
        )
    }
}

/// A name without what a shell minds, and without what separates the parts.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'_' | b':' | b'.' | b'+' | b',' | b'/' | b'=' | b'-' => write!(f, "{}", char::from(byte))?,
                _ if byte.is_ascii_alphanumeric() => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// The name that [`Escaped`] has made this text of.
fn plain(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::try_from(hexadecimal(digits)?).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Digits alone, where the standard library takes a sign as well.
fn hexadecimal(digits: &str) -> Option<u64> {
    let digits = Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u64::from_str_radix(digits, 16).ok()
}

/// Digits alone.
fn decimal(digits: &str) -> Option<usize> {
    Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?.parse().ok()
}

/// `NAME+0xOFF`; no name is an empty one.
fn parse_place(text: &str) -> Option<(Option<String>, u64)> {
    let (name, offset) = text.rsplit_once("+0x")?;
    let name = plain(name)?;
    Some((Some(name).filter(|name| !name.is_empty()), hexadecimal(offset)?))
}

/// `kK` or `kK:asleep`.
fn parse_index(text: &str) -> Option<(usize, bool)> {
    let index = text.strip_prefix('k')?;
    match index.strip_suffix(":asleep") {
        Some(index) => Some((decimal(index)?, true)),
        None => Some((decimal(index)?, false)),
    }
}

/// `SYMBOL+0xOFF#N` or `#N`.
fn parse_symbol(text: &str) -> Option<(Option<String>, u64, usize)> {
    let (place, occurrence) = text.split_once('#')?;
    let occurrence = decimal(occurrence).filter(|occurrence| *occurrence > 0)?;
    if place.is_empty() {
        return Some((None, 0, occurrence));
    }
    let (symbol, offset) = parse_place(place)?;
    symbol.is_some().then_some((symbol, offset, occurrence))
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.label.split('@').enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { "@" }, Escaped(part))?;
        }
        write!(f, "@k{}{}", self.k, if self.asleep { ":asleep" } else { "" })?;
        write!(f, "@{}+{:#x}@", Escaped(self.object.as_deref().unwrap_or_default()), self.object_offset)?;
        if let Some(symbol) = &self.symbol {
            write!(f, "{}+{:#x}", Escaped(symbol), self.offset)?;
        }
        write!(f, "#{}", self.occurrence)
    }
}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let parts: Vec<&str> = text.split('@').collect();
        let [case, window, index, object, symbol] = parts[..] else { return Err(BadToken("it has not five parts")) };
        let (case, window) = plain(case).zip(plain(window)).ok_or(BadToken("its label makes no sense"))?;
        if case.is_empty() || window.is_empty() {
            return Err(BadToken("it names no window"));
        }
        let (k, asleep) = parse_index(index).ok_or(BadToken("its index makes no sense"))?;
        let (object, object_offset) = parse_place(object).ok_or(BadToken("its object file makes no sense"))?;
        let (symbol, offset, occurrence) = parse_symbol(symbol).ok_or(BadToken("its symbol makes no sense"))?;
        Ok(Self { label: format!("{case}@{window}"), k, asleep, object, object_offset, symbol, offset, occurrence })
    }
}

#[cfg(test)]
mod tests;
