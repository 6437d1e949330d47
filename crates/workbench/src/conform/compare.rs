//! Many sequences against several runtimes at a time, in a pipeline.
//!
//! ```text
//!  generator ─┬─ batch ─► contest with go1.21: ours ─► requests ─► [driver] ─► answers, compared
//!             └─ batch ─► contest with go1.27: ...
//! ```
//!
//! A batch's requests are under way while the next batch is made and ours answers it. Where a runtime is
//! known to die of a double wake-up, a sequence is sent only up to there, and some of these are sent whole,
//! each to a process of its own, to see it die.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use proptest::strategy::Strategy;
use sigproof_inspect::refusal::Refusal;
use sigproof_oracle::conform::PATIENCE;
use sigproof_oracle::conform::comparing::{Comparison, Contestant, Finding, Tally};
use sigproof_oracle::conform::ours::{self, Answers};
use sigproof_oracle::conform::rule::Rule;
use sigproof_oracle::conform::sequence::{Delivery, Sequence};
use sigproof_oracle::conform::single::{Compared, Single};
use sigproof_oracle::process::{Process, frame};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::sync::Arc;

use super::shrink::shrink;
use super::strategy::{nth, sequences};

/// Sequences made, sent and compared at a time.
const BATCH: u64 = 250;
/// Batches under way in each contest.
const AHEAD: usize = 3;
/// How many of the expected deaths are seen through.
const DEATHS: u64 = 25;

type Batch = Vec<(u64, Sequence)>;

