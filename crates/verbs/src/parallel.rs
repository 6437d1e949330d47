//! Many things, some of them at a time.

use std::num::NonZero;
use std::sync::Mutex;
use std::thread;

use sigproof_inspect::refusal::Refusal;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::trouble::Trouble;

/// How many at a time: as asked, or as many as there are processors.
pub fn jobs(asked: Option<NonZero<usize>>) -> usize {
    asked.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Gives each of `count` things to `work`, so many at a time, until there are none left or it is to stop. The
/// first trouble is given back, and ends it. Each thread has something of its own, as `begin` makes it, for
/// all that it works on.
pub fn each<T>(
    jobs: usize,
    count: usize,
    stop: &AtomicBool,
    begin: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, usize) -> Result<(), Trouble> + Sync,
) -> Option<Trouble> {
    let next = Mutex::new(0..count);
    let trouble = Mutex::new(None);
    thread::scope(|scope| {
        for number in 0..jobs.min(count) {
            let started = thread::Builder::new().spawn_scoped(scope, || {
                let mut own = begin();
                while !stop.load(Ordering::Relaxed)
                    && let Some(n) = next.lock().ok().and_then(|mut next| next.next())
                {
                    if let Err(met) = work(&mut own, n) {
                        if let (Ok(mut trouble), Ok(mut next)) = (trouble.lock(), next.lock()) {
                            trouble.get_or_insert(met);
                            *next = 0..0;
                        }
                        return;
                    }
                }
            });
            // Those that there are do the work.
            if let (0, Err(error), Ok(mut trouble)) = (number, started, trouble.lock()) {
                *trouble = Some(Trouble::environment(Refusal::thread(&error).to_string()));
                return;
            }
        }
    });
    trouble.into_inner().ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_with_what_its_thread_has() {
        let done = Mutex::new(Vec::new());
        let stop = AtomicBool::new(false);
        let begin = || 0;
        let trouble = each(3, 20, &stop, begin, |before, n| {
            done.lock().unwrap().push((n, *before));
            *before += 1;
            Ok(())
        });
        assert!(trouble.is_none());
        let mut done = done.into_inner().unwrap();
        assert!(done.iter().filter(|(_, before)| *before == 0).count() <= 3, "{done:?}");
        done.sort_unstable();
        assert_eq!(done.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn trouble_and_a_stop_end_it() {
        let done = Mutex::new(0);
        let stop = AtomicBool::new(false);
        let trouble = each(
            1,
            20,
            &stop,
            || (),
            |(), n| {
                *done.lock().unwrap() += 1;
                if n == 4 { Err(Trouble::unexpected("five".to_owned())) } else { Ok(()) }
            },
        );
        assert_eq!((trouble.unwrap().message.as_str(), *done.lock().unwrap()), ("five", 5));
        let trouble = each(
            1,
            20,
            &stop,
            || (),
            |(), n| {
                *done.lock().unwrap() += 1;
                stop.store(n == 4, Ordering::Relaxed);
                Ok(())
            },
        );
        assert!(trouble.is_none());
        assert_eq!(*done.lock().unwrap(), 10);
    }
}
