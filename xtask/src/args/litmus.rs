//! What `litmus` is asked for, and what its help adds.

use std::path::PathBuf;

use clap::Args;

/// The arguments of `litmus`.
#[derive(Args, Clone, Debug)]
pub struct LitmusArgs {
    /// A litmus test in herd's C format, or a folder of them (repeatable)
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Print an execution of each outcome, also for tests that give what they say
    #[arg(long)]
    pub executions: bool,
    /// End the exploration of a test after so much time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = sigproof_verbs::args::duration)]
    pub budget: std::time::Duration,
}

/// After the help of `litmus`.
pub const LITMUS: &str = "\
Explores every execution graph of each test under RC11, once. A file may say which outcomes and
how many executions there are, in comments; otherwise its condition is judged. tests/litmus has
examples; docs/model.md describes the extensions for handlers, futexes and blocking.

Examples:
  cargo xtask litmus tests/litmus            every test of the repository
  cargo xtask litmus SB.litmus --executions  one test, with an execution of each outcome

Exit codes of litmus:
    0  each test gives what its file says, or its condition holds
    1  a test does not, or its plain accesses race
    2  the command line is wrong, or a file cannot be read
    3  a test is outside of the subset that is read, or was not exhausted within --budget
  130  interrupted";
