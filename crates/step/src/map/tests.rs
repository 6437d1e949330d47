//! Maps of paths through drawn code.

use super::drawn::{Drawn, path};
use super::*;
use rstest::rstest;

const LABEL: &str = "darwin-sigqueue-note/broken/sema@receive";
const LIBC: u64 = 0x7f00_0000_0000;
const OURS: u64 = 0x5500_0000_0000;

/// Our own code, two functions of libc, and some without a name.
fn drawn() -> Drawn {
    Drawn::default()
        .function("osnote::semaphore::receive", "xtask", (OURS + 0x1000, 0x400), OURS)
        .source("crates/osnote/src/semaphore/pthread.rs", 80)
        .function("pthread_mutex_lock", "libc.so.6", (LIBC + 0x8f100, 0x80), LIBC)
        .function("pthread_mutex_unlock", "libc.so.6", (LIBC + 0x8f200, 0x80), LIBC)
        .function("", "libc.so.6", (LIBC + 0x9_0000, 0x80), LIBC)
}

fn judged(outcome: Option<Outcome>) -> Judged {
    let detail = match outcome {
        Some(Outcome::Delivered) => String::new(),
        Some(outcome) => format!("{outcome}, as was seen"),
        None => "3 times it went another way".to_owned(),
    };
    Judged { outcome, detail, retries: 0 }
}

/// What is judged, from a strip.
fn judged_as(strip: &str) -> Vec<Judged> {
    let outcome = |c: char| Outcome::ALL.iter().copied().find(|outcome| letter(Some(*outcome)) == c);
    strip.chars().map(|c| judged(outcome(c))).collect()
}

/// Ours, lock, ours, lock again and asleep in it, code without a name, unlock, ours.
fn a_path() -> Vec<Boundary> {
    let ours = |from: u64, count: u64| (0..count).map(move |n| OURS + 0x1000 + from + 4 * n);
    let libc = |from: u64, count: u64| (0..count).map(move |n| LIBC + from + 4 * n);
    let lock = ours(0, 20).chain(libc(0x8f100, 30)).chain(ours(0x50, 10)).chain(libc(0x8f100, 20));
    let mut path =
        path(&lock.chain(libc(0x9_0000, 6)).chain(libc(0x8f200, 20)).chain(ours(0x78, 6)).collect::<Vec<_>>());
    path[75].asleep = true;
    path
}

fn a_swept() -> Swept {
    let strip = [
        ".".repeat(30),
        "D".repeat(25),
        "..".to_owned(),
        "D".repeat(18),
        "L".to_owned(),
        "DD??DDDDD".to_owned(),
        ".".repeat(20),
        "2".to_owned(),
    ];
    let strip = strip.concat();
    let path: Vec<_> = a_path().into_iter().take(strip.len()).collect();
    Swept { path, judged: judged_as(&strip) }
}

#[test]
fn counts_and_strip() {
    let map = Map::of(LABEL, &a_swept(), &drawn());
    assert_eq!((map.boundaries, map.injected, map.vulnerable, map.diverged), (106, 104, 52, 2));
    assert_eq!((map.first_vulnerable, map.last_vulnerable), (Some(30), Some(105)));
    assert_eq!(map.share, 0.5);
    assert_eq!(&map.strip[28..86], format!("..{}..{}L{}.", "D".repeat(25), "D".repeat(18), "DD??DDDDD"));
    let of = |range: &Range| (range.outcome.map(|o| o.as_str()), range.first.k, range.last.k, range.count);
    let expected = [
        (Some("self-deadlock"), 30, 54, 25),
        (Some("self-deadlock"), 57, 74, 18),
        (Some("lost wake-up"), 75, 75, 1),
        (Some("self-deadlock"), 76, 77, 2),
        (None, 78, 79, 2),
        (Some("self-deadlock"), 80, 84, 5),
        (Some("double wake-up"), 105, 105, 1),
    ];
    assert_eq!(map.ranges.iter().map(of).collect::<Vec<_>>(), expected);
}

#[test]
fn ranges_say_what_lies_at_their_ends() {
    let map = Map::of(LABEL, &a_swept(), &drawn());
    let Range { first, last, token, detail, .. } = &map.ranges[0];
    assert_eq!((first.place.as_str(), first.object.as_str()), ("pthread_mutex_lock+0x28", "libc.so.6+0x8f128"));
    assert_eq!((first.source.as_deref(), first.asleep), (None, false));
    assert_eq!(last.place, "osnote::semaphore::receive+0x60");
    assert_eq!(map.ranges[5].last.place, "libc.so.6+0x90010", "the code has no name");
    assert_eq!(detail, "self-deadlock, as was seen");
    let token: Token = token.as_ref().unwrap().parse().unwrap();
    assert_eq!((token.label.as_str(), token.k, token.symbol.as_deref()), (LABEL, 30, Some("pthread_mutex_lock")));
    assert_eq!(map.ranges[4].token, None, "nothing came of it that could be seen again");
    assert_eq!(map.ranges[0].last.source.as_deref(), Some("crates/osnote/src/semaphore/pthread.rs:86"));
}

#[test]
fn of_a_sleeper_the_system_call_is_shown() {
    let map = Map::of(LABEL, &a_swept(), &drawn());
    let spot = &map.ranges[2].first;
    assert_eq!((spot.k, spot.asleep, spot.object.as_str()), (75, true, "libc.so.6+0x8f138"));
    // Twice asleep behind the same call, and nothing before it.
    let mut path = path(&[LIBC + 0x8f100, LIBC + 0x8f102, LIBC + 0x8f102]);
    (path[1].asleep, path[2].asleep) = (true, true);
    assert_eq!(super::spot(&path, 2, &drawn()).place, "pthread_mutex_lock+0x0");
    assert_eq!(super::spot(&path[1..], 0, &drawn()).place, "pthread_mutex_lock+0x2");
}

