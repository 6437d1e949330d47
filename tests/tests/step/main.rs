//! Tests that need an engine of `step`. Where none works, or not the one that a test is about, the test is
//! reported as ignored, and the reason is said: that is known only when the tests run, so this binary has a
//! `main` of its own.
//!
//! A test is a function in one of the modules and a line in [`TESTS`]. One without its line is dead code,
//! which is a warning. Every run that a test waits for has a limit (`sigproof_tests::PATIENCE`).

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use sigproof_step::engine::Kind;

mod copies;
mod killed;
mod places;
mod sweeps;

use Needs::{Any, Engine, Tracing};
use sweeps::*;

/// What a test needs of this machine.
#[derive(Clone, Copy)]
enum Needs {
    /// An engine, whichever.
    Any,
    /// An engine that traces: it looks into handlers, holds threads, and reaches the boundary behind a system
    /// call. Where ptrace is refused, a thread that spins cannot be looked at either.
    Tracing,
    /// This one.
    Engine(Kind),
}

const TESTS: &[(&str, Needs, fn())] = &[
    ("places::each_boundary_is_where_it_is_told::breakpoint", Engine(Kind::Breakpoint), || {
        places::each_boundary_is_where_it_is_told(Kind::Breakpoint);
    }),
    ("places::each_boundary_is_where_it_is_told::single_step", Engine(Kind::SingleStep), || {
        places::each_boundary_is_where_it_is_told(Kind::SingleStep);
    }),
    ("places::each_boundary_is_where_it_is_told::trap_flag", Engine(Kind::TrapFlag), || {
        places::each_boundary_is_where_it_is_told(Kind::TrapFlag);
    }),
    ("sweeps::what_misbehaves_is_an_outcome::crash", Any, || {
        what_misbehaves_is_an_outcome("crash", "crash", "killed by signal");
    }),
    ("sweeps::what_misbehaves_is_an_outcome::exit", Any, || {
        what_misbehaves_is_an_outcome("exit", "crash", "in the midst");
    }),
    ("sweeps::what_misbehaves_is_an_outcome::errno", Any, || {
        what_misbehaves_is_an_outcome("errno", "errno spoiled", "errno");
    }),
    ("sweeps::what_misbehaves_is_an_outcome::twice", Any, || {
        what_misbehaves_is_an_outcome("twice", "corrupt record", "the handler ran ");
    }),
    ("sweeps::what_misbehaves_is_an_outcome::lost_wakeup", Any, || {
        what_misbehaves_is_an_outcome("lost-wakeup", "lost wake-up", "sleeps for ever");
    }),
    ("sweeps::what_misbehaves_is_an_outcome::cross_deadlock", Tracing, || {
        what_misbehaves_is_an_outcome("cross-deadlock", "cross deadlock", "waits in a signal handler for mutex");
    }),
    ("sweeps::what_misbehaves_is_an_outcome::livelock", Tracing, || {
        what_misbehaves_is_an_outcome("livelock", "livelock", "spins in a signal handler");
    }),
    ("sweeps::what_misbehaves_is_an_outcome::descriptor_leak", Any, || {
        what_misbehaves_is_an_outcome("descriptor-leak", "descriptor leak", "were open before");
    }),
    ("sweeps::what_misbehaves_is_an_outcome::nesting", Tracing, || {
        what_misbehaves_is_an_outcome("nesting", "corrupt record", "interrupted itself");
    }),
    ("sweeps::where_it_misbehaves_is_on_the_strip::both_ends", Tracing, || {
        where_it_misbehaves_is_on_the_strip(".L", ".", &["delivered", "lost wake-up"], "lost-wakeup");
    }),
    ("sweeps::where_it_misbehaves_is_on_the_strip::the_end", Any, || {
        where_it_misbehaves_is_on_the_strip("V", ".", &["delivered", "livelock"], "livelock");
    }),
    ("sweeps::where_it_misbehaves_is_on_the_strip::everywhere", Any, || {
        where_it_misbehaves_is_on_the_strip("E", "E", &["errno spoiled"], "errno");
    }),
    (
        "sweeps::a_second_signal_is_one_of_a_nesting_handler_only",
        Tracing,
        a_second_signal_is_one_of_a_nesting_handler_only,
    ),
    ("sweeps::a_path_that_is_another_each_time_is_inconclusive", Any, a_path_that_is_another_each_time_is_inconclusive),
    ("sweeps::a_path_that_only_a_fresh_process_takes_is_swept::breakpoint", Engine(Kind::Breakpoint), || {
        a_path_that_only_a_fresh_process_takes_is_swept(Kind::Breakpoint);
    }),
    ("sweeps::a_path_that_only_a_fresh_process_takes_is_swept::single_step", Engine(Kind::SingleStep), || {
        a_path_that_only_a_fresh_process_takes_is_swept(Kind::SingleStep);
    }),
    ("sweeps::a_path_that_only_a_fresh_process_takes_is_swept::trap_flag", Engine(Kind::TrapFlag), || {
        a_path_that_only_a_fresh_process_takes_is_swept(Kind::TrapFlag);
    }),
    ("sweeps::hidden_windows_are_named_exactly", Any, hidden_windows_are_named_exactly),
    (
        "sweeps::the_sleep_over_a_mutex_is_vulnerable_where_it_holds_it",
        Any,
        the_sleep_over_a_mutex_is_vulnerable_where_it_holds_it,
    ),
    ("sweeps::a_sleep_that_holds_nothing_is_never_vulnerable::futex", Any, || {
        a_sleep_that_holds_nothing_is_never_vulnerable("futex");
    }),
    ("sweeps::a_sleep_that_holds_nothing_is_never_vulnerable::pipe", Any, || {
        a_sleep_that_holds_nothing_is_never_vulnerable("pipe");
    }),
    ("sweeps::all_engines_see_the_same", Any, all_engines_see_the_same),
    ("copies::undo_sees_what_breakpoint_sees", Engine(Kind::Undo), copies::undo_sees_what_breakpoint_sees),
    ("copies::no_check_is_lost", Engine(Kind::Undo), copies::no_check_is_lost),
    (
        "copies::a_window_that_copies_cannot_do_says_so",
        Engine(Kind::Undo),
        copies::a_window_that_copies_cannot_do_says_so,
    ),
    ("places::each_boundary_is_where_it_is_told::undo", Engine(Kind::Undo), || {
        places::each_boundary_is_where_it_is_told(Kind::Undo);
    }),
    ("sweeps::twice_the_same_strip::sleep", Any, || twice_the_same_strip(SLEEP)),
    ("sweeps::twice_the_same_strip::write", Tracing, || {
        twice_the_same_strip(&["step", "profbuf-double-wakeup", "--variant", "broken", "--note", "futex"]);
    }),
    ("sweeps::twice_the_same_strip::setup", Tracing, || {
        twice_the_same_strip(&["step", "signote-duplicate-setup", "--variant", "broken"]);
    }),
    ("sweeps::what_is_printed_to_replay_can_be_typed", Any, what_is_printed_to_replay_can_be_typed),
    ("sweeps::a_boundary_that_has_moved_is_found_by_its_place", Any, a_boundary_that_has_moved_is_found_by_its_place),
    ("sweeps::a_token_of_no_window_is_wrong_usage", Any, a_token_of_no_window_is_wrong_usage),
    ("sweeps::a_place_that_is_not_on_the_path_is_told", Any, a_place_that_is_not_on_the_path_is_told),
    ("sweeps::one_boundary_by_its_number", Any, one_boundary_by_its_number),
    ("sweeps::a_sweep_leaves_no_process_behind", Any, a_sweep_leaves_no_process_behind),
    ("killed::an_interrupted_sweep_leaves_nothing::key_in_a_terminal", Any, || {
        killed::an_interrupted_sweep_leaves_nothing("8001", killed::key_in_a_terminal, Some(130));
    }),
    ("killed::an_interrupted_sweep_leaves_nothing::to_the_parent_alone", Any, || {
        killed::an_interrupted_sweep_leaves_nothing("8002", killed::to_the_parent_alone, Some(130));
    }),
    ("killed::an_interrupted_sweep_leaves_nothing::killed", Any, || {
        killed::an_interrupted_sweep_leaves_nothing("8003", killed::kill_it, None);
    }),
    (
        "killed::a_sweep_whose_process_is_killed_once_is_made_again",
        Any,
        killed::a_sweep_whose_process_is_killed_once_is_made_again,
    ),
    (
        "killed::a_sweep_whose_copy_is_interrupted_once_is_made_again",
        Any,
        killed::a_sweep_whose_copy_is_interrupted_once_is_made_again,
    ),
    (
        "killed::a_sweep_whose_process_is_killed_twice_is_no_verdict",
        Any,
        killed::a_sweep_whose_process_is_killed_twice_is_no_verdict,
    ),
];

