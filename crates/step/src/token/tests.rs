//! Tokens there and back, and on paths that are not quite theirs.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::map::drawn::{Drawn, path};

const LABEL: &str = "darwin-sigqueue-note/broken/sema@receive";
const LIBC: u64 = 0x7f00_0000_0000;
const OURS: u64 = 0x5500_0000_0000;

/// Two functions of ours, one of libc, and some code of libc's without a name.
fn drawn() -> Drawn {
    Drawn::default()
        .function("<a::Note as b::Wait>::sleep::{closure#0}", "xtask", (OURS + 0x1000, 0x100), OURS)
        .function("pthread_mutex_lock", "libc.so.6", (LIBC + 0x8f100, 0x80), LIBC)
        .function("", "libc.so.6", (LIBC + 0x9_0000, 0x80), LIBC)
}

/// The same after a rebuild: ours lies elsewhere, the library stays what it is.
fn rebuilt() -> Drawn {
    Drawn::default()
        .function("<a::Note as b::Wait>::sleep::{closure#0}", "xtask", (OURS + 0x1800, 0x100), OURS)
        .function("pthread_mutex_lock", "libc.so.6", (LIBC + 0x8f100, 0x80), LIBC)
}

#[rstest]
#[case(1, "@k1@libc.so.6+0x8f138@pthread_mutex_lock+0x38#1")]
#[case(2, "@k2@libc.so.6+0x8f138@pthread_mutex_lock+0x38#2")]
#[case(0, "@k0@xtask+0x1004@%3Ca::Note%20as%20b::Wait%3E::sleep::%7Bclosure%230%7D+0x4#1")]
#[case(3, "@k3@libc.so.6+0x90004@#1")]
#[case(4, "@k4@+0x10@#1")]
fn a_token_says_what_is_at_a_boundary(#[case] k: usize, #[case] rest: &str) {
    let lock = LIBC + 0x8f138;
    let path = path(&[OURS + 0x1004, lock, lock, LIBC + 0x9_0004, 0x10]);
    let token = Token::of(LABEL, &path, k, &drawn());
    assert_eq!(token.to_string(), format!("{LABEL}{rest}"));
    assert_eq!(token.to_string().parse(), Ok(token.clone()));
    assert_eq!(token.locate(&path, &drawn()), Some(Located { k, moved: None }));
}

#[test]
fn a_sleeper_is_not_what_comes_after_it() {
    let mut path = path(&[LIBC + 0x8f100, LIBC + 0x8f102, LIBC + 0x8f102]);
    path[1].asleep = true;
    let tokens = [1, 2].map(|k| Token::of(LABEL, &path, k, &drawn()));
    let texts = tokens.each_ref().map(Token::to_string);
    assert!(texts[0].ends_with("@k1:asleep@libc.so.6+0x8f102@pthread_mutex_lock+0x2#1"), "{}", texts[0]);
    assert!(texts[1].ends_with("@k2@libc.so.6+0x8f102@pthread_mutex_lock+0x2#1"), "{}", texts[1]);
    // It was never asleep this time.
    path.remove(1);
    assert_eq!(tokens[0].locate(&path, &drawn()), None);
    assert_eq!(tokens[1].locate(&path, &drawn()).unwrap().k, 1);
}

/// The token of boundary `k` of one path, found on another.
#[rstest]
#[case::more_before(
    &[0x1000, 0x1004, 0x8f138], 2, &[0x1000, 0x1002, 0x1004, 0x1006, 0x8f138],
    4, "the path has changed: k 2 is now 4, found by pthread_mutex_lock+0x38"
)]
#[case::elsewhere_in_its_file(
    &[0x1000, 0x1004, 0x8f138], 1, &[0x1800, 0x1804, 0x8f138],
    1, "the build has changed: k 1 is still 1, found by <a::Note as b::Wait>::sleep::{closure#0}+0x4"
)]
#[case::second_arrival(
    &[0x1000, 0x1004, 0x1000, 0x1004], 3, &[0x1804, 0x1800, 0x1802, 0x1800, 0x1804],
    4, "the build has changed: k 3 is now 4, found by <a::Note as b::Wait>::sleep::{closure#0}+0x4"
)]
#[case::one_arrival_less(
    &[0x8f138, 0x8f138, 0x8f138, 0x8f100], 2, &[0x8f138, 0x8f138, 0x8f100],
    1, "the path has changed: k 2 is gone, k 1 is arrival 2 at pthread_mutex_lock+0x38, not 3"
)]
#[case::neighbour(
    &[0x8f100, 0x8f138], 1, &[0x1800, 0x8f100, 0x8f130, 0x8f150],
    2, "the build has changed: k 1 is gone, the nearest in pthread_mutex_lock is k 2 at +0x30, not +0x38"
)]
fn on_another_path(
    #[case] before: &[u64],
    #[case] k: usize,
    #[case] after: &[u64],
    #[case] found: usize,
    #[case] moved: &str,
) {
    let real = |offset: &u64| if *offset < 0x8_0000 { OURS + offset } else { LIBC + offset };
    let path_of = |offsets: &[u64]| path(&offsets.iter().map(real).collect::<Vec<_>>());
    let token = Token::of(LABEL, &path_of(before), k, &drawn());
    // Paths through the first build's addresses are of that build.
    let after_build = if after.iter().any(|offset| (0x1000..0x1100).contains(offset)) { drawn() } else { rebuilt() };
    let located = token.locate(&path_of(after), &after_build);
    assert_eq!(located, Some(Located { k: found, moved: Some(moved.to_owned()) }));
}

