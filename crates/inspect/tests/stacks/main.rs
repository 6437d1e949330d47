//! Dumps of many tools with the answers that they must get, and the same dumps as mails and trackers deform
//! them.
//!
//! A fixture begins with `=== name | verdict | casebook`. A `?` behind the verdict: the answer must say
//! "likely", and must not say so without it. The casebook's `-` is none. All dumps are of our own making.

use sigproof_inspect::stacks::{Answer, Certainty, Verdict, explain};

mod deformed;
mod facts;

/// The fixtures.
const FILES: &[(&str, &str)] = &[
    ("linux.txt", include_str!("linux.txt")),
    ("formats.txt", include_str!("formats.txt")),
    ("traps.txt", include_str!("traps.txt")),
    ("reports.txt", include_str!("reports.txt")),
];

/// A dump and its right answer.
struct Fixture {
    name: String,
    verdict: String,
    likely: bool,
    casebook: Option<String>,
    dump: String,
}

fn fixtures() -> Vec<Fixture> {
    let mut found = Vec::new();
    for (file, text) in FILES {
        for part in text.split("=== ").skip(1).filter(|part| part.contains(" | ")) {
            let (head, dump) = part.split_once('\n').unwrap_or((part, ""));
            let mut fields = head.split(" | ");
            let (name, verdict, casebook) = (fields.next(), fields.next(), fields.next());
            let verdict = verdict.unwrap_or_else(|| panic!("{file}: {head}: no verdict"));
            found.push(Fixture {
                name: format!("{file}: {}", name.unwrap_or_default()),
                verdict: verdict.trim_end_matches('?').to_owned(),
                likely: verdict.ends_with('?'),
                casebook: casebook.filter(|name| *name != "-").map(str::to_owned),
                dump: dump.to_owned(),
            });
        }
    }
    found
}

/// Why an answer is wrong; empty if it is right.
fn wrong(fixture: &Fixture, answer: &Answer) -> String {
    let mut why = String::new();
    if answer.verdict.words() != fixture.verdict {
        why += &format!("verdict: {}, must be {}; ", answer.verdict, fixture.verdict);
    }
    let named = answer.casebook.map(|bug| bug.name);
    if named != fixture.casebook.as_deref() {
        why += &format!("casebook: {named:?}, must be {:?}; ", fixture.casebook);
    }
    // Other verdicts name no holder, and their certainty is of no weight.
    let weighed = matches!(answer.verdict, Verdict::Waits);
    if weighed && (answer.certainty == Certainty::Likely) != fixture.likely {
        why += &format!("certainty: {:?}; ", answer.certainty);
    }
    why
}

#[test]
fn every_dump_gets_its_answer() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 80, "{} fixtures", fixtures.len());
    let mut failures = Vec::new();
    for fixture in &fixtures {
        let answer = explain(fixture.dump.as_bytes());
        let why = wrong(fixture, &answer);
        if !why.is_empty() {
            failures.push(format!("{}: {why}\n{}", fixture.name, answer.render()));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), fixtures.len(), failures.join("\n"));
}
