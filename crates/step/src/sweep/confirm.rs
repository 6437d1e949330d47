//! What copies have judged, and its confirmation by executions of their own.
//!
//! The first and the last boundary of each run of one outcome is visited again, in an execution with all
//! threads. If one of them differs from its copy, all that copies have judged is visited again, and the
//! report says so.

use std::time::Instant;

use super::{Copies, Observer, Shot, Sweeper, take};
use crate::engine::Trouble;
use crate::{Boundary, Judged};
use sigproof_report::Outcome;
use sigproof_report::seen::Undone;

impl Sweeper<'_> {
    /// The boundaries that copies can judge.
    pub(super) fn by_copies(
        &mut self,
        copies: Copies,
        path: &[Boundary],
        observer: &dyn Observer,
    ) -> Result<Vec<Option<Judged>>, Trouble> {
        let mut judged: Vec<Option<Judged>> = Vec::new();
        if copies == Copies::None {
            return Ok(judged);
        }
        let Self { engine, seen, started, .. } = self;
        let begun = Instant::now();
        let done = engine.by_copies(path, &mut |at, ended| {
            judged.push(ended.map(|ended| take(seen, *started, at, ended, 0)));
            observer.boundary(at + 1, path.len());
        });
        match done {
            Err(Trouble::Incapable { .. }) if copies == Copies::Tried => return Ok(Vec::new()),
            done => done?,
        }
        self.copied = judged.iter().enumerate().filter(|(_, judged)| judged.is_some()).map(|(at, _)| at).collect();
        self.seen.executions += self.copied.len() as u64;
        self.seen.seconds += begun.elapsed().as_secs_f64();
        self.seen.undo = Some(Undone { boundaries: self.copied.len(), ..Undone::default() });
        Ok(judged)
    }

    /// Visits again what stands for the rest of what copies have judged; or all of it, if a copy was wrong.
    pub(super) fn confirm(&mut self, path: &[Boundary], judged: &mut [Judged]) -> Result<(), Trouble> {
        let Some(mut undo) = self.seen.undo.take() else { return Ok(()) };
        let copied = std::mem::take(&mut self.copied);
        let outcomes: Vec<Option<Outcome>> = judged.iter().map(|judged| judged.outcome).collect();
        for &at in copied.iter().filter(|at| is_end(&outcomes, **at)) {
            let shot = Shot { path, at, second: None, explain: false };
            let confirmed = self.visit(shot)?;
            undo.confirmed += 1;
            if confirmed.outcome == outcomes[at] {
                judged[at] = confirmed;
                continue;
            }
            let word = |outcome: Option<Outcome>| outcome.map_or("nothing", Outcome::as_str);
            let (copy, itself) = (word(outcomes[at]), word(confirmed.outcome));
            undo.fell_back = Some(format!(
                "at boundary {at} a copy came to '{copy}', and an execution of its own to '{itself}': all boundaries were \
                 visited again without copies"
            ));
            undo.boundaries = 0;
            for &at in &copied {
                judged[at] = self.visit(Shot { at, ..shot })?;
            }
            break;
        }
        self.seen.undo = Some(undo);
        Ok(())
    }
}

/// Whether a boundary is the first or the last one of a run of one outcome.
fn is_end(outcomes: &[Option<Outcome>], at: usize) -> bool {
    let differs = |other: Option<usize>| other.and_then(|other| outcomes.get(other)) != Some(&outcomes[at]);
    differs(at.checked_sub(1)) || differs(Some(at + 1))
}
