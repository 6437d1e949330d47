//! What only one technique reports of a run. In JSON, `technique` names the technique, and its fields lie
//! beside the fields that every run has; none of them has the name of another.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::finding::Finding;
use crate::outcome::Outcome;

/// The technique, and what it alone reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "technique", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Seen {
    /// Real signals, real threads, many attempts.
    Stress,
    /// A real signal at every instruction boundary.
    Step(Box<Step>),
    /// All interleavings of a model, up to its bounds.
    Model(Box<Model>),
    /// The same operations on our buffer and on the buffer of a real runtime.
    Conform(Box<Conform>),
    /// Inside a real runtime, built from its own sources.
    Upstream(Upstream),
}

/// The means by which a case was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Technique {
    /// See [`Seen::Stress`].
    Stress,
    /// See [`Seen::Step`].
    Step,
    /// See [`Seen::Model`].
    Model,
    /// See [`Seen::Conform`].
    Conform,
    /// See [`Seen::Upstream`].
    Upstream,
}

impl Technique {
    /// The word for it, the same as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stress => "stress",
            Self::Step => "step",
            Self::Model => "model",
            Self::Conform => "conform",
            Self::Upstream => "upstream",
        }
    }
}

impl core::fmt::Display for Technique {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<Technique> for Seen {
    /// Nothing was seen yet.
    fn from(technique: Technique) -> Self {
        match technique {
            Technique::Stress => Self::Stress,
            Technique::Step => Self::Step(Box::default()),
            Technique::Model => Self::Model(Box::default()),
            Technique::Conform => Self::Conform(Box::default()),
            Technique::Upstream => Self::Upstream(Upstream::default()),
        }
    }
}

impl Seen {
    /// By which technique.
    pub const fn technique(&self) -> Technique {
        match self {
            Self::Stress => Technique::Stress,
            Self::Step(_) => Technique::Step,
            Self::Model(_) => Technique::Model,
            Self::Conform(_) => Technique::Conform,
            Self::Upstream(_) => Technique::Upstream,
        }
    }
}

/// What a sweep reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The name of the window that was swept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// The engine, if one was chosen before the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// What was counted; nothing if the window could not be swept.
    #[serde(flatten)]
    pub counts: Option<Counts>,
    /// The map as text, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// How the boundary that a token names was found, if not where the token says. Only for a single
    /// boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
    /// The map as data; not for a single boundary.
    #[serde(flatten)]
    pub folded: Option<Folded>,
    /// What the handler costs, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<HandlerCost>,
    /// What copies of a process have judged, where the engine has used any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undone>,
}

/// What copies of a process have judged, in each of which the signal was undone. Every other boundary has an
/// execution of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Boundaries that a copy has judged.
    pub boundaries: usize,
    /// Those of them that an execution of their own has confirmed.
    pub confirmed: usize,
    /// Why no copy was believed: where one differed from an execution of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fell_back: Option<String>,
}

/// What a handler costs: the worst case over the boundaries at which it was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerCost {
    /// The most instructions of one call, those of the functions that it calls included.
    pub instructions: usize,
    /// The boundary of that call.
    pub instructions_at: usize,
    /// At how many boundaries the handler was stepped through.
    pub measured: usize,
    /// The most stack of one call, in bytes: the kernel's frame of the signal, and all that the handler used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_bytes: Option<u64>,
    /// The functions that it went through.
    pub functions: Vec<String>,
}

/// What a sweep counts. Each number is one of boundaries, unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// On the path.
    pub boundaries: usize,
    /// At which a signal was delivered.
    pub injected: usize,
    /// At which the outcome was bad.
    pub vulnerable: usize,
    /// Which were not reached, in any of the tries.
    pub diverged: usize,
    /// Executions that took another path and were repeated.
    pub retries: u32,
    /// Of handlers, at which a second signal was delivered.
    pub nested: usize,
    /// The outcome without any signal.
    pub without_signal: Option<Outcome>,
    /// Which a sweep that ended early left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_visited: Option<usize>,
    /// How often the path was recorded anew, since the target no longer took it; no number of boundaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_anew: Option<usize>,
    /// Wall time of one execution, in microseconds: the mean.
    pub microseconds_per_execution: f64,
}

/// A sweep, folded by outcome and by function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Folded {
    /// One character for each boundary.
    pub strip: String,
    /// Every run of boundaries with one outcome, except `delivered`.
    pub ranges: Vec<Range>,
    /// The whole path, by the functions that it goes through.
    pub functions: Vec<Stretch>,
    /// What was found out at the first boundary of a range. The findings of a run are one of each kind; these
    /// are one of each range.
    pub range_diagnoses: Vec<RangeDiagnosis>,
    /// What the engine cannot reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_reach: Option<String>,
}

