//! The command line's grammar and its help: what can be asked for, and what the answer means.

use std::num::NonZero;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use sigproof_harness::case::{Mode, Variant};
use sigproof_harness::exit::Exit;
use sigproof_harness::inject::Delivery;
use sigproof_harness::report::write::Target;

/// Reproduces and validates bugs of wake-ups in signal handlers.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
#[command(after_help = exit_codes(), after_long_help = format!("{START}\n{}", exit_codes()))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run cases with real signals and judge what comes of them
    #[command(after_help = exit_codes(), after_long_help = format!("{STRESS}\n{}", exit_codes()))]
    Stress(StressArgs),
    /// Show the cases, the notes and what each can do
    List(ListArgs),
    /// Run all tests there are, then a short stress
    #[command(after_help = exit_codes())]
    Test(TestArgs),
    /// Run the tests of the unsafe code with a sanitizer; needs a nightly compiler
    #[command(after_help = exit_codes(), after_long_help = format!("{SANITIZE}\n{}", exit_codes()))]
    Sanitize(SanitizeArgs),
    /// Run what CI runs: format, lints, documentation, tests
    #[command(after_help = exit_codes())]
    Ci(CiArgs),
}

/// What `stress` is asked for.
#[derive(Args, Clone, Debug, Default)]
pub struct StressArgs {
    /// Cases to run: a name, a part of one, or a pattern with `*`; all if none is given
    #[arg(value_name = "CASE-PATTERN")]
    pub cases: Vec<String>,
    /// Only over this note (repeatable)
    #[arg(long = "note", value_name = "NOTE")]
    pub notes: Vec<String>,
    /// Only in this read mode
    #[arg(long, value_name = "MODE", value_parser = words::<Mode>(Mode::ALL.iter().map(|m| m.as_str())))]
    pub mode: Option<Mode>,
    /// Only this side of each case
    #[arg(long, value_name = "VARIANT", value_parser = words::<Variant>(Variant::ALL.iter().map(|v| v.as_str())))]
    pub variant: Option<Variant>,
    /// Only this flavour, which the table shows in brackets
    #[arg(long, value_name = "FLAVOUR")]
    pub flavour: Option<String>,
    /// Time for the whole run, such as 10s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Attempts for each setup, instead of a share of the time
    #[arg(long, value_name = "N")]
    pub attempts: Option<NonZero<u64>>,
    /// Rounds in each attempt
    #[arg(long, value_name = "N")]
    pub rounds: Option<NonZero<u64>>,
    /// Signals inside the window that a fixed variant has to withstand
    #[arg(long, value_name = "N")]
    pub coverage: Option<u64>,
    /// Seed of everything random; a run prints the one it took
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Setups run at a time
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// How signals are sent; the sharpest that the platform has, if not given
    #[arg(long, value_name = "DELIVERY", value_parser = deliveries())]
    pub delivery: Option<Delivery>,
    /// Write a report, json=PATH or junit=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub reports: Vec<Target>,
}

/// What `list` is asked for.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Text for people, or JSON for programs
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
}

/// The forms of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What `test` is asked for.
#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// Signals inside the window that each fixed variant has to withstand in the stress at the end
    #[arg(long, value_name = "N", default_value_t = SHORT)]
    pub coverage: u64,
    /// Seed of the stress
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Write a report of the stress, as for `stress`
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub reports: Vec<Target>,
    /// Arguments for `cargo test`, after `--`
    #[arg(last = true, value_name = "CARGO-TEST-ARGS")]
    pub cargo_test: Vec<String>,
}

/// The coverage of the stress that ends the tests: a tenth of what `stress` asks for by itself.
const SHORT: u64 = 100;

impl Default for TestArgs {
    fn default() -> Self {
        Self { coverage: SHORT, seed: None, reports: Vec::new(), cargo_test: Vec::new() }
    }
}

/// What `sanitize` is asked for.
#[derive(Args, Clone, Debug)]
pub struct SanitizeArgs {
    /// The sanitizers to run with, one after another
    #[arg(value_name = "SANITIZER", default_value = "address")]
    pub sanitizers: Vec<Sanitizer>,
}

/// The sanitizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sanitizer {
    /// Memory used after its end or past its bounds, and leaks.
    Address,
    /// Data races between threads; leaves out tests that send signals.
    Thread,
}

impl Sanitizer {
    /// As the compiler calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Thread => "thread",
        }
    }

    /// What the file name of its runtime library contains.
    pub const fn runtime(self) -> &'static str {
        match self {
            Self::Address => "rt.asan",
            Self::Thread => "rt.tsan",
        }
    }
}

