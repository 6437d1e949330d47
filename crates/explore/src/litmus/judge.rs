//! What came out of a litmus test, and whether that is what its file says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use super::machine::Values;
use super::{Litmus, Name, Quantifier, run};
use crate::Explorer;
use crate::end::End;
use crate::graph::Graph;

/// How an execution of a test ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// With these values of the names.
    Values(Vec<Option<i64>>),
    /// Threads wait for ever.
    Deadlock,
    /// Threads spin for ever.
    Livelock,
    /// Plain accesses race: C gives the test no meaning.
    Race,
    /// A limit ended the execution.
    Limit,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => {
                let text: Vec<_> = values.iter().map(|v| v.map_or("-".to_owned(), |v| v.to_string())).collect();
                f.write_str(&text.join(" "))
            }
            Self::Deadlock => f.write_str("deadlock"),
            Self::Livelock => f.write_str("livelock"),
            Self::Race => f.write_str("race"),
            Self::Limit => f.write_str("limit"),
        }
    }
}

/// The ends of the executions of a test, as an engine found them.
#[derive(Debug)]
pub struct Ends {
    /// Each end, with the number of executions and the graph of one.
    pub ends: BTreeMap<End<Values>, (u64, Option<Graph>)>,
    /// Whether everything was run.
    pub is_complete: bool,
    /// How many distinct graphs the executions had, if the engine has graphs.
    pub distinct: Option<u64>,
    /// How many runs came to no end.
    pub discarded: u64,
}

/// What a test gave.
#[derive(Debug)]
pub struct Judged {
    /// The names whose values the outcomes have.
    pub names: Vec<Name>,
    /// The outcomes, with the number of executions and the graph of one, if the engine has graphs.
    pub outcomes: BTreeMap<Line, (u64, Option<Graph>)>,
    /// How many executions there were.
    pub explored: u64,
    /// How many distinct graphs they had, if the engine has graphs.
    pub distinct: Option<u64>,
    /// How many runs came to no end.
    pub discarded: u64,
    /// Whether everything was run.
    pub is_complete: bool,
    /// Whether the condition of the file holds; `None` without a condition, or with a race.
    pub holds: Option<bool>,
    /// The same, as if plain accesses that race had the values that they read and wrote here: what herd tells
    /// beside its mark of an undefined test.
    pub holds_with_races: Option<bool>,
    /// An outcome that answers the question: one that `exists` asks for, or that contradicts the others.
    pub witness: Option<Line>,
    /// Outcomes that the file names, and that did not occur.
    pub missing: Vec<Line>,
    /// Outcomes that occurred, and that the file does not name.
    pub extra: Vec<Line>,
    /// The number of executions that the file names, if it is another one.
    pub wrong_count: Option<u64>,
    /// Whether the file names outcomes.
    pub has_expectation: bool,
}

impl Judged {
    /// Whether all that the file says is so.
    pub fn is_as_said(&self) -> bool {
        let conditions = if self.has_expectation { Some(true) } else { self.holds };
        self.is_complete
            && conditions != Some(false)
            && self.missing.is_empty()
            && self.extra.is_empty()
            && self.wrong_count.is_none()
    }

    /// The same for a verdict: `None` if not everything was run. A test that C gives no meaning is not as it
    /// says, unless it says so.
    pub fn verdict_of_file(&self) -> Option<bool> {
        let races = self.outcomes.contains_key(&Line::Race) && !self.has_expectation;
        self.is_complete.then(|| self.is_as_said() && !races)
    }
}

