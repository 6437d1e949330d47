//! What `probe` is asked for, and what its help adds.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sigproof_probe::{Engine, Output, Thread, WindowName};
use sigproof_report::write::Target;

/// The arguments of `probe`.
#[derive(Args, Clone, Debug, Default)]
#[command(about = "Put a signal at every instruction of a function of any program", after_help = PROBE)]
pub struct ProbeArgs {
    /// The signal, such as SIGTERM, TERM or 15 (repeatable: one sweep after the other)
    #[arg(long = "signal", value_name = "SIGNAL", required_unless_present = "lint", value_parser = signal)]
    pub signals: Vec<i32>,
    /// The function whose instructions are swept: FUNCTION, FUNCTION@LIBRARY or OBJECT+0xOFFSET (repeatable);
    /// `auto`: those that take the locks that the handler takes, as it runs and by its machine code
    #[arg(long = "at", value_name = "FUNCTION", required_unless_present = "lint")]
    pub windows: Vec<WindowName>,
    /// Only look at the handlers, of the signals that are given or of all, and list what they call that is on
    /// no list of async-signal-safe functions: of COMMAND as they run, of PROGRAM in the machine code
    #[arg(long, conflicts_with_all = ["windows", "replay", "from", "calls"])]
    pub lint: bool,
    /// The thread that takes the signal: main, any, or the name of a thread
    #[arg(long, value_name = "THREAD", default_value = "main", value_parser = thread)]
    pub thread: Thread,
    /// The first call of the function that is swept, from 0; by default the 20th, or an earlier
    /// one where calls are rare
    #[arg(long, value_name = "CALL")]
    pub from: Option<u64>,
    /// How many calls are swept at most; by default until three in turn add no new boundary
    #[arg(long, value_name = "N")]
    pub calls: Option<NonZero<u64>>,
    /// The window lies in the handler of this signal, which is sent again and again to open it
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub open: Option<i32>,
    /// The signal is one that the program gets anyway, from its own child or timer: it is held back where it
    /// is delivered, and placed at each boundary
    #[arg(long, conflicts_with = "open")]
    pub own: bool,
    /// Another thread is brought to this function and held there while the signal is delivered; then all go
    /// on
    #[arg(long = "while", value_name = "FUNCTION", conflicts_with = "schedules")]
    pub meanwhile: Option<WindowName>,
    /// Try N schedules of the other threads at each boundary: free, held, and one of them some instructions
    /// further (8, 16, 24 and so on)
    #[arg(long = "schedule", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub schedules: u32,
    /// How many boundaries of a window are judged at a time, each on a processor of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub jobs: u64,
    /// The program promises to leave no descriptor open: one that is open two calls later, and was not
    /// before, is a bad ending
    #[arg(long)]
    pub no_leaks: bool,
    /// Time for one window and one signal
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::duration)]
    pub time: Duration,
    /// How long a run may take from one call of the function to the next before it counts as not going on
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = super::duration)]
    pub timeout: Duration,
    /// The exit status that is right; by default that of a run with the signal outside the function
    #[arg(long, value_name = "STATUS")]
    pub expect_exit: Option<i32>,
    /// What the program is to write in all, on both streams: the contents of FILE, or `same`: what it writes
    /// when the signal comes outside the function. Each boundary then takes a run to the program's end
    #[arg(long, value_name = "FILE|same", value_parser = output)]
    pub expect_output: Option<Output>,
    /// Add to the environment of the program (repeatable)
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(OsString, OsString)>,
    /// Leave the binding of symbols to their first calls, as it is without probe
    #[arg(long)]
    pub cold: bool,
    /// How boundaries are judged: auto, copy, pass or rerun
    #[arg(long, value_name = "ENGINE", default_value = "auto", value_parser = engine)]
    pub engine: Engine,
    /// Repeat one boundary: the token that a sweep has printed, with the same command line
    #[arg(long, value_name = "TOKEN")]
    pub replay: Option<String>,
    /// Show every range and every row of the strip
    #[arg(long)]
    pub verbose: bool,
    /// Write a report, json=PATH, junit=PATH or html=PATH (a page in one file); `-` is the standard output
    /// (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = super::target_or_page())]
    pub reports: Vec<Target>,
    /// With --lint: read the machine code of this program and of its libraries, and run nothing
    #[arg(value_name = "PROGRAM", requires = "lint", conflicts_with = "command")]
    pub program: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "program")]
    pub command: Vec<OsString>,
}

