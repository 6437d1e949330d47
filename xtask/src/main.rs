//! The executable `cargo xtask`. Everything is in the library, which compiles beside the crates that it
//! calls.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::main()
}
