//! How much of each finding a verb prints. Every verb that prints findings has this flag.

use clap::Args;

/// How much of each finding to print.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShownArgs {
    /// Print all threads and all frames of each finding; a report always has them
    #[arg(long)]
    pub verbose: bool,
}
