//! `explain --stacks FILE`: the stack dump of another tool, explained.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sigproof_inspect::stacks::{self, Verdict};
use sigproof_report::exit::Exit;

use crate::session::Session;
use crate::trouble::Trouble;

/// Explains the dump in `file`; `-` is the standard input.
pub fn run(file: &Path, session: &Session<'_>) -> Result<Exit, Trouble> {
    let answer = stacks::explain(&read(file)?);
    let print = answer.fingerprint.as_ref().map(|fingerprint| fingerprint.as_str());
    let rebuilt = session.tool.program.named(&super::rebuilt(print));
    let said = session.out.say(&(answer.render() + &rebuilt));
    Ok(exit(answer.verdict).worst(said).worst(session.write_text(&(answer.to_json() + "\n"))))
}

/// The dump: as much of it as is explained, and one byte more, by which the explanation knows that it was
/// cut.
fn read(file: &Path) -> Result<Vec<u8>, Trouble> {
    let cannot = |error: io::Error| {
        let remedy = "name a file that you may read, or - for the standard input";
        Trouble::environment(format!("cannot read {}: {error}; {remedy}", file.display()))
    };
    let limit = stacks::LONGEST as u64 + 1;
    let mut dump = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut dump).map_err(cannot)?;
    } else {
        File::open(file).and_then(|file| file.take(limit).read_to_end(&mut dump)).map_err(cannot)?;
    }
    Ok(dump)
}

/// 0: nothing is stuck in a handler; 1: something is wrong in one, and explained; 3: not enough to tell.
fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::NoHandler | Verdict::NoThread | Verdict::ByDesign | Verdict::Reporter => Exit::AsExpected,
        Verdict::Waits | Verdict::Runs | Verdict::Faults | Verdict::Unsafe => Exit::Unexpected,
        Verdict::NotEnough => Exit::Inconclusive,
    }
}
