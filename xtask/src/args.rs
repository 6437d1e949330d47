//! The arguments of each verb. Those that `sigproof` has as well are in [`sigproof_verbs::args`]; the texts
//! below a help, which explain the output, are in [`help`].

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use sigproof_report::write::Target;

mod bench;
mod conform;
mod dist;
mod help;
mod litmus;
mod test;
mod upstream;

pub use bench::BenchArgs;
pub use conform::ConformArgs;
pub use dist::DistArgs;
pub use litmus::LitmusArgs;
pub use sigproof_verbs::args::{
    ChoiceArgs, ExplainArgs, ListArgs, ModelArgs, ProbeArgs, ReplayArgs, ShownArgs, StepArgs, StressArgs, ValidateArgs,
};
pub use test::TestArgs;
pub use upstream::UpstreamArgs;

use help::{AGREE, CONFORM, SANITIZE};
use sigproof_verbs::args::help::{START, exit_codes};
use sigproof_verbs::args::{target, words};

/// Reproduces and validates bugs of wake-ups in signal handlers.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
#[command(after_help = exit_codes(), after_long_help = format!("{START}\n{}", exit_codes()))]
pub struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs. One without a text here has it in [`sigproof_verbs::args`].
#[derive(Debug, Subcommand)]
pub enum Verb {
    Stress(StressArgs),
    Model(OurModelArgs),
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
    Explain(ExplainArgs),
    Probe(Box<ProbeArgs>),
    /// Run litmus tests: every execution that the C memory model allows, with handlers and blocking
    #[command(after_help = litmus::LITMUS)]
    Litmus(LitmusArgs),
    Replay(ReplayArgs),
    Validate(ValidateArgs),
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
    /// Build the archive of a release
    #[command(after_help = exit_codes(), after_long_help = format!("{}\n{}", dist::DIST, exit_codes()))]
    Dist(DistArgs),
}

// `model` with what needs the sources as well. A `///` comment would replace the text of the verb.
#[derive(Args, Clone, Debug, Default)]
pub struct OurModelArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Replace each memory ordering by each weaker one, and show that a model fails for it
    #[arg(long, conflicts_with_all = ["deep", "quick", "deliveries", "preemptions", "variant", "budget"])]
    pub weaken: bool,
    /// As --weaken; print a table of all memory orderings, with what fails for each weaker one
    #[arg(long, conflicts_with_all = ["deep", "quick", "deliveries", "preemptions", "variant", "budget", "weaken"])]
    pub orderings: bool,
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
    /// How many random programs the step `random` compares
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub programs: u64,
    /// The seed of the first of them; the time if none is given
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Write a report of the stress that ends the tests, as for `stress`
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = target())]
    pub reports: Vec<Target>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use sigproof_verbs::args::help::{MODEL, STEP, STRESS};

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_column_of_upstream_is_explained_in_the_help() {
        let of = sigproof_report::Technique::Upstream;
        assert_eq!(crate::table::unexplained(of, upstream::UPSTREAM), None);
    }

    #[test]
    fn the_examples_in_the_help_parse() {
        let texts = [START, STRESS, MODEL, STEP, upstream::UPSTREAM];
        let examples = texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("  {program} "));
        let mut seen = 0;
        for line in examples {
            let command = line.trim().split("  ").next().unwrap().replace('\'', "");
            let words: Vec<_> = command.split(' ').filter(|w| *w != "--help").collect();
            Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{command}: {e}"));
            seen += 1;
        }
        assert!(seen >= 22, "only {seen} examples were found");
    }
}
