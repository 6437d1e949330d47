//! The profile log: samples from the handler of a profiling signal, read by ordinary code.
//!
//! | state | rate | unread | `set_rate(> 0)` | `set_rate(0)` | `add` |
//! |---|---|---|---|---|---|
//! | idle | 0 | no | on, gives a reader | nothing | [`Added::Off`] |
//! | on | > 0 | yes (no, if the reader was dropped) | refused | closes: draining (idle) | writes |
//! | draining | 0 | yes, until the reader sees the end | refused | nothing | [`Added::Off`] |
//!
//! ```text
//!   handler: add, add_foreign  --+                        +--> writer ==profbuf==> ProfileReader (ordinary code)
//!                                +--[ signal lock ]-- State
//!   ordinary code: set_rate    --+                        +--> array of foreign stacks
//! ```
//!
//! Invariants:
//! 1. `State` is touched only inside a critical section of the signal lock; there is no other lock.
//! 2. Nothing is allocated or freed inside: a log is made before, and given up after.
//! 3. There is a writer exactly while the rate is not 0.
//! 4. What is lost is counted, in the buffer or in a counter, and each count is reported once, as an entry of
//!    the profile; of the two counters what is left after the switching-off goes to the next profile.
//!
//! Limits: what the handler can afford depends on the note. Where [`SignalSafety::Unsafe`], read as
//! [`Practice::read_mode`] says.

mod foreign;
mod lock;
mod practice;
mod reader;

use core::fmt;
use core::time::Duration;

use sigproof_profbuf::{CloseError, Config, ConfigError, Tag, WriteError, Writer, Written};
use sigproof_shim::atomic::{AtomicBool, AtomicU64, Ordering};
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::os::{OsError, clock, errno::ErrnoGuard};

pub use lock::{MaskedSpin, SignalLock, TrySpin};
pub use practice::{Practice, Sound};
pub use reader::{Entries, Entry, Lost, ProfileRead, ProfileReader};

use crate::{Backend, Note, NoteError, SignalSafety};
use foreign::Foreign;

/// The stack word of a record that counts foreign samples lost.
const LOST_FOREIGN: u64 = u64::MAX;
/// The stack word of a record that counts samples lost to a taken lock.
const LOST_BUSY: u64 = u64::MAX - 1;

/// The highest rate, in hertz. A higher one is lowered to it.
pub const MAX_RATE: i64 = 1_000_000;

/// What a profile log is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The signal in whose handler samples are added: `SIGPROF`, as a rule.
    pub signal: i32,
    /// How long a reader that cannot sleep on the note waits from one look to the next. 100 ms in the field.
    pub poll: Duration,
    /// At least this many words for records. 2^17 in the field.
    pub words: usize,
    /// At least this many records unread at a time. 2^14 in the field.
    pub tags: usize,
}

impl Settings {
    /// The figures of the field.
    #[must_use]
    pub const fn new(signal: i32) -> Self {
        Self { signal, poll: Duration::from_millis(100), words: 1 << 17, tags: 1 << 14 }
    }
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Added {
    /// It is in the buffer.
    Stored,
    /// It is kept in the array of foreign stacks until the next [`CpuProf::add`].
    Kept,
    /// It is lost, and counted there.
    Lost(Lost),
    /// The log is off. Not counted.
    Off,
}

/// What a change of the rate did.
pub enum Switched<'a, P: Practice = Sound> {
    /// On; this is where the profile is read.
    On(ProfileReader<'a, P>),
    /// Off; the reader gets what is left, then the end.
    Off,
    /// It was off before.
    AlreadyOff,
}

/// A change of the rate that was refused, or did not go well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// The log is on.
    #[error("the profile log is on: switch it off first")]
    On,
    /// The previous profile was not read to its end.
    #[error("the previous profile has not been read to its end")]
    Unread,
    /// The buffer cannot be made.
    #[error("the profile buffer: {0}")]
    Buffer(ConfigError),
    /// The note cannot be made.
    #[error("the profile's note: {0}")]
    Note(NoteError),
    /// It was switched off, but waking the reader failed.
    #[error("switched off, but waking the reader failed: {0}")]
    Wake(NoteError),
}

/// What the signal lock protects.
struct State<P: Practice> {
    writer: Option<Writer<Box<dyn Note>, P::Policy>>,
    foreign: Foreign,
}

type MakeNote = Box<dyn Fn() -> Result<Box<dyn Note>, NoteError> + Send + Sync>;

/// The profile log. A handler reaches it through a `&'static`.
pub struct CpuProf<P: Practice = Sound> {
    settings: Settings,
    make: MakeNote,
    wakeup: SignalSafety,
    lock: P::Lock,
    /// Invariant 1.
    state: UnsafeCell<State<P>>,
    /// A profile was begun whose end was not read.
    unread: AtomicBool,
    lost_foreign: AtomicU64,
    lost_busy: AtomicU64,
}

