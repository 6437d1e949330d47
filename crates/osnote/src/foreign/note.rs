//! A note of a library as a [`Note`]: the cases that take a note take this one like any other.
//!
//! | a function returns | here |
//! |---|---|
//! | 0 | `Ok` |
//! | `EALREADY` from `wakeup`, or 0 for a second one since the last clear | [`NoteError::DoubleWakeup`] |
//! | `ETIMEDOUT` from `sleep_timeout` | [`Woken::ByTimeout`] |
//! | another number | [`NoteError::Os`] with the name of the function |
//!
//! `clear` returns nothing here: its error is kept, and the next sleep or wake-up returns it.

use core::ffi::c_int;
use core::time::Duration;

use sigproof_shim::native::atomic::{AtomicBool, AtomicI32, Ordering};

use super::abi::NoteV1;
use super::instance::Instance;
use super::library::{Library, Note as Said};
use crate::backend::{Backend, Instances, Platform, SignalSafety};
use crate::note::{Note, NoteError, Woken};

/// Every platform: the library exists on this one.
const EVERYWHERE: &[Platform] = &[Platform::Linux, Platform::Darwin, Platform::Bsd];

/// One instance of a library's note.
#[derive(Debug)]
pub struct ForeignNote {
    table: NoteV1,
    instance: Instance,
    /// The process that made it.
    home: u32,
    /// Whether there was a wake-up since the last clear: cases need a note that can tell.
    woken: AtomicBool,
    /// What `clear` returned, if that was no 0, until somebody is told.
    of_clear: AtomicI32,
}

impl ForeignNote {
    /// Memory for a note of this library, on which `init` has not been called.
    ///
    /// # Errors
    /// There is no such memory; or the library has no note, which is [`NoteError::Unsupported`].
    pub fn without_init(library: &Library) -> Result<Self, NoteError> {
        let table = library.note.ok_or(NoteError::Unsupported { what: "a note of a library that has none" })?;
        let instance = Instance::new(table.size, table.align);
        let instance = instance.map_err(|error| NoteError::Os {
            call: "mmap of an instance",
            errno: error.raw_os_error().unwrap_or_default(),
        })?;
        Ok(Self {
            table,
            instance,
            home: std::process::id(),
            woken: AtomicBool::new(false),
            of_clear: AtomicI32::new(0),
        })
    }

    /// A cleared note.
    ///
    /// # Errors
    /// As [`ForeignNote::without_init`], or what `init` returned.
    pub fn new(library: &Library) -> Result<Self, NoteError> {
        let note = Self::without_init(library)?;
        let note = core::mem::ManuallyDrop::new(note);
        match note.init() {
            0 => Ok(core::mem::ManuallyDrop::into_inner(note)),
            // Not destroyed: it was not made. The memory stays mapped, once in a process that ends.
            errno => Err(NoteError::Os { call: "init", errno }),
        }
    }

    /// What `init` returns.
    #[must_use]
    pub fn init(&self) -> c_int {
        // SAFETY: zeroed memory of the size and alignment that the library asks for. That the function keeps
        // to it is what is tested.
        self.table.init.map_or(0, |init| unsafe { init(self.instance.pointer()) })
    }

    /// Destroys it, and makes it anew in the same memory: what `init` returns. No thread is in a function of
    /// it.
    #[must_use]
    pub fn renew(&self) -> c_int {
        self.destroy();
        self.instance.zero();
        self.init()
    }

    /// What `clear` returns.
    #[must_use]
    pub fn call_clear(&self) -> c_int {
        // SAFETY: an initialised instance; as `init`.
        self.table.clear.map_or(0, |clear| unsafe { clear(self.instance.pointer()) })
    }

    /// What `sleep` returns.
    #[must_use]
    pub fn call_sleep(&self) -> c_int {
        // SAFETY: an initialised instance; as `init`.
        self.table.sleep.map_or(0, |sleep| unsafe { sleep(self.instance.pointer()) })
    }

