//! What `litmus` is asked for, and what its help adds.

use std::path::PathBuf;

use clap::Args;
use sigproof_report::write::Target;
use sigproof_verbs::args::{Engines, target};

/// The arguments of `litmus`.
#[derive(Args, Clone, Debug)]
pub struct LitmusArgs {
    /// A litmus test in herd's C format, or a folder of them (repeatable)
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Which engine runs the tests
    #[arg(long, value_enum, default_value_t = Engines::Graph)]
    pub engine: Engines,
    /// Print an execution of each outcome, and why the memory model allows it, also for tests that give what
    /// they say
    #[arg(long)]
    pub executions: bool,
    /// End the exploration of a test after so much time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = sigproof_verbs::args::duration)]
    pub budget: std::time::Duration,
    /// Write a report, json=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target())]
    pub reports: Vec<Target>,
}

/// After the help of `litmus`.
pub const LITMUS: &str = "\
Explores every execution graph of each test under RC11, once. A file may say which outcomes and
how many executions there are, in comments; otherwise its condition is judged. tests/litmus has
examples; docs/model.md describes the extensions for handlers, futexes and blocking.

--engine loom runs the same tests over loom; it refuses by name what loom has not. --engine both
compares the outcomes: one that only one engine has, and the other excludes, is a finding. No
bound of preemptions is set.

Examples:
  cargo xtask litmus tests/litmus              every test of the repository
  cargo xtask litmus SB.litmus --executions    one test, with an execution of each outcome
  cargo xtask litmus SB.litmus --engine both   where the engines differ

Exit codes of litmus:
    0  each test gives what its file says, or its condition holds
    1  a test does not, or its plain accesses race, or the engines differ
    2  the command line is wrong, or a file cannot be read
    3  a test is outside of what is read or the engine has, or was not exhausted within --budget
  130  interrupted";