// SAFETY: the state, alone not Sync, is reached only in critical sections of the signal lock (invariant 1),
// which exclude and order each other by the contract of `SignalLock`; its parts are Send.
unsafe impl<P: Practice> Sync for CpuProf<P> {}

impl<P: Practice> CpuProf<P> {
    /// A log, off, whose profiles use notes of this backend.
    ///
    /// # Errors
    /// If `settings.signal` is no signal.
    pub fn new(backend: &Backend, settings: Settings) -> Result<Self, OsError> {
        Self::with_notes(backend.make, backend.wakeup, settings)
    }

    /// A log, off, whose profiles use notes that `make` makes; `wakeup` says whether a handler may wake them.
    ///
    /// # Errors
    /// If `settings.signal` is no signal.
    pub fn with_notes(
        make: impl Fn() -> Result<Box<dyn Note>, NoteError> + Send + Sync + 'static,
        wakeup: SignalSafety,
        settings: Settings,
    ) -> Result<Self, OsError> {
        Ok(Self {
            settings,
            make: Box::new(make),
            wakeup,
            lock: P::Lock::new(settings.signal)?,
            state: UnsafeCell::new(State { writer: None, foreign: Foreign::new() }),
            unread: AtomicBool::new(false),
            lost_foreign: AtomicU64::new(0),
            lost_busy: AtomicU64::new(0),
        })
    }

    /// Whether a handler may wake this log's notes.
    #[must_use]
    pub fn wakeup_safety(&self) -> SignalSafety {
        self.wakeup
    }