/// A signal by its number, or by its name with or without SIG.
fn signal(text: &str) -> Result<i32, String> {
    let known = |number: &i32| {
        let name = sigproof_inspect::rules::signals::by_number(u64::from(number.unsigned_abs()), false);
        name.is_some_and(|name| {
            name.eq_ignore_ascii_case(text)
                || name.strip_prefix("SIG").is_some_and(|name| name.eq_ignore_ascii_case(text))
        })
    };
    let number = text.parse().ok().filter(|number| (1..=64).contains(number)).or_else(|| (1..=64).find(known));
    match number {
        Some(libc::SIGKILL | libc::SIGSTOP) => Err("no handler can be installed for it".to_owned()),
        Some(number) => Ok(number),
        None => Err("no such signal; write SIGTERM, TERM or a number from 1 to 64".to_owned()),
    }
}

fn thread(text: &str) -> Result<Thread, String> {
    Ok(match text {
        "main" => Thread::Main,
        "any" => Thread::Any,
        "" => return Err("write main, any, or the name of a thread".to_owned()),
        name => Thread::Named(name.to_owned()),
    })
}

fn engine(text: &str) -> Result<Engine, String> {
    Ok(match text {
        "auto" => Engine::Auto,
        "copy" => Engine::Copy,
        "pass" => Engine::Pass,
        "rerun" => Engine::Rerun,
        _ => return Err("one of auto, copy, pass, rerun".to_owned()),
    })
}

fn output(text: &str) -> Result<Output, String> {
    match text {
        "same" => Ok(Output::Same),
        path => std::fs::read(path).map(Output::Is).map_err(|error| format!("{error}; write a file's path, or same")),
    }
}

fn variable(text: &str) -> Result<(OsString, OsString), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Below its help.
const PROBE: &str = "\
The program is run unchanged, under ptrace. A window is one call of the function, with all that it calls.
The signal is put before each instruction of a window, one after the other, and the program goes on with
all its threads. It must return from the window and come through two further calls, or end as it ends when
the signal comes outside the window. The program must install a handler for the signal.

  letter  ending           what was seen
  D       self-deadlock    a thread waits for a lock that it holds itself
  X       cross deadlock   threads wait for each other
  L       lost wake-up     the handler has returned, and nothing but another signal ends the sleep
  H       hang             no call of the function comes any more, and why is not proven
  V       livelock         processor time is used, and the program does not go on
  !       crash            it died of a signal
  W       wrong exit       it ended with another status than when the signal comes outside
  O       wrong output     it wrote something else (--expect-output)
  U       undelivered      the signal still waits although the program went on
  F       descriptor leak  a descriptor is left open (--no-leaks)
  E       errno spoiled    the handler returned with another errno than it had found

Most boundaries are judged by copies of the stopped program: processes that are forked from it and take the
signal in its place. The first and the last boundary of each bad range are judged again by a run of the whole
program with all threads: the range then says `confirmed`, and `seen in copies only` otherwise.

Examples:
  {program} probe --signal SIGTERM --at localtime_r -- ./server --once
  {program} probe --signal TERM --signal INT --at malloc@libc --at free@libc -- ./tool input
  {program} probe --signal ALRM --at update --thread worker --time 5m -- ./daemon --foreground
  {program} probe --signal TERM --at random --report json=map.json -- ./sampler
  {program} probe --signal TERM --at random --replay 'sampler:SIGTERM@random:20@k6@libc.so.6+0x409a1@random+0x21#1' -- ./sampler

  {program} probe --lint -- ./server --once               what do its handlers call, as they run?
  {program} probe --lint ./server                         the same, in its machine code
  {program} probe --signal TERM --at auto -- ./server   and where may the signal come between?

Exit codes of probe:
    0  no boundary is vulnerable; of --lint: the handlers call nothing that is on no list
    1  at least one boundary is vulnerable; of --lint: a handler calls what is on no list, or
       breaks a rule about jumps or shared memory
    2  wrong usage: no such program or function
    3  inconclusive: the function was not called in time, the program hangs without a signal, boundaries
       that nothing could be said of, or --time ran out; of --lint PROGRAM: no handler was
       found, or what is called is computed
    4  no handler of the signal is installed, or this machine refuses what is needed (ptrace)
  130  interrupted
";

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_probe::Ending;

    #[test]
    fn every_bad_ending_is_explained_with_its_letter() {
        for ending in Ending::ALL.iter().filter(|ending| **ending != Ending::Clean) {
            let row = format!("\n  {}       {:15}  ", ending.letter(), ending.as_str());
            assert!(PROBE.contains(&row), "{row:?} is not in the help");
        }
    }
}