#[rstest]
#[case::function(OURS + 0x1004)]
#[case::no_name(LIBC + 0x9_0004)]
#[case::no_file(0x10)]
fn what_the_path_does_not_go_to_is_not_found(#[case] pc: u64) {
    let token = Token::of(LABEL, &path(&[pc]), 0, &drawn());
    assert_eq!(token.locate(&path(&[LIBC + 0x8f100, LIBC + 0x9_0008, 0x18]), &drawn()), None);
    assert_eq!(token.locate(&[], &drawn()), None);
}

/// An index and an address that are right do not excuse an arrival that there is not.
#[test]
fn another_arrival_at_the_right_index_is_told() {
    let path = path(&[LIBC + 0x8f138, LIBC + 0x8f100]);
    let token = Token { occurrence: 99999, ..Token::of(LABEL, &path, 0, &drawn()) };
    let moved = "the path has changed: k 0 is arrival 1 at pthread_mutex_lock+0x38, not 99999".to_owned();
    assert_eq!(token.locate(&path, &drawn()), Some(Located { k: 0, moved: Some(moved) }));
}

#[test]
fn code_without_a_name_is_found_by_its_file() {
    let token = Token::of(LABEL, &path(&[LIBC + 0x9_0004]), 0, &drawn());
    let located = token.locate(&path(&[LIBC + 0x9_0000, LIBC + 0x9_0004]), &drawn());
    let moved = "the path has changed: k 0 is now 1, found by libc.so.6+0x90004".to_owned();
    assert_eq!(located, Some(Located { k: 1, moved: Some(moved) }));
}

#[rstest]
#[case("")]
#[case("a@w@k1@o+0x1")]
#[case("a@w@k1@o+0x1@s+0x1#1@")]
#[case("@w@k1@o+0x1@s+0x1#1")]
#[case("a@@k1@o+0x1@s+0x1#1")]
#[case("a@w@1@o+0x1@s+0x1#1")]
#[case("a@w@k@o+0x1@s+0x1#1")]
#[case("a@w@k+1@o+0x1@s+0x1#1")]
#[case("a@w@k1:awake@o+0x1@s+0x1#1")]
#[case("a@w@k1@o@s+0x1#1")]
#[case("a@w@k1@o+0x@s+0x1#1")]
#[case("a@w@k1@o+0x-1@s+0x1#1")]
#[case("a@w@k1@o+0x11111111111111111@s+0x1#1")]
#[case("a@w@k1@o+0x1@s+0x1")]
#[case("a@w@k1@o+0x1@s+0x1#")]
#[case("a@w@k1@o+0x1@s+0x1#0")]
#[case("a@w@k1@o+0x1@s#1")]
#[case("a@w@k1@o+0x1@+0x1#1")]
#[case("a@w@k1@o%4+0x1@s+0x1#1")]
#[case("a@w@k1@o%zz+0x1@s+0x1#1")]
#[case("a@w@k1@o%FF+0x1@s+0x1#1")]
fn nonsense(#[case] text: &str) {
    assert!(text.parse::<Token>().is_err(), "{text}");
}

#[rstest]
#[case("a/broken@sleep@k1@o+0x1@s+0x1#1", true)]
#[case("a/broken@sleep@k1:asleep@o+0x1@#1", true)]
#[case("a/broken@sleep@k1@cut-short", true)]
#[case("a/broken/sema@s6h0@k3bqz", false)]
#[case("a/broken/sema@none@A3bqz", false)]
#[case("a/broken@sleep", false)]
#[case("", false)]
fn the_tokens_of_models_look_otherwise(#[case] text: &str, #[case] expected: bool) {
    assert_eq!(Token::looks_like(text), expected);
}

proptest! {
    #[test]
    fn there_and_back(
        case in "[a-z][a-z0-9/-]{0,20}", window in "\\PC{1,8}", k: usize, asleep: bool,
        object in proptest::option::of("\\PC{1,12}"), object_offset: u64,
        symbol in proptest::option::of(("\\PC{1,40}", any::<u64>())), occurrence in 1_usize..,
    ) {
        let label = format!("{case}@{}", window.replace('@', "_"));
        let (symbol, offset) = symbol.map_or((None, 0), |(symbol, offset)| (Some(symbol), offset));
        let token = Token { label, k, asleep, object, object_offset, symbol, offset, occurrence };
        let text = token.to_string();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_:.+,/@#=%-".contains(c);
        prop_assert!(text.chars().all(plain), "{text}");
        prop_assert!(Token::looks_like(&text));
        prop_assert_eq!(text.parse(), Ok(token));
    }
}
