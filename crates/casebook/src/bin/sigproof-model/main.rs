//! Explores models for `cargo xtask model`, which builds it with `--cfg loom`. Not for people: it takes an order and tells events.

use std::process::ExitCode;

use sigproof_casebook::REGISTRY;
use sigproof_harness::model::worker;

fn main() -> ExitCode {
    worker::main(&REGISTRY, std::env::args().skip(1))
}
