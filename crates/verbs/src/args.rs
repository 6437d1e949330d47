//! The arguments of each verb. The texts below a help, which explain the output, are in [`help`].

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Command, ValueEnum};
use sigproof_harness::inject::Delivery;
use sigproof_report::write::{Format, Target};
use sigproof_report::{Mode, Program, Variant};
use sigproof_step::engine::Kind;

mod explain;
mod fit;
pub mod help;
mod probe;
mod shown;
mod validate;

pub use explain::ExplainArgs;
pub use probe::ProbeArgs;
pub use shown::ShownArgs;
pub use validate::{Only, ValidateArgs};

use crate::drawing::Drawing;
use help::{MODEL, STEP, STRESS, exit_codes};

/// A grammar with the command that the user runs in every text and example, and with these texts as wide as
/// the terminal.
pub fn of_program(grammar: Command, program: Program) -> Command {
    let width = fit::width();
    named(grammar.name(program.0).bin_name(program.0), &|text| fit::fit(&program.named(text), width))
}

fn named(mut command: Command, shown: &dyn Fn(&str) -> String) -> Command {
    if let Some(text) = command.get_after_help().map(|text| shown(&text.to_string())) {
        command = command.after_help(text);
    }
    if let Some(text) = command.get_after_long_help().map(|text| shown(&text.to_string())) {
        command = command.after_long_help(text);
    }
    command.mut_subcommands(|verb| named(verb, shown))
}

/// Which setups a command is about.
#[derive(Args, Clone, Debug, Default)]
pub struct ChoiceArgs {
    /// Cases: a name, a part of one, or a pattern with `*`; all if none is given. `step` also takes a window,
    /// CASE/SETUP@WINDOW
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Only over this note (repeatable); a path, such as ./libmine.so, is a shared library with a note
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
#[command(about = "Run cases with real signals and grade the outcomes", after_help = exit_codes(), after_long_help = format!("{STRESS}\n{}", exit_codes()))]
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
    /// Write a report, json=PATH, junit=PATH or html=PATH (a page in one file); `-` is the standard output
    /// (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target_or_page())]
    pub reports: Vec<Target>,
}

/// The arguments of `model`.
#[derive(Args, Clone, Debug, Default)]
#[command(about = "Explore models: every interleaving, a signal at every point, every memory ordering", after_help = exit_codes(), after_long_help = format!("{MODEL}\n{}", exit_codes()))]
pub struct ModelArgs {
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// The engine: the explorer of execution graphs; loom; or both, whose outcomes are compared
    #[arg(long, value_name = "ENGINE", default_value = "graph")]
    pub engine: Engines,
    /// At most so many signals, time-outs and spurious wake-ups in one execution; by default each model's own
    /// bound
    #[arg(long, value_name = "D")]
    pub deliveries: Option<u32>,
    /// With --engine loom: at most so many preemptions in one execution, or `unbounded`; by default each
    /// model's own bound. The explorer of graphs has no such bound
    #[arg(long, value_name = "P", value_parser = preemptions)]
    pub preemptions: Option<Preemptions>,
    /// At most so many weak compare-and-exchanges of each thread fail though the value is the expected one;
    /// by default each model's own bound, which is 1. For the explorer of graphs: loom's never fail so
    #[arg(long, value_name = "N")]
    pub weak_failures: Option<u32>,
    /// One delivery more than the default; with --engine loom one preemption more as well
    #[arg(long, conflicts_with_all = ["deliveries", "preemptions"])]
    pub deep: bool,
    /// At most 20 seconds for all models, and no weak failures; with --engine loom at most one preemption in
    /// fixed variants, except for those that are exhausted by default. `test` uses it
    #[arg(long, conflicts_with_all = ["deliveries", "preemptions", "deep"])]
    pub quick: bool,
    /// Time for the whole run, such as 90s or 10m; by default 90s, and no limit with --engine loom
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub budget: Option<Duration>,
    /// Read what is known of the models from this file, go on with the searches that are not done, and write
    /// the file again: for a search in several commands, or jobs. A new file begins anew
    #[arg(long = "continue", value_name = "STATE")]
    pub state: Option<PathBuf>,
    /// Count the distinct graphs of the executions: as many as executions, if each is explored once. Takes
    /// memory for each
    #[arg(long)]
    pub distinct: bool,
    /// Only the I-th of N parts of the models, such as 2/5: for jobs that share the work
    #[arg(long, value_name = "I/N", value_parser = Shard::read)]
    pub shard: Option<Shard>,
    /// Models explored at a time; by default one for each processor
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// Draw the execution graph of the first counterexample, as FILE.svg or FILE.dot; the explorer of graphs
    /// has one
    #[arg(long, value_name = "FILE", value_parser = Drawing::read)]
    pub graph: Option<Drawing>,
    /// Write a report, json=PATH, junit=PATH or html=PATH (a page in one file); `-` is the standard output
    /// (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target_or_page())]
    pub reports: Vec<Target>,
}

