//! Numbers for people.

/// A time in three digits or so: `5.2 ms`.
pub fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "us"),
    };
    if value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// A count with its thousands apart: `12,345`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A part in hundredths: `37%`. Neither nothing nor all is said of what is not.
pub fn percent(part: u64, of: u64) -> String {
    let percent = (100.0 * part as f64 / of as f64).round();
    match percent {
        p if p < 1.0 && part > 0 => "<1%".to_owned(),
        p if p > 99.0 && part < of => ">99%".to_owned(),
        p => format!("{p:.0}%"),
    }
}

/// A count of things: `1 setup`, `2 setups`, `2 passes`.
pub fn of(number: usize, thing: &str) -> String {
    let ending = match number {
        1 => "",
        _ if thing.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {thing}{ending}", count(number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0.0, "0.0 us")]
    #[case(0.000_25, "250 us")]
    #[case(0.005_23, "5.2 ms")]
    #[case(0.25, "250 ms")]
    #[case(1.25, "1.2 s")]
    #[case(300.0, "300 s")]
    fn times(#[case] value: f64, #[case] text: &str) {
        assert_eq!(seconds(value), text);
    }

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1000, "1,000")]
    #[case(1_234_567, "1,234,567")]
    fn counts(#[case] value: u64, #[case] text: &str) {
        assert_eq!(count(value), text);
    }

    #[rstest]
    #[case(1, "pass", "1 pass")]
    #[case(9, "pass", "9 passes")]
    #[case(1000, "setup", "1,000 setups")]
    fn things(#[case] number: usize, #[case] thing: &str, #[case] text: &str) {
        assert_eq!(of(number, thing), text);
    }

    #[rstest]
    #[case(0, 167, "0%")]
    #[case(62, 167, "37%")]
    #[case(1, 1000, "<1%")]
    #[case(999, 1000, ">99%")]
    #[case(9, 9, "100%")]
    fn percents(#[case] part: u64, #[case] of: u64, #[case] text: &str) {
        assert_eq!(percent(part, of), text);
    }
}
