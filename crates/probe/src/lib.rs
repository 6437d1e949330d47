//! A real signal at every instruction of a function of a program that somebody else wrote, unchanged.
//!
//! ```text
//!  untouched runs ──► reference ──► controls ──► walk ──► confirm ──► report
//!   the same twice?    the signal    may copies   every     first and
//!                      outside the   be used?     boundary  last of each
//!                      window                               bad range
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | window | one call of a function, with all that it calls |
//! | pass | one such call in the life of the program |
//! | boundary | the place before an instruction of a pass |
//! | copy | a process that is forked from the program while that is stopped at a boundary |
//!
//! | means | how a boundary is judged | may be trusted |
//! |---|---|---|
//! | [`Means::Undo`] | a copy takes the signal, and is then made again what the program is now | if the controls say so |
//! | [`Means::Copy`] | a copy of its own takes the signal | if the controls say so |
//! | [`Means::Pass`] | the program itself takes it, and goes on to the next pass | yes |
//! | [`Means::Rerun`] | the program is started anew and takes it | yes: it is the judge |
//!
//! This crate knows no case of the casebook. Linux on x86_64; elsewhere [`Trouble::Lacks`] says so.

use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigproof_report::words;
use sigproof_shim::native::atomic::AtomicBool;

mod code;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod elsewhere;
pub mod lint;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux;
pub mod page;
pub mod report;
mod text;

pub use code::{Reading, read};
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use elsewhere as target;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use linux as target;
pub use report::Report;

words! {
    /// What came of a signal at one boundary.
    Ending, "ending" {
        /// The window returned and the program went on, or it ended as it does when the signal comes outside.
        Clean = "clean",
        /// A thread waits for a lock that it holds itself.
        SelfDeadlock = "self-deadlock",
        /// Threads wait for each other.
        CrossDeadlock = "cross deadlock",
        /// A thread sleeps, the handler has returned, and nothing but another signal ends the sleep.
        LostWakeup = "lost wake-up",
        /// It does not go on, and why is not proven.
        Hang = "hang",
        /// Processor time is used, and the program does not go on.
        Livelock = "livelock",
        /// The program died of a signal.
        Crash = "crash",
        /// It ended with another status than it does when the signal comes outside the window.
        WrongExit = "wrong exit",
        /// It wrote something else.
        WrongOutput = "wrong output",
        /// The signal was never delivered, although the program went on.
        Undelivered = "undelivered",
        /// A descriptor is open afterwards that was not open before.
        Leak = "descriptor leak",
        /// The handler returned with another `errno` than it found.
        Errno = "errno spoiled",
    }
}

words! {
    /// How a boundary was judged.
    Means, "means" {
        /// A copy that is used again and again.
        Undo = "undo",
        /// A copy of its own.
        Copy = "copy",
        /// The program itself, which then went on.
        Pass = "pass",
        /// A run of its own.
        Rerun = "rerun",
    }
}

impl Ending {
    /// Its letter in a strip.
    pub const fn letter(self) -> char {
        match self {
            Self::Clean => '.',
            Self::SelfDeadlock => 'D',
            Self::CrossDeadlock => 'X',
            Self::LostWakeup => 'L',
            Self::Hang => 'H',
            Self::Livelock => 'V',
            Self::Crash => '!',
            Self::WrongExit => 'W',
            Self::WrongOutput => 'O',
            Self::Undelivered => 'U',
            Self::Leak => 'F',
            Self::Errno => 'E',
        }
    }
}

/// A function, by its name: `FUNCTION` or `FUNCTION@LIBRARY`; `OBJECT+0xOFFSET` names the one that begins
/// there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowName {
    pub function: String,
    /// The library, as `libc`, `libc.so` or `libc.so.6`.
    pub library: Option<String>,
}

impl WindowName {
    /// The offset in an object file that is named in the place of a function.
    pub fn offset(&self) -> Option<u64> {
        u64::from_str_radix(self.function.strip_prefix("+0x")?, 16).ok()
    }
}

impl std::str::FromStr for WindowName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((object, offset)) = text.rsplit_once("+0x") {
            if u64::from_str_radix(offset, 16).is_err() || object.is_empty() {
                return Err("write OBJECT+0xOFFSET, such as libfoo.so+0x1234".to_owned());
            }
            return Ok(Self { function: format!("+0x{offset}"), library: Some(object.to_owned()) });
        }
        let (function, library) = match text.split_once('@') {
            Some((function, library)) => (function, Some(library.to_owned())),
            None => (text, None),
        };
        if function.is_empty() || library.as_ref().is_some_and(String::is_empty) {
            return Err("write FUNCTION or FUNCTION@LIBRARY, such as localtime_r@libc".to_owned());
        }
        Ok(Self { function: function.to_owned(), library })
    }
}

impl std::fmt::Display for WindowName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.library {
            Some(object) if self.offset().is_some() => write!(f, "{object}{}", self.function),
            Some(library) => write!(f, "{}@{library}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

/// Which thread takes the signal.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Thread {
    /// The first one.
    #[default]
    Main,
    /// Whichever calls the function.
    Any,
    /// Those of this name.
    Named(String),
}

/// By which means boundaries are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Engine {
    /// The fastest that the controls permit.
    #[default]
    Auto,
    /// One copy for each boundary.
    Copy,
    /// The program itself, pass after pass.
    Pass,
    /// A run for each boundary.
    Rerun,
}