impl ModelArgs {
    /// The bound of weak failures, unless it is each model's own. They double the executions over a note that
    /// has them: too many for the time of `--quick`.
    pub fn most_weak_failures(&self) -> Option<u32> {
        self.weak_failures.or(self.quick.then_some(0))
    }
}

/// The arguments of `step`.
#[derive(Args, Clone, Debug, Default)]
#[command(about = "Sweep windows: deliver a real signal at every instruction boundary, one after the other", after_help = exit_codes(), after_long_help = format!("{STEP}\n{}", exit_codes()))]
pub struct StepArgs {
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Only windows of this name (repeatable)
    #[arg(long = "window", value_name = "WINDOW")]
    pub windows: Vec<String>,
    /// The engine that reaches a boundary; by default the first that works here, and breakpoint for the
    /// windows that undo cannot do
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
    /// Write a report, json=PATH, junit=PATH or html=PATH (a page in one file); `-` is the standard output
    /// (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target_or_page())]
    pub reports: Vec<Target>,
}

/// The engines that explore models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Engines {
    /// Execution graphs, each once.
    #[default]
    Graph,
    /// Interleavings, within a bound of preemptions.
    Loom,
    /// One after the other; their outcomes are compared.
    Both,
}

impl Engines {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Loom => "loom",
            Self::Both => "both",
        }
    }
}

/// One of several parts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0.
    part: usize,
    of: usize,
}

impl Shard {
    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((part @ 1.., of)) if part <= of => Ok(Self { part: part - 1, of }),
            _ => Err("write a part and the number of parts, such as 2/5".to_owned()),
        }
    }

    /// Whether it has the element with this index.
    #[must_use]
    pub const fn has(self, index: usize) -> bool {
        index % self.of == self.part
    }
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

/// The arguments of `replay`.
#[derive(Args, Clone, Debug)]
#[command(about = "Repeat one execution: a counterexample of a model, or a signal at one boundary", after_help = exit_codes())]
pub struct ReplayArgs {
    /// The token of a counterexample, MODEL@PLAN@CHOICES; or of a sweep,
    /// CASE/SETUP@WINDOW@kN@OBJECT+OFFSET@SYMBOL+OFFSET#N
    #[arg(value_name = "TOKEN")]
    pub token: String,
    /// The shared library whose note or window the token names
    #[arg(long = "note", value_name = "LIBRARY")]
    pub library: Option<PathBuf>,
    /// Draw the execution graph of the counterexample, as FILE.svg or FILE.dot; the explorer of graphs has
    /// one
    #[arg(long, value_name = "FILE", value_parser = Drawing::read)]
    pub graph: Option<Drawing>,
    /// How much of each finding to print.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Write a report, json=PATH, junit=PATH or html=PATH (a page in one file); `-` is the standard output
    /// (repeatable)
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target_or_page())]
    pub reports: Vec<Target>,
}

/// The arguments of `list`.
#[derive(Args, Clone, Debug)]
#[command(about = "Show the cases and the notes, with what each supports")]
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

/// A value that is one of some words, with the nearest one proposed for a wrong one.
pub fn words<T>(known: impl Iterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
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
pub fn target() -> impl TypedValueParser<Value = Target> {
    OsStringValueParser::new().try_map(|text| Target::from_os(&text))
}

/// The same for a verb that can write a page as well.
pub fn target_or_page() -> impl TypedValueParser<Value = Target> {
    OsStringValueParser::new().try_map(|text| Target::among(Format::WITH_PAGE, &text))
}

/// A time longer than zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than 0s".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; write a time such as 10s, 5m or 500ms")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn shards_share_all_and_nothing_twice() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].iter().map(|text| Shard::read(text).unwrap()).collect();
        for index in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.has(index)).count(), 1, "{index}");
        }
        for text in ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/2", "1/2/3"] {
            assert!(Shard::read(text).is_err(), "{text}");
        }
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
