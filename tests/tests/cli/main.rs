//! The command line as its users see it: the real binary, its text, its files and its exit codes.

mod bench;
mod conform;
mod help;
mod interrupt;
mod model;
mod names;
mod outcomes;
mod refusals;
mod reports;
mod step;
mod step_refused;
mod step_sweeps;
mod upstream;
