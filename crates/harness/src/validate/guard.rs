//! What a function of a library must leave as it was, and what becomes of one that does not.
//!
//! | what | how it is seen |
//! |---|---|
//! | the bounds of an instance | a fault at a guard page ends the process with a sentence; what lies between instance and guard is compared |
//! | the signal mask of the thread, the dispositions of signals | compared before and after |
//! | the process | `pthread_atfork` counts its copies by `fork`, and ends each |
//! | the descriptors that were open before | asked for one by one |
//!
//! The handler of SIGSEGV is async-signal-safe: it reads a table of atomics, writes a sentence on the shared
//! page and leaves.

use sigproof_inspect::refusal::Refusal;
use sigproof_osnote::foreign::abi::ERRNO;
use sigproof_osnote::foreign::instance::{self, Side};
use sigproof_report::Outcome;
use sigproof_shim::native::atomic::{AtomicPtr, AtomicU32, Ordering};
use sigproof_step::leave;

use crate::failure::Failure;
use crate::page::Page;

/// What is said of a write over the bounds of an instance.
pub const OUT_OF_BOUNDS: &str = "writes out of its instance's bounds";

/// The signals whose dispositions are compared: those of POSIX, without the two that nobody can change.
const SIGNALS: core::ops::Range<libc::c_int> = 1..32;

/// Descriptors that are looked at, from 0 on.
const DESCRIPTORS: usize = 64;

static PAGE: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());
static PROCESS: AtomicU32 = AtomicU32::new(0);
static FORKS: AtomicU32 = AtomicU32::new(0);

/// How often this process was copied.
pub fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// The copy, after a `fork`: it ends. Else it would go on with the rounds of the original, and fork again.
unsafe extern "C" fn copied() {
    leave(0);
}

/// The original, after a `fork`.
unsafe extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Makes a fault at a guard of an instance an outcome with a sentence. Called before the library is used.
///
/// # Errors
/// Those of `sigaction`.
pub fn begin(page: &'static Page) -> Result<(), Refusal> {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    // SAFETY: the functions add to an atomic, and leave. A failure, for want of memory, costs a check.
    unsafe { libc::pthread_atfork(None, Some(forked), Some(copied)) };
    // Release pairs with the acquire of the handler.
    PAGE.store(core::ptr::from_ref(page).cast_mut(), Ordering::Release);
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: a zeroed sigaction is valid; `on_fault` has the signature that SA_SIGINFO asks for; the
        // mask is initialised.
        let result = unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, core::ptr::null_mut())
        };
        if result != 0 {
            return Err(Refusal::last("sigaction"));
        }
    }
    Ok(())
}

extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel gave a siginfo to this handler.
    let address = unsafe { (*info).si_addr() } as usize;
    let page = PAGE.load(Ordering::Acquire);
    if let (Some(side), false) = (instance::guarded(address), page.is_null()) {
        let sentence = match side {
            Side::Before => "writes out of its instance's bounds: before the first byte (a guard page was hit)",
            Side::Behind => "writes out of its instance's bounds: behind the last byte (a guard page was hit)",
        };
        // SAFETY: `begin` stored a page that is never freed.
        unsafe { (*page).set_failed(Outcome::Crash, sentence) };
        leave(0);
    }
    // Any other fault is the default's: the instruction runs again, and the process dies of it.
    // SAFETY: the default is no function, and the call is async-signal-safe.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Ends this process with a bad outcome, whatever its other threads do.
pub fn fail(outcome: Outcome, sentence: impl Into<String>) -> ! {
    end(Failure::new(outcome, sentence))
}

/// Ends this process with this failure.
pub fn end(failure: Failure) -> ! {
    // SAFETY: null, or a page that is never freed.
    if let Some(page) = unsafe { PAGE.load(Ordering::Acquire).as_ref() } {
        page.conclude(Err(failure));
    }
    leave(0)
}

/// What a function returned, in words: it was no 0.
pub fn returned(code: libc::c_int) -> String {
    match code {
        1..=ERRNO => format!("{code} ({})", words_of(code)),
        _ => format!("{code}, which is no errno value"),
    }
}

/// The system's text of an error number.
fn words_of(errno: libc::c_int) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// A sentence for every number that a function may return in a handler, where no sentence can be made.
pub fn sentences(function: &str) -> &'static [&'static str] {
    let sentence = |code: libc::c_int| &*format!("{function} returned {} in the handler", returned(code)).leak();
    let known = (0..200).map(sentence);
    let last = &*format!("{function} returned a number in the handler that is no common errno value").leak();
    known.chain([last]).collect::<Vec<_>>().leak()
}

/// The sentence for this number.
pub fn sentence(of: &'static [&'static str], code: libc::c_int) -> &'static str {
    let last = of.len() - 1;
    of[usize::try_from(code).map_or(last, |code| code.min(last))]
}

