//! Notes for tests: one that runs a script where a real one would sleep, and one that really sleeps. Both
//! report double wake-ups.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod model;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex};

use sigproof_profbuf::{Decision, Record, Wake, WakePolicy};

/// What a test's note reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Woken twice since it was cleared.
    Double,
    /// As told to.
    Staged,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

type Hook = Box<dyn FnMut() -> Result<(), Trouble> + Send>;

#[derive(Default)]
struct Log {
    /// Wake-ups since the last clear.
    pending: u32,
    /// Wake-ups ever.
    wakeups: u32,
    sleeps: u32,
    clears: u32,
    /// Fail the next wake-up.
    fail_wakeup: bool,
}

/// A note whose sleep runs a hook on the reader's own thread: what the hook does happens at exactly that
/// point.
///
/// A hook mostly holds a clone of its note, or a writer that does. The first handle, which the test keeps,
/// drops the hook: there is no cycle left for a leak checker to find.
#[derive(Default)]
pub struct Scripted {
    log: Arc<Mutex<Log>>,
    hook: Arc<Mutex<Option<Hook>>>,
    is_clone: bool,
}

impl Clone for Scripted {
    fn clone(&self) -> Self {
        Self { log: Arc::clone(&self.log), hook: Arc::clone(&self.hook), is_clone: true }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if !self.is_clone {
            let hook = self.hook.lock().map(|mut hook| hook.take());
            drop(hook);
        }
    }
}

impl Scripted {
    /// What to do instead of sleeping.
    pub fn on_sleep(&self, hook: impl FnMut() -> Result<(), Trouble> + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    pub fn fail_next_wakeup(&self) {
        self.log.lock().unwrap().fail_wakeup = true;
    }

    /// Wake-ups since the last clear.
    pub fn pending(&self) -> u32 {
        self.log.lock().unwrap().pending
    }

    /// Wake-ups ever.
    pub fn wakeups(&self) -> u32 {
        self.log.lock().unwrap().wakeups
    }

    pub fn sleeps(&self) -> u32 {
        self.log.lock().unwrap().sleeps
    }

    pub fn clears(&self) -> u32 {
        self.log.lock().unwrap().clears
    }
}

impl Wake for Scripted {
    type Error = Trouble;

    fn clear(&self) {
        let mut log = self.log.lock().unwrap();
        log.pending = 0;
        log.clears += 1;
    }

    fn sleep(&self) -> Result<(), Trouble> {
        self.log.lock().unwrap().sleeps += 1;
        // Out of its place while it runs: the hook may install another.
        let hook = self.hook.lock().unwrap().take();
        let mut hook = hook.expect("a sleep that the test did not expect");
        let result = hook();
        self.hook.lock().unwrap().get_or_insert(hook);
        result
    }

    fn wakeup(&self) -> Result<(), Trouble> {
        let mut log = self.log.lock().unwrap();
        log.pending += 1;
        log.wakeups += 1;
        if std::mem::take(&mut log.fail_wakeup) {
            return Err(Trouble::Staged);
        }
        if log.pending > 1 { Err(Trouble::Double) } else { Ok(()) }
    }
}

/// A note that really sleeps.
#[derive(Clone, Default)]
pub struct Sleeper(Arc<(Mutex<bool>, Condvar)>);

impl Wake for Sleeper {
    type Error = Trouble;

    fn clear(&self) {
        *self.0.0.lock().unwrap() = false;
    }

    fn sleep(&self) -> Result<(), Trouble> {
        let woken = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(woken, |woken| !*woken).unwrap());
        Ok(())
    }

    fn wakeup(&self) -> Result<(), Trouble> {
        let mut woken = self.0.0.lock().unwrap();
        if std::mem::replace(&mut *woken, true) {
            return Err(Trouble::Double);
        }
        self.0.1.notify_one();
        Ok(())
    }
}

/// Go up to 1.24: publishing wakes, but leaves the announcement standing.
pub enum KeepFlag {}

impl WakePolicy for KeepFlag {
    fn on_commit(_unread: usize, _capacity: usize) -> Decision {
        Decision::WAKE
    }

    fn on_publish() -> Decision {
        Decision { clear: false, wake: true }
    }
}

/// A record as the reader returned it, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub time: i64,
    pub tag: usize,
    pub header: Vec<u64>,
    pub stack: Vec<u64>,
}

impl From<Record<'_>> for Owned {
    fn from(record: Record<'_>) -> Self {
        assert_eq!(record.words().len(), 2 + record.header().len() + record.stack().len());
        assert_eq!(record.words()[0] as usize, record.words().len());
        Self {
            time: record.time(),
            tag: record.tag().0,
            header: record.header().to_vec(),
            stack: record.stack().to_vec(),
        }
    }
}
