//! What `dist` is asked for, and its help.

use std::path::PathBuf;

use clap::Args;

/// The arguments of `dist`.
#[derive(Args, Clone, Debug)]
pub struct DistArgs {
    /// The target to build for, as rustc calls it; by default this machine's
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The folder for the archive; by default `dist` in the target folder
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
}

/// Below its help.
pub(super) const DIST: &str = "\
The archive sigproof-VERSION-TARGET.tar.gz holds the command sigproof, the models over each engine
(sigproof-model-graph; sigproof-model over loom), man pages, completions, the licences and the README.
Its checksum is in SHA256SUMS beside it. Nothing of the archive is run, so the target may be another
machine's; a linker for it must be there. The command keeps its line tables: a diagnosis of its own
children prints lines of the sources.

Examples:
  {program} dist                                       for this machine
  {program} dist --target x86_64-unknown-linux-musl    one static file for every Linux; rustup target add
";
