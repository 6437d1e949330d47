//! Orderings that no model needs, and why they stay as strong as they are.

use sigproof_harness::model::orderings::Place;

/// An ordering that stays.
struct Kept {
    file: &'static str,
    function: &'static str,
    method: &'static str,
    /// The ordering, and what it can be taken for without being noticed.
    from: &'static str,
    to: &'static str,
    why: &'static str,
}

const OVERFLOW: &str = "C++ allows the writer's next time to reach the reader's load of this one: load buffering, which the models leave out";
const BELL: &str =
    "in the model the bell itself passes memory on, as kernels do; POSIX does not promise it, so the word does it, too";
const TABLE: &str = "what is published is a number in the kernel's table of descriptors, which is no memory of a model; a processor may show \
     the number before the table: EBADF";
const SIGNAL: &str = "C++ and ARM allow the receiver's swap of the mask before the sender's change of it, although the receiver has seen \
     the announcement: load buffering, which the models leave out; the signal would stay in the queue, and the receiver \
     sleep";
const GUARD: &str = "no model loads a library: the table is read by the handler of a fault, which ends the process";

const KEPT: &[Kept] = &[
    kept("crates/profbuf/src/overflow.rs", "add", "compare_exchange", ("Acquire", "Relaxed"), OVERFLOW),
    kept("crates/profbuf/src/overflow.rs", "take", "compare_exchange", ("Release", "Relaxed"), OVERFLOW),
    kept("crates/osnote/src/doorbell.rs", "listen", "fetch_or", ("Acquire", "Relaxed"), BELL),
    kept("crates/osnote/src/foreign/instance.rs", "take", "store", ("Release", "Relaxed"), GUARD),
    kept("crates/osnote/src/foreign/instance.rs", "give_back", "store", ("Release", "Relaxed"), GUARD),
    kept("crates/osnote/src/foreign/instance.rs", "guarded", "load", ("Acquire", "Relaxed"), GUARD),
    kept("crates/osnote/src/notes/signote.rs", "install", "compare_exchange", ("Release", "Relaxed"), TABLE),
    kept("crates/osnote/src/testing.rs", "set_up_replacing", "store", ("Release", "Relaxed"), TABLE),
    kept("crates/osnote/src/notes/signote.rs", "get", "load", ("Acquire", "Relaxed"), TABLE),
    kept("crates/osnote/src/sigqueue/mod.rs", "announce", "compare_exchange", ("AcqRel", "Acquire"), SIGNAL),
    kept("crates/osnote/src/sigqueue/receiver.rs", "wait", "compare_exchange", ("Acquire", "Relaxed"), SIGNAL),
];

const fn kept(
    file: &'static str,
    function: &'static str,
    method: &'static str,
    (from, to): (&'static str, &'static str),
    why: &'static str,
) -> Kept {
    Kept { file, function, method, from, to, why }
}

/// Why this weakening goes unnoticed, if that is known and accepted.
pub fn reason(place: &Place, to: &str) -> Option<&'static str> {
    let same = |kept: &&Kept| {
        place.file == kept.file
            && place.function == kept.function
            && place.method == kept.method
            && (place.ordering.as_str(), to) == (kept.from, kept.to)
    };
    KEPT.iter().find(same).map(|kept| kept.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_harness::model::orderings::weaker;
    use sigproof_workbench::orderings::places;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn workspace() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    /// The file, the access, its ordering, a weaker one, and whether a model fails for that.
    type Row = (String, String, String, String, bool);

    fn documented() -> BTreeSet<Row> {
        let text = fs::read_to_string(workspace().join("docs/orderings.md")).unwrap();
        let (mut file, mut rows) = (String::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("### `") {
                file = name.trim_end_matches('`').to_owned();
            }
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            if let [access, ordering, weaker, what] = cells[..]
                && access.starts_with('`')
            {
                let [access, ordering, weaker] = [access, ordering, weaker].map(str::to_owned);
                rows.insert((file.clone(), access, ordering, weaker, !what.starts_with("no model")));
            }
        }
        rows
    }

    #[test]
    fn every_ordering_of_the_sources_is_documented() {
        let mut rows = BTreeSet::new();
        for place in places(workspace()).unwrap() {
            let failure = if place.failure { " (failure)" } else { "" };
            let access = format!("`{}`: `{}`{failure}", place.function, place.method);
            for to in weaker(&place.ordering, place.failure) {
                let is_needed = reason(&place, to).is_none();
                rows.insert((place.file.clone(), access.clone(), place.ordering.clone(), (*to).to_owned(), is_needed));
            }
        }
        let documented = documented();
        let missing: Vec<_> = rows.difference(&documented).collect();
        let stale: Vec<_> = documented.difference(&rows).collect();
        assert!(missing.is_empty() && stale.is_empty(), "docs/orderings.md lacks {missing:#?}, has {stale:#?}");
    }

    #[test]
    fn what_is_kept_stands_in_the_sources() {
        let places = places(workspace()).unwrap();
        for kept in KEPT {
            let stands = places.iter().any(|place| {
                (place.file.as_str(), place.function.as_str(), place.method.as_str(), place.ordering.as_str())
                    == (kept.file, kept.function, kept.method, kept.from)
            });
            assert!(stands, "{} {} {} is not there any more", kept.file, kept.function, kept.method);
        }
    }
}
