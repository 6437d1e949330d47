//! Why a command does not go on.

use sigproof_report::{Exit, Program};

/// What went wrong, beside what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What that makes of the command.
    pub exit: Exit,
    /// What the user is told.
    pub message: String,
    /// Whether this machine lacks what the verb needs: a command that did not ask for the verb may skip it.
    pub skips: bool,
}

impl Trouble {
    /// With this exit code.
    pub fn with(exit: Exit, message: String) -> Self {
        Self { exit, message, skips: false }
    }

    /// The command line is not as it must be.
    pub fn usage(message: String) -> Self {
        Self::with(Exit::Usage, message)
    }

    /// The machine is not as it must be.
    pub fn environment(message: String) -> Self {
        Self::with(Exit::Environment, message)
    }

    /// This machine lacks what the verb needs: the reason and the remedy.
    pub fn lacking(message: String) -> Self {
        Self { skips: true, ..Self::environment(message) }
    }

    /// The user has interrupted the command.
    pub fn interrupted() -> Self {
        Self::with(Exit::Interrupted, "interrupted".to_owned())
    }

    /// With the command that the user runs in the place of [`PROGRAM`](sigproof_report::PROGRAM).
    #[must_use]
    pub fn told_by(self, program: Program) -> Self {
        Self { message: program.named(&self.message), ..self }
    }

    /// We are not as we must be.
    pub fn unexpected(message: String) -> Self {
        Self::with(Exit::Unexpected, message)
    }
}
