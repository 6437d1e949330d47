//! Whether a thread of this process sleeps: by `/proc`, and elsewhere by waiting for a while.
//!
//! A test that wants a sleeper waits for one here. No verdict rests on it: a thread that is taken for a
//! sleeper too early is woken a little earlier, which is another order that its note must bear.

use std::thread;
use std::time::{Duration, Instant};

/// How long a thread may take to fall asleep before it counts as one that does not: it spins, perhaps.
const PATIENCE: Duration = Duration::from_millis(50);

/// The pause between two looks, and how often in turn a thread must be found asleep.
const LOOK: (Duration, u32) = (Duration::from_micros(50), 2);

/// Waits until thread `id` of this process sleeps, or does not for a while. Whether it sleeps.
pub fn wait(id: u32) -> bool {
    let started = Instant::now();
    let mut times = 0;
    while started.elapsed() < PATIENCE {
        match sleeps(id) {
            Some(true) => times += 1,
            Some(false) => times = 0,
            // No /proc: the time alone tells.
            None => {}
        }
        if times == LOOK.1 {
            return true;
        }
        thread::sleep(LOOK.0);
    }
    false
}

/// Whether it sleeps now; `None` where that cannot be seen, or the thread has ended.
pub fn sleeps(id: u32) -> Option<bool> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let state = text.rsplit_once(')')?.1.trim_start().chars().next()?;
    Some(matches!(state, 'S' | 'D'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_step::thread_id;
    use std::sync::mpsc;

    #[test]
    fn a_sleeper_is_told_from_one_that_runs() {
        if sleeps(thread_id()).is_none() {
            println!("skipped: /proc shows no threads here");
            return;
        }
        assert_eq!(sleeps(thread_id()), Some(false));
        let (tell, told) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let sleeper = thread::spawn(move || {
            tell.send(thread_id()).unwrap();
            let _ = gone.recv();
        });
        // Longer than one patience, on a busy machine.
        let id = told.recv().unwrap();
        assert!((0..100).any(|_| wait(id)));
        drop(go);
        sleeper.join().unwrap();
    }
}
