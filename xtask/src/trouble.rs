//! Why a command does not go on.

use sigproof_report::exit::Exit;

/// What went wrong, beside what was found.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What that makes of the command.
    pub exit: Exit,
    /// What the user is told.
    pub message: String,
}

impl Trouble {
    /// The command line is not as it must be.
    pub fn usage(message: String) -> Self {
        Self { exit: Exit::Usage, message }
    }

    /// The machine is not as it must be.
    pub fn environment(message: String) -> Self {
        Self { exit: Exit::Environment, message }
    }

    /// We are not as we must be.
    pub fn unexpected(message: String) -> Self {
        Self { exit: Exit::Unexpected, message }
    }
}
