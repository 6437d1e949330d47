//! The front: a program in, the ways in which it can end out.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::end::End;
use crate::graph::{Graph, Id, Kind};
use crate::run::{Rules, Run, Stop};
use crate::search::Fault;

/// Runs programs; see the head of the crate.
#[derive(Debug, Clone)]
pub struct Explorer {
    pub(crate) rules: Rules,
    most: Option<u64>,
    time: Option<Duration>,
    distinct: bool,
    pub(crate) fault: Fault,
}

/// One way in which the program ended.
#[derive(Debug, Clone)]
pub struct Found {
    /// How many executions ended so.
    pub count: u64,
    /// The graph of the first one.
    pub graph: Graph,
}

/// What an exploration found.
#[derive(Debug)]
pub struct Report<T> {
    /// Every end that occurred.
    pub ends: BTreeMap<End<T>, Found>,
    /// How many executions came to an end.
    pub explored: u64,
    /// How many different graphs they had, if [`Explorer::distinct`] asked for it.
    pub distinct: Option<u64>,
    /// How many runs came to no end: a thread stays blocked on a value that is not the newest, or a graph
    /// only served to displace a read-modify-write.
    pub discarded: u64,
    /// How many graphs were left when a limit ended the exploration.
    pub left: usize,
    /// The most graphs that waited at a time.
    pub deepest: usize,
    /// Whether some weak compare-and-exchange succeeded that might have failed as well, had
    /// [`Explorer::weak_failures`] allowed more: executions were left out.
    pub weak_bound_met: bool,
}

impl<T: Ord> Report<T> {
    /// Whether every execution was run to its end that the bounds of the [`Explorer`] allow.
    pub fn is_complete(&self) -> bool {
        self.left == 0 && !self.ends.keys().any(|end| matches!(end, End::Limit(_) | End::Unrepeatable(_)))
    }

    /// Whether some execution ended so.
    pub fn has(&self, end: &End<T>) -> bool {
        self.ends.contains_key(end)
    }
}

impl Default for Explorer {
    fn default() -> Self {
        let rules = Rules {
            events: 4096,
            turns: 8,
            unmerged: false,
            races_end: true,
            spurious: 0,
            weak_failures: 1,
            reorders: false,
        };
        Self { rules, most: None, time: None, distinct: false, fault: Fault::None }
    }
}

impl Explorer {
    /// An explorer without a limit of time.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most this many events in an execution; 4,096 without this.
    #[must_use]
    pub fn events(mut self, most: usize) -> Self {
        self.rules.events = most;
        self
    }

    /// At most this many turns of loops that store something, for each thread; 8 without this.
    #[must_use]
    pub fn turns(mut self, most: usize) -> Self {
        self.rules.turns = most;
        self
    }

    /// At most this many wake-ups of each thread are spurious: of a futex, a condition variable, or
    /// [`park`](crate::thread::park), without a wake-up by anybody. None without this. The bound is one of
    /// each thread, so that it depends on nothing that other threads do.
    #[must_use]
    pub fn spurious(mut self, most: u32) -> Self {
        self.rules.spurious = most;
        self
    }

    /// At most this many weak compare-and-exchanges of each thread fail though the value is the expected one;
    /// one without this. A loop that tries again has an execution for each number of failures, so that some
    /// bound must be; `u32::MAX` is none. [`Report::weak_bound_met`] says whether it mattered.
    #[must_use]
    pub fn weak_failures(mut self, most: u32) -> Self {
        self.rules.weak_failures = most;
        self
    }

    /// A handler finds the relaxed and plain accesses of its thread as the compiler may have reordered them,
    /// where no [`compiler_fence`](crate::atomic::compiler_fence) and no stronger order forbids it. Relaxed
    /// and plain stores may come after a handler that arrives behind them, and such loads before one that
    /// arrives before them. Without this a handler finds them in the order of the text.
    #[must_use]
    pub fn compiler_reorders(mut self) -> Self {
        self.rules.reorders = true;
        self
    }

    /// At most this many runs.
    #[must_use]
    pub fn runs(mut self, most: u64) -> Self {
        self.most = Some(most);
        self
    }

    /// At most this long.
    #[must_use]
    pub fn time(mut self, most: Duration) -> Self {
        self.time = Some(most);
        self
    }

    /// Counts the distinct graphs. This takes memory for each.
    #[must_use]
    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    /// Signals may arrive after each operation as well, not only before it: the comparison run for the merged
    /// points.
    #[doc(hidden)]
    #[must_use]
    pub fn unmerged(mut self) -> Self {
        self.rules.unmerged = true;
        self
    }

