//! Explores models for `cargo xtask model`, which builds it with `--cfg loom`. Not for people: it takes an order and tells events.

use std::process::ExitCode;

use sigproof_harness::model::worker;

fn main() -> ExitCode {
    worker::main(std::env::args().skip(1))
}
