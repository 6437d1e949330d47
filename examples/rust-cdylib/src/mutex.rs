//! A mutex and a condition variable.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};

/// A note.
#[derive(Default)]
pub struct Note {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Note {
    pub fn new() -> io::Result<Self> {
        Ok(Self::default())
    }

    pub fn clear(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    pub fn sleep(&self) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = self.changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether it is the first one since the last clear.
    pub fn wakeup(&self) -> bool {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_one();
        !std::mem::replace(&mut *woken, true)
    }
}
