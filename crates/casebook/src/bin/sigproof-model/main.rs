//! Explores models for `cargo xtask model`, which builds this program with `--cfg loom`. Users do not start
//! it: it reads an order and tells events.

use std::process::ExitCode;

use sigproof_casebook::REGISTRY;
use sigproof_harness::model::worker;

fn main() -> ExitCode {
    worker::main(&REGISTRY)
}
