//! The options of a child: its standard input, output and error, and its tie to this process.
//!
//! The environment, the arguments and the folder of a child are those of its `Command`. A tie ends the child
//! with this process, however this process ends: the kernel closes the other end of a pipe. The child must
//! read that end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

/// Where the three standard streams of a child go.
#[derive(Debug, Default)]
pub struct Streams {
    /// Its standard input.
    pub input: Input,
    /// Its standard output.
    pub output: Output,
    /// Its standard error.
    pub errors: Errors,
}

/// The standard input of a child.
#[derive(Debug, Default)]
pub enum Input {
    /// Empty.
    #[default]
    Nothing,
    /// A pipe, for [`super::Group::pipes`].
    Pipe,
    /// A tie: a pipe whose other end the group holds until the child is dead.
    Leash,
    /// This file.
    File(File),
}

/// The standard output of a child.
#[derive(Debug, Default)]
pub enum Output {
    /// That of this process.
    #[default]
    Inherited,
    /// A pipe, for [`super::Group::pipes`].
    Pipe,
    /// The child writes to the same place as its standard error. No `/dev/null` is needed.
    AsErrors,
    /// A tie: the child *reads* its descriptor 1, whose other end the group holds until the child is dead.
    Leash,
}

/// The standard error of a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Errors {
    /// A temporary file, for [`super::Group::last_words`].
    #[default]
    Kept,
    /// That of this process.
    Inherited,
    /// Nowhere.
    Nothing,
}

impl Streams {
    /// For a command whose output the user sees: it reads nothing, and writes where this process writes.
    pub fn shown() -> Self {
        Self { input: Input::Nothing, output: Output::Inherited, errors: Errors::Inherited }
    }

    /// For a child that talks with this process through two pipes.
    pub fn piped() -> Self {
        Self { input: Input::Pipe, output: Output::Pipe, errors: Errors::Kept }
    }
}

/// The streams of one child, made, with the end that its group has to hold.
pub(super) struct Made {
    pub(super) input: Stdio,
    pub(super) output: Stdio,
    pub(super) errors: Stdio,
    /// The file with its standard error, if that is kept.
    pub(super) words: Option<File>,
    /// The other end of its tie, if the tie is its standard output.
    pub(super) leash: Option<OwnedFd>,
}

impl Streams {
    pub(super) fn make(self) -> io::Result<Made> {
        let words = match self.errors {
            Errors::Kept => Some(crate::refusal::temporary_file()?),
            Errors::Inherited | Errors::Nothing => None,
        };
        let errors = || match (&words, self.errors) {
            (Some(file), _) => Ok(Stdio::from(file.try_clone()?)),
            (None, Errors::Nothing) => Ok(Stdio::null()),
            (None, _) => io::stderr().as_fd().try_clone_to_owned().map(Stdio::from),
        };
        let input = match self.input {
            Input::Nothing => Stdio::null(),
            Input::Pipe | Input::Leash => Stdio::piped(),
            Input::File(file) => file.into(),
        };
        let (output, leash) = match self.output {
            Output::Inherited => (Stdio::inherit(), None),
            Output::Pipe => (Stdio::piped(), None),
            Output::AsErrors => (errors()?, None),
            Output::Leash => {
                let (read, write) = io::pipe()?;
                (read.into(), Some(write.into()))
            }
        };
        Ok(Made { input, output, errors: errors()?, words, leash })
    }
}
