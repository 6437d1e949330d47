//! A program that gives up root before it calls its window; only root can run it.

use crate::Check;
use crate::kinds::{endings, sweep_more};

pub const TESTS: &[(&str, Check)] = &[("a_program_that_gives_up_root", gives_up)];

fn gives_up() {
    let (ran, report) = sweep_more(&[], "update", &["user", "broken"]);
    assert_eq!((ran.code, endings(&report)), (Some(1), (vec!["self-deadlock".to_owned()], true)), "{ran:#?}");
    let (ran, _) = sweep_more(&[], "update", &["user", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}