/// What the output of the program is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Output {
    /// With nothing.
    #[default]
    Any,
    /// With that of the untouched run.
    Same,
    /// With these bytes.
    Is(Vec<u8>),
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What is added to its environment.
    pub env: Vec<(OsString, OsString)>,
    /// The signals, one after the other.
    pub signals: Vec<i32>,
    /// The windows, one after the other.
    pub windows: Vec<WindowName>,
    /// Which thread takes the signal.
    pub thread: Thread,
    /// The first pass that is swept; by default a later one, when what is done once is done.
    pub from: Option<u64>,
    /// How many passes are swept at most.
    pub calls: Option<u64>,
    /// The time for one window.
    pub time: Duration,
    /// The time in which a run has to go on.
    pub timeout: Duration,
    /// The exit status that is meant; by default that of the reference.
    pub expect_exit: Option<i32>,
    /// What its output is compared with.
    pub expect_output: Output,
    /// Whether symbols are bound at the first call, as they are without this.
    pub cold: bool,
    /// By which means.
    pub engine: Engine,
    /// One boundary alone: its token.
    pub replay: Option<sigproof_step::token::Token>,
    /// A signal whose handler the window is in: it is sent whenever the program waits for nothing else.
    pub open: Option<i32>,
    /// Whether the signals are those that the program gets anyway, from a child or a timer of its own: one
    /// that comes in the window is held back, and delivered at the boundary.
    pub own: bool,
    /// Whether a window that is not there, or of which no call comes, is passed over.
    pub skips: bool,
    /// Whether the program promises that no descriptor is left open.
    pub no_leaks: bool,
    /// A function that another thread is brought to, and held at, while the signal is delivered.
    pub meanwhile: Option<WindowName>,
    /// How many schedules of the other threads are tried at each boundary; 0 and 1: they run freely.
    pub schedules: u32,
    /// How many threads of the supervisor share the boundaries of a window; 0 and 1: one.
    pub jobs: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The sweeps, in order.
    pub reports: Vec<Report>,
    /// Windows that were passed over since no call of them came.
    pub uncalled: Vec<String>,
    /// Windows that were passed over for another reason, each with it.
    pub skipped: Vec<(String, String)>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The command line names what there is not.
    #[error("{0}")]
    Usage(String),
    /// The machine lacks or refuses something: what, and the remedy.
    #[error("{0}")]
    Lacks(String),
    /// The program does not show what an answer needs.
    #[error("{0}")]
    Inconclusive(String),
    /// The window is there, and no call of it came in the time.
    #[error("{0}")]
    Uncalled(String),
    /// The program ended in the middle of the work on it.
    #[error("{0}")]
    Gone(String),
    /// The user has interrupted the work.
    #[error("interrupted")]
    Interrupted,
}

#[cfg(target_os = "linux")]
impl From<sigproof_step::traced::Failed> for Trouble {
    fn from(failed: sigproof_step::traced::Failed) -> Self {
        match failed {
            sigproof_step::traced::Failed::Refused { call, errno } => refused(call)(errno),
            gone @ sigproof_step::traced::Failed::Gone => Self::Gone(gone.to_string()),
        }
    }
}

/// An error number in words: 0 is none, and no text of the system's says so.
pub(crate) fn errno_text(errno: i32) -> String {
    match errno {
        0 => "0".to_owned(),
        errno => {
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            format!("{errno} ({})", text.split(" (os error").next().unwrap_or_default())
        }
    }
}

/// Maps a refusal of the kernel.
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), allow(dead_code))]
pub(crate) fn refused<E: Into<std::io::Error>>(call: &'static str) -> impl FnOnce(E) -> Trouble {
    move |error| Trouble::Lacks(sigproof_inspect::refusal::Refusal::new(call, &error.into()).to_string())
}

/// Sweeps every window with every signal. `tell` hears what is being done.
///
/// # Errors
/// The first trouble; what was found before it is in `found`.
pub fn probe(
    request: &Request,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&str),
    found: &mut Found,
) -> Result<(), Trouble> {
    target::probe(request, stop, tell, found)
}

/// Runs the handlers of the signals that are asked for, or of all, and says what they call that is on no list
/// of async-signal-safe functions. `tell` hears what is being done.
///
/// # Errors
/// There is no such program or no handler, or the machine refuses what is needed.
pub fn lint(request: &Request, stop: &AtomicBool, tell: &mut dyn FnMut(&str)) -> Result<Vec<lint::Lint>, Trouble> {
    target::lint(request, stop, tell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("malloc", "malloc", None)]
    #[case("localtime_r@libc", "localtime_r", Some("libc"))]
    #[case("libx.so+0x12", "+0x12", Some("libx.so"))]
    fn windows_by_name(#[case] text: &str, #[case] function: &str, #[case] library: Option<&str>) {
        let window: WindowName = text.parse().unwrap();
        assert_eq!((window.function.as_str(), window.library.as_deref()), (function, library));
        assert_eq!(window.to_string(), text);
    }

    #[rstest]
    #[case("")]
    #[case("@libc")]
    #[case("malloc@")]
    #[case("+0x12")]
    #[case("libx.so+0xzz")]
    fn no_windows(#[case] text: &str) {
        text.parse::<WindowName>().unwrap_err();
    }
}
