//! Reads lines from standard input, as a list of JSON; writes their picture.

use std::error::Error;
use std::io::{self, Write};

use sigproof_workbench::chart::{Line, svg};

fn main() -> Result<(), Box<dyn Error>> {
    let lines: Vec<Line> = serde_json::from_reader(io::stdin())?;
    Ok(io::stdout().write_all(svg(&lines)?.as_bytes())?)
}
