//! Samples of the program counters of the threads that run.
//!
//! Only threads in state `R` are stopped. A thread that sleeps keeps its wait: a `poll` without a time-out,
//! for one, that is stopped and let go on looks like one with a time-out afterwards.
//!
//! A sample counts if its thread has run since the sample before it, by its own account of processor time.
//! On a loaded machine a runnable thread waits for a processor most of the time, and samples by the clock
//! would show one place many times.
//!
//! A thread that shares its processor mostly loses it as it returns from a system call, so that stops alone
//! would show the places behind system calls. From each stop on, the thread is followed for some
//! instructions: into the code that made the call.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::arch;
use super::memory::Memory;
use super::step::Stepped;
use super::stop::Stopped;
use crate::hang::procfs::{parse_schedstat, thread_ids, thread_stat};

/// How many samples of each thread count.
const SAMPLES: u32 = 8;

/// How long the threads run between two stops.
const BETWEEN: Duration = Duration::from_micros(200);

/// The processor time that a thread must have used since its last sample. A stop alone costs it less.
const USED: Duration = Duration::from_micros(100);

/// How many instructions a thread is followed from a stop.
const STEPS: usize = 256;

/// A thread that has come to one place so often is in a loop, which has been seen.
const TURNS: usize = 4;

/// How long samples are taken.
const LIMIT: Duration = Duration::from_secs(1);

/// Where the running threads of process `pid` are, several times in a row. `None` where they may not be
/// stopped; empty if no thread runs, or if one got too little processor time meanwhile.
///
/// `pid` must be the caller's own unreaped child. The threads run on afterwards.
pub fn counters(pid: u32) -> Option<Vec<u64>> {
    // The tracer has to end with the samples: see `stop`.
    thread::scope(|scope| {
        let tracer = thread::Builder::new().name("counters".to_owned());
        let tracer = tracer.spawn_scoped(scope, || sample(pid)).ok()?;
        tracer.join().unwrap_or_default()
    })
}

fn sample(pid: u32) -> Option<Vec<u64>> {
    let begun = Instant::now();
    let mut threads: BTreeMap<u32, Sampled> = BTreeMap::new();
    let mut counters = Vec::new();
    let mut tids = Vec::new();
    // Code, which does not change.
    let mut memory = Memory::new(pid);
    let mut refused = false;
    while begun.elapsed() < LIMIT {
        if thread_ids(pid, &mut tids).is_err() {
            break;
        }
        tids.retain(|tid| thread_stat(pid, *tid).is_some_and(|stat| stat.state == 'R'));
        let stopped = Stopped::only(pid, &tids);
        for &tid in &stopped.stopped {
            let Some(used) = used(pid, tid) else { continue };
            if threads.entry(tid).or_default().counts(used) {
                counters.extend(follow(tid, &mut memory));
            }
        }
        refused = threads.is_empty() && !stopped.refused.is_empty();
        drop(stopped);
        if refused || (!threads.is_empty() && threads.values().all(|thread| thread.samples >= SAMPLES)) {
            break;
        }
        thread::sleep(BETWEEN);
    }
    if refused {
        return None;
    }
    if threads.values().any(|thread| thread.samples < SAMPLES / 2) {
        counters.clear();
    }
    Some(counters)
}

/// The program counters of a stopped thread, from where it is to its next system call, until it has been in a
/// loop, or for [`STEPS`] instructions.
fn follow(tid: u32, memory: &mut Memory) -> Vec<u64> {
    let mut counters = Vec::new();
    let Some(pc) = arch::registers(tid).ok().map(|registers| registers.pc) else { return counters };
    counters.push(pc);
    let Some(stepped) = Stepped::of(tid) else { return counters };
    let mut at = pc;
    while counters.len() < STEPS && !arch::is_system_call(at, memory) && stepped.step() {
        let Ok(registers) = arch::registers(tid) else { break };
        at = registers.pc;
        counters.push(at);
        if counters.iter().filter(|pc| **pc == at).count() >= TURNS {
            break;
        }
    }
    counters
}

/// What was seen of one thread.
#[derive(Debug, Default)]
struct Sampled {
    samples: u32,
    used: Option<Duration>,
}

impl Sampled {
    /// Whether a sample counts that was taken when the thread had used so much processor time.
    fn counts(&mut self, used: Duration) -> bool {
        let counts = self.used.is_none_or(|before| used.saturating_sub(before) >= USED);
        if counts {
            self.used = Some(used);
            self.samples += 1;
        }
        counts
    }
}

/// The processor time of a thread; exact while it is stopped.
fn used(pid: u32, tid: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?;
    Some(Duration::from_nanos(parse_schedstat(&text)?.cpu_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_a_thread_that_has_not_run_since_the_last_one_does_not_count() {
        let mut sampled = Sampled::default();
        let at = Duration::from_micros;
        assert!(sampled.counts(at(5000)));
        assert!(!sampled.counts(at(5000)) && !sampled.counts(at(5020)), "it was only stopped");
        assert!(sampled.counts(at(5000) + USED));
        assert_eq!(sampled.samples, 2);
    }
}
