//! The arguments of each verb. The texts below a help, which explain the output, are in [`help`].

use std::num::NonZero;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use sigproof_harness::inject::Delivery;
use sigproof_report::write::Target;
use sigproof_report::{Mode, Variant};
use sigproof_step::engine::Kind;

mod bench;
mod conform;
mod explain;
mod help;
mod litmus;
mod shown;
mod test;
mod upstream;

pub use bench::BenchArgs;
pub use conform::ConformArgs;
pub use explain::ExplainArgs;
pub use litmus::LitmusArgs;
pub use shown::ShownArgs;
pub use test::TestArgs;
pub use upstream::UpstreamArgs;

use help::{AGREE, CONFORM, MODEL, SANITIZE, START, STEP, STRESS, exit_codes};

/// Reproduces and validates bugs of wake-ups in signal handlers.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
#[command(after_help = exit_codes(), after_long_help = format!("{START}\n{}", exit_codes()))]
pub struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run cases with real signals and grade the outcomes
    #[command(after_help = exit_codes(), after_long_help = format!("{STRESS}\n{}", exit_codes()))]
    Stress(StressArgs),
    /// Explore models: every interleaving, a signal at every point, every memory ordering
    #[command(after_help = exit_codes(), after_long_help = format!("{MODEL}\n{}", exit_codes()))]
    Model(ModelArgs),
    /// Sweep windows: deliver a real signal at every instruction boundary, one after the other
    #[command(after_help = exit_codes(), after_long_help = format!("{STEP}\n{}", exit_codes()))]
    Step(StepArgs),
    /// Run cases with all three techniques and compare which outcomes each of them has seen
    #[command(after_help = exit_codes(), after_long_help = format!("{AGREE}\n{}", exit_codes()))]
    Agree(AgreeArgs),
    /// Compare our buffer with those of real Go runtimes, operation by operation
    #[command(after_help = exit_codes(), after_long_help = format!("{CONFORM}\n{}", exit_codes()))]
    Conform(ConformArgs),
    /// Run reproducers inside the real runtimes of Go
    #[command(after_help = exit_codes(), after_long_help = format!("{}\n{}", upstream::help(), exit_codes()))]
    Upstream(UpstreamArgs),
    /// Say why a process hangs: a running one, a core file, a command, or the stacks in a bug report
    #[command(after_help = explain::EXPLAIN)]
    Explain(ExplainArgs),
    /// Run litmus tests: every execution that the C memory model allows, with handlers and blocking
    #[command(after_help = litmus::LITMUS)]
    Litmus(LitmusArgs),
    /// Repeat one execution: a counterexample of a model, or a signal at one boundary
    #[command(after_help = exit_codes())]
    Replay(ReplayArgs),
    /// Show the cases and the notes, with what each supports
    List(ListArgs),
    /// Run all tests, the quick models, every sweep and a short stress
    #[command(after_help = exit_codes())]
    Test(TestArgs),
    /// Run the tests of the unsafe code with a sanitizer; needs a nightly compiler
    #[command(after_help = exit_codes(), after_long_help = format!("{SANITIZE}\n{}", exit_codes()))]
    Sanitize(SanitizeArgs),
    /// Measure the buffer against Go's, another ring and a bare copy
    #[command(after_help = exit_codes(), after_long_help = format!("{}\n{}", bench::BENCH, exit_codes()))]
    Bench(BenchArgs),
    /// Run the checks of a change: lints, documentation, sanitizers, tests
    #[command(after_help = exit_codes())]
    Ci(CiArgs),
}

/// Which setups a command is about.
#[derive(Args, Clone, Debug, Default)]
pub struct ChoiceArgs {
    /// Cases: a name, a part of one, or a pattern with `*`; all if none is given. `step` also takes a window,
    /// CASE/SETUP@WINDOW
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
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
}

/// What `stress` is asked for.
#[derive(Args, Clone, Debug, Default)]
pub struct StressArgs {
    #[command(flatten)]
    pub choice: ChoiceArgs,
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
    /// How to send signals; by default the most precise delivery that the platform has
    #[arg(long, value_name = "DELIVERY", value_parser = deliveries())]
    pub delivery: Option<Delivery>,
    /// How much of each finding to print.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Write a report, json=PATH or junit=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target())]
    pub reports: Vec<Target>,
}

