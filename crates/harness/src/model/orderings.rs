//! Memory orderings: which of them models use, and whether some model fails without one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigproof_inspect::process::lines::Dialect;
use sigproof_shim::model::{self as engine, End, Engine, Instead, Limits, Plan, Role, Seen, Site};
use sigproof_shim::native::atomic::Ordering;
use sigproof_shim::native::os::clock;

use super::token::{Perturbed, Token};
use super::{Entry, counterexample, graphs, plans, verdict};
use sigproof_report::{Finding, Grade, Outcome};

/// The orderings of an operation, as words.
const WORDS: &[(Ordering, &str)] = &[
    (Ordering::Relaxed, "Relaxed"),
    (Ordering::Acquire, "Acquire"),
    (Ordering::Release, "Release"),
    (Ordering::AcqRel, "AcqRel"),
    (Ordering::SeqCst, "SeqCst"),
];

/// An ordering in the source, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Used {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line of the method's name.
    pub line: u32,
    pub column: u32,
    /// Whether it is the ordering of a compare-and-swap that fails.
    pub failure: bool,
    pub ordering: String,
}

/// What the program says that reads orderings: it gets the folder of a workspace, and tells the places, or
/// why there are none.
#[derive(Debug)]
pub enum Reading {}

impl Dialect for Reading {
    const NAME: &'static str = "orderings";
    const VERSION: u32 = 1;
    type Order = PathBuf;
    type Event = Result<Vec<Place>, String>;
}

/// An ordering in the source, with the code around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, from the workspace's folder.
    pub file: String,
    /// The line of the method's name.
    pub line: u32,
    /// Its column, counted from 1.
    pub column: u32,
    /// The function that it is in.
    pub function: String,
    pub method: String,
    /// Whether it is the ordering of a compare-and-swap that fails.
    pub failure: bool,
    pub ordering: String,
}

impl Place {
    /// For people: `osnote/src/doorbell.rs:98 sleep_until: fetch_or`.
    pub fn title(&self) -> String {
        let file = self.file.strip_prefix("crates/").unwrap_or(&self.file);
        let failure = if self.failure { " (failure)" } else { "" };
        format!("{file}:{} {}: {}{failure}", self.line, self.function, self.method)
    }
}

/// The result of a weakening.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Caught {
    /// The model that failed.
    pub label: String,
    pub outcome: Outcome,
    /// The executions that it took, of all models tried.
    pub executions: u64,
    /// The counterexample, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Box<Finding>>,
}

/// The word for an ordering.
pub(super) fn word(ordering: Ordering) -> &'static str {
    WORDS.iter().find(|(o, _)| *o == ordering).map_or("?", |(_, word)| word)
}

/// The orderings that are weaker than this one, the strongest first.
pub fn weaker(ordering: &str, failure: bool) -> &'static [&'static str] {
    match (ordering, failure) {
        ("SeqCst", false) => &["AcqRel", "Acquire", "Release", "Relaxed"],
        ("SeqCst", true) => &["Acquire", "Relaxed"],
        ("AcqRel", _) => &["Acquire", "Release", "Relaxed"],
        ("Acquire" | "Release", _) => &["Relaxed"],
        _ => &[],
    }
}

/// The orderings that a model uses, without perturbations and with one; and the executions that it took.
pub fn survey(entry: &Entry) -> (Vec<Used>, u64) {
    if Engine::own() == Some(Engine::Graph) {
        return survey_graphs(entry);
    }
    let mut found: BTreeMap<Site, Ordering> = BTreeMap::new();
    let limits = Limits { preemptions: Some(1), survey: true, ..Limits::default() };
    let mut next = BTreeSet::new();
    let (explored, _) = engine::explore(&Plan::default(), &limits, &entry.model.body);
    plans::successors(&entry.model, &Plan::default(), explored.chances, &mut next);
    found.extend(explored.sites);
    let mut executions = explored.executions;
    for plan in next {
        let limits = Limits { preemptions: Some(0), ..limits.clone() };
        let (explored, _) = engine::explore(&plan, &limits, &entry.model.body);
        found.extend(explored.sites);
        executions += explored.executions;
    }
    (found.into_iter().map(used).collect(), executions)
}

fn used((site, ordering): (Site, Ordering)) -> Used {
    Used {
        file: site.file.to_owned(),
        line: site.line,
        column: site.column,
        failure: site.role == Role::Failure,
        ordering: word(ordering).to_owned(),
    }
}

/// So many executions show which orderings a model uses: the search goes to the ends of its threads first.
const SURVEYED: u64 = 5_000;

fn survey_graphs(entry: &Entry) -> (Vec<Used>, u64) {
    let limits = Limits { survey: true, ..Limits::default() };
    let environment = graphs::environment(entry, entry.model.depth.deliveries.min(1));
    let explored = engine::search(environment, &limits, &entry.model.body, 1, &mut |seen| match seen {
        Seen::Progress { executions, .. } => executions < SURVEYED,
        Seen::Failed(..) => true,
    });
    let found: BTreeMap<Site, Ordering> = explored.sites.into_iter().collect();
    (found.into_iter().map(used).collect(), explored.executions)
}

/// So many executions of each model a quick weakening runs.
const QUICK: u64 = 20_000;

/// So many a brief one runs.
const BRIEF: u64 = 1_000;