/// What the library has to leave as it is.
#[derive(Clone)]
pub struct Around {
    forks: u32,
    mask: Vec<bool>,
    dispositions: Vec<usize>,
}

impl Around {
    /// As it is now, for the calling thread.
    pub fn now() -> Self {
        Self { forks: FORKS.load(Ordering::Relaxed), mask: mask(), dispositions: SIGNALS.map(disposition).collect() }
    }

    /// What `function` has changed since; `None` if nothing.
    pub fn changed_by(&self, function: &str) -> Option<Failure> {
        if std::process::id() != PROCESS.load(Ordering::Relaxed) {
            // A copy has nothing to say: the original does.
            leave(0);
        }
        let now = Self::now();
        if now.forks != self.forks {
            return Some(Failure::new(Outcome::Crash, format!("`{function}` forked the process")));
        }
        let differ = |a: &[usize], b: &[usize]| a.iter().zip(b).position(|(a, b)| a != b);
        let words = |mask: &[bool]| mask.iter().map(|blocked| usize::from(*blocked)).collect::<Vec<_>>();
        if let Some(at) = differ(&words(&self.mask), &words(&now.mask)) {
            let how = if now.mask[at] { "blocked" } else { "not blocked any more" };
            let sentence = format!("`{function}` returned with {} {how}", name(at as libc::c_int + SIGNALS.start));
            return Some(Failure::new(Outcome::Crash, sentence));
        }
        let at = differ(&self.dispositions, &now.dispositions)?;
        let signal = name(at as libc::c_int + SIGNALS.start);
        Some(Failure::new(Outcome::Crash, format!("`{function}` changed the handler of {signal}")))
    }
}

/// Which signals the calling thread blocks.
fn mask() -> Vec<bool> {
    // SAFETY: the set is initialised by the call before it is asked.
    unsafe {
        let mut set = core::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, core::ptr::null(), &raw mut set);
        SIGNALS.map(|signal| libc::sigismember(&raw const set, signal) == 1).collect()
    }
}

/// The handler of a signal, as a number.
fn disposition(signal: libc::c_int) -> usize {
    // SAFETY: a zeroed sigaction is valid, and the call only reads.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        libc::sigaction(signal, core::ptr::null(), &raw mut action);
        action.sa_sigaction
    }
}

/// The name of a signal.
fn name(signal: libc::c_int) -> String {
    const NAMES: &[(libc::c_int, &str)] = &[
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGPROF, "SIGPROF"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGCHLD, "SIGCHLD"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGIO, "SIGIO"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

/// The descriptors that are open, a bit for each of the first ones.
pub fn descriptors() -> u64 {
    let open = |fd: &usize| {
        // SAFETY: takes numbers, and reads a flag.
        unsafe { libc::fcntl(*fd as libc::c_int, libc::F_GETFD) >= 0 }
    };
    (0..DESCRIPTORS).filter(open).fold(0, |set, fd| set | 1 << fd)
}

/// The numbers of a set of descriptors.
pub fn numbers(set: u64) -> Vec<usize> {
    (0..DESCRIPTORS).filter(|fd| set & 1 << fd != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_returned_is_told_in_words() {
        assert!(returned(libc::EINTR).starts_with("4 (Interrupted"), "{}", returned(libc::EINTR));
        assert_eq!(returned(-1), "-1, which is no errno value");
        // They are never freed, so a checker of leaks has to find them here.
        static ALL: std::sync::OnceLock<&[&str]> = std::sync::OnceLock::new();
        let all = ALL.get_or_init(|| sentences("wakeup"));
        assert!(sentence(all, libc::EINTR).contains("Interrupted"));
        assert_eq!(sentence(all, -5), sentence(all, 70_000));
    }

    #[test]
    fn a_blocked_signal_and_another_handler_are_seen() {
        PROCESS.store(std::process::id(), Ordering::Relaxed);
        std::thread::spawn(|| {
            let before = Around::now();
            assert_eq!(before.changed_by("nothing"), None);
            // SAFETY: the set is a live local; this thread's own mask is changed.
            unsafe {
                let mut set = core::mem::zeroed();
                libc::sigemptyset(&raw mut set);
                libc::sigaddset(&raw mut set, libc::SIGIO);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, core::ptr::null_mut());
            }
            let said = before.changed_by("wakeup").unwrap().detail;
            assert_eq!(said, "`wakeup` returned with SIGIO blocked");
        })
        .join()
        .unwrap();
        let before = Around::now();
        // SAFETY: to ignore a signal that nothing sends is no function.
        let was = unsafe { libc::signal(libc::SIGURG, libc::SIG_IGN) };
        let said = before.changed_by("sleep").unwrap().detail;
        // SAFETY: as it was.
        unsafe { libc::signal(libc::SIGURG, was) };
        assert!(said.starts_with("`sleep` changed the handler of"), "{said}");
    }
}
