//! What this machine refuses to an attempt: a system call that a policy or a limit turned down.
//!
//! A refusal says nothing about the code under test, so it is neither an outcome nor a budget that ran out:
//! the setup is skipped, and the command ends with exit code 4. Two kinds of errors are *not* refusals:
//! - An error that the case provokes: a second set-up of a note that exists once, a write to a closed pipe.
//! - A limit that the case itself has used up: out of descriptors, memory or threads after the first round
//!   ([`Refusal::used_up`]).

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io;

/// A call that the machine turned down, with its error number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The call, or what was to be done.
    pub call: Cow<'static, str>,
    /// Its error number; 0 if the error had none.
    pub errno: i32,
}

impl Refusal {
    /// A call that failed with this error number.
    pub fn of(call: impl Into<Cow<'static, str>>, errno: i32) -> Self {
        Self { call: call.into(), errno }
    }

    /// A call that failed with this error. An error that holds a refusal already stays what it is.
    pub fn new(call: impl Into<Cow<'static, str>>, error: &io::Error) -> Self {
        if let Some(known) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return known.clone();
        }
        // An error with a path around it (as `tempfile` makes them) has its number one level below.
        let below = || error.get_ref().and_then(Error::source).and_then(|e| e.downcast_ref::<io::Error>());
        match error.raw_os_error().or_else(|| below()?.raw_os_error()) {
            Some(errno) => Self::of(call, errno),
            None => Self::of(format!("{}: {error}", call.into()), 0),
        }
    }

    /// A call that has just failed, by `errno`.
    pub fn last(call: impl Into<Cow<'static, str>>) -> Self {
        Self::new(call, &io::Error::last_os_error())
    }

    /// A thread that could not be started.
    pub fn thread(error: &io::Error) -> Self {
        Self::new("a new thread (clone)", error)
    }

    /// Whether an error number reports a policy or a limit of the machine. Others report a wrong call, or
    /// what the case is about.
    pub const fn is_one(errno: i32) -> bool {
        matches!(
            errno,
            libc::EPERM
                | libc::EACCES
                | libc::ENOSYS
                | libc::EOPNOTSUPP
                | libc::EMFILE
                | libc::ENFILE
                | libc::ENOMEM
                | libc::ENOSPC
                | libc::EDQUOT
                | libc::EROFS
        )
    }

    /// Whether the process itself may have used up what there was: then, after its first round, it is a leak
    /// of the case.
    pub const fn used_up(&self) -> bool {
        matches!(self.errno, libc::EMFILE | libc::ENOMEM | libc::EAGAIN)
    }

    /// What the user can do.
    pub fn remedy(&self) -> &'static str {
        let call = &*self.call;
        let about = |words: &[&str]| words.iter().any(|word| call.contains(word));
        match self.errno {
            libc::EAGAIN if about(&["timer_"]) => {
                "no more signals may be pending for this user (ulimit -i): raise the limit, or use --delivery pthread-kill"
            }
            libc::EAGAIN if about(&["clone", "fork", "child"]) => {
                "no more processes may be started: raise the limit (ulimit -u, pids.max of the cgroup)"
            }
            libc::EMFILE | libc::ENFILE => "raise the limit of open files (ulimit -n)",
            libc::ENOMEM => "give it more memory (ulimit -v, memory.max of the cgroup)",
            _ if about(&["TMPDIR"]) => "set TMPDIR to a folder that exists, can be written to and has room",
            _ if about(&["/proc"]) => "mount /proc of this PID namespace",
            _ if about(&["timer_"]) => {
                "allow timer_create and timer_settime (the seccomp profile of the container), or use --delivery pthread-kill"
            }
            _ if about(&["setitimer"]) => "allow it (the seccomp profile of the container), or use another --delivery",
            _ if about(&["pthread_kill"]) => {
                "allow tgkill (the seccomp profile of the container), or use --delivery thread-timer"
            }
            _ if about(&["eventfd"]) => {
                "allow eventfd2 (the seccomp profile of the container), or choose another --note"
            }
            _ => "allow it: the seccomp profile of the container, or the security policy of this machine",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            0 => write!(f, "{}", self.call),
            errno => write!(
                f,
                "this machine refused {}: {}; {}",
                self.call,
                io::Error::from_raw_os_error(errno),
                self.remedy()
            ),
        }
    }
}

impl Error for Refusal {}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(Self::from_raw_os_error(refusal.errno).kind(), refusal)
    }
}

/// An unnamed temporary file, in `TMPDIR` or where the system keeps them.
///
/// # Errors
/// The folder is missing, full or not ours to write to.
pub fn temporary_file() -> Result<File, Refusal> {
    tempfile::tempfile().map_err(|error| no_temporary_file(&error))
}

/// The refusal for an error of a temporary file.
pub fn no_temporary_file(error: &io::Error) -> Refusal {
    Refusal::new(format!("a temporary file in {} (TMPDIR)", std::env::temp_dir().display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("timer_create", libc::EAGAIN, &["timer_create", "temporarily unavailable", "ulimit -i", "--delivery pthread-kill"])]
    #[case("timer_settime", libc::EPERM, &["timer_settime", "not permitted", "seccomp", "--delivery pthread-kill"])]
    #[case("setitimer", libc::EPERM, &["setitimer", "another --delivery"])]
    #[case("pthread_kill (tgkill)", libc::EPERM, &["tgkill", "--delivery thread-timer"])]
    #[case("tgkill", libc::EPERM, &["tgkill", "allow it: the seccomp profile"])]
    #[case("fork", libc::EAGAIN, &["fork", "ulimit -u"])]
    #[case("eventfd", libc::ENOSYS, &["eventfd", "not implemented", "another --note"])]
    #[case("pipe2", libc::EMFILE, &["pipe2", "ulimit -n"])]
    #[case("a new thread (clone)", libc::EAGAIN, &["thread", "ulimit -u"])]
    #[case("a temporary file in /nowhere (TMPDIR)", libc::ENOENT, &["/nowhere", "set TMPDIR"])]
    #[case("/proc/self/exe", libc::ENOENT, &["mount /proc"])]
    #[case("prctl", libc::EPERM, &["prctl", "allow it"])]
    fn a_refusal_names_its_call_its_error_and_a_remedy(
        #[case] call: &'static str,
        #[case] errno: i32,
        #[case] words: &[&str],
    ) {
        let said = Refusal::of(call, errno).to_string();
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    }

    #[test]
    fn an_error_that_holds_a_refusal_stays_it() {
        let refusal = Refusal::of("prctl", libc::EPERM);
        let error = io::Error::from(refusal.clone());
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(Refusal::new("another call", &error), refusal);
    }

    #[test]
    fn what_a_wrong_call_reports_is_no_refusal() {
        for errno in [libc::EINVAL, libc::EBADF, libc::EFAULT, libc::EPIPE, libc::EDEADLK, libc::EAGAIN] {
            assert!(!Refusal::is_one(errno), "{errno}");
        }
    }
}
