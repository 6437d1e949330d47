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

const OVERFLOW: &str = "the writer's next time must not reach the reader's load of this one: that would be load buffering, which loom has not";
const BELL: &str =
    "in the model the bell itself passes memory on, as kernels do; POSIX does not promise it, so the word does it, too";
const TABLE: &str = "what is published is the kernel's table of descriptors, which is no memory of the model";
const NEWEST: &str =
    "a read-modify-write of loom finds the newest value of the mask whatever it has acquired; a processor's need not";
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
    kept("crates/osnote/src/sigqueue/mod.rs", "announce", "compare_exchange", ("AcqRel", "Acquire"), NEWEST),
    kept("crates/osnote/src/sigqueue/receiver.rs", "wait", "compare_exchange", ("Acquire", "Relaxed"), NEWEST),
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
    use sigproof_workbench::orderings::places;
    use std::path::Path;

    #[test]
    fn what_is_kept_stands_in_the_sources() {
        let places = places(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
        for kept in KEPT {
            let stands = places.iter().any(|place| {
                (place.file.as_str(), place.function.as_str(), place.method.as_str(), place.ordering.as_str())
                    == (kept.file, kept.function, kept.method, kept.from)
            });
            assert!(stands, "{} {} {} is not there any more", kept.file, kept.function, kept.method);
        }
    }
}
