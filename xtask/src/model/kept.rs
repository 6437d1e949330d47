//! Orderings that no model needs, and why they stay as strong as they are.

use super::source::Place;

/// An ordering that stays.
struct Kept {
    file: &'static str,
    function: &'static str,
    method: &'static str,
    /// The weakenings that go unnoticed.
    to: &'static [&'static str],
    why: &'static str,
}

const KEPT: &[Kept] = &[];

/// Why this weakening goes unnoticed, if that is known and accepted.
pub fn reason(place: &Place, to: &str) -> Option<&'static str> {
    let same = |kept: &&Kept| {
        place.file == kept.file
            && place.function == kept.function
            && place.method == kept.method
            && kept.to.contains(&to)
    };
    KEPT.iter().find(same).map(|kept| kept.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source;
    use std::path::Path;

    #[test]
    fn what_is_kept_stands_in_the_sources() {
        let places = source::places(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
        for kept in KEPT {
            let stands = places.iter().any(|place| {
                (place.file.as_str(), place.function.as_str(), place.method.as_str())
                    == (kept.file, kept.function, kept.method)
            });
            assert!(stands, "{} {} {} is not there any more", kept.file, kept.function, kept.method);
        }
    }
}