    /// Changes the rate: at most [`MAX_RATE`] hertz, 0 or less for off. The caller sets the timer: after
    /// switching on, and before switching off.
    ///
    /// On: makes a log whose first entry is the rate. Off: writes what is left of foreign stacks and losses,
    /// and ends the profile. In ordinary code only.
    ///
    /// # Errors
    /// [`RateError::On`], [`RateError::Unread`]: refused, nothing has changed. [`RateError::Buffer`],
    /// [`RateError::Note`]: not switched on.
    /// [`RateError::Wake`]: switched off.
    pub fn set_rate(&self, hz: i64) -> Result<Switched<'_, P>, RateError> {
        match u64::try_from(hz.min(MAX_RATE)) {
            Err(_) | Ok(0) => self.switch_off(),
            Ok(hz) => self.switch_on(hz),
        }
    }

    fn switch_on(&self, hz: u64) -> Result<Switched<'_, P>, RateError> {
        // A first look, so that a refusal makes no note: it may be of a kind that exists once.
        self.in_section(|state| self.refusal(state)).map_or(Ok(()), Err)?;
        let note = (self.make)().map_err(RateError::Note)?;
        let config = Config { header: 1, words: self.settings.words, tags: self.settings.tags };
        let (mut writer, reader) = sigproof_profbuf::new(config, note).map_err(RateError::Buffer)?;
        let now = i64::try_from(clock::now().as_nanos()).unwrap_or(i64::MAX);
        // No thread sleeps on the new note, so no wake-up can fail; and the first record fits, by the least
        // size of a buffer.
        let _ = writer.write(now, Tag::NONE, &[hz], &[]);

        let mut made = Some(writer);
        let refusal = self.in_section(|state| {
            let refusal = self.refusal(state);
            if refusal.is_none() {
                state.writer = made.take();
                // Relaxed: only stored to true in here, and to false by the reader that this profile is about
                // to get.
                self.unread.store(true, Ordering::Relaxed);
            }
            refusal
        });
        // A refused log is freed here, outside (invariant 2).
        drop(made);
        refusal.map_or_else(|| Ok(Switched::On(ProfileReader::new(self, reader))), Err)
    }

    /// Why it cannot be switched on.
    fn refusal(&self, state: &State<P>) -> Option<RateError> {
        if state.writer.is_some() {
            return Some(RateError::On);
        }
        // Acquire: pairs with the Release of the reader that has seen the end.
        self.unread.load(Ordering::Acquire).then_some(RateError::Unread)
    }

    fn switch_off(&self) -> Result<Switched<'_, P>, RateError> {
        let closed = self.in_section(|state| {
            let mut writer = state.writer.take()?;
            let drained = self.drain(&mut writer, &mut state.foreign);
            let closed = writer.close();
            Some((writer, drained, closed))
        });
        // The writer is freed at the end of this function, outside (invariant 2).
        match closed {
            None => Ok(Switched::AlreadyOff),
            Some((_writer, Err(WriteError::Wake(e)), _) | (_writer, _, Err(CloseError::Wake(e)))) => {
                Err(RateError::Wake(e))
            }
            Some(_) => Ok(Switched::Off),
        }
    }

    /// Adds a sample: its time, its tag, its stack. First writes what is left of foreign stacks and losses.
    ///
    /// A stack of the one word 2^64-1 or 2^64-2, where no code can be, would be taken for a count of losses.
    ///
    /// Async-signal-safe if waking the log's note is; keeps `errno`; waits no longer than the signal lock
    /// does.
    ///
    /// # Errors
    /// [`WriteError::Wake`]: the sample was added, but the reader's wake-up failed.
    ///
    /// # Safety
    /// In the handler of [`Settings::signal`], installed without `SA_NODEFER`; or where no such handler can
    /// interrupt: in a thread that blocks that signal, or if no thread handles it.
    pub unsafe fn add(&self, time: i64, tag: Tag, stack: &[u64]) -> Result<Added, WriteError<NoteError>> {
        let _errno = ErrnoGuard::new();
        // SAFETY: passed on to the caller.
        let added = unsafe {
            self.in_handler(|state| {
                let Some(writer) = &mut state.writer else { return Ok(Added::Off) };
                let drained = self.drain(writer, &mut state.foreign);
                let written = writer.write(time, tag, &[1], stack);
                drained.and(written).map(|written| match written {
                    Written::Stored => Added::Stored,
                    Written::Dropped => Added::Lost(Lost::Buffer),
                })
            })
        };
        added.unwrap_or_else(|| Ok(self.busy()))
    }

    /// Adds a sample of a thread that the program does not know: it is kept, and written by the next
    /// [`add`](Self::add), with neither time nor tag. Wakes no thread.
    ///
    /// Async-signal-safe; keeps `errno`; waits no longer than the signal lock does.
    ///
    /// # Safety
    /// As [`add`](Self::add).
    pub unsafe fn add_foreign(&self, stack: &[u64]) -> Added {
        let _errno = ErrnoGuard::new();
        // SAFETY: passed on to the caller.
        let added = unsafe {
            self.in_handler(|state| {
                if state.writer.is_none() {
                    return Added::Off;
                }
                if state.foreign.push(stack) {
                    return Added::Kept;
                }
                // Relaxed: a count, and nothing else.
                self.lost_foreign.fetch_add(1, Ordering::Relaxed);
                Added::Lost(Lost::Foreign)
            })
        };
        added.unwrap_or_else(|| self.busy())
    }

    /// Counts a sample that the lock has cost.
    fn busy(&self) -> Added {
        // Relaxed: a count, and nothing else.
        self.lost_busy.fetch_add(1, Ordering::Relaxed);
        Added::Lost(Lost::Busy)
    }

    /// Writes the foreign stacks and the counts of losses. The first error is that of a wake-up.
    fn drain(
        &self,
        writer: &mut Writer<Box<dyn Note>, P::Policy>,
        foreign: &mut Foreign,
    ) -> Result<(), WriteError<NoteError>> {
        let mut result = Ok(());
        let mut write = |count: u64, stack: &[u64]| {
            let written = writer.write(0, Tag::NONE, &[count], stack);
            if result.is_ok() {
                result = written.map(drop);
            }
            written == Ok(Written::Dropped)
        };
        foreign.drain(|stack| {
            write(1, stack);
        });
        for (counter, mark) in [(&self.lost_foreign, LOST_FOREIGN), (&self.lost_busy, LOST_BUSY)] {
            // Relaxed: most of the time there is nothing to take; a count that is missed is for the next
            // time.
            if counter.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let lost = P::take_lost(counter);
            if write(lost, &[mark]) {
                // Dropped, and the buffer counts that as one: the others stay to be reported.
                counter.fetch_add(lost.saturating_sub(1), Ordering::Relaxed);
            }
        }
        result
    }

    /// A critical section in ordinary code.
    fn in_section<R>(&self, section: impl FnOnce(&mut State<P>) -> R) -> R {
        // SAFETY: alone, by invariant 1 and the lock's contract.
        self.lock.lock(|| self.state.with_mut(|state| section(unsafe { &mut *state })))
    }

    /// A critical section in the handler.
    ///
    /// # Safety
    /// As [`SignalLock::enter`].
    unsafe fn in_handler<R>(&self, section: impl FnOnce(&mut State<P>) -> R) -> Option<R> {
        // SAFETY: alone, by invariant 1 and the lock's contract; that we are in the handler is passed on to
        // the caller.
        unsafe { self.lock.enter(|| self.state.with_mut(|state| section(&mut *state))) }
    }
}

impl<P: Practice> fmt::Debug for Switched<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(reader) => f.debug_tuple("On").field(reader).finish(),
            Self::Off => f.write_str("Off"),
            Self::AlreadyOff => f.write_str("AlreadyOff"),
        }
    }
}

impl<P: Practice> fmt::Debug for CpuProf<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuProf")
            .field("settings", &self.settings)
            .field("wakeup", &self.wakeup)
            .finish_non_exhaustive()
    }
}
