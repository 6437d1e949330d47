//! A judged test as text.

use std::fmt;

use super::explained::explained;
use super::{Judged, Litmus, Location};
use crate::graph::{Event, Graph, Id, Kind, THREADS, bits};

impl Judged {
    /// The word for what came out.
    pub fn verdict(&self) -> &'static str {
        if !self.is_complete {
            "not exhausted"
        } else if !self.missing.is_empty() || !self.extra.is_empty() || self.wrong_count.is_some() {
            "not as the file says"
        } else if self.has_expectation {
            "as the file says"
        } else {
            match self.holds {
                Some(true) => "the condition holds",
                Some(false) => "the condition does not hold",
                None if self.outcomes.contains_key(&super::Line::Race) => "undefined: plain accesses race",
                None => "nothing is asked",
            }
        }
    }

    /// The outcomes, the verdict, and executions with what makes their memory order weak.
    pub fn show(&self, test: &Litmus, executions: Executions) -> String {
        Shown { judged: self, test, executions }.to_string()
    }
}

/// The outcomes of which an execution is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executions {
    /// Each.
    All,
    /// The one that answers the question of the file: a witness.
    Witness,
    /// None.
    None,
}

struct Shown<'a> {
    judged: &'a Judged,
    test: &'a Litmus,
    executions: Executions,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { judged, test, executions } = self;
        writeln!(f, "{}: {}", test.name, judged.verdict())?;
        let names: Vec<_> = judged.names.iter().map(ToString::to_string).collect();
        writeln!(f, "  count  {}", names.join(" "))?;
        for (line, (count, graph)) in &judged.outcomes {
            let mark = if judged.extra.contains(line) { "  unexpected" } else { "" };
            writeln!(f, "  {count:5}  {line}{mark}")?;
            let is_shown = match executions {
                Executions::All => true,
                Executions::Witness => judged.witness.as_ref() == Some(line),
                Executions::None => false,
            };
            if let Some(graph) = graph.as_ref().filter(|_| is_shown) {
                write!(f, "{}", columns(test, graph))?;
                for line in explained(graph, |id| location_of(test, graph, id)).lines() {
                    writeln!(f, "           {line}")?;
                }
            }
        }
        for line in &judged.missing {
            writeln!(f, "      -  {line}  missing")?;
        }
        if let (Some(condition), Some(holds)) = (&test.condition, judged.holds_with_races) {
            writeln!(f, "  {condition}: {}", if holds { "yes" } else { "no" })?;
        }
        if let Some(wrong) = judged.wrong_count {
            writeln!(f, "  {} executions; the file says {wrong}", judged.explored)?;
        }
        match judged.distinct {
            Some(distinct) => {
                let Judged { explored, discarded, .. } = judged;
                writeln!(f, "  {explored} executions, {distinct} distinct; {discarded} runs discarded")
            }
            None => writeln!(f, "  {} executions", judged.explored),
        }
    }
}

/// The events of each thread, a line each: `#2 read x.acq = 1 (from P0#3)`.
fn columns(test: &Litmus, graph: &Graph) -> String {
    let names = location_names(test);
    let mut text = String::new();
    for (slot, thread) in graph.threads.iter().enumerate() {
        let events = thread.events.iter().enumerate();
        let events = events.filter_map(|(index, event)| Some(format!("#{index} {}", describe(&names, graph, event)?)));
        let events: Vec<_> = events.collect();
        if !events.is_empty() {
            text.push_str(&format!("           P{slot}: {}\n", events.join("; ")));
        }
    }
    text
}

/// The names of the locations that the first thread makes, in the order in which it makes them
/// ([`super::run`]).
fn location_names(test: &Litmus) -> Vec<String> {
    let mut names = Vec::new();
    for Location { name, kind, .. } in &test.locations {
        names.push(name.clone());
        if *kind == super::Kind::Futex {
            names.push(format!("queue({name})"));
            names.extend((0..THREADS).map(|slot| format!("wake-ups({name}, P{slot})")));
        }
    }
    // The tokens of the threads that are started, and that of the first one.
    names.extend((1..test.threads.len()).chain([0]).map(|number| format!("token(P{number})")));
    names
}

/// The name of the location that an event accesses.
fn location_of(test: &Litmus, graph: &Graph, id: Id) -> String {
    name_of(&location_names(test), graph, graph.event(id))
}

fn name_of(names: &[String], graph: &Graph, event: &Event) -> String {
    let (slot, number) = graph.locations[event.loc as usize].name;
    let known = names.get(usize::from(number)).filter(|_| slot == 0);
    known.cloned().unwrap_or_else(|| format!("location {number} of P{slot}"))
}

fn describe(names: &[String], graph: &Graph, event: &Event) -> Option<String> {
    let order = match event.ord {
        0 => "",
        bits::ACQ => ".acq",
        bits::REL => ".rel",
        ord if ord & bits::SC != 0 => ".sc",
        _ => ".ar",
    };
    let location = || format!("{}{order}", name_of(names, graph, event));
    match event.kind {
        Kind::Load => {
            let from = if event.src == Id::INIT {
                "the initial value".to_owned()
            } else {
                format!("P{}#{}", event.src.thread, event.src.index)
            };
            let order = &graph.locations[event.loc as usize].order;
            let is_newest = order.last().copied().unwrap_or(Id::INIT) == event.src;
            let older = if is_newest || event.opens { "" } else { ", not the last" };
            let waits = if event.blocked { ", waits" } else { "" };
            Some(format!("read {} = {} (from {from}{older}{waits})", location(), event.val as i64))
        }
        Kind::Store => Some(format!("write {} = {}", location(), event.val as i64)),
        Kind::Fence => Some(format!("fence{order}")),
        Kind::Choice if event.val != 0 => Some(format!("choice {}", event.val)),
        _ => None,
    }
}