/// Compares sequences `0..cases` of a seed with all contestants, whose tallies it returns in their order.
/// `progress` is told by how many sequences each has come further. With `stop` set, no more sequences are
/// made.
///
/// # Errors
/// A driver cannot be started, or a thread.
pub fn all(
    Comparison { contestants, cases, seed }: &Comparison,
    stop: &AtomicBool,
    progress: &(impl Fn(u64) + Sync),
) -> io::Result<Vec<Tally>> {
    thread::scope(|scope| {
        let mut channels = Vec::new();
        let mut contests = Vec::new();
        for contestant in contestants {
            let (to, from) = sync_channel(AHEAD);
            let compare = move || contest(contestant, *seed, &from, progress);
            // Those begun before end with their channels, which are dropped here.
            let begun = thread::Builder::new().name("contest".to_owned()).spawn_scoped(scope, compare);
            contests.push(begun.map_err(|error| Refusal::thread(&error))?);
            channels.push(to);
        }
        generate(*cases, *seed, stop, channels);
        let tallies = contests.into_iter().map(|contest| match contest.join() {
            Ok(tally) => tally,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        tallies.collect()
    })
}

/// Makes batches until there are enough, or no contest takes any more.
fn generate(cases: u64, seed: u64, stop: &AtomicBool, mut channels: Vec<SyncSender<Arc<Batch>>>) {
    let strategy = sequences();
    let mut next = 0;
    while next < cases && !channels.is_empty() && !stop.load(Ordering::Relaxed) {
        let end = cases.min(next + BATCH);
        let batch = (next..end).filter_map(|number| Some((number, nth(&strategy, seed, number).ok()?)));
        let batch = Arc::new(batch.collect::<Batch>());
        channels.retain(|channel| channel.send(Arc::clone(&batch)).is_ok());
        next = end;
    }
}

/// A batch whose requests have been sent, and what ours answers.
struct Sent {
    batch: Arc<Batch>,
    ours: Vec<Result<Answers, String>>,
}

fn contest(
    contestant: &Contestant,
    seed: u64,
    batches: &Receiver<Arc<Batch>>,
    progress: &impl Fn(u64),
) -> io::Result<Tally> {
    let begun = Instant::now();
    let mut contest = Contest {
        rule: contestant.rule,
        tries: contestant.tries,
        seed,
        strategy: sequences(),
        process: Process::start(&contestant.driver, &["serve"])?,
        single: Single::new(&contestant.driver),
        under_way: VecDeque::new(),
        tally: Tally::default(),
    };
    for batch in batches {
        contest.send(batch);
        if contest.under_way.len() > AHEAD {
            progress(contest.check()?);
        }
        if contest.tally.finding.is_some() {
            break;
        }
    }
    while contest.tally.finding.is_none() && !contest.under_way.is_empty() {
        progress(contest.check()?);
    }
    contest.tally.elapsed = begun.elapsed();
    Ok(contest.tally)
}

struct Contest<'a, S> {
    rule: Rule,
    tries: u32,
    seed: u64,
    strategy: S,
    process: Process,
    single: Single<'a>,
    under_way: VecDeque<Sent>,
    tally: Tally,
}

impl<S: Strategy<Value = Sequence>> Contest<'_, S> {
    fn send(&mut self, batch: Arc<Batch>) {
        let mut bytes = Vec::new();
        let mut words = Vec::new();
        let answer = |(_, sequence): &(u64, Sequence)| {
            let ours = ours::run(sequence, self.rule);
            let count = ours.as_ref().map_or(sequence.ops.len(), |ours| ours.ends.len());
            words.clear();
            sequence.request(count, Delivery::Bulk, &mut words);
            frame(&words, &mut bytes);
            ours
        };
        let ours = batch.iter().map(answer).collect();
        self.process.send(bytes);
        self.under_way.push_back(Sent { batch, ours });
    }

    /// Compares the oldest batch under way. How many sequences of it were alike.
    fn check(&mut self) -> io::Result<u64> {
        let Some(Sent { batch, ours }) = self.under_way.pop_front() else { return Ok(0) };
        for ((number, sequence), ours) in batch.iter().zip(&ours) {
            let theirs = match self.process.receive(PATIENCE) {
                Ok(theirs) => theirs,
                Err(silence) => return self.died(&batch, *number, silence.to_string()).map(|()| 0),
            };
            if ours.as_ref().ok().is_none_or(|ours| ours.words != theirs) {
                let said = "the answers differed".to_owned();
                self.tally.finding = Some(self.find(*number, sequence, said)?);
                return Ok(0);
            }
            self.tally.sequences += 1;
            self.tally.operations += sequence.ops.len() as u64;
            if ours.as_ref().is_ok_and(|ours| ours.fatal) {
                self.tally.deaths_expected += 1;
                self.see_through(*number, sequence)?;
            }
        }
        Ok(batch.len() as u64)
    }

    /// Sends a sequence whole that is known to kill the runtime, now and then.
    fn see_through(&mut self, number: u64, sequence: &Sequence) -> io::Result<()> {
        // The first few, and then at growing distances, so that not only the first sequences are tried.
        if self.tally.deaths_tried >= DEATHS
            || self.tally.deaths_expected < self.tally.deaths_tried * self.tally.deaths_tried
        {
            return Ok(());
        }
        self.tally.deaths_tried += 1;
        match self.single.compare(sequence, self.rule)? {
            Compared::Alike { died: Some(_) } => self.tally.deaths_seen += 1,
            _ => self.tally.finding = Some(self.find(number, sequence, "it did not die".to_owned())?),
        }
        Ok(())
    }

    /// The shortest sequence for one that disagreed.
    fn find(&mut self, number: u64, sequence: &Sequence, said: String) -> io::Result<Finding> {
        let shortest = shrink(&self.strategy, self.seed, number, &mut self.single, self.rule, self.tries)?;
        Ok(shortest.map_or_else(|| Finding::Once { sequence: sequence.clone(), said }, Finding::Shortest))
    }

    /// The process has died, or hangs, over one of the sequences from `first` on.
    fn died(&mut self, batch: &Arc<Batch>, first: u64, said: String) -> io::Result<()> {
        let later = std::mem::take(&mut self.under_way);
        let all = std::iter::once(batch).chain(later.iter().map(|sent| &sent.batch)).flat_map(|batch| batch.iter());
        let mut suspects = all.filter(|(number, _)| *number >= first);
        let Some((number, sequence)) = suspects.clone().next() else { return Ok(()) };
        let mut found = Finding::Once {
            sequence: sequence.clone(),
            said: format!("{said}; over sequence {number} or a later one"),
        };
        for (number, sequence) in suspects.by_ref() {
            if let Compared::Differs(_) = self.single.compare(sequence, self.rule)? {
                found = self.find(*number, sequence, said)?;
                break;
            }
        }
        self.tally.finding = Some(found);
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use sigproof_oracle::driver::Driver;
    use sigproof_oracle::toolchain::Version;
    use sigproof_tests::refuse::without_threads;

    #[test]
    fn a_contest_whose_thread_is_refused_says_so() {
        let driver = Driver { program: "/no/such/driver".into(), version: Version::new("go1.21.13") };
        let contestant = Contestant { driver, rule: Rule::EveryRecord, tries: 1 };
        let comparison = Comparison { contestants: vec![contestant], cases: 1, seed: 1 };
        let stop = AtomicBool::new(false);
        let refused = without_threads(|| all(&comparison, &stop, &|_| ()).unwrap_err());
        let said = refused.to_string();
        assert!(said.contains("thread") && said.contains("ulimit -u"), "{said}");
    }
}