/// As [`weaken`], over execution graphs: each model without perturbations, then with one, until one fails.
/// Where the time is limited, each model has an equal share of what is left.
fn weaken_graphs(entries: &[Entry], instead: Instead, effort: Effort, explain: bool) -> Option<Caught> {
    let (most, end) = match effort {
        Effort::Brief => (BRIEF, None),
        Effort::Quick => (QUICK, None),
        Effort::Full(seconds) => (u64::MAX, Some(clock::now() + Duration::from_secs(seconds.into()))),
    };
    let mut before = 0;
    for (number, entry) in entries.iter().enumerate() {
        let share = |end: Duration| {
            let now = clock::now();
            now + end.saturating_sub(now) / u32::try_from(entries.len() - number).unwrap_or(u32::MAX)
        };
        let until = end.map(share);
        for perturbations in 0..=entry.model.depth.deliveries.min(1) {
            let limits = Limits { until, instead: vec![instead], ..Limits::default() };
            let environment = graphs::environment(entry, perturbations);
            let mut caught = None;
            let explored = engine::search(environment, &limits, &entry.model.body, 1, &mut |seen| match seen {
                Seen::Progress { executions, .. } => executions < most,
                Seen::Failed(failure, choices) => {
                    let (outcome, sentence) = verdict::judge(&failure);
                    let is_noticed = entry.expected().grade(outcome) == Grade::Never;
                    if is_noticed {
                        caught = Some((outcome, sentence, choices()));
                    }
                    !is_noticed
                }
            });
            before += explored.executions;
            if let Some((outcome, sentence, choices)) = caught {
                let token = Token { label: entry.label(), perturbed: Perturbed::By(environment), choices };
                let finding = explain.then(|| {
                    let mut finding = Finding::new(outcome, sentence);
                    counterexample::explained(&mut finding, entry, token, &[instead]);
                    Box::new(finding)
                });
                return Some(Caught { label: entry.label(), outcome, executions: before, finding });
            }
        }
    }
    None
}

/// How hard a weakening is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effort {
    /// As [`Effort::Quick`], with few executions of each model: for what is known to go unnoticed.
    Brief,
    /// Without perturbations, with one preemption: orderings are between threads, and most show there.
    Quick,
    /// Without perturbations as deep as each model goes, then with them and one preemption; for so many
    /// seconds in all.
    Full(u32),
}

impl Effort {
    /// The bounds of preemptions for these models, by the number of perturbations.
    fn bounds(self, entry: &Entry) -> Vec<Option<u8>> {
        match self {
            Self::Brief | Self::Quick => vec![Some(1)],
            Self::Full(_) => {
                let own = entry.model.depth;
                let rest = own.preemptions.map_or(1, |bound| bound.min(1));
                let perturbed = (0..own.deliveries.min(1)).map(|_| Some(rest));
                [own.preemptions].into_iter().chain(perturbed).collect()
            }
        }
    }
}

/// Runs models with this ordering taken for a weaker one, until one fails. With `explain`, over execution
/// graphs, the failure has its counterexample.
pub fn weaken(entries: &[Entry], used: &Used, to: &str, effort: Effort, explain: bool) -> Option<Caught> {
    let (to, _) = WORDS.iter().find(|(_, word)| *word == to)?;
    // As long as the process lives: the checker compares it with what the compiler has put there.
    let file: &'static str = Box::leak(used.file.clone().into_boxed_str());
    let role = if used.failure { Role::Failure } else { Role::Success };
    let site = Site { file, line: used.line, column: used.column, role };
    let mut executions = 0;
    let until = match effort {
        Effort::Brief | Effort::Quick => None,
        Effort::Full(seconds) => Some(clock::now() + Duration::from_secs(seconds.into())),
    };
    if Engine::own() == Some(Engine::Graph) {
        return weaken_graphs(entries, Instead { site, to: *to }, effort, explain);
    }
    for entry in entries {
        let mut level = vec![Plan::default()];
        for preemptions in effort.bounds(entry) {
            let instead = vec![Instead { site, to: *to }];
            let limits = Limits { preemptions, until, instead, ..Limits::default() };
            let mut next = BTreeSet::new();
            for plan in &level {
                let (explored, _) = engine::explore(plan, &limits, &entry.model.body);
                executions += explored.executions;
                match &explored.end {
                    End::Failed(failure) => {
                        let (outcome, _) = verdict::judge(failure);
                        // A model of a note that refuses ends so whatever the ordering is: that notices
                        // nothing.
                        if entry.expected().grade(outcome) == Grade::Never {
                            return Some(Caught { label: entry.label(), outcome, executions, finding: None });
                        }
                    }
                    End::OutOfTime => return None,
                    _ if explored.carried_out > 0 => {
                        plans::successors(&entry.model, plan, explored.chances, &mut next);
                    }
                    _ => {}
                }
            }
            level = next.into_iter().collect();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("AcqRel", false, 3)]
    #[case("Acquire", true, 1)]
    #[case("Relaxed", false, 0)]
    fn each_weaker_ordering_is_tried(#[case] ordering: &str, #[case] failure: bool, #[case] count: usize) {
        assert_eq!(weaker(ordering, failure).len(), count);
        assert!(weaker(ordering, failure).iter().all(|w| WORDS.iter().any(|(_, word)| word == w)));
    }
}