/// Why an engine does not work here.
fn lacks(engine: Kind) -> Option<String> {
    let (ran, report) = sigproof_tests::json(&["step", "selftest-step-errno", "--engine", engine.as_str()]);
    let run = &report["runs"][0];
    let reason = || run["reason"].as_str().unwrap_or_else(|| panic!("{}: {run:#}", ran.stderr)).to_owned();
    (run["verdict"] == "skipped").then(reason)
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One sweep at a time: each keeps to the same processor.
    arguments.test_threads.get_or_insert(1);
    let lacking = |kind: &Kind| if arguments.list { None } else { lacks(*kind) };
    let lacking: Vec<(Kind, Option<String>)> = Kind::ALL.iter().map(|kind| (*kind, lacking(kind))).collect();
    let of = |wanted: &dyn Fn(Kind) -> bool| {
        let mut reasons = lacking.iter().filter(|(kind, _)| wanted(*kind)).map(|(_, why)| why.clone());
        let first = reasons.next().flatten()?;
        reasons.all(|why| why.is_some()).then_some(first)
    };
    let trial = |&(name, needs, test): &(&str, Needs, fn())| {
        let lacks = match needs {
            Any => of(&|_| true),
            Tracing => of(&|kind| kind != Kind::TrapFlag),
            Engine(engine) => of(&|kind| kind == engine),
        };
        if let Some(why) = &lacks {
            println!("skipped: {name}: {why}");
        }
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        trial.with_ignored_flag(lacks.is_some())
    };
    libtest_mimic::run(&arguments, TESTS.iter().map(trial).collect()).exit_code()
}
