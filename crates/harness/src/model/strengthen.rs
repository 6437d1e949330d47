//! The smallest change of orderings that forbids a failure, found by trying.
//!
//! | tried | when |
//! |---|---|
//! | one access with a stronger ordering, each in turn | always |
//! | a fence before one access | no stronger ordering of one access is enough |
//! | all accesses of the path together | no single change is enough |
//!
//! A stronger ordering is first tried on the one execution, which takes little time. If it forbids that, the
//! whole model is searched for another execution that fails in the same way.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sigproof_report::Outcome;
use sigproof_shim::model::graph::{Gap, Memory, Path};
use sigproof_shim::model::{
    self as engine, AccessKind, End, Environment, Failure, Instead, Limits, Role, Seen, Site, Step,
};
use sigproof_shim::native::atomic::Ordering;
use sigproof_shim::native::os::clock;

use super::counterexample::Execution;
use super::token::Perturbed;
use super::trace::place;
use super::{orderings, verdict};

/// The longest that one change is tried on the whole model.
const EACH: Duration = Duration::from_secs(2);

/// The longest that all changes are tried.
const ALL: Duration = Duration::from_secs(12);

/// An access of the execution: its step, and its place in the source.
#[derive(Clone, Copy, Debug)]
struct Accessed<'a> {
    step: &'a Step,
    site: Site,
    kind: AccessKind,
    ordering: Ordering,
}

/// A change, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    /// In words: `profbuf/src/shared.rs:214 store Relaxed as Release`.
    changes: Vec<String>,
    /// Executions in which the failure did not occur.
    executions: u64,
    /// Whether these were all.
    exhausted: bool,
}

/// What the trials came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Strengthened {
    /// Single changes that forbid the failure.
    single: Vec<Tried>,
    /// Changes that forbid it together.
    together: Option<Tried>,
    /// How many accesses there were to try.
    accesses: usize,
    /// Whether the time ran out.
    cut: bool,
}

/// Tries. `None`: the failure is no matter of orderings.
pub(super) fn strengthen(execution: Execution<'_>, failure: &Failure) -> Option<Strengthened> {
    let Perturbed::By(environment) = execution.token.perturbed else { return None };
    let graph = failure.graph.as_deref()?;
    let path = match &graph.memory {
        Memory::Weak(weak) => &weak.first()?.path,
        Memory::Race(race) => race.path.as_ref()?,
        Memory::Sequential | Memory::Unknown => return None,
    };
    let (outcome, _) = verdict::judge(failure);
    let accesses = accesses(failure);
    let trial = Trial { execution, environment, outcome, until: clock::now() + ALL };
    let mut found = Strengthened { accesses: accesses.len(), ..Strengthened::default() };
    for accessed in &accesses {
        for &to in stronger(accessed.kind, accessed.site.role, accessed.ordering) {
            let limits = trial.limits([Instead { site: accessed.site, to }]);
            if trial.forbids(&limits)
                && let Some(tried) = trial.search(limits, vec![accessed.with(to)])
            {
                found.single.push(tried);
                break;
            }
        }
    }
    if found.single.is_empty() {
        for accessed in &accesses {
            let limits = Limits { fence: Some(accessed.site), ..trial.limits([]) };
            let change = format!("a SeqCst fence before {}", accessed.title());
            found.single.extend(trial.search(limits, vec![change]));
        }
    }
    if found.single.is_empty() {
        let changes = together(failure, path, &accesses);
        let limits = trial.limits(changes.iter().map(|(accessed, to)| Instead { site: accessed.site, to: *to }));
        if trial.forbids(&limits) {
            let words = changes.iter().map(|(accessed, to)| accessed.with(*to)).collect();
            found.together = trial.search(limits, words);
        }
    }
    found.cut = trial.is_late();
    Some(found)
}

