//! What `bench` is asked for, and its help.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sigproof_oracle::bench::Group;
use sigproof_report::write::Target;

/// What `bench` is asked for.
#[derive(Args, Clone, Debug, Default)]
pub struct BenchArgs {
    /// A group to measure; by default all
    #[arg(value_name = "GROUP", value_parser = groups())]
    pub groups: Vec<Group>,
    /// A GOROOT to measure against (repeatable); by default those of SIGPROOF_GO, else all that are found
    #[arg(long = "go", value_name = "GOROOT")]
    pub go: Vec<PathBuf>,
    /// Measure without Go
    #[arg(long, conflicts_with = "go")]
    pub without_go: bool,
    /// Passes; each visits all contenders in turn
    #[arg(long, value_name = "N")]
    pub passes: Option<NonZero<u32>>,
    /// Shorter visits and fewer passes, for a look
    #[arg(long)]
    pub quick: bool,
    /// Visits so short that their numbers mean nothing: for tests
    #[arg(long, hide = true, conflicts_with_all = ["quick", "write"])]
    pub tiny: bool,
    /// Write the page docs/performance.md and its picture; takes all groups
    #[arg(long, conflicts_with = "groups")]
    pub write: bool,
    /// Exit with 1 if a goal is not met
    #[arg(long)]
    pub check: bool,
    /// Write a report, json=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "json=PATH")]
    pub reports: Vec<Target>,
}

/// A group by its name.
fn groups() -> impl TypedValueParser<Value = Group> {
    PossibleValuesParser::new(Group::ALL.iter().map(|group| group.as_str()))
        .try_map(|word| Group::ALL.iter().copied().find(|group| group.as_str() == word).ok_or("no such group"))
}

/// Below the help.
pub(super) const BENCH: &str = "\
Groups:
  record   one thread writes records until they fill half of the ring, and drains them: what a
           record costs at depths 2, 16 and 64, beside Go's buffer, rtrb (a ring of words) and memcpy
  threads  a thread writes and another one reads: what a write costs, what is lost, how often the
           reader is woken, and how much processor time it takes
  latency  from the write in a signal handler to the return of the reader that it wakes, over each
           note that a handler may wake

All contenders are visited in turn, beginning with another one in each pass; Go's buffer is timed
inside a Go program that runs beside the others. A ratio is taken within a pass, and the tables show
the median over the passes, with the least and the most of any pass in brackets where they differ.
A busy machine moves times more than ratios. A goal compares the median ratio with its limit; only
--check makes an exit code of it.

Toolchains are those named by --go, else those in SIGPROOF_GO (GOROOTs, separated as in PATH), else
all that are found. Without any, the remedy is printed and the exit code is 4; --without-go measures
the others. The code is 4, too, if one of several cannot be measured; the rest is all the same.

Examples:
  {program} bench                              everything, about two minutes after the build
  {program} bench record --quick               a look at the cost of a record
  {program} bench record --go ~/sdk/go1.27.3   against one toolchain
  {program} bench --without-go                 against rtrb and memcpy only
  {program} bench --write                      docs/performance.md and docs/performance.svg
  {program} bench record --check               exit code 1 if a goal is not met
  {program} bench --report json=out.json       for programs
";