#[test]
fn the_path_is_folded_by_function() {
    let map = Map::of(LABEL, &a_swept(), &drawn());
    let of = |at: &Stretch| (at.symbol.clone(), at.first, at.last, at.count, at.vulnerable);
    let expected = [
        ("osnote::semaphore::receive", 0, 19, 20, 0),
        ("pthread_mutex_lock", 20, 49, 30, 20),
        ("osnote::semaphore::receive", 50, 59, 10, 8),
        ("pthread_mutex_lock", 60, 79, 20, 18),
        ("libc.so.6", 80, 85, 6, 5),
        ("pthread_mutex_unlock", 86, 105, 20, 1),
    ];
    let expected = expected.map(|(symbol, a, b, c, d)| (symbol.to_owned(), a, b, c, d));
    assert_eq!(map.functions.iter().map(of).collect::<Vec<_>>(), expected);
}

#[rstest]
#[case("", 0, 0, 0.0)]
#[case("....", 4, 0, 0.0)]
#[case("DDDD", 4, 4, 1.0)]
#[case("??", 0, 0, 0.0)]
fn at_the_edges(#[case] strip: &str, #[case] injected: usize, #[case] vulnerable: usize, #[case] share: f64) {
    let path = a_path().into_iter().take(strip.len()).collect();
    let map = Map::of(LABEL, &Swept { path, judged: judged_as(strip) }, &drawn());
    assert_eq!((map.injected, map.vulnerable, map.share, map.strip.as_str()), (injected, vulnerable, share, strip));
}

#[test]
fn what_was_not_tried_is_no_outcome() {
    let map = Map::of(LABEL, &Swept { path: a_path(), judged: judged_as("..D") }, &drawn());
    assert_eq!((map.boundaries, map.injected, map.diverged, map.ranges.len()), (112, 3, 0, 1));
    assert_eq!(map.strip, format!("..D{}", "-".repeat(109)));
}

#[test]
fn each_outcome_has_a_letter_of_its_own() {
    let outcomes = Outcome::ALL.iter().map(|outcome| letter(Some(*outcome)));
    let letters: Vec<char> = outcomes.chain([letter(None), NOT_TRIED]).collect();
    let distinct: std::collections::BTreeSet<_> = letters.iter().collect();
    assert_eq!(distinct.len(), letters.len(), "{letters:?}");
}

#[test]
fn json_there_and_back() {
    let map = Map::of(LABEL, &a_swept(), &drawn());
    let json = serde_json::to_string(&map).unwrap();
    assert_eq!(serde_json::from_str::<Map>(&json).unwrap(), map);
    assert!(!json.contains("null,\"token\""), "what is not there is left out");
}

#[test]
fn bytes_become_an_instruction() {
    // x86's `syscall`; elsewhere a word like any other.
    let drawn = drawn().code(OURS + 0x1000, &[0x0f, 0x05, 0x90, 0x90]);
    let spot = spot(&path(&[OURS + 0x1000, OURS + 0x1004]), 0, &drawn);
    assert!(["syscall", "0x9090050f"].contains(&spot.instruction.as_str()), "{}", spot.instruction);
}

/// The map with instructions that do not depend on the processor.
fn a_map() -> Map {
    let mut map = Map::of(LABEL, &a_swept(), &drawn());
    for range in &mut map.ranges {
        for spot in [&mut range.first, &mut range.last] {
            let text = match spot.asleep {
                true => "syscall",
                false => ["lock cmpxchg [rdi],edx", "xchg edx,[rdi]", "je pthread_mutex_lock+0x12"][spot.k % 3],
            };
            text.clone_into(&mut spot.instruction);
        }
    }
    map
}

#[test]
fn short_text() {
    insta::assert_snapshot!(a_map());
}

#[test]
fn long_text() {
    let text = format!("{:#}", a_map());
    let (_, functions) = text.split_once("by function").unwrap();
    insta::assert_snapshot!(functions);
}

#[test]
fn text_of_a_window_that_nothing_happens_to() {
    let map = Map::of(LABEL, &Swept { path: a_path(), judged: judged_as(&".".repeat(112)) }, &drawn());
    insta::assert_snapshot!(map);
}

#[test]
fn text_of_many_ranges_ends_somewhere() {
    let map = Map::of(LABEL, &Swept { path: a_path(), judged: judged_as(&"D.".repeat(56)) }, &drawn());
    assert_eq!(map.ranges.len(), 56);
    let short = map.to_string();
    assert!(short.contains("\n  and 36 more such ranges, of 36 boundaries\n"), "{short}");
    assert!(!format!("{map:#}").contains("more such ranges"));
}

#[test]
fn the_map_of_a_real_function() {
    let symbols = sigproof_inspect::diagnose::Symbols::of_self();
    let start = a_path as *const () as u64;
    let swept = Swept { path: path(&[start]), judged: judged_as("D") };
    let map = Map::of(LABEL, &swept, &symbols);
    let token: Token = map.ranges[0].token.as_ref().unwrap().parse().unwrap();
    assert_eq!(token.locate(&swept.path, &symbols).unwrap().moved, None);
    let other = Map::of(LABEL, &swept, &sigproof_inspect::diagnose::Symbols::of_self());
    assert_eq!(map, other, "a cache changes nothing");
}
