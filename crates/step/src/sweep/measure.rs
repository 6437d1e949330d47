//! The cost of a handler: it is stepped through at every boundary whose outcome is good.
//!
//! The time is limited. Boundaries far from each other come first, so that what is left out lies between
//! boundaries that were measured, and the count says how many were.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::{Sweeper, symbols};
use crate::{Boundary, Judged, Subject};
use sigproof_report::Outcome;
use sigproof_report::seen::HandlerCost;

/// How long it may take.
const TIME: Duration = Duration::from_millis(1000);

/// The same, where functions are forbidden.
const LONG: Duration = Duration::from_secs(20);

/// How many boundaries of the first round lie at equal distances.
const FIRST: usize = 32;

/// Measures the handler of `subject` at the boundaries of `path`. A boundary at which the handler goes
/// through a function that it may not has a bad outcome from then on. An engine that cannot look into
/// handlers leaves the cost unknown.
pub(super) fn measure(sweeper: &mut Sweeper<'_>, subject: &dyn Subject, path: &[Boundary], judged: &mut [Judged]) {
    let Some(object) = subject.handler_object() else { return };
    let started = Instant::now();
    // What is forbidden is looked for at every boundary.
    let time = if subject.forbids("malloc").is_some() { LONG } else { TIME };
    let mut cost = HandlerCost::default();
    let mut functions = BTreeSet::new();
    let mut known: HashMap<u64, Code> = HashMap::new();
    for at in spread(judged.len()) {
        if judged[at].outcome != Some(Outcome::Delivered) {
            continue;
        }
        // Two at least: the first and the last.
        if started.elapsed() > time && cost.measured >= 2 {
            break;
        }
        let Ok(handler) = sweeper.record_handler(path, at) else { continue };
        let code: Vec<Code> = handler
            .iter()
            .map(|boundary| known.entry(boundary.pc).or_insert_with(|| Code::at(boundary.pc, object)).clone())
            .collect();
        let Some(first) = code.iter().position(|code| code.is_handler) else { continue };
        let last = code.iter().rposition(|code| code.is_handler).unwrap_or(first);
        let of_handler = &code[first..=last];
        cost.measured += 1;
        if of_handler.len() > cost.instructions {
            cost.instructions = of_handler.len();
            cost.instructions_at = at;
        }
        for function in of_handler.iter().filter_map(|code| code.function.as_ref()) {
            if !functions.contains(function) {
                functions.insert(function.clone());
            }
        }
        let forbidden = of_handler.iter().find_map(|code| subject.forbids(code.function.as_deref()?));
        if let Some(why) = forbidden {
            judged[at] = Judged { outcome: Some(Outcome::CorruptRecord), detail: why, retries: judged[at].retries };
        }
    }
    cost.stack_bytes = subject.handler_stack();
    cost.functions = functions.into_iter().collect();
    if cost.measured > 0 || cost.stack_bytes.is_some() {
        sweeper.seen.handler = Some(cost);
    }
}

/// What lies at an address.
#[derive(Clone)]
struct Code {
    function: Option<String>,
    /// In the object that has the handler.
    is_handler: bool,
}

impl Code {
    fn at(pc: u64, object: &str) -> Self {
        let place = symbols().place(pc);
        Self { is_handler: place.object.as_deref() == Some(object), function: place.symbol }
    }
}

/// Every number below `count`: the last one first, then some at equal distances, then the rest.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    let stride = count.div_ceil(FIRST).max(1);
    let last = count.checked_sub(1);
    let early = (0..count).step_by(stride).filter(move |at| Some(*at) != last);
    let rest = (0..count).filter(move |at| at % stride != 0 && Some(*at) != last);
    last.into_iter().chain(early).chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_boundary_comes_once() {
        for count in [0, 1, 2, 31, 32, 33, 100] {
            let mut all: Vec<usize> = spread(count).collect();
            assert_eq!(all.first().copied(), count.checked_sub(1));
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
