//! `explain -- COMMAND`: runs a command, explains it if it hangs, and ends it.
//!
//! | the command | exit code |
//! |---|---|
//! | ended by itself with code 0 | 0 |
//! | hung, or did not end within `--limit`: it is explained, and ended with all that it has started | 1 |
//! | ended by itself with another code, or by a signal | 3, and the message names it |
//! | cannot be started | 4 |

use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use sigproof_inspect::explain::{self, Refused, Verdict};
use sigproof_inspect::process::{self, Group, Streams};
use sigproof_report::exit::Exit;

use super::terminal::Terminal;
use super::{tell, write};
use crate::args::ExplainArgs;
use crate::output;
use crate::session::Session;
use crate::trouble::Trouble;

/// Between two looks at whether the command has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks at whether it hangs.
const ASK: Duration = Duration::from_millis(400);
/// How often in a row it must be found stuck by the same threads. Once is proof; twice spares a command that
/// is just being started from a stop.
const TIMES: usize = 2;

/// Runs the command of these arguments.
pub fn run(args: &ExplainArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let mut command = start(args)?;
    let mut terminal = Terminal::of(&command);
    let begun = Instant::now();
    let mut asked = Instant::now();
    let mut found = 0;
    loop {
        let ended = command.ended();
        let ended =
            ended.map_err(|error| Trouble::environment(format!("the command cannot be waited for: {error}")))?;
        if let Some(status) = ended {
            if terminal.as_ref().is_some_and(|terminal| terminal.interrupted(status)) {
                return Ok(Exit::Interrupted);
            }
            return of_status(status, session);
        }
        if session.interrupted() {
            return Ok(Exit::Interrupted);
        }
        let limit = args.limit.is_some_and(|limit| begun.elapsed() >= limit);
        if limit || asked.elapsed() >= ASK {
            asked = Instant::now();
            match explain::explain(command.pid()) {
                Ok(answer) => {
                    found = if answer.verdict == Verdict::Stuck { found + 1 } else { 0 };
                    if found >= TIMES || limit {
                        let told = tell(&answer, args, session)?;
                        let seconds = begun.elapsed().as_secs_f64();
                        let why = if limit && found < TIMES { "did not end within its limit" } else { "hangs" };
                        output::tell(&format!("the command {why}; it is ended after {seconds:.1} s"));
                        return Ok(Exit::Unexpected.worst(told));
                    }
                }
                // It ends, which the next look finds.
                Err(Refused::Gone(_) | Refused::Zombie { .. }) => {}
                Err(refused) if limit => {
                    output::complain(&format!("the command did not end within its limit, and {refused}"));
                    return Ok(Exit::Unexpected);
                }
                Err(refused) => return Err(super::refusal(&refused)),
            }
        }
        thread::sleep(LOOK);
        if let Some(terminal) = &mut terminal {
            terminal.follow(&command);
        }
    }
}

/// A command that ended by itself.
fn of_status(status: ExitStatus, session: &Session<'_>) -> Result<Exit, Trouble> {
    let sentence = format!("the command {} before it hung", process::ending(status));
    if status.success() {
        return write(Verdict::NotStuck, &sentence, &[], session);
    }
    output::tell(&sentence);
    Ok(Exit::Inconclusive.worst(write(Verdict::NotEnough, &sentence, &[], session)?))
}

/// Starts the command, in a process group of its own that is killed when this is dropped.
fn start(args: &ExplainArgs) -> Result<Group, Trouble> {
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Trouble::usage("no command was given".to_owned()));
    };
    Group::start(Command::new(program).args(arguments), Streams::attached()).map_err(|error| {
        let name = program.to_string_lossy();
        Trouble::environment(format!("cannot start {name}: {error}; is it there, and may it be executed?"))
    })
}