    /// Puts a fault into the search.
    #[doc(hidden)]
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// Runs every execution of `program`; its value is what an execution gave.
    pub fn run<T: Ord + 'static>(&self, program: impl Fn() -> T + 'static) -> Report<T> {
        self.run_with_last(move || {
            let value = program();
            move || value
        })
    }

    /// Runs every execution of `program`. The function that it gives is called after all threads have ended;
    /// there loads give the last values of the modification orders.
    pub fn run_with_last<T, F>(&self, program: impl Fn() -> F + 'static) -> Report<T>
    where
        T: Ord + 'static,
        F: FnOnce() -> T + 'static,
    {
        let finish: Rc<RefCell<Option<F>>> = Rc::default();
        let main: Rc<dyn Fn()> = {
            let finish = Rc::clone(&finish);
            Rc::new(move || {
                let then = program();
                *finish.borrow_mut() = Some(then);
            })
        };
        let mut run = Run::new(self.rules);
        run.search.fault = self.fault;
        let mut report = Report {
            ends: BTreeMap::new(),
            explored: 0,
            distinct: None,
            discarded: 0,
            left: 0,
            deepest: 0,
            weak_bound_met: false,
        };
        let mut seen = HashSet::new();
        let begun = Instant::now();
        loop {
            let mut value = None;
            let end = run.execute(Rc::clone(&main), |end| {
                if *end == Ok(End::Done(())) {
                    let then = finish.borrow_mut().take();
                    value = then.map(|then| then());
                }
            });
            let is_void = matches!(end, Ok(End::Unrepeatable(_)));
            match end {
                Ok(end) => {
                    report.explored += 1;
                    if self.distinct {
                        seen.insert(signature(&run.search.graph));
                    }
                    let end = end.with(|| value.take().expect("the value of an execution that ended"));
                    let graph = &run.search.graph;
                    let found = report.ends.entry(end).or_insert_with(|| Found { count: 0, graph: graph.clone() });
                    found.count += 1;
                }
                Err(Stop::Discard | Stop::At(_)) => report.discarded += 1,
            }
            // What would be found from here on means nothing.
            if is_void {
                report.left = run.search.waiting() + 1;
                break;
            }
            if !run.search.advance() {
                break;
            }
            let runs = report.explored + report.discarded;
            let is_late = runs.is_multiple_of(256) && self.time.is_some_and(|most| begun.elapsed() >= most);
            if is_late || self.most.is_some_and(|most| runs >= most) {
                report.left = run.search.waiting() + 1;
                break;
            }
        }
        report.deepest = run.search.deepest;
        report.weak_bound_met = run.weak_bound_met;
        report.distinct = self.distinct.then_some(seen.len() as u64);
        report
    }
}

/// A number of 128 bits for what makes a graph: events, sources and modification orders, by the keys of the
/// threads. Addresses, which differ from run to run, do not count.
pub(crate) fn signature(graph: &Graph) -> u128 {
    let key = |id: Id| {
        if id == Id::INIT { [0, 0] } else { [graph.threads[usize::from(id.thread)].key, u64::from(id.index)] }
    };
    let name = |location: usize| {
        let (slot, number) = graph.locations[location].name;
        [graph.threads[usize::from(slot)].key, u64::from(number)]
    };
    let mut threads: Vec<_> = graph.threads.iter().filter(|thread| !thread.events.is_empty()).collect();
    threads.sort_by_key(|thread| thread.key);
    let mut sum = Sum::default();
    for thread in threads {
        sum.add([u64::MAX, thread.key]);
        for event in &thread.events {
            let is_opaque =
                matches!(event.kind, Kind::Load | Kind::Store) && graph.locations[event.loc as usize].is_opaque;
            sum.add([event.kind as u64, if is_opaque { 0 } else { event.val }]);
            if matches!(event.kind, Kind::Load | Kind::Store) {
                sum.add(name(event.loc as usize));
            }
            if event.kind == Kind::Load {
                sum.add(key(event.src));
            }
        }
    }
    let mut orders: Vec<_> = (0..graph.locations.len()).filter(|&at| !graph.locations[at].order.is_empty()).collect();
    orders.sort_by_key(|&at| name(at));
    for at in orders {
        sum.add(name(at));
        graph.locations[at].order.iter().for_each(|&id| sum.add(key(id)));
    }
    u128::from(sum.0) << 64 | u128::from(sum.1)
}

/// Two checksums of a sequence of numbers, each with multiplications of its own.
struct Sum(u64, u64);

impl Default for Sum {
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344)
    }
}

impl Sum {
    fn add(&mut self, words: [u64; 2]) {
        for word in words {
            self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.0 ^= self.0 >> 29;
            self.1 = (self.1.rotate_left(41) ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
            self.1 ^= self.1 >> 32;
        }
    }
}
