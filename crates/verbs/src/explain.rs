//! `sigproof explain`: why a process hangs. A running one, a command, a core file, or the stacks of
//! another tool.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use sigproof_casebook::REGISTRY;
use sigproof_harness::Case;
use sigproof_inspect::explain::{self, Answer, Refused, Verdict};
use sigproof_report::{Exit, PROGRAM};

use crate::args::ExplainArgs;
use crate::progress::line::Line;
use crate::reports;
use crate::session::{Concluded, Session};
use crate::trouble::Trouble;

mod command;
mod stacks;
mod terminal;

/// Between two looks of `--watch`.
const WATCH: Duration = Duration::from_millis(500);

/// Runs the verb.
pub fn run(args: &ExplainArgs, session: &mut Session<'_>) -> Concluded {
    reports::only_json(&args.reports)?;
    let exit = match args {
        ExplainArgs { stacks: Some(file), .. } => stacks::run(file, session)?,
        ExplainArgs { core: Some(file), .. } => {
            let answer = explain::explain_core(file).map_err(|refused| refusal(&refused))?;
            tell(&answer, args, session)?
        }
        ExplainArgs { pid: Some(pid), .. } => of_process(*pid, args, session)?,
        _ => command::run(args, session)?,
    };
    Ok(exit.into())
}

/// A running process: once, or until it hangs or ends.
fn of_process(pid: u32, args: &ExplainArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let begun = Instant::now();
    let mut line = Line::default();
    let mut looks = 0_usize;
    loop {
        let answer = match explain::explain(pid) {
            Ok(answer) => answer,
            Err(Refused::Gone(_) | Refused::Zombie { .. }) if looks > 0 => {
                line.clear();
                let seconds = begun.elapsed().as_secs_f64();
                return Ok(session
                    .out
                    .say(&format!("not stuck: process {pid} ended after {seconds:.1} s of watching\n")));
            }
            Err(refused) => return Err(refusal(&refused)),
        };
        if session.interrupted() {
            line.clear();
            return Ok(Exit::Interrupted);
        }
        if !args.watch || answer.verdict == Verdict::Stuck {
            line.clear();
            return tell(&answer, args, session);
        }
        looks += 1;
        line.tell(&format!("{}: {}", answer.verdict, answer.sentence));
        let until = Instant::now() + WATCH;
        while Instant::now() < until && !session.interrupted() {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Prints an answer and writes the reports; one level of what it waits for as well.
fn tell(answer: &Answer, args: &ExplainArgs, session: &Session<'_>) -> Result<Exit, Trouble> {
    let mut text = explain::text(answer, args.verbose);
    text += &session.tool.program.named(&rebuilt(answer.fingerprint.as_deref()));
    text += &session.tool.program.named(&again(answer).unwrap_or_default());
    let mut exit = exit(answer.verdict);
    let next = answer.next.and_then(|next| explain::explain(next).ok());
    if let Some(next) = &next {
        text += &format!(
            "\nprocess {} ({}), which it waits for, is {}: {}\n",
            next.process.pid, next.process.name, next.verdict, next.sentence
        );
        if next.verdict == Verdict::Stuck {
            let whole = explain::text(next, args.verbose);
            text += whole.split_once('\n').map_or("", |(_, rest)| rest);
            exit = Exit::Unexpected;
        } else {
            text += &session.tool.program.named(&format!("  `{PROGRAM} explain {}` tells more\n", next.process.pid));
        }
    }
    let said = session.out.say(&text);
    let answers: Vec<&Answer> = std::iter::once(answer).chain(&next).collect();
    Ok(exit.worst(said).worst(write(answer.verdict, &answer.sentence, &answers, session)?))
}

/// The cases that hang by the mechanism of this fingerprint, and how to see one. A fingerprint without a
/// holder says too little to name a bug: any reader of a pipe may have it.
fn rebuilt(fingerprint: Option<&str>) -> String {
    let named = fingerprint.filter(|print| !print.ends_with("/-"));
    let cases: Vec<_> = named.iter().flat_map(|print| REGISTRY.with_fingerprint(print)).map(Case::name).collect();
    let Some(first) = cases.first() else { return String::new() };
    format!("\nThe same mechanism is rebuilt as {}: `{PROGRAM} stress {first}` shows it.\n", cases.join(", "))
}

/// How to see the hang again: the same signal, in the function that it interrupted. Of the interrupted
/// functions, the innermost one that other code can name.
fn again(answer: &Answer) -> Option<String> {
    let signal = answer.signals.first().filter(|signal| signal.number.is_some())?;
    let thread = answer.diagnosis.as_ref()?.threads.iter().find(|thread| thread.tid == signal.tid)?;
    let frames = thread.interrupted().iter().take_while(|frame| !frame.signal_frame);
    let mut named = frames.filter(|frame| !frame.inlined).filter_map(|frame| frame.symbol.as_deref());
    let function = named.find(|name| !name.starts_with("__") && !name.contains([' ', '<', '{']))?;
    let words: Vec<_> = answer.process.command.iter().map(|word| quoted(word)).collect();
    let command = if words.is_empty() { "COMMAND".to_owned() } else { words.join(" ") };
    let (program, name) = (PROGRAM, &signal.name);
    Some(format!("\nTo see it again: `{program} probe --signal {name} --at {function} -- {command}`\n"))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The schema of a report: the answers, the process that was asked for first.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    verdict: Verdict,
    sentence: &'a str,
    answers: &'a [&'a Answer],
}

fn write(verdict: Verdict, sentence: &str, answers: &[&Answer], session: &Session<'_>) -> Result<Exit, Trouble> {
    session.write_json(&Report { schema: "sigproof.explain/1", verdict, sentence, answers })
}

/// What a verdict makes of the command.
fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::NotStuck => Exit::AsExpected,
        Verdict::Stuck => Exit::Unexpected,
        Verdict::NotEnough => Exit::Inconclusive,
    }
}

fn refusal(refused: &Refused) -> Trouble {
    Trouble::environment(refused.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("./server", "./server")]
    #[case("--log=a,b", "--log=a,b")]
    #[case("", "''")]
    #[case("two words", "'two words'")]
    #[case("it's", "'it'\\''s'")]
    fn a_word_is_quoted_where_a_shell_needs_it(#[case] word: &str, #[case] quotes: &str) {
        assert_eq!(quoted(word), quotes);
    }
}