/// The arguments of `model`.
#[derive(Args, Clone, Debug, Default)]
pub struct ModelArgs {
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// At most so many signals, time-outs and spurious wake-ups in one execution; by default each model's own
    /// bound
    #[arg(long, value_name = "D")]
    pub deliveries: Option<u32>,
    /// At most so many preemptions in one execution, or `unbounded`; by default each model's own bound
    #[arg(long, value_name = "P", value_parser = preemptions)]
    pub preemptions: Option<Preemptions>,
    /// One delivery more than the default, and one preemption more
    #[arg(long, conflicts_with_all = ["deliveries", "preemptions"])]
    pub deep: bool,
    /// At most one preemption in fixed variants, except for those that are exhausted by default; `test` uses
    /// it
    #[arg(long, conflicts_with_all = ["deliveries", "preemptions", "deep"])]
    pub quick: bool,
    /// Time for the whole run, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub budget: Option<Duration>,
    /// Models explored at a time; by default one for each processor
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// Replace each memory ordering by each weaker one, and show that a model fails for it
    #[arg(long, conflicts_with_all = ["deep", "quick", "deliveries", "preemptions", "variant", "budget"])]
    pub weaken: bool,
    /// Write a report, json=PATH or junit=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target())]
    pub reports: Vec<Target>,
}

/// The arguments of `step`.
#[derive(Args, Clone, Debug, Default)]
pub struct StepArgs {
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Only windows of this name (repeatable)
    #[arg(long = "window", value_name = "WINDOW")]
    pub windows: Vec<String>,
    /// The engine that reaches a boundary; by default the first that works here
    #[arg(long, value_name = "ENGINE", value_parser = words::<Kind>(Kind::ALL.iter().map(|kind| kind.as_str())))]
    pub engine: Option<Kind>,
    /// Only this boundary, counted from 0, of a single window
    #[arg(long, value_name = "N")]
    pub k: Option<usize>,
    /// Print the map of every window; by default of at most 4 chosen windows, and of those that are
    /// vulnerable and must not be
    #[arg(long)]
    pub map: bool,
    /// Windows swept at a time; by default one for each processor
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// How much of each finding to print.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Write a report, json=PATH or junit=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target())]
    pub reports: Vec<Target>,
}

/// A bound of preemptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preemptions {
    /// So many.
    AtMost(u8),
    /// Any number.
    Unbounded,
}

fn preemptions(text: &str) -> Result<Preemptions, String> {
    match text.parse() {
        Ok(bound) => Ok(Preemptions::AtMost(bound)),
        Err(_) if text == "unbounded" => Ok(Preemptions::Unbounded),
        Err(_) => Err("a number up to 255, or 'unbounded'".to_owned()),
    }
}

/// The arguments of `agree`.
#[derive(Args, Clone, Debug, Default)]
pub struct AgreeArgs {
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// How much of each finding to print.
    #[command(flatten)]
    pub shown: ShownArgs,
}

/// The arguments of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The token of a counterexample, MODEL@PLAN@CHOICES; or of a sweep,
    /// CASE/SETUP@WINDOW@kN@OBJECT+OFFSET@SYMBOL+OFFSET#N
    #[arg(value_name = "TOKEN")]
    pub token: String,
    /// How much of each finding to print.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Write a report, json=PATH or junit=PATH; `-` is the standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target())]
    pub reports: Vec<Target>,
}

/// The arguments of `list`.
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

/// The arguments of `sanitize`.
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

/// The arguments of `ci`.
#[derive(Args, Clone, Debug)]
pub struct CiArgs {
    /// Only this step (repeatable); all if none is given
    #[arg(long = "only", value_name = "STEP", value_parser = PossibleValuesParser::new(crate::ci::steps::names()))]
    pub only: Vec<String>,
    /// Every step but this one (repeatable)
    #[arg(long = "except", value_name = "STEP", conflicts_with = "only", value_parser = PossibleValuesParser::new(crate::ci::steps::names()))]
    pub except: Vec<String>,
    /// Write a report of the stress that ends the tests, as for `stress`
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target())]
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

/// A report's form and place. A path need not be UTF-8.
fn target() -> impl TypedValueParser<Value = Target> {
    OsStringValueParser::new().try_map(|text| Target::from_os(&text))
}

/// A time longer than zero.
fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than 0s".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; write a time such as 10s, 5m or 500ms")),
    }
}

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
        let texts = [START, STRESS, MODEL, STEP, upstream::UPSTREAM];
        let examples = texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("  cargo xtask "));
        let mut seen = 0;
        for line in examples {
            let command = line.trim().split("  ").next().unwrap().replace('\'', "");
            let words: Vec<_> = command.split(' ').skip(1).filter(|w| *w != "--help").collect();
            Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{command}: {e}"));
            seen += 1;
        }
        assert!(seen >= 22, "only {seen} examples were found");
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
}