impl Accessed<'_> {
    fn title(&self) -> String {
        let word = self.step.what.split(' ').next().unwrap_or_default();
        let failing = if self.site.role == Role::Failure { " (failure)" } else { "" };
        format!("{} {word}{failing}", place(self.step))
    }

    fn with(&self, to: Ordering) -> String {
        format!("{} {} as {}", self.title(), orderings::word(self.ordering), orderings::word(to))
    }
}

/// The atomic accesses of the execution, each place of the source once.
fn accesses(failure: &Failure) -> Vec<Accessed<'_>> {
    let mut known = BTreeSet::new();
    let all = failure.steps.iter().filter_map(|step| {
        let access = step.access?;
        let site = Site { file: step.file, line: step.line, column: step.column, role: access.role };
        Some(Accessed { step, site, kind: access.kind, ordering: access.ordering })
    });
    all.filter(|accessed| known.insert(accessed.site)).collect()
}

/// The orderings that are stronger, the weakest first.
fn stronger(kind: AccessKind, role: Role, from: Ordering) -> &'static [Ordering] {
    use Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
    match (kind, role, from) {
        (AccessKind::Load, _, Relaxed) | (_, Role::Failure, Relaxed) => &[Acquire, SeqCst],
        (AccessKind::Store, _, Relaxed) => &[Release, SeqCst],
        (AccessKind::Update, _, Relaxed) => &[Acquire, Release, AcqRel, SeqCst],
        (AccessKind::Update | AccessKind::Fence, Role::Success, Acquire | Release) => &[AcqRel, SeqCst],
        (_, _, SeqCst) => &[],
        _ => &[SeqCst],
    }
}

/// What this access must be to have this as well.
fn joined(from: Ordering, acquires: bool) -> Ordering {
    match (from, acquires) {
        (Ordering::Relaxed, true) => Ordering::Acquire,
        (Ordering::Relaxed, false) => Ordering::Release,
        (Ordering::Acquire, false) | (Ordering::Release, true) => Ordering::AcqRel,
        _ => from,
    }
}

/// What the steps of the path lack, all of it.
fn together<'a>(failure: &Failure, path: &Path, accesses: &[Accessed<'a>]) -> Vec<(Accessed<'a>, Ordering)> {
    let Some(graph) = failure.graph.as_deref() else { return Vec::new() };
    let of = |event: usize| {
        let step = failure.steps.get(graph.events[event].step?)?;
        let role = step.access?.role;
        accesses
            .iter()
            .find(|a| {
                (a.site.file, a.site.line, a.site.column, a.site.role) == (step.file, step.line, step.column, role)
            })
            .copied()
    };
    let mut changes: Vec<(Accessed<'a>, Ordering)> = Vec::new();
    let mut add = |accessed: Option<Accessed<'a>>, to: &dyn Fn(Ordering) -> Ordering| {
        let Some(accessed) = accessed else { return };
        match changes.iter_mut().find(|(other, _)| other.site == accessed.site) {
            Some((_, ordering)) => *ordering = to(*ordering),
            None => changes.push((accessed, to(accessed.ordering))),
        }
    };
    let is_coherence = |gap: &Gap| !gap.release && !gap.acquire;
    for gap in &path.gaps {
        if gap.release {
            add(of(gap.edge.from), &|from| joined(from, false));
        }
        if gap.acquire {
            add(of(gap.edge.to), &|from| joined(from, true));
        }
    }
    if path.gaps.iter().any(is_coherence) {
        // Only one order of all accesses of the cycle forbids it.
        let ends = path.edges.iter().flat_map(|edge| [edge.from, edge.to]);
        for event in ends {
            if !graph.events[event].is_kernel {
                add(of(event), &|_| Ordering::SeqCst);
            }
        }
    }
    changes
}

struct Trial<'a> {
    execution: Execution<'a>,
    environment: Environment,
    outcome: Outcome,
    until: Duration,
}

