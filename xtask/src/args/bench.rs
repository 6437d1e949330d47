//! What `bench` is asked for.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;

/// What `bench` is asked for.
#[derive(Args, Clone, Debug, Default)]
pub struct BenchArgs {
    /// A GOROOT to measure against (repeatable); those of SIGPROOF_GO, or all that are found, if none is given
    #[arg(long = "go", value_name = "GOROOT")]
    pub go: Vec<PathBuf>,
    /// How often all contenders are visited in turn
    #[arg(long, value_name = "N")]
    pub passes: Option<NonZero<u32>>,
    /// Shorter visits and fewer passes, for a look
    #[arg(long)]
    pub quick: bool,
    /// Write docs/performance.md and docs/performance.svg
    #[arg(long)]
    pub write: bool,
    /// Exit with 1 if a goal is not met
    #[arg(long)]
    pub check: bool,
}

/// Below the help.
pub(super) const BENCH: &str = "\
One thread writes records until they fill half of a ring, and then drains it. Every contender has a
ring of the same size and gets the same records, and each record is touched by the same rule. All
are visited in turn, beginning with another one in each pass; Go's buffer is timed inside a Go
program that runs beside the others. Where there is no Go, its lines are skipped, and the reason and
the remedy are printed.

Examples:
  cargo xtask bench                        all toolchains that are found
  cargo xtask bench --go ~/sdk/go1.27.3    one
  cargo xtask bench --quick                a look
  cargo xtask bench --write                and docs/performance.md

The table has a line for each depth of stack and contender:
  depth      stack words of a record; a header word, a length and a time come on top
  contender  ours, Go's buffer by its release, rtrb (a ring of words), memcpy (the limit)
  ns         to write a record and drain it: the median over passes
  passes     the least and the most of any pass
  ratio      our time as a part of theirs within a pass: the median, the least and the most
A busy machine moves times more than ratios. A goal compares the median ratio with its limit.
";
