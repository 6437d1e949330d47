//! What `explain` is asked for, and what its help adds.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use sigproof_report::write::Target;

/// The arguments of `explain`.
#[derive(Args, Clone, Debug, Default)]
#[command(
    about = "Say why a process hangs: a running one, a core file, a command, or the stacks in a bug report",
    after_help = EXPLAIN
)]
#[command(group = ArgGroup::new("subject").required(true).args(["pid", "stacks", "core", "command"]))]
pub struct ExplainArgs {
    /// The process to explain
    #[arg(value_name = "PID")]
    pub pid: Option<u32>,
    /// Explain the stack dump of another tool instead, from a file; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    pub stacks: Option<PathBuf>,
    /// Explain a core file instead
    #[arg(long, value_name = "FILE")]
    pub core: Option<PathBuf>,
    /// Go on looking until the process hangs or ends
    #[arg(long, requires = "pid")]
    pub watch: bool,
    /// Explain what COMMAND does after so much time, such as 90s or 10m, and end it
    #[arg(long, value_name = "TIME", value_parser = super::duration, requires = "command")]
    pub limit: Option<Duration>,
    /// Print all threads with all their frames; a report always has them
    #[arg(long)]
    pub verbose: bool,
    /// Write a report, json=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = super::target())]
    pub reports: Vec<Target>,
    /// Run this command, explain it if it hangs, and then end it with all that it has started
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Below its help.
pub const EXPLAIN: &str = "\
A process is stuck if every thread of it sleeps in a wait without a time limit, at one instant, and
nothing outside can end one of these waits: no timer, no signal on its way, no writer of a pipe, no
child, no client. A process that is not stuck is left alone, and the reason is printed.

The threads are stopped for some milliseconds and go on as before: no signal is sent, and a process
whose explainer is killed goes on as well. Debug files are taken from /usr/lib/debug/.build-id.

Examples:
  {program} explain 4711                       is it stuck, and why?
  {program} explain 4711 --watch               look until it hangs or ends
  {program} explain -- ./my-test --all         run it, explain it if it hangs, and end it
  {program} explain --limit 90s -- ./my-test   in place of timeout(1)
  {program} explain --core core.4711           a core file, of gcore or of a crash
  {program} explain --stacks paste.txt         the stacks that another tool has printed
  {program} explain 4711 --report json=out.json

Exit codes of explain:
    0  not stuck; of COMMAND: it ended by itself with code 0; of --stacks: no handler is in trouble
    1  stuck, and explained; of COMMAND: it hung, or did not end within --limit; of --stacks: a handler
       waits, runs on, faults or calls an unsafe function
    2  wrong usage
    3  not enough to tell; of COMMAND: it ended by itself with another code, or by a signal
    4  the process may not be looked at, or the file cannot be read; the message says what permits it
  130  interrupted
";
