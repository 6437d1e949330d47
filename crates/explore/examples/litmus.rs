//! Runs litmus files: `cargo run -p sigproof-explore --example litmus FILE…`. Each file that was not read, or
//! does not give what it says, makes the exit code 1.

use std::process::ExitCode;

use sigproof_explore::Explorer;
use sigproof_explore::litmus::{Executions, Litmus};

fn main() -> ExitCode {
    let mut is_good = true;
    for path in std::env::args().skip(1) {
        let text = std::fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match text.map_err(|error| error.to_string()).and_then(|text| Litmus::read(&text).map_err(|e| e.to_string())) {
            Ok(test) => {
                let explorer = Explorer::new().time(std::time::Duration::from_secs(30));
                let judged = test.run(&explorer);
                print!("{}", judged.show(&test, Executions::None));
                is_good &= judged.is_as_said();
            }
            Err(error) => {
                println!("{path}: not read: {error}");
                is_good = false;
            }
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
