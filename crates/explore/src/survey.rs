//! How many executions lie behind graphs that wait: an estimate from samples of the search's tree.
//!
//! A run decides something at each event that has alternatives: it goes on with the canonical one, or another
//! graph is run instead. So the search is a tree. Its inner nodes are decisions, and its leaves are the runs
//! with all their decisions taken. A sample goes down the tree level by level, with a bounded number of nodes
//! at a time: stochastic enumeration, a form of Knuth's estimator that follows several paths. Where a level
//! has more nodes, some are kept at random, and each stands for those that are not. The mean over all random
//! choices is the true number, whatever the shape of the tree is.
//!
//! Nodes in which the environment has done different numbers of things are kept apart, as in Chen's
//! estimator: a node in which it has done nothing yet is one of few, with more behind it than all the others.
//!
//! A sample spreads. [`estimate`] takes many narrow ones for as long as it may: their mean is as good as
//! that of few wide ones for the same runs, and how much they differ says how far the mean may be off.
//!
//! | cost | bound |
//! |---|---|
//! | runs of a sample | its width times the decisions on the way to a leaf |
//! | graphs in memory | its width times the alternatives of a run |

use std::collections::BTreeMap;

use crate::graph::{Graph, Kind};
use crate::walk::Walk;

/// A generator of random numbers: xorshift64*.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// At least 0, and less than 1.
    fn part(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// An execution.
    Execution,
    /// No execution.
    Nothing,
    /// The sample is to end here.
    Enough,
}

/// A run, and the alternatives of the decisions that are ahead of this node, the first decision last.
struct Node {
    is_execution: bool,
    decisions: Vec<Vec<Graph>>,
    /// How many nodes it stands for.
    weight: f64,
    layer: usize,
}

/// In which layer of a level a graph is: how many things the environment has done in it.
fn layer(graph: &Graph) -> usize {
    let events = graph.threads.iter().flat_map(|thread| &thread.events);
    events.filter(|event| event.kind == Kind::Choice && event.val != 0).count()
}

/// One estimate of how many executions lie behind `from`, with at most `width` nodes at a time. `walk` is one
/// of this program that is used for nothing else; `run` runs its current graph. `None` if `run` ended it.
///
/// ```
/// use sigproof_explore::atomic::{AtomicU32, Ordering::Relaxed};
/// use sigproof_explore::survey::{Ran, Random, sample};
/// use sigproof_explore::{Explorer, Walk, Went, thread};
/// use std::rc::Rc;
///
/// let program: Rc<dyn Fn()> = Rc::new(|| {
///     let x = Rc::new(AtomicU32::new(0));
///     let other = Rc::clone(&x);
///     thread::spawn(move || (0..2).for_each(|_| other.store(1, Relaxed)));
///     (0..2).for_each(|_| x.store(2, Relaxed));
/// });
/// let explorer = Explorer::new();
/// let mut run = |walk: &mut Walk| match walk.execute(&program, |_| {}) {
///     Went::Ended(_) => Ran::Execution,
///     Went::Discarded => Ran::Nothing,
/// };
/// // Wide enough for the whole tree: four stores, two of each thread, have six orders.
/// let start = vec![Walk::new(&explorer).graph().clone()];
/// let all = sample(&mut Walk::new(&explorer), start, 1000, &mut Random::new(1), &mut run);
/// assert_eq!(all, Some(6.0));
/// ```
pub fn sample(
    walk: &mut Walk,
    from: Vec<Graph>,
    width: usize,
    random: &mut Random,
    run: &mut impl FnMut(&mut Walk) -> Ran,
) -> Option<f64> {
    let mut sum = 0.0;
    let mut level = Vec::new();
    let mut kept = Kept::of(from.iter().map(|graph| (layer(graph), 1.0)), width, random);
    for graph in from {
        let layer = layer(&graph);
        if let Some(weight) = kept.takes(layer, 1.0) {
            level.extend(node(walk, graph, (layer, weight), run)?);
        }
    }
    loop {
        level.retain(|node| {
            let is_leaf = node.decisions.is_empty();
            sum += if is_leaf && node.is_execution { node.weight } else { 0.0 };
            !is_leaf
        });
        if level.is_empty() {
            return Some(sum);
        }
        let ways = level.iter().flat_map(|node| {
            let others = node.decisions.last().into_iter().flatten().map(|graph| (layer(graph), node.weight));
            std::iter::once((node.layer, node.weight)).chain(others)
        });
        kept = Kept::of(ways, width, random);
        let mut next = Vec::new();
        for mut parent in level {
            let goes_on = kept.takes(parent.layer, parent.weight);
            for graph in parent.decisions.pop().unwrap_or_default() {
                let layer = layer(&graph);
                match kept.takes(layer, parent.weight) {
                    Some(weight) => next.extend(node(walk, graph, (layer, weight), run)?),
                    None => walk.forget(graph),
                }
            }
            match goes_on {
                Some(weight) => next.push(Node { weight, ..parent }),
                None => parent.decisions.into_iter().flatten().for_each(|graph| walk.forget(graph)),
            }
        }
        level = next;
    }
}

/// The node of a graph, which it runs; none if nothing is behind it.
fn node(
    walk: &mut Walk,
    graph: Graph,
    (layer, weight): (usize, f64),
    run: &mut impl FnMut(&mut Walk) -> Ran,
) -> Option<Option<Node>> {
    if !walk.only(graph) {
        return Some(None);
    }
    let is_execution = match run(walk) {
        Ran::Execution => true,
        Ran::Nothing => false,
        Ran::Enough => return None,
    };
    // The alternatives of one event were put there with that event as the newest.
    let mut decisions: Vec<Vec<Graph>> = Vec::new();
    for graph in walk.give(usize::MAX).into_iter().rev() {
        match decisions.last_mut() {
            Some(of_one) if of_one[0].stamp == graph.stamp => of_one.push(graph),
            _ => decisions.push(vec![graph]),
        }
    }
    Some(Some(Node { is_execution, decisions, weight, layer }))
}

