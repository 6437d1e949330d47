//! The graphs that a search was left with: as texts, built again, and how many executions are behind them.

use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use sigproof_explore::graph::Graph;
use sigproof_explore::survey::{Ran, Random, sample};
use sigproof_explore::{Waiting, Walk};

use super::check::{Perturb, explorer, program, run};
use crate::model::{Body, Limits};
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

/// The nodes of the first sample. Each further one has twice as many, as long as there is time.
const WIDTH: usize = 16;

/// About how many executions are behind these graphs: the mean of samples, each with the weight of its width.
/// `None` if there was no time for one.
pub(super) fn estimate(graphs: Vec<Graph>, perturb: Perturb<'_>, limits: &Limits, body: &Body) -> Option<f64> {
    let _quiet = Quiet::new();
    let program = program(&perturb.perturbed(), limits, body, false);
    let mut walk = Walk::new(&explorer(limits));
    let mut random = Random::new(graphs.len() as u64);
    let (mut sum, mut weight, mut width) = (0.0, 0.0, WIDTH);
    let mut each = |walk: &mut Walk| match run(walk, &program) {
        _ if limits.until.is_some_and(|until| clock::now() >= until) => Ran::Enough,
        Some(_) => Ran::Execution,
        None => Ran::Nothing,
    };
    while let Some(found) = sample(&mut walk, graphs.clone(), width, &mut random, &mut each) {
        sum += found * width as f64;
        weight += width as f64;
        width *= 2;
        if width > MOST {
            break;
        }
    }
    world::take_sites();
    (weight > 0.0).then(|| sum / weight)
}

/// The nodes of the last sample, however much time there is.
const MOST: usize = 2048;
