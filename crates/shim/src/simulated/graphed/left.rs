//! The graphs that a search was left with: as texts, built again, and how many executions are behind them.

use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use sigproof_explore::graph::Graph;
use sigproof_explore::survey::{self, Estimate, Ran, Random};
use sigproof_explore::{Waiting, Walk};

use super::check::{Perturb, explorer, program, run};
use crate::model::{Body, Limits, Remaining};
use crate::native::os::clock;
use crate::simulated::engine::Quiet;
use crate::simulated::world;

/// What a search takes for an estimate at its end, of so much time.
pub(super) fn time(all: Duration) -> Duration {
    (all / 8).min(Duration::from_secs(4))
}

pub(super) fn texts(graphs: &[Graph]) -> Vec<String> {
    graphs.iter().map(|graph| Waiting::of(graph).text()).collect()
}

/// The graphs of these texts; `None` if one is none of this body.
pub(super) fn restored(texts: &[String], perturb: Perturb<'_>, limits: &Limits, body: &Body) -> Option<Vec<Graph>> {
    let _quiet = Quiet::new();
    let program = program(&perturb.perturbed(), limits, body, false);
    let of_text = |text: &String| {
        let waiting = Waiting::read(text)?;
        let mut walk = waiting.walk(&explorer(limits));
        // It is a part of an execution, and comes to no end.
        run(&mut walk, &program);
        waiting.graph(&walk)
    };
    let graphs = texts.iter().map(of_text).collect();
    world::take_sites();
    graphs
}

/// About how many executions are behind these graphs. `None` if there was no time for a sample.
pub(super) fn estimate(graphs: &[Graph], perturb: Perturb<'_>, limits: &Limits, body: &Body) -> Option<Remaining> {
    let _quiet = Quiet::new();
    let program = program(&perturb.perturbed(), limits, body, false);
    let mut random = Random::new(graphs.len() as u64);
    let found = survey::estimate(&mut Walk::new(&explorer(limits)), graphs, &mut random, &mut |walk| match run(
        walk, &program,
    ) {
        _ if limits.until.is_some_and(|until| clock::now() >= until) => Ran::Enough,
        Some(_) => Ran::Execution,
        None => Ran::Nothing,
    });
    world::take_sites();
    found.map(|Estimate { about, low, high, .. }| Remaining { about, low, high })
}
