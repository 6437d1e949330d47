//! An unfinished search of a model, from which another process of the same build goes on.

use serde::{Deserialize, Serialize};
use sigproof_report::Outcome;
use sigproof_shim::model::Choices;

use super::Entry;
use super::driver::{Failing, Found};
use super::token::{parse_perturbed, perturbed_text};

/// What is known so far, and the graphs that wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Which model: [`Entry::label`].
    pub label: String,
    /// The most perturbations of an execution in this search.
    pub most: u32,
    /// Executions so far.
    pub executions: u64,
    /// Runs that were no executions.
    pub discarded: u64,
    /// Signals delivered.
    pub signals: u64,
    /// Executions that ended well.
    pub well: u64,
    /// Searches so far, this one included.
    pub searches: usize,
    /// The bound of weak compare-and-exchanges that fail, where it left executions out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weak_failures: Option<u32>,
    /// The first failure of each kind, with the number of its kind.
    pub failing: Vec<Failed>,
    /// The graphs from which the search goes on, each as a text of the engine.
    pub graphs: Vec<String>,
}

/// A failure that was found before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// How the executions ended.
    pub outcome: Outcome,
    /// How many of them.
    pub count: u64,
    /// What the environment might do, as in a token.
    pub perturbed: String,
    /// The choices of the first one.
    pub choices: Option<String>,
    /// The failure in words.
    pub sentence: String,
    /// Since the exploration began.
    pub seconds: f64,
}

impl State {
    pub(super) fn of(entry: &Entry, most: u32, found: &Found, graphs: Vec<String>) -> Self {
        let failed = |(outcome, (count, first)): (&Outcome, &(u64, Failing))| Failed {
            outcome: *outcome,
            count: *count,
            perturbed: perturbed_text(&first.perturbed),
            choices: first.choices.as_ref().map(|choices| choices.0.clone()),
            sentence: first.sentence.clone(),
            seconds: first.seconds,
        };
        Self {
            label: entry.label(),
            most,
            executions: found.executions,
            discarded: found.discarded,
            signals: found.signals,
            well: found.well,
            searches: found.plans,
            weak_failures: found.weak_failures,
            failing: found.failing.iter().map(failed).collect(),
            graphs,
        }
    }

    /// What was found goes on to count.
    pub(super) fn put_into(&self, found: &mut Found) {
        found.executions = self.executions;
        found.discarded = self.discarded;
        found.signals = self.signals;
        found.well = self.well;
        found.plans = self.searches;
        found.weak_failures = self.weak_failures;
        for failed in &self.failing {
            let Some(perturbed) = parse_perturbed(&failed.perturbed) else { continue };
            let failing = Failing {
                perturbed,
                choices: failed.choices.clone().map(Choices),
                sentence: failed.sentence.clone(),
                seconds: failed.seconds,
            };
            found.failing.insert(failed.outcome, (failed.count, failing));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::model::token::Perturbed;
    use crate::setup::Setup;
    use sigproof_shim::model::Environment;

    #[test]
    fn what_was_found_before_counts() {
        let environment = Environment { most: 2, timeouts: true, spurious: false };
        let failing = |count| {
            let choices = Some(Choices("T.oi".to_owned()));
            let perturbed = Perturbed::By(environment);
            (count, Failing { perturbed, choices, sentence: "late".to_owned(), seconds: 0.5 })
        };
        let before = Found {
            executions: 9,
            discarded: 4,
            signals: 3,
            well: 7,
            plans: 2,
            failing: [(Outcome::Late, failing(2))].into(),
            ..Found::default()
        };
        let entry = Entry { name: "a-model", hidden: false, setup: Setup::fixed(), model: Model::new(|| {}) };
        let state = State::of(&entry, 2, &before, vec!["T.!0!0".to_owned()]);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
        let mut found = Found::default();
        state.put_into(&mut found);
        assert_eq!(State::of(&entry, 2, &found, state.graphs.clone()), state);
    }
}
