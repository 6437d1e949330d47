//! Where text goes, and what becomes of it when nobody takes it.
//!
//! A reader that went away (`| head`) is no error. A full disk is one, and ends in an exit code, never in a panic.

use std::io::{self, ErrorKind, IsTerminal, Write};

use sigproof_report::exit::Exit;

/// A stream for people. Results go to the standard output, unless a report goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Out {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

impl Out {
    /// Writes `text`. [`Exit::Environment`] if the stream does not take it, and [`Exit::AsExpected`] otherwise.
    #[must_use]
    pub fn say(self, text: &str) -> Exit {
        let done = match self {
            Self::Stdout => write(&mut io::stdout().lock(), text),
            Self::Stderr => write(&mut io::stderr().lock(), text),
        };
        match done {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                complain(&format!("cannot write to the standard {}: {error}", self.name()));
                Exit::Environment
            }
            _ => Exit::AsExpected,
        }
    }

    /// Whether it is a terminal.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }

    /// Whether text for it may be coloured: a terminal, and `NO_COLOR` is not set.
    pub fn is_coloured(self) -> bool {
        let asked_not_to = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let cannot = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        self.is_terminal() && !asked_not_to && !cannot
    }

    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "output",
            Self::Stderr => "error",
        }
    }
}

/// What clap has to say: a help or the version, which are results, or what is wrong with the command line.
pub fn usage(error: &clap::Error) -> Exit {
    let out = if error.use_stderr() { Out::Stderr } else { Out::Stdout };
    let text = error.render();
    let told = out.say(&if out.is_coloured() { text.ansi().to_string() } else { text.to_string() });
    if error.use_stderr() { Exit::Usage } else { told }
}

fn write(stream: &mut dyn Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// An error message to the standard error; if that does not take it either, there is nobody left to tell.
pub fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {message}");
}

/// A line of progress to the standard error.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
