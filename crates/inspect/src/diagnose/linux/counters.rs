//! Samples of the program counters of the threads that run.
//!
//! Only threads in state `R` are stopped. A thread that sleeps keeps its wait: a `poll` without a time-out,
//! for one, that is stopped and let go on looks like one with a time-out afterwards.

use std::thread;
use std::time::Duration;

use super::arch;
use super::stop::Stopped;
use crate::hang::procfs::{thread_ids, thread_stat};

/// How often each thread is stopped.
const SAMPLES: usize = 16;

/// How long the threads run between two stops.
const BETWEEN: Duration = Duration::from_micros(200);

/// Where the running threads of process `pid` are, several times in a row. Empty where they may not be
/// stopped.
///
/// `pid` must be the caller's own unreaped child. The threads run on afterwards.
pub fn counters(pid: u32) -> Vec<u64> {
    // The tracer has to end with the samples: see `stop`.
    thread::scope(|scope| {
        let tracer = thread::Builder::new().name("counters".to_owned());
        let Ok(tracer) = tracer.spawn_scoped(scope, || sample(pid)) else { return Vec::new() };
        tracer.join().unwrap_or_default()
    })
}

fn sample(pid: u32) -> Vec<u64> {
    let mut counters = Vec::new();
    let mut tids = Vec::new();
    for _ in 0..SAMPLES {
        if thread_ids(pid, &mut tids).is_err() {
            break;
        }
        tids.retain(|tid| thread_stat(pid, *tid).is_some_and(|stat| stat.state == 'R'));
        let stopped = Stopped::only(pid, &tids);
        counters.extend(stopped.stopped.iter().filter_map(|tid| arch::registers(*tid).ok()).map(|regs| regs.pc));
        drop(stopped);
        thread::sleep(BETWEEN);
    }
    counters
}
