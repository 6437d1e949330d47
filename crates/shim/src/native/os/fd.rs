//! Descriptors: pipe, eventfd, read, write, poll and the descriptor flags.
//!
//! `read`, `write`, `poll`, `fcntl`, `pipe` and `close` are on POSIX's list of async-signal-safe functions;
//! `eventfd2`, `pipe2` and `ppoll` are bare system calls on Linux. None of them touches anything but `errno`,
//! which is the caller's to keep.

use core::marker::PhantomData;
use core::time::Duration;

use super::error::{OsError, check};
use super::target;

/// A descriptor that is closed when dropped.
#[derive(Debug)]
pub struct Fd(libc::c_int);

/// The two ends of a pipe.
#[derive(Debug)]
pub struct PipeEnds {
    /// What is written to the other end is read here.
    pub read: Fd,
    /// The end to write to.
    pub write: Fd,
}

impl Fd {
    /// The number, for a diagnosis or for an atomic word that handlers read.
    #[must_use]
    pub const fn number(&self) -> i32 {
        self.0
    }

    /// Takes charge of an open descriptor.
    pub(crate) const fn from_number(number: libc::c_int) -> Self {
        Self(number)
    }

    /// The descriptor, borrowed.
    #[must_use]
    pub const fn borrow(&self) -> FdRef<'_> {
        FdRef { number: self.0, owner: PhantomData }
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: the number is this object's own. EINTR is not retried: the descriptor is gone by then
        // (Linux, Darwin).
        unsafe { libc::close(self.0) };
    }
}

/// A borrowed descriptor. Safe code obtains one from its owner only, with [`Fd::borrow`], and the owner
/// outlives it:
///
/// ```
/// use sigproof_shim::os::fd;
///
/// let ends = fd::pipe().unwrap();
/// assert!(!ends.read.borrow().is_cloexec().unwrap());
/// ```
///
/// ```compile_fail,E0423
/// let guessed = sigproof_shim::os::fd::FdRef(3);
/// ```
///
/// ```compile_fail,E0451
/// let guessed = sigproof_shim::os::fd::FdRef { number: 3, owner: core::marker::PhantomData };
/// ```
///
/// ```compile_fail,E0133
/// let guessed = sigproof_shim::os::fd::FdRef::from_number(3);
/// ```
///
/// ```compile_fail,E0505
/// let ends = sigproof_shim::os::fd::pipe().unwrap();
/// let read = ends.read.borrow();
/// drop(ends);
/// read.is_cloexec();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdRef<'a> {
    number: libc::c_int,
    owner: PhantomData<&'a Fd>,
}

impl FdRef<'_> {
    /// The descriptor of this number, for a signal handler that reads the number from an atomic word.
    ///
    /// # Safety
    /// As long as the result is used, either the descriptor is open and its owner lends it to the caller, or
    /// no open descriptor has this number; every call then fails with `EBADF`.
    #[must_use]
    pub const unsafe fn from_number(number: i32) -> Self {
        Self { number, owner: PhantomData }
    }

    /// Reads what is there, blocking if the descriptor does. Zero is end-of-file.
    ///
    /// # Errors
    /// [`OsError::Failed`]; `EINTR` and `EAGAIN` are not hidden.
    #[inline]
    pub fn read(self, buffer: &mut [u8]) -> Result<usize, OsError> {
        // SAFETY: pointer and length are those of the buffer. A number that is not open gives EBADF.
        let count = unsafe { libc::read(self.number, buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(count).map_err(|_| OsError::last("read"))
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// [`OsError::Failed`]; `EINTR` and `EAGAIN` are not hidden.
    #[inline]
    pub fn write(self, bytes: &[u8]) -> Result<usize, OsError> {
        // SAFETY: pointer and length are those of the slice. A number that is not open gives EBADF.
        let count = unsafe { libc::write(self.number, bytes.as_ptr().cast(), bytes.len()) };
        usize::try_from(count).map_err(|_| OsError::last("write"))
    }

    /// Waits until the descriptor is readable (or broken, which a read then tells): `true`; or for `timeout`:
    /// `false`. No time-out waits for ever. The resolution is a nanosecond on Linux, a millisecond (rounded
    /// up) elsewhere; on the monotonic clock.
    ///
    /// # Errors
    /// [`OsError::Failed`]; `EINTR` is not hidden.
    pub fn poll_readable(self, timeout: Option<Duration>) -> Result<bool, OsError> {
        let mut entry = libc::pollfd { fd: self.number, events: libc::POLLIN, revents: 0 };
        target::poll(&mut entry, timeout).map(|ready| ready > 0)
    }

    /// Sets or clears `FD_CLOEXEC`.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `EBADF`.
    pub fn set_cloexec(self, on: bool) -> Result<(), OsError> {
        self.set_flag(libc::F_GETFD, libc::F_SETFD, libc::FD_CLOEXEC, on)
    }

    /// Whether `FD_CLOEXEC` is set.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `EBADF`.
    pub fn is_cloexec(self) -> Result<bool, OsError> {
        // SAFETY: F_GETFD takes no argument.
        let flags = check("fcntl", unsafe { libc::fcntl(self.number, libc::F_GETFD) })?;
        Ok(flags & libc::FD_CLOEXEC != 0)
    }

    /// Sets or clears `O_NONBLOCK`. It belongs to the open file, which duplicates and children share.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `EBADF`.
    pub fn set_nonblocking(self, on: bool) -> Result<(), OsError> {
        self.set_flag(libc::F_GETFL, libc::F_SETFL, libc::O_NONBLOCK, on)
    }

    fn set_flag(self, get: i32, set: i32, flag: i32, on: bool) -> Result<(), OsError> {
        // SAFETY: the F_GET commands take no argument, the F_SET ones an integer.
        let old = check("fcntl", unsafe { libc::fcntl(self.number, get) })?;
        let new = if on { old | flag } else { old & !flag };
        // SAFETY: as above.
        check("fcntl", unsafe { libc::fcntl(self.number, set, new) }).map(drop)
    }
}

/// A pipe, both ends blocking and inherited across exec.
///
/// # Errors
/// [`OsError::Failed`]; `EMFILE` or `ENFILE` when descriptors run out.
pub fn pipe() -> Result<PipeEnds, OsError> {
    let mut ends = [-1; 2];
    // SAFETY: room for the two numbers.
    check("pipe", unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    Ok(PipeEnds { read: Fd(ends[0]), write: Fd(ends[1]) })
}

/// A pipe, both ends blocking and close-on-exec from the start: no other thread's fork can see them without.
///
/// # Errors
/// [`OsError::Unsupported`] where the system has no `pipe2` (Darwin before macOS 27); else as [`pipe`].
pub fn pipe2_cloexec() -> Result<PipeEnds, OsError> {
    let mut ends = [-1; 2];
    target::pipe2(&mut ends, libc::O_CLOEXEC)?;
    Ok(PipeEnds { read: Fd(ends[0]), write: Fd(ends[1]) })
}

/// Whether this system has `pipe2`. Looked up at run time where it is not a given.
#[must_use]
pub fn has_pipe2() -> bool {
    target::has_pipe2()
}

/// An event counter, non-blocking and close-on-exec: a write of eight bytes adds, a read takes all.
///
/// # Errors
/// [`OsError::Unsupported`] outside Linux; else [`OsError::Failed`], with `EMFILE` or `ENFILE` when
/// descriptors run out.
pub fn eventfd() -> Result<Fd, OsError> {
    target::eventfd().map(Fd::from_number)
}
