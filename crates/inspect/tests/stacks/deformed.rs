//! What mails, trackers, logs and terminals do to a dump changes no answer, and no text makes the
//! explanation fail.

use proptest::prelude::*;
use sigproof_inspect::stacks::{Certainty, Verdict, explain};

use super::{fixtures, wrong};

/// A deformation: its name and what it does.
type Deformation = (&'static str, fn(&str) -> Vec<u8>);

fn lines(dump: &str, line: impl Fn(&str) -> String) -> Vec<u8> {
    dump.lines().map(line).collect::<Vec<_>>().join("\n").into_bytes()
}

const DEFORMATIONS: &[Deformation] = &[
    ("quoted", |dump| lines(dump, |line| format!("> {line}"))),
    ("quoted twice", |dump| lines(dump, |line| format!("> > {line}"))),
    ("carriage returns", |dump| dump.replace('\n', "\r\n").into_bytes()),
    ("colours", |dump| lines(dump, |line| format!("\x1b[33m{line}\x1b[0m"))),
    ("escaped for HTML", |dump| dump.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").into_bytes()),
    ("UTF-16", |dump| [0xff, 0xfe].into_iter().chain(dump.encode_utf16().flat_map(u16::to_le_bytes)).collect()),
    ("a byte order mark", |dump| format!("\u{feff}{dump}").into_bytes()),
    ("bells", |dump| lines(dump, |line| format!("{line}\x07"))),
    ("prose around", |dump| {
        format!("Hello,\nour daemon hangs since we changed its handler. Here is the stack:\n\n```\n{dump}\n```\n\nAny idea?\n").into_bytes()
    }),
    ("a time before each line", |dump| lines(dump, |line| format!("2026-11-26T10:00:00.1234567Z {line}"))),
];

#[test]
fn a_deformed_dump_gets_the_same_answer() {
    let mut failures = Vec::new();
    for fixture in fixtures() {
        for (name, deform) in DEFORMATIONS {
            let answer = explain(&deform(&fixture.dump));
            let why = wrong(&fixture, &answer);
            if !why.is_empty() {
                failures.push(format!("{}, {name}: {why}", fixture.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} wrong:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_dump_that_ends_early_never_turns_into_a_surer_one() {
    // Cut behind each line, a dump may lose its answer; it must not be sure of a handler that the whole dump
    // acquits.
    let acquitted = fixtures().into_iter().filter(|fixture| fixture.verdict.starts_with("no "));
    for fixture in acquitted {
        let lines: Vec<&str> = fixture.dump.lines().collect();
        for end in 1..lines.len() {
            let answer = explain(lines[..end].join("\n").as_bytes());
            let blames = matches!(answer.verdict, Verdict::Waits | Verdict::Faults);
            let sure = answer.certainty == Certainty::Shown;
            assert!(!(blames && sure), "{}, cut behind line {end}: {}", fixture.name, answer.render());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_any_kind_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        explain(&bytes).render();
    }

    #[test]
    fn a_mutated_dump_gets_an_answer(pick in any::<prop::sample::Index>(), places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..40)) {
        let fixtures = fixtures();
        let mut bytes = pick.get(&fixtures).dump.clone().into_bytes();
        for (place, byte, what) in places {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => {
                    let end = (at + usize::from(byte)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        let answer = explain(&bytes);
        answer.render();
        answer.to_json();
    }

    #[test]
    fn lines_in_any_order_get_an_answer(order in proptest::collection::vec(any::<prop::sample::Index>(), 0..60)) {
        let all: Vec<String> = fixtures().iter().flat_map(|fixture| fixture.dump.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let text: Vec<&str> = order.iter().map(|at| at.get(&all).as_str()).collect();
        explain(text.join("\n").as_bytes()).render();
    }
}

#[test]
fn a_large_dump_is_read_to_its_end() {
    // 50 MB of a log, and the stack behind it.
    let line = "2026-11-26 10:00:00 INFO request 4711 served in 3 ms (cache=hit, size=812)\n";
    let mut text = line.repeat((50 << 20) / line.len());
    text += "#0  0x1 in __lll_lock_wait_private ()\n#1  0x2 in malloc ()\n#2  0x3 in on_alarm (sig=14)\n#3  <signal handler called>\n#4  0x4 in _int_malloc ()\n#5  0x5 in main ()\n";
    assert_eq!(explain(text.as_bytes()).verdict, Verdict::Waits);
}

#[test]
fn a_dump_of_one_endless_line_gets_an_answer() {
    let text = "#0 0x1 in f () ".repeat(1 << 18);
    assert_eq!(explain(text.as_bytes()).verdict, explain(text.as_bytes()).verdict);
    explain("(".repeat(4 << 20).as_bytes()).render();
    explain("<".repeat(4 << 20).as_bytes()).render();
    explain("#".repeat(4 << 20).as_bytes()).render();
}
