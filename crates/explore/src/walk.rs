//! The executions of a program one at a time: for those who stop early, report progress, or share the work.

use std::rc::Rc;

use crate::end::End;
use crate::explain::Point;
use crate::explorer::{Explorer, signature};
use crate::graph::Graph;
use crate::run::{Guide, Run, Stop};
use crate::trail::Trail;

/// A search that its user drives.
pub struct Walk {
    run: Run,
    is_over: bool,
}

/// What became of one run of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// It is an execution, which ended so.
    Ended(End<()>),
    /// It is none: a thread stays blocked on a value that is not the newest, or the graph only served to
    /// displace a read-modify-write.
    Discarded,
}

impl Walk {
    /// From the start.
    pub fn new(explorer: &Explorer) -> Self {
        let mut run = Run::new(explorer.rules);
        run.search.fault = explorer.fault;
        Self { run, is_over: false }
    }

    /// From these graphs on, which a walk over the same program has [given away](Self::give).
    pub fn from(explorer: &Explorer, graphs: Vec<Graph>) -> Self {
        let mut walk = Self::new(explorer);
        walk.run.search.take(graphs);
        walk.advance();
        walk
    }

    /// One execution, which is to be repeated; there is none after it.
    pub fn along(explorer: &Explorer, trail: Trail) -> Self {
        let mut walk = Self::new(explorer);
        walk.run.guide = Some(Guide::new(trail));
        walk
    }

    /// Runs the program along the current graph. `at_end` runs before the stacks of threads that have not
    /// ended are unwound.
    pub fn execute(&mut self, program: &Rc<dyn Fn()>, at_end: impl FnOnce(&Went)) -> Went {
        let went = |end: &Result<End<()>, Stop>| match end {
            Ok(end) | Err(Stop::At(end)) => Went::Ended(end.clone()),
            Err(Stop::Discard) => Went::Discarded,
        };
        let end = self.run.execute(Rc::clone(program), |end| at_end(&went(end)));
        went(&end)
    }

    /// Goes on to the next graph; false if there is none.
    pub fn advance(&mut self) -> bool {
        self.is_over = !self.run.search.advance();
        !self.is_over
    }

    /// Whether all is explored.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The current graph.
    pub fn graph(&self) -> &Graph {
        &self.run.search.graph
    }

    /// A number of 128 bits that only this graph has, with all certainty that such a number gives.
    pub fn signature(&self) -> u128 {
        signature(&self.run.search.graph)
    }

    /// The two accesses of the race that ended the latest execution.
    pub fn raced(&self) -> Option<[Point; 2]> {
        self.run.raced
    }

    /// Whether some weak compare-and-exchange so far succeeded that might have failed as well, had
    /// [`Explorer::weak_failures`] allowed more.
    pub fn weak_bound_met(&self) -> bool {
        self.run.weak_bound_met
    }

    /// How many runs there were.
    pub fn runs(&self) -> u64 {
        self.run.search.runs()
    }

    /// How many graphs wait.
    pub fn waiting(&self) -> usize {
        self.run.search.waiting()
    }

    /// Gives away at most so many of the graphs that wait: those that have waited longest, with the most
    /// behind them.
    pub fn give(&mut self, most: usize) -> Vec<Graph> {
        self.run.search.give(most)
    }

    /// All graphs that are still to be run, in an order from which [`from`](Self::from) goes on as this walk
    /// would have.
    pub fn rest(mut self) -> Vec<Graph> {
        let mut graphs = self.give(usize::MAX);
        if !self.is_over {
            graphs.push(std::mem::take(&mut self.run.search.graph));
        }
        graphs
    }

    /// Goes to this graph, and forgets all others; false if there is nothing behind it.
    pub fn only(&mut self, graph: Graph) -> bool {
        self.give(usize::MAX).into_iter().for_each(|graph| self.forget(graph));
        self.run.search.take(vec![graph]);
        self.advance()
    }

    /// Takes a graph that is not needed any more: its memory is used again.
    pub fn forget(&mut self, graph: Graph) {
        self.run.search.forget(graph);
    }
}
