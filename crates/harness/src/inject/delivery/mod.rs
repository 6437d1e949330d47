//! The ways to send a signal to the target after a delay.

mod helper;
mod interval;
mod kill;
#[cfg_attr(target_os = "linux", path = "thread_timer.rs")]
#[cfg_attr(not(target_os = "linux"), path = "no_thread_timer.rs")]
mod thread_timer;

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::page::Page;
use sigproof_inspect::refusal::Refusal;

/// A source of one-shot signals, aimed at the thread that opened it.
pub(super) trait Source: fmt::Debug {
    /// One signal, `delay_ns` from now. Never called while one is on its way.
    fn arm(&self, delay_ns: u64) -> Result<(), Refusal>;
}

/// How signals are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// A one-shot `timer_create(SIGEV_THREAD_ID)` of the target's own. Linux; the sharpest.
    #[serde(rename = "thread-timer")]
    ThreadTimer,
    /// `pthread_kill` from a thread that waits out the delay on another processor. Every Unix.
    #[serde(rename = "pthread-kill")]
    PthreadKill,
    /// `setitimer(ITIMER_PROF)`, as profilers use it, with a thread that burns the processor time it counts.
    /// Every Unix; the bluntest.
    #[serde(rename = "itimer")]
    IntervalTimer,
}

impl Delivery {
    /// All of them, the sharpest first.
    pub const ALL: &'static [Self] = &[Self::ThreadTimer, Self::PthreadKill, Self::IntervalTimer];

    /// The name by which `--delivery` selects it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ThreadTimer => "thread-timer",
            Self::PthreadKill => "pthread-kill",
            Self::IntervalTimer => "itimer",
        }
    }

    /// The delivery of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|d| d.as_str() == name)
    }

    /// How it works, in one line.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::ThreadTimer => "a one-shot timer of the target thread (SIGEV_THREAD_ID; Linux)",
            Self::PthreadKill => "pthread_kill from a thread that waits out the delay",
            Self::IntervalTimer => "setitimer(ITIMER_PROF), with a thread that burns processor time",
        }
    }

    /// How many signals inside the window a fixed variant is asked to see, unless told otherwise: what this
    /// way reaches in a few seconds.
    pub const fn coverage(self) -> u64 {
        match self {
            Self::ThreadTimer => 1_000,
            Self::PthreadKill => 100,
            Self::IntervalTimer => 1,
        }
    }

    /// Whether this platform has it.
    pub const fn available(self) -> bool {
        match self {
            Self::ThreadTimer => thread_timer::AVAILABLE,
            Self::PthreadKill | Self::IntervalTimer => true,
        }
    }

    /// The sharpest that this platform has.
    pub const fn best() -> Self {
        if thread_timer::AVAILABLE { Self::ThreadTimer } else { Self::PthreadKill }
    }

    pub(super) fn open(self, page: &'static Page) -> Result<Box<dyn Source>, Refusal> {
        Ok(match self {
            Self::ThreadTimer => Box::new(thread_timer::ThreadTimer::new()?),
            Self::PthreadKill => Box::new(kill::PthreadKill::new(page)?),
            Self::IntervalTimer => Box::new(interval::IntervalTimer::new(page)?),
        })
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