/// What `ci` is asked for.
#[derive(Args, Clone, Debug)]
pub struct CiArgs {
    /// Only this step (repeatable); all if none is given
    #[arg(long = "only", value_name = "STEP", value_parser = PossibleValuesParser::new(crate::ci::names()))]
    pub only: Vec<String>,
    /// Write a report of the stress that ends the tests, as for `stress`
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub reports: Vec<Target>,
}

/// A value that is one of some words, with the nearest one proposed for a wrong one.
fn words<T>(known: impl Iterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: std::str::FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(known.collect::<Vec<_>>()).try_map(|word| word.parse::<T>())
}

/// A delivery by its name.
fn deliveries() -> impl TypedValueParser<Value = Delivery> {
    let known: Vec<_> = Delivery::ALL.iter().map(|d| d.as_str()).collect();
    PossibleValuesParser::new(known).try_map(|word| Delivery::from_name(&word).ok_or("no such delivery"))
}

/// A time that is longer than nothing.
fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than nothing".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; write a time such as 10s, 5m or 500ms")),
    }
}

fn exit_codes() -> String {
    format!("Exit codes:\n{}", Exit::table().trim_end())
}

const START: &str = "\
Start with:
  cargo xtask stress            see the bugs happen, and their fixes withstand the same treatment
  cargo xtask list              what there is to run
  cargo xtask stress --help     how to choose, and how to read the table
";

const SANITIZE: &str = "\
On two cores either takes about 4 minutes the first time, and half a minute after that. The builds
are kept apart from the usual one, in `sanitize` below the target folder. If the machine lacks what
a sanitizer needs, it is skipped: the reason and the remedy are printed, and the exit code is 4.
";

const STRESS: &str = "\
Examples:
  cargo xtask stress                                        every case, about half a minute
  cargo xtask stress darwin-profbuf-blocking-read           one case, broken and fixed
  cargo xtask stress profbuf --note sema --mode blocking    part of a name; one note, one mode
  cargo xtask stress 'darwin-*' --duration 5m               a pattern, and more time
  cargo xtask stress --variant fixed --attempts 10000       hunt for false verdicts
  cargo xtask stress --report json=out.json --report junit=out.xml

The table at the end has a line for each setup of each case:
  case       the bug; `cargo xtask list` links to where it was reported
  variant    broken: as the bug was; fixed: as it was mended, or by a means that never had it;
             in brackets what tells apart several of a kind
  note       what the sleeper sleeps on and the handler wakes
  mode       blocking: the reader sleeps on the note; non-blocking: it polls
  outcomes   what attempts ended in, and how many of them
  expected   must X: seen at least once; may X: allowed; whatever is not named must never be seen
  first      time from the start of the setup to its first bad outcome
  in window  signals that hit the instructions which the case is about: the coverage
  verdict    as-expected, unexpected, inconclusive (a budget ran out) or skipped (with a reason)

After the table comes, for each kind of bad outcome, the diagnosis of the first one, also where it
was expected, and the command that repeats it.
";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use rstest::rstest;

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_examples_in_the_help_parse() {
        let examples = STRESS.lines().chain(START.lines()).filter(|line| line.starts_with("  cargo xtask "));
        let mut seen = 0;
        for line in examples {
            let command = line.trim().split("  ").next().unwrap().replace('\'', "");
            let words: Vec<_> = command.split(' ').skip(1).filter(|w| *w != "--help").collect();
            Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{command}: {e}"));
            seen += 1;
        }
        assert!(seen >= 8, "only {seen} examples were found");
    }

    #[rstest]
    #[case("10s", Ok(Duration::from_secs(10)))]
    #[case("1m 30s", Ok(Duration::from_secs(90)))]
    #[case("0s", Err(()))]
    #[case("10", Err(()))]
    #[case("soon", Err(()))]
    fn times(#[case] text: &str, #[case] expected: Result<Duration, ()>) {
        assert_eq!(duration(text).map_err(|message| assert!(!message.is_empty())), expected);
    }

    #[rstest]
    #[case::mode(&["--mode", "blokcing"], "blocking")]
    #[case::variant(&["--variant", "brokn"], "broken")]
    #[case::delivery(&["--delivery", "thread-time"], "thread-timer")]
    #[case::flag(&["--durations", "3s"], "--duration")]
    fn a_wrong_word_proposes_the_nearest(#[case] wrong: &[&str], #[case] nearest: &str) {
        let command = ["xtask", "stress"].iter().chain(wrong);
        let error = Cli::try_parse_from(command).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(Exit::Usage.code()));
        let text = error.to_string();
        assert!(text.contains("tip: ") && text.contains(&format!("'{nearest}'")), "{text}");
    }
}
