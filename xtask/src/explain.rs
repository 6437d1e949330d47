//! `cargo xtask explain`: why a process hangs.

use sigproof_report::exit::Exit;

use crate::args::ExplainArgs;

mod stacks;

/// Runs the verb.
pub fn run(args: &ExplainArgs) -> Exit {
    if let Some(file) = &args.stacks {
        return stacks::run(file, args);
    }
    crate::output::complain("explain of a process is not built in yet");
    Exit::Environment
}
