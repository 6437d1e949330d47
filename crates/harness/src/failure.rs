//! How an attempt ends badly, and which errors are bad ends of the code under test: the others are refusals
//! of the machine.

use std::io;

use sigproof_osnote::NoteError;
use sigproof_osnote::cpuprof::RateError;
use sigproof_profbuf::{CloseError, ConfigError, ReadError, WriteError};
use sigproof_shim::native::os::OsError;

use sigproof_inspect::refusal::Refusal;
use sigproof_report::Outcome;

/// How an attempt ended badly, as the attempt itself saw it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{outcome}: {detail}")]
pub struct Failure {
    pub outcome: Outcome,
    /// What was seen, in a sentence.
    pub detail: String,
    /// The call that this machine refused, if that ended the attempt: then it has no outcome
    /// ([`crate::page::Page::conclude`]).
    pub refusal: Option<Refusal>,
}

impl Failure {
    /// An outcome with what was seen.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), refusal: None }
    }
}

/// The operating system refused something to the attempt itself, before or beside what is tested.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal.clone()), ..Self::new(Outcome::Crash, refusal.to_string()) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Refusal::new("a call of the attempt's set-up", &error).into()
    }
}

/// An error of a call that the tested code makes: a refusal if its number says so, else what the code has
/// come to.
fn of_call(call: &'static str, errno: i32, said: String) -> Failure {
    if Refusal::is_one(errno) { Refusal::of(call, errno).into() } else { Failure::new(Outcome::Crash, said) }
}

impl From<OsError> for Failure {
    fn from(error: OsError) -> Self {
        match error {
            OsError::Failed { call, errno } => of_call(call, errno, error.to_string()),
            OsError::Unsupported { what } => Refusal::of(what, libc::ENOSYS).into(),
        }
    }
}

impl From<NoteError> for Failure {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::DoubleWakeup => Self::new(Outcome::DoubleWakeup, error.to_string()),
            NoteError::InHandler => Self::new(Outcome::Refused, error.to_string()),
            NoteError::Os { call, errno } => of_call(call, errno, error.to_string()),
            NoteError::DescriptorsExhausted { call } => Refusal::of(call, libc::EMFILE).into(),
            _ => Self::new(Outcome::Crash, error.to_string()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Outcome::Crash, error.to_string())
    }
}

impl From<ReadError<NoteError>> for Failure {
    fn from(error: ReadError<NoteError>) -> Self {
        match error {
            ReadError::Wake(error) => error.into(),
            malformed => Self::new(Outcome::CorruptRecord, malformed.to_string()),
        }
    }
}

impl From<CloseError<NoteError>> for Failure {
    fn from(error: CloseError<NoteError>) -> Self {
        match error {
            CloseError::Wake(error) => error.into(),
            misuse => Self::new(Outcome::Crash, misuse.to_string()),
        }
    }
}

impl From<WriteError<NoteError>> for Failure {
    fn from(error: WriteError<NoteError>) -> Self {
        match error {
            WriteError::Wake(error) => error.into(),
            misuse => Self::new(Outcome::Crash, misuse.to_string()),
        }
    }
}

impl From<RateError> for Failure {
    fn from(error: RateError) -> Self {
        match error {
            RateError::Note(error) | RateError::Wake(error) => error.into(),
            other => Self::new(Outcome::Crash, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::a_policy(NoteError::Os { call: "eventfd", errno: libc::EPERM }, true)]
    #[case::an_old_kernel(NoteError::Os { call: "eventfd", errno: libc::ENOSYS }, true)]
    #[case::a_limit(NoteError::DescriptorsExhausted { call: "pipe2" }, true)]
    #[case::a_wrong_call(NoteError::Os { call: "write", errno: libc::EBADF }, false)]
    #[case::a_second_set_up(NoteError::DuplicateSetup, false)]
    #[case::misuse(NoteError::TwoSleepers, false)]
    #[case::the_bug(NoteError::DoubleWakeup, false)]
    fn only_what_the_machine_turned_down_is_a_refusal(#[case] error: NoteError, #[case] refused: bool) {
        let failure = Failure::from(error);
        assert_eq!(failure.refusal.is_some(), refused, "{failure:?}");
    }

    #[test]
    fn the_same_for_errors_of_the_system_itself() {
        let failed = |errno| Failure::from(OsError::Failed { call: "pipe2", errno }).refusal;
        assert_eq!(failed(libc::EPERM), Some(Refusal::of("pipe2", libc::EPERM)));
        assert_eq!(failed(libc::EINVAL), None);
        assert!(Failure::from(io::Error::from_raw_os_error(libc::EPERM)).refusal.is_some());
    }
}
