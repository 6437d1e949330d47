//! Reads the folder of a workspace from standard input, as JSON; writes the orderings in its sources as a
//! list of JSON.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use sigproof_workbench::orderings::places;

fn main() -> Result<(), Box<dyn Error>> {
    let workspace: PathBuf = serde_json::from_reader(io::stdin())?;
    match places(&workspace) {
        Ok(places) => Ok(io::stdout().write_all(&serde_json::to_vec(&places)?)?),
        Err(unreadable) => {
            eprintln!("{unreadable}");
            std::process::exit(1);
        }
    }
}
