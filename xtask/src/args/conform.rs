//! What `conform` can be asked for.

use std::path::PathBuf;

use clap::Args;
use sigproof_oracle::conform::rule::Rule;
use sigproof_oracle::conform::sequence::Sequence;
use sigproof_report::write::Target;

use super::words;

/// The arguments of `conform`.
#[derive(Args, Clone, Debug)]
pub struct ConformArgs {
    /// Compare with the runtime in this GOROOT (repeatable); by default with all that are found
    #[arg(long = "go", value_name = "GOROOT")]
    pub go: Vec<PathBuf>,
    /// Sequences for each runtime
    #[arg(long, value_name = "N", default_value_t = CASES)]
    pub cases: u64,
    /// Seed of the sequences; a run prints the one it took
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Compare with this wake policy instead of the one that probes find
    #[arg(long, value_name = "POLICY", value_parser = words::<Rule>(Rule::ALL.iter().map(|rule| rule.as_str())))]
    pub policy: Option<Rule>,
    /// Compare only this sequence, operation by operation
    #[arg(long, value_name = "SEQUENCE")]
    pub sequence: Option<Sequence>,
    /// Do not add disagreements to the regression file
    #[arg(long)]
    pub no_keep: bool,
    /// Write a report, json=PATH or junit=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = super::target())]
    pub reports: Vec<Target>,
}

/// The sequences of a default run.
const CASES: u64 = 250_000;

impl Default for ConformArgs {
    fn default() -> Self {
        let (go, reports) = (Vec::new(), Vec::new());
        Self { go, cases: CASES, seed: None, policy: None, sequence: None, no_keep: false, reports }
    }
}
