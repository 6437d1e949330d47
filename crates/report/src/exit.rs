//! The exit codes of the command line, in one place: the code, its help and the documentation come from here.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | everything was as expected |
//! | 1 | something was unexpected |
//! | 2 | wrong usage |
//! | 3 | inconclusive: a budget ran out before it could be told |
//! | 4 | the environment lacks what was asked for |
//! | 130 | interrupted; what was found so far has been printed |
//!
//! A setup that the *platform* lacks (a note of another system) is a skip, and 0 unless it was asked for by
//! name. A setup that this *machine* refused (a system call, a file, memory) is 4 in any case, for it ran
//! nowhere, and the user can change that.
//!
//! Where several apply, the worst is given: 1, then 4, then 3, then 0. Wrong usage is found before anything
//! runs, and an interruption is what the user asked for last, so neither competes.

use std::fmt::Write;
use std::process::ExitCode;

use crate::grade::Verdict;
use crate::run::Run;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Everything was as expected.
    AsExpected,
    /// Something was unexpected.
    Unexpected,
    /// The command line was wrong.
    Usage,
    /// A budget ran out before it could be told.
    Inconclusive,
    /// The environment lacks what was asked for.
    Environment,
    /// The user stopped it.
    Interrupted,
}

impl Exit {
    /// Every way to end, by code.
    pub const ALL: &'static [Self] =
        &[Self::AsExpected, Self::Unexpected, Self::Usage, Self::Inconclusive, Self::Environment, Self::Interrupted];

    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::AsExpected => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Environment => 4,
            // 128 + SIGINT, as shells have it.
            Self::Interrupted => 130,
        }
    }

    /// What the code says, for a table.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::AsExpected => "everything was as expected: broken variants showed their bug, fixed ones showed none",
            Self::Unexpected => {
                "something was unexpected: a bug where none may be, or a broken variant that shows none"
            }
            Self::Usage => "wrong usage: an unknown name, flag or value",
            Self::Inconclusive => "inconclusive: a budget ran out before it could be told",
            Self::Environment => "the environment lacks what was asked for",
            Self::Interrupted => "interrupted; what was found so far has been printed",
        }
    }

    /// The table of all codes, one a line, for `--help`.
    pub fn table() -> String {
        Self::ALL.iter().fold(String::new(), |mut table, exit| {
            let _ = writeln!(table, "  {:>3}  {}", exit.code(), exit.meaning());
            table
        })
    }

    /// What these runs amount to. `asked` tells whether a run was asked for by name: only then is it an error
    /// that it was skipped, and so is a report in which nothing ran at all. No runs are inconclusive: nothing
    /// was told.
    pub fn of_runs(runs: &[Run], asked: impl Fn(&Run) -> bool) -> Self {
        let all_skipped = !runs.is_empty() && runs.iter().all(|run| run.verdict == Verdict::Skipped);
        let each = runs.iter().map(|run| match run.verdict {
            Verdict::AsExpected => Self::AsExpected,
            Verdict::Unexpected => Self::Unexpected,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Skipped if all_skipped || run.refused || asked(run) => Self::Environment,
            Verdict::Skipped => Self::AsExpected,
        });
        each.reduce(Self::worst).unwrap_or(Self::Inconclusive)
    }

    /// The worse of two.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    /// The order in which one hides another.
    const fn rank(self) -> u8 {
        match self {
            Self::AsExpected => 0,
            Self::Inconclusive => 1,
            Self::Environment => 2,
            Self::Unexpected => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Expected;
    use crate::seen::Technique;
    use crate::setup::{SetupId, Variant};
    use rstest::rstest;

    use Verdict::{AsExpected as A, Inconclusive as I, Skipped as S, Unexpected as U};

    fn runs(verdicts: &[Verdict]) -> Vec<Run> {
        let run = |v: &Verdict| Run {
            verdict: *v,
            ..Run::new(Technique::Stress, SetupId::new("a-case", Variant::Fixed), Expected::delivered())
        };
        verdicts.iter().map(run).collect()
    }

    #[rstest]
    #[case::all_well(&[A, A], false, 0)]
    #[case::one_bad(&[A, U, A], false, 1)]
    #[case::bad_hides_lacking(&[S, U], true, 1)]
    #[case::bad_hides_inconclusive(&[I, U], false, 1)]
    #[case::inconclusive(&[A, I], false, 3)]
    #[case::lacking_hides_inconclusive(&[I, S], true, 4)]
    #[case::skipped_though_asked_for(&[A, S], true, 4)]
    #[case::skipped_and_nobody_minds(&[A, S], false, 0)]
    #[case::nothing_ran(&[S, S], false, 4)]
    #[case::nothing_at_all(&[], false, 3)]
    fn the_worst_counts(#[case] verdicts: &[Verdict], #[case] asked: bool, #[case] code: u8) {
        let mut runs = runs(verdicts);
        assert_eq!(Exit::of_runs(&runs, |_| asked).code(), code);
        runs.reverse();
        assert_eq!(Exit::of_runs(&runs, |_| asked).code(), code, "the order must not matter");
    }

    #[test]
    fn a_refusal_is_told_though_other_setups_ran() {
        let mut runs = runs(&[A, S, A]);
        runs[1].refused = true;
        assert_eq!(Exit::of_runs(&runs, |_| false).code(), 4);
        runs[0].verdict = U;
        assert_eq!(Exit::of_runs(&runs, |_| false).code(), 1, "a bug is worse");
    }

    #[test]
    fn codes_are_those_of_the_documentation() {
        let codes: Vec<_> = Exit::ALL.iter().map(|e| e.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 130]);
        for exit in Exit::ALL {
            assert!(Exit::table().contains(&format!("{:>3}  {}", exit.code(), exit.meaning())));
            assert!(include_str!("exit.rs").contains(&format!("//! | {} | ", exit.code())), "{exit:?} in the header");
        }
    }
}
