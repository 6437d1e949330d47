//! The command line as its users see it: the real binary, its text, its files and its exit codes.

mod bench;
mod conform;
mod console;
mod documents;
mod explain_stacks;
mod help;
mod interrupt;
mod litmus;
mod memory;
mod model;
mod names;
mod no_threads;
mod outcomes;
mod readme;
mod refusals;
mod refusing;
mod reports;
mod step;
mod step_refused;
mod surroundings;
mod teach;

#[cfg(target_os = "linux")]
use sigproof_tests::refuse;
