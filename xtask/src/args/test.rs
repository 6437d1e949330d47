//! The arguments of `test`.

use clap::Args;
use sigproof_report::write::Target;

use super::{ShownArgs, target};

/// The arguments of `test`.
#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// Signals inside the window that each fixed variant has to withstand in the stress at the end
    #[arg(long, value_name = "N", default_value_t = SHORT)]
    pub coverage: u64,
    /// Seed of the stress
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// How much of each finding to print.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Write a report of the stress, as for `stress`
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target())]
    pub reports: Vec<Target>,
    /// Build all that the tests need, and run nothing
    #[arg(long, conflicts_with_all = ["cargo_test", "reports"])]
    pub no_run: bool,
    /// Arguments for `cargo test`, after `--`
    #[arg(last = true, value_name = "CARGO-TEST-ARGS")]
    pub cargo_test: Vec<String>,
}

/// The coverage of the stress at the end: a tenth of the coverage that `stress` asks for by default.
const SHORT: u64 = 100;

impl Default for TestArgs {
    fn default() -> Self {
        let (reports, cargo_test) = (Vec::new(), Vec::new());
        Self { coverage: SHORT, seed: None, shown: ShownArgs::default(), reports, no_run: false, cargo_test }
    }
}