/// Which of a level's nodes are kept: in each layer so many, with probabilities in the ratio of the weights.
struct Kept(BTreeMap<usize, Layer>);

#[derive(Default)]
struct Layer {
    count: usize,
    /// The sum of the weights.
    weight: f64,
    /// The weight that a node stands for if it was not certain to be kept.
    step: f64,
    /// The sum of the probabilities up to the node that was asked for last.
    seen: f64,
    /// At which sum the next node is kept.
    next: f64,
}

impl Kept {
    fn of(nodes: impl Iterator<Item = (usize, f64)>, width: usize, random: &mut Random) -> Self {
        let mut layers: BTreeMap<usize, Layer> = BTreeMap::new();
        for (layer, weight) in nodes {
            let layer = layers.entry(layer).or_default();
            layer.count += 1;
            layer.weight += weight;
        }
        let each = (width / layers.len().max(1)).max(2);
        for layer in layers.values_mut() {
            layer.step = if layer.count > each { layer.weight / each as f64 } else { 0.0 };
            layer.next = random.part();
        }
        Self(layers)
    }

    /// The weight of the next node of this layer, if it is kept.
    fn takes(&mut self, layer: usize, weight: f64) -> Option<f64> {
        let layer = self.0.get_mut(&layer)?;
        layer.seen += if weight < layer.step { weight / layer.step } else { 1.0 };
        if layer.next >= layer.seen {
            return None;
        }
        layer.next += 1.0;
        Some(weight.max(layer.step))
    }
}

/// The nodes at a time of each sample of an [`estimate`].
const WIDTH: usize = 16;

/// The most samples of an estimate.
const SAMPLES: u32 = 10_000;

/// About how many executions lie behind graphs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean of the samples.
    pub about: f64,
    /// The least that it may be, as far as the samples tell.
    pub low: f64,
    /// The most.
    pub high: f64,
    /// How many samples there were.
    pub samples: u32,
}

/// An estimate from as many samples as `run` allows, and as help; see [`sample`] for the parameters. `None`
/// if it allowed none.
///
/// The interval takes the mean for distributed as a product of many factors is. Few samples of a skewed
/// distribution show too little of its spread, so it counts as if two more had been seen that are far off.
pub fn estimate(
    walk: &mut Walk,
    from: &[Graph],
    random: &mut Random,
    run: &mut impl FnMut(&mut Walk) -> Ran,
) -> Option<Estimate> {
    let (mut samples, mut mean, mut squares, mut factor) = (0, 0.0, 0.0, 1.0);
    while samples < SAMPLES
        && let Some(found) = sample(walk, from.to_vec(), WIDTH, random, run)
    {
        samples += 1;
        let before = found - mean;
        mean += before / f64::from(samples);
        squares += before * (found - mean);
        if samples > 1 && squares == 0.0 {
            // Nothing was left to chance.
            factor = 1.0;
            break;
        }
        let spread = (squares / (mean * mean).max(f64::MIN_POSITIVE) + 2.0 * UNSEEN) / f64::from(samples + 1);
        factor = (DEVIATIONS * (1.0 + spread / f64::from(samples)).ln().sqrt()).exp();
        if factor < ENOUGH {
            break;
        }
    }
    (samples > 0).then(|| Estimate { about: mean, low: mean / factor, high: mean * factor, samples })
}

/// The square of the relative deviation of a sample that was not seen.
const UNSEEN: f64 = 2.25;

/// How many standard deviations of its logarithm the mean may be off. Measured: with 2.5 of them 95 of 100
/// intervals from 60 samples and more hold the truth, 92 from 30.
const DEVIATIONS: f64 = 2.5;

/// The factor between the mean and the ends of the interval that is near enough.
const ENOUGH: f64 = 1.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stands_for_all() {
        let mut random = Random::new(7);
        let weights = [1.0, 2.0, 3.0, 4.0, 40.0, 1.0, 1.0, 1.0, 2.0, 5.0];
        let mut sums = [0.0; 10];
        for _ in 0..20_000 {
            let mut kept = Kept::of(weights.iter().map(|&weight| (3, weight)), 4, &mut random);
            let taken: Vec<_> = weights.iter().map(|&weight| kept.takes(3, weight)).collect();
            assert!(taken.iter().flatten().count() <= 4, "{taken:?}");
            sums.iter_mut().zip(&taken).for_each(|(sum, taken)| *sum += taken.unwrap_or(0.0) / 20_000.0);
        }
        for (mean, weight) in sums.into_iter().zip(weights) {
            assert!((mean / weight - 1.0).abs() < 0.1, "{mean} for {weight}");
        }
    }

    #[test]
    fn a_layer_of_few_is_kept_whole() {
        let nodes = (0..100).map(|n| (usize::from(n > 0), 1.0));
        let mut kept = Kept::of(nodes.clone(), 10, &mut Random::new(1));
        let taken: Vec<_> = nodes.map(|(layer, weight)| kept.takes(layer, weight)).collect();
        assert_eq!(taken[0], Some(1.0));
        assert_eq!(taken[1..].iter().flatten().collect::<Vec<_>>(), [&19.8; 5]);
    }
}