    /// What `sleep_timeout` returns; `None` where there is none.
    #[must_use]
    pub fn call_sleep_timeout(&self, nanoseconds: u64) -> Option<c_int> {
        // SAFETY: an initialised instance; as `init`.
        self.table.sleep_timeout.map(|sleep| unsafe { sleep(self.instance.pointer(), nanoseconds) })
    }

    /// What `wakeup` returns. As async-signal-safe as the library's function is.
    #[must_use]
    pub fn call_wakeup(&self) -> c_int {
        // SAFETY: an initialised instance; as `init`.
        self.table.wakeup.map_or(0, |wakeup| unsafe { wakeup(self.instance.pointer()) })
    }

    /// The memory in which the note lies.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    fn destroy(&self) {
        if let Some(destroy) = self.table.destroy {
            // SAFETY: an initialised instance that no thread uses; as `init`.
            unsafe { destroy(self.instance.pointer()) };
        }
    }

    /// After a call: a copy of the process, by a `fork` of the library, ends here. Else both would go on.
    fn at_home(&self, code: c_int) -> c_int {
        if std::process::id() != self.home {
            // SAFETY: does not return, and is async-signal-safe; nothing of the copy is needed.
            unsafe { libc::_exit(0) };
        }
        code
    }

    /// An error of an earlier `clear`.
    fn cleared(&self) -> Result<(), NoteError> {
        match self.of_clear.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            errno => Err(NoteError::Os { call: "clear", errno }),
        }
    }
}

impl Drop for ForeignNote {
    fn drop(&mut self) {
        self.destroy();
    }
}

impl Note for ForeignNote {
    fn clear(&self) {
        self.woken.store(false, Ordering::Relaxed);
        self.of_clear.store(self.at_home(self.call_clear()), Ordering::Relaxed);
    }

    fn sleep(&self) -> Result<(), NoteError> {
        self.cleared()?;
        match self.at_home(self.call_sleep()) {
            0 => Ok(()),
            errno => Err(NoteError::Os { call: "sleep", errno }),
        }
    }

    fn sleep_timeout(&self, timeout: Duration) -> Result<Woken, NoteError> {
        self.cleared()?;
        let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        match self.call_sleep_timeout(nanoseconds).map(|code| self.at_home(code)) {
            None => Err(NoteError::Unsupported { what: "timed sleep" }),
            Some(0) => Ok(Woken::ByWakeup),
            Some(libc::ETIMEDOUT) => Ok(Woken::ByTimeout),
            Some(errno) => Err(NoteError::Os { call: "sleep_timeout", errno }),
        }
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        self.cleared()?;
        // Relaxed: it counts, and orders nothing.
        let again = self.woken.swap(true, Ordering::Relaxed);
        match self.at_home(self.call_wakeup()) {
            0 if !again => Ok(()),
            0 | libc::EALREADY => Err(NoteError::DoubleWakeup),
            errno => Err(NoteError::Os { call: "wakeup", errno }),
        }
    }
}

/// The backend of the library's note, for the rest of this process's life. Its name is `name`.
pub fn backend(name: String, said: &Said) -> &'static Backend {
    Box::leak(Box::new(Backend {
        name: name.leak(),
        summary: "a note of a shared library (sigproof.h)",
        wakeup: if said.claims_safety() { SignalSafety::Safe } else { SignalSafety::Unsafe },
        why: "the library's own claim: its flag SIGPROOF_WAKEUP_IN_HANDLER",
        timed_sleep: said.is_timed(),
        instances: if said.is_single() { Instances::One } else { Instances::Many },
        descriptors: 0,
        platforms: EVERYWHERE,
        make: || {
            let library = super::current::loaded()
                .map_err(|_| NoteError::Unsupported { what: "the library, which cannot be loaded any more" })?;
            Ok(Box::new(ForeignNote::new(library)?))
        },
    }))
}
