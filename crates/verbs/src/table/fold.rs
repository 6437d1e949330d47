//! The lines of a table: one for each run, or one for all fixed setups of a case that are as expected and had
//! the same outcomes.

use sigproof_report::{Run, Variant, Verdict};

use crate::units;

/// Which lines a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// One for each run.
    Each,
    /// One for several fixed setups.
    Folded,
}

pub struct Line {
    /// The run, or the sum of several.
    pub run: Run,
    /// How many runs.
    setups: usize,
}

impl Line {
    /// The text of a column that names the setup, if the line stands for several.
    pub fn named(&self, column: &str) -> Option<String> {
        let setups = (self.setups > 1).then(|| units::of(self.setups, "setup"))?;
        match column {
            "variant" => Some(self.run.setup.variant.to_string()),
            "note" => Some(setups),
            "mode" => Some("-".to_owned()),
            "setup" => Some(format!("{}: {setups}", self.run.setup.variant)),
            _ => None,
        }
    }

    /// Whether a run belongs to this line.
    fn takes(&self, run: &Run) -> bool {
        let is_foldable = |run: &Run| run.setup.variant == Variant::Fixed && run.verdict == Verdict::AsExpected;
        is_foldable(run)
            && is_foldable(&self.run)
            && self.run.setup.case == run.setup.case
            && self.run.expected == run.expected
            && self.run.observed.keys().eq(run.observed.keys())
    }

    fn add(&mut self, run: &Run) {
        self.setups += 1;
        for (outcome, count) in &run.observed {
            *self.run.observed.entry(*outcome).or_default() += count;
        }
        self.run.attempts += run.attempts;
        self.run.signals += run.signals;
        self.run.signals_in_window += run.signals_in_window;
        let first = [self.run.first_seconds, run.first_seconds].into_iter().flatten().reduce(f64::min);
        self.run.first_seconds = first;
    }
}

/// The lines for these runs.
pub fn lines(runs: &[Run], rows: Rows) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for run in runs {
        match lines.iter_mut().find(|line| rows == Rows::Folded && line.takes(run)) {
            Some(line) => line.add(run),
            None => lines.push(Line { run: run.clone(), setups: 1 }),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::example;
    use sigproof_report::{Expected, Outcome};

    /// Two fixed setups that are alike, and one that differs in each respect.
    fn runs() -> Vec<Run> {
        let fixed = |note: &str| {
            let mut run = example().runs.swap_remove(1);
            (run.verdict, run.observed) = (Verdict::AsExpected, [(Outcome::Delivered, 10)].into());
            (run.signals_in_window, run.first_seconds) = (5, Some(0.5));
            run.setup.note = Some(note.to_owned());
            run
        };
        let mut others = [fixed("a"), fixed("b"), fixed("c"), fixed("d"), fixed("e")];
        others[0].setup.case = "another".to_owned();
        others[1].setup.variant = Variant::Broken;
        others[2].verdict = Verdict::Inconclusive;
        others[3].observed = [(Outcome::Refused, 10)].into();
        others[4].expected = Expected::broken(Outcome::SelfDeadlock);
        let mut second = fixed("pipe");
        second.first_seconds = Some(0.25);
        [vec![fixed("futex")], others.into(), vec![second]].concat()
    }

    #[test]
    fn only_fixed_setups_that_are_alike_share_a_line() {
        let runs = runs();
        assert_eq!(lines(&runs, Rows::Each).len(), runs.len());
        let lines = lines(&runs, Rows::Folded);
        assert_eq!(lines.iter().map(|line| line.setups).collect::<Vec<_>>(), [2, 1, 1, 1, 1, 1]);
        let (both, alone) = (&lines[0], &lines[1]);
        assert_eq!(both.run.observed, [(Outcome::Delivered, 20)].into());
        assert_eq!((both.run.signals_in_window, both.run.first_seconds), (10, Some(0.25)));
        let named = ["variant", "note", "mode", "setup", "case"].map(|column| both.named(column));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(named, [text("fixed"), text("2 setups"), text("-"), text("fixed: 2 setups"), None]);
        assert_eq!(alone.named("setup"), None);
    }
}
