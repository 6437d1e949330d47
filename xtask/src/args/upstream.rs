//! What `upstream` is asked for, and what its help adds.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use sigproof_oracle::upstream::REPRODUCERS;
use sigproof_report::write::Target;

/// The arguments of `upstream`.
#[derive(Args, Clone, Debug)]
pub struct UpstreamArgs {
    /// Reproducers to run: a name, a part of one, or a pattern with `*`; all if none is given
    #[arg(value_name = "PATTERN")]
    pub names: Vec<String>,
    /// A Go toolchain to run them in (repeatable); by default those of SIGPROOF_GO, else all that are found
    #[arg(long = "go", value_name = "GOROOT")]
    pub toolchains: Vec<PathBuf>,
    /// Runs of each reproducer on each toolchain
    #[arg(long, value_name = "N", default_value = "3")]
    pub runs: NonZero<u64>,
    /// How much of each finding to print.
    #[command(flatten)]
    pub shown: super::ShownArgs,
    /// Write a report, json=PATH or junit=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = super::target())]
    pub reports: Vec<Target>,
}

/// Below its help.
pub(super) fn help() -> String {
    let known = REPRODUCERS.iter().filter(|reproducer| !reproducer.hidden);
    let known: String = known.map(|r| format!("  {}\n      {}\n", r.name, r.summary)).collect();
    format!("{UPSTREAM}\nReproducers:\n{known}")
}

/// The same, but for the reproducers.
pub(super) const UPSTREAM: &str = "\
The reproducers run inside Go's real runtime. Each is a program, built with that toolchain and an
overlay that adds code to package runtime. Each run is a process. If it makes no progress for 10
seconds, it hangs, and the runtime's own traceback is the diagnosis.

The toolchains are those of --go, else those in SIGPROOF_GO (GOROOTs, separated as in PATH), else all
that are found. Without any, the remedy is printed and the exit code is 4.

Examples:
  {program} upstream                                   every toolchain found; 80 s for four
  {program} upstream profbuf-double-wakeup --runs 10   one reproducer, ten times
  {program} upstream --go ~/sdk/go1.19 --go ~/go-tree  these toolchains
  {program} upstream --report json=out.json --report junit=out.xml

The table at the end has a line for each reproducer on each toolchain:
  reproducer  the program
  toolchain   the version of Go
  outcomes    the ends of runs, with their number
  expected    must X: seen at least once; may X: allowed; all other outcomes must never be seen
  first       time from the start of a run to the first bad outcome
  verdict     as-expected, unexpected, inconclusive (it was stopped) or skipped (with a reason)
";