/// What was found out at one boundary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RangeDiagnosis {
    /// The number of the boundary, from 0.
    pub k: usize,
    /// The diagnosis of the outcome at that boundary.
    pub diagnosis: Finding,
}

/// Consecutive boundaries with the same outcome, as many as there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The outcome, never `delivered`; absent if they were not reached.
    pub outcome: Option<Outcome>,
    /// How many boundaries.
    pub count: usize,
    /// The first one.
    pub first: Spot,
    /// The last one.
    pub last: Spot,
    /// The token that repeats the first one, if it had an outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What was seen at the first one.
    pub detail: String,
}

/// The code at one boundary. Of a thread that sleeps, the system call in which it sleeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// Its index on the path.
    pub k: usize,
    /// In the system call, not before it.
    pub asleep: bool,
    /// `symbol+0x12`.
    pub place: String,
    /// `libc.so.6+0x8f123`.
    pub object: String,
    /// `file:line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The instruction that comes next, disassembled.
    pub instruction: String,
}

/// Consecutive boundaries in the same function. Code of an inlined function counts for the function that
/// holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The function, or the object file if the function has no name there.
    pub symbol: String,
    /// The first boundary.
    pub first: usize,
    /// The last boundary.
    pub last: usize,
    /// How many boundaries.
    pub count: usize,
    /// How many of them are vulnerable.
    pub vulnerable: usize,
}

/// What the exploration of a model reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// How much was explored.
    #[serde(flatten)]
    pub explored: Option<Explored>,
    /// Whether everything within the bounds was explored.
    #[serde(flatten)]
    pub end: Option<Exhaustion>,
    /// The ordering that was weakened, if one was.
    #[serde(flatten)]
    pub weakened: Option<Weakened>,
}

/// How much of a model was explored, and within which bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explored {
    /// Executions.
    pub executions: u64,
    /// Choices of signals, time-outs and spurious wake-ups, each explored with all interleavings.
    pub tuples: u64,
    /// Signals, time-outs and spurious wake-ups in one execution, at most.
    pub deliveries: u32,
    /// Preemptions in one execution, at most; null: any number.
    pub preemptions: Option<u8>,
    /// At most so many weak compare-and-exchanges of each thread failed though the value was the expected
    /// one. Present where this bound left executions out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weak_failures: Option<u32>,
    /// Runs that were no executions, over execution graphs. Such a run ends with a thread that is blocked by
    /// a value that is not the newest, or it only puts another read-modify-write in the place of one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub discarded: u64,
    /// How many distinct graphs the executions had, if that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// About how many executions are left; absent if none are, or if there was no time to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// The interval of that estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_between: Option<[u64; 2]>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Whether an exploration was exhaustive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhaustion {
    /// Everything within the bounds was explored, and no bound of preemptions was set.
    pub exhausted: bool,
    /// Why not.
    pub not_exhausted: Option<String>,
}

impl Exhaustion {
    /// It was not exhaustive, for this reason.
    pub fn cut(why: impl Into<String>) -> Self {
        Self { exhausted: false, not_exhausted: Some(why.into()) }
    }
}

/// A memory ordering that was taken for a weaker one, and whether a model noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weakened {
    /// The source file.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// The ordering in the source.
    pub ordering: String,
    /// The ordering that took its place.
    pub weakened_to: String,
    /// The model that failed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_by: Option<String>,
    /// Why the source keeps the stronger one though no model fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_because: Option<String>,
}

/// What a comparison with a runtime's buffer reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conform {
    /// When the runtime's writer wakes its reader.
    pub wake_policy: String,
    /// Operations compared.
    pub operations: u64,
    /// Deaths of the runtime that the comparison foresaw.
    pub deaths_foreseen: u64,
    /// Foreseen deaths that were tried.
    pub deaths_tried: u64,
    /// Tried deaths that came.
    pub deaths_seen: u64,
    /// The comparison with a policy that the runtime does not have, which must disagree; null if it was not
    /// made, or saw nothing.
    pub control: Value,
    /// Differences that were decided on, each with what both sides do.
    pub decisions: Value,
}

/// What a reproducer inside a runtime reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Why its expectation holds for this release, with the source.
    #[serde(default)]
    pub expected_because: String,
    /// Where the bug was reported.
    #[serde(default)]
    pub upstream: Vec<String>,
    /// Records delivered; absent if it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    /// Records counted as lost; absent if it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}
