//! `explain --stacks FILE`: the stack dump of another tool, explained.

use std::path::Path;

use sigproof_report::exit::Exit;

use crate::args::ExplainArgs;
use crate::output;

/// Explains the dump in `file`; `-` is the standard input.
pub fn run(file: &Path, _args: &ExplainArgs) -> Exit {
    output::complain(&format!("{}: stack dumps are not explained yet", file.display()));
    Exit::Environment
}