impl Litmus {
    /// The names of its outcomes.
    fn names(&self) -> Vec<Name> {
        let mut names = self.expect.as_ref().map(|expect| expect.names.clone()).unwrap_or_default();
        if names.is_empty() {
            if let Some(condition) = &self.condition {
                condition.formula.names(&mut names);
            }
            for name in &self.shown {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        names
    }

    fn value(&self, values: &Values, name: &Name) -> Option<i64> {
        match name {
            Name::Location(name) => {
                let index = self.locations.iter().position(|location| location.name == *name)?;
                values.last.get(index).copied()
            }
            Name::Register(thread, register) => {
                let bodies = self.threads.iter().chain(self.handlers.iter().map(|(_, body)| body));
                let (number, body) = bodies.enumerate().find(|(_, body)| body.name == *thread)?;
                let index = body.registers.iter().position(|known| known == register)?;
                values.registers[number][index]
            }
        }
    }

    /// Runs all executions.
    pub fn run(&self, explorer: &Explorer) -> Judged {
        let test = Rc::new(self.clone());
        let mut explorer = explorer.clone().distinct().weak_failures(u32::MAX);
        explorer.rules.races_end = false;
        explorer.rules.reorders |= self.reorders;
        let report = explorer.run_with_last(move || run::start(&test));
        let is_complete = report.is_complete() && !report.ends.keys().any(|end| matches!(end, End::Panic(_)));
        let ends = report.ends.into_iter().map(|(end, found)| (end, (found.count, Some(found.graph))));
        let ends = Ends { ends: ends.collect(), is_complete, distinct: report.distinct, discarded: report.discarded };
        self.judge(ends)
    }

    /// Judges what an engine found.
    pub fn judge(&self, ends: Ends) -> Judged {
        let Ends { ends, is_complete, distinct, discarded } = ends;
        let names = self.names();
        let explored = ends.values().map(|(count, _)| count).sum();
        let mut outcomes: BTreeMap<Line, (u64, Option<Graph>)> = BTreeMap::new();
        let (mut some, mut all, mut witness) = (false, true, None);
        for (end, (count, graph)) in ends {
            let line = match &end {
                End::Done(values) => {
                    let value = |name: &Name| self.value(values, name);
                    // As in herd, a register that no branch has set is 0. One of a handler that did not run
                    // is nothing.
                    let asked = |name: &Name| {
                        let is_of_handler = matches!(name, Name::Register(thread, _) if thread.starts_with('H'));
                        value(name).or((!is_of_handler).then_some(0))
                    };
                    if self.filter.as_ref().is_some_and(|filter| !filter.holds(&asked)) {
                        continue;
                    }
                    let line = match values.races {
                        true => Line::Race,
                        false => Line::Values(names.iter().map(value).collect()),
                    };
                    if let Some(condition) = &self.condition {
                        let holds = condition.formula.holds(&asked);
                        some |= holds;
                        all &= holds;
                        if holds != (condition.quantifier == Quantifier::Forall) {
                            witness.get_or_insert_with(|| line.clone());
                        }
                    }
                    line
                }
                End::Deadlock => Line::Deadlock,
                End::Livelock => Line::Livelock,
                End::Race(_) => Line::Race,
                End::Panic(_) | End::Limit(_) | End::Unrepeatable(_) => Line::Limit,
            };
            outcomes.entry(line).or_insert((0, graph)).0 += count;
        }
        let holds_with_races = self.condition.as_ref().map(|condition| match condition.quantifier {
            Quantifier::Exists => some,
            Quantifier::NotExists => !some,
            Quantifier::Forall => all,
        });
        let holds = holds_with_races.filter(|_| !outcomes.contains_key(&Line::Race));
        let occurred: BTreeSet<_> = outcomes.keys().cloned().collect();
        let wanted = self.expect.as_ref().map(|expect| &expect.lines);
        let missing = wanted.map_or(Vec::new(), |wanted| wanted.difference(&occurred).cloned().collect());
        let extra = wanted.map_or(Vec::new(), |wanted| occurred.difference(wanted).cloned().collect());
        // An engine without graphs runs some executions more than once.
        let wrong_count = self.executions.filter(|&executions| distinct.is_some() && executions != explored);
        let has_expectation = self.expect.is_some();
        Judged {
            names,
            outcomes,
            explored,
            distinct,
            discarded,
            is_complete,
            holds,
            holds_with_races,
            witness,
            missing,
            extra,
            wrong_count,
            has_expectation,
        }
    }
}
