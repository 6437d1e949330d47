//! The streams for people: colours, widths and write errors.
//!
//! A closed pipe (`| head`) is no error. Any other write error, such as a full disk, gives exit code 4, never
//! a panic.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
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
    /// Writes `text`, which may be styled; the styles are removed where the stream shows no colours.
    /// [`Exit::Environment`] if the stream does not take the text, and [`Exit::AsExpected`] otherwise.
    #[must_use]
    pub fn say(self, text: &str) -> Exit {
        let choice = if self.is_coloured() { ColorChoice::Always } else { ColorChoice::Never };
        let done = match self {
            Self::Stdout => write(&mut AutoStream::new(io::stdout().lock(), choice), text),
            Self::Stderr => write(&mut AutoStream::new(io::stderr().lock(), choice), text),
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

    /// Whether the stream shows colours. The first line that holds decides:
    ///
    /// | | colours |
    /// |---|---|
    /// | `NO_COLOR` is set and not empty | no |
    /// | `CLICOLOR_FORCE` is set, not empty and not 0 | yes |
    /// | the stream is no terminal, `TERM` is `dumb`, or `CLICOLOR` is 0 | no |
    /// | otherwise | yes |
    pub fn is_coloured(self) -> bool {
        if anstyle_query::no_color() {
            return false;
        }
        let refused = anstyle_query::clicolor() == Some(false) || !anstyle_query::term_supports_ansi_color();
        let forced = anstyle_query::clicolor_force() && std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0");
        forced || self.is_terminal() && !refused
    }

    /// The columns of the terminal; `None` if the stream is no terminal, or its size is not known.
    pub fn width(self) -> Option<u16> {
        let mut table = comfy_table::Table::new();
        if self == Self::Stderr {
            table.use_stderr();
        }
        table.width()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "output",
            Self::Stderr => "error",
        }
    }
}

/// Prints what clap returns: a help or the version, which are results, or an error in the command line.
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

/// Writes an error message to the standard error; an error of that write is ignored.
pub fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {message}");
}

/// Writes a line of progress to the standard error.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
