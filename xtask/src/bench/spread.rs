//! Medians over passes, and ratios within a pass.

use std::collections::BTreeMap;
use std::fmt;

use sigproof_oracle::bench::median;

/// One number in each pass.
pub type Passes = BTreeMap<u32, f64>;

/// Several numbers of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// Over the passes; `None` if there was none.
    pub fn of(passes: &Passes) -> Option<Self> {
        let numbers: Vec<_> = passes.values().copied().collect();
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { median: median(&numbers)?, least, most })
    }

    /// Of the first as parts of the second, in each pass that has both.
    pub fn of_ratios(these: &Passes, those: &Passes) -> Option<Self> {
        Self::of(&these.iter().filter_map(|(pass, this)| Some((*pass, this / those.get(pass)?))).collect())
    }
}

/// As the tables have it: the median, and the least and the most in brackets unless they read the same. With
/// a precision: that many places.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(1);
        let [median, least, most] = [self.median, self.least, self.most].map(|number| format!("{number:.places$}"));
        if least == most { f.write_str(&median) } else { write!(f, "{median} ({least} to {most})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_pass() {
        let ours = Passes::from([(0, 10.0), (1, 20.0), (2, 30.0)]);
        let theirs = Passes::from([(0, 40.0), (1, 80.0), (3, 1.0)]);
        let ratio = Spread::of_ratios(&ours, &theirs).unwrap();
        assert_eq!(ratio, Spread { median: 0.25, least: 0.25, most: 0.25 });
        assert_eq!(Spread::of_ratios(&ours, &Passes::new()), None);
        assert_eq!(format!("{:.2}", Spread::of(&ours).unwrap()), "20.00 (10.00 to 30.00)");
        assert_eq!(ratio.to_string(), "0.2");
    }
}