impl Trial<'_> {
    fn is_late(&self) -> bool {
        clock::now() >= self.until
    }

    /// The orderings of the execution, but for these.
    fn limits(&self, changes: impl IntoIterator<Item = Instead>) -> Limits {
        let mut instead: Vec<Instead> = changes.into_iter().collect();
        // The first of a site counts.
        instead.extend_from_slice(self.execution.instead);
        Limits { instead, ..Limits::default() }
    }

    /// Whether the execution cannot be, with these orderings.
    fn forbids(&self, limits: &Limits) -> bool {
        let Execution { entry, token, .. } = self.execution;
        let again = engine::repeat(self.environment, limits, &token.choices, &entry.model.body);
        !matches!(&again.end, End::Failed(failure) if verdict::judge(failure).0 == self.outcome)
    }

    /// Searches the model for the same failure. `None`: it was found.
    fn search(&self, limits: Limits, changes: Vec<String>) -> Option<Tried> {
        let until = self.until.min(clock::now() + EACH);
        if self.is_late() {
            return None;
        }
        let limits = Limits { until: Some(until), ..limits };
        let mut is_found = false;
        let explored = engine::search(self.environment, &limits, &self.execution.entry.model.body, 1, &mut |seen| {
            if let Seen::Failed(failure, _) = seen {
                is_found |= verdict::judge(&failure).0 == self.outcome;
            }
            !is_found
        });
        let exhausted = matches!(explored.end, End::Exhausted);
        (!is_found).then_some(Tried { changes, executions: explored.executions, exhausted })
    }
}

impl Tried {
    fn line(&self) -> String {
        let how = if self.exhausted { "all of the model" } else { "as many as the time allowed" };
        format!("{}: no such failure in {} executions, {how}", self.changes.join(", and "), self.executions)
    }

    fn details(&self) -> Value {
        json!({"changes": self.changes, "executions": self.executions, "exhausted": self.exhausted})
    }
}

impl Strengthened {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        let tried = format!("{} accesses of this execution were tried one at a time", self.accesses);
        if !self.single.is_empty() {
            lines.push(format!("one stronger ordering is enough ({tried}):"));
            lines.extend(self.single.iter().map(|tried| format!("  {}", tried.line())));
        } else if let Some(together) = &self.together {
            lines.push(format!("no single stronger ordering or fence is enough ({tried}); together:"));
            lines.push(format!("  {}", together.line()));
        } else {
            lines.push(format!(
                "no stronger ordering that was tried is enough ({tried}, and those of the path together)"
            ));
        }
        if self.cut {
            lines.push("  the time for trials was over before all were made".to_owned());
        }
        lines.join("\n")
    }

    /// For programs.
    pub(super) fn details(&self) -> Value {
        json!({
            "accesses": self.accesses,
            "single": self.single.iter().map(Tried::details).collect::<Vec<_>>(),
            "together": self.together.as_ref().map(Tried::details),
            "cut": self.cut,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stronger_ordering_is_one_that_the_access_may_have() {
        let all = [Ordering::Relaxed, Ordering::Acquire, Ordering::Release, Ordering::AcqRel, Ordering::SeqCst];
        for from in all {
            let load = stronger(AccessKind::Load, Role::Success, from);
            assert!(load.iter().all(|to| matches!(to, Ordering::Acquire | Ordering::SeqCst)), "{from:?}: {load:?}");
            let store = stronger(AccessKind::Store, Role::Success, from);
            assert!(store.iter().all(|to| matches!(to, Ordering::Release | Ordering::SeqCst)), "{from:?}: {store:?}");
            let failing = stronger(AccessKind::Update, Role::Failure, from);
            assert!(failing.iter().all(|to| matches!(to, Ordering::Acquire | Ordering::SeqCst)), "{failing:?}");
            assert_eq!(stronger(AccessKind::Update, Role::Success, from).last().is_none(), from == Ordering::SeqCst);
        }
        assert_eq!(joined(joined(Ordering::Relaxed, true), false), Ordering::AcqRel);
    }
}
