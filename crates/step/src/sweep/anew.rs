//! A path that the target no longer takes.
//!
//! The path of a window can depend on who runs when: for instance, on whether a helper has released a mutex
//! before the interrupted thread wants it. On a busy machine two recordings can agree on a rare path, which
//! later executions do not take.

use super::Sweeper;
use crate::engine::Trouble;
use crate::{Boundary, Judged};
use sigproof_report::Outcome;

/// How often a sweep goes on with another path.
const ANEW: usize = 3;

impl Sweeper<'_> {
    /// Records the path once more, since the last boundary judged was not reached.
    ///
    /// If the target takes another path now, the sweep goes on with that one, from the boundary where the two
    /// part. The outcomes before that boundary hold for both. If a bad outcome was seen behind it, the sweep
    /// keeps the old path: that outcome would be lost with it.
    pub(super) fn record_anew(&mut self, path: &mut Vec<Boundary>, judged: &mut Vec<Judged>) -> Result<(), Trouble> {
        // What copies have judged is counted by the old path.
        if self.seen.recorded_anew == ANEW || !self.copied.is_empty() {
            return Ok(());
        }
        let (now, without) = match self.record() {
            Err(Trouble::Astray(_)) => return Ok(()),
            recorded => recorded?,
        };
        let missed = judged.len() - 1;
        let common = path.iter().zip(&now).take_while(|(old, new)| old == new).count().min(missed);
        let bad = |judged: &Judged| judged.outcome.is_some_and(|outcome| outcome != Outcome::Delivered);
        if now == *path || judged[common..].iter().any(bad) {
            return Ok(());
        }
        self.seen.recorded_anew += 1;
        if self.seen.without == Some(Outcome::Delivered) {
            self.seen.without = Some(without);
        }
        judged.truncate(common);
        *path = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
