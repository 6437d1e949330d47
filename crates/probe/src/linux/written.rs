//! What a program writes. Kept is nothing, or all of it to be compared, or the last line, which mostly says
//! why the program failed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// How much output is compared.
pub(crate) const OUTPUT: u64 = 16 << 20;

/// How much of what a program writes is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Nothing,
    /// Of its standard error.
    LastLine,
    All,
}

/// What a program has written.
#[derive(Debug)]
pub(crate) enum Written {
    Nothing,
    LastLine(Tail),
    All(File),
}

impl Written {
    /// Says to the program where to write to.
    pub(crate) fn open(wanted: Wanted, command: &mut Command) -> io::Result<Self> {
        Ok(match wanted {
            Wanted::Nothing => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
                Self::Nothing
            }
            Wanted::LastLine => {
                let (tail, write) = Tail::open()?;
                command.stdout(Stdio::null()).stderr(write);
                Self::LastLine(tail)
            }
            Wanted::All => {
                let file = tempfile::tempfile()?;
                command.stdout(file.try_clone()?).stderr(file.try_clone()?);
                Self::All(file)
            }
        })
    }

    /// Takes what there is, so that the program does not wait. To be called again and again while it runs.
    pub(crate) fn drain(&mut self) {
        if let Self::LastLine(tail) = self {
            tail.drain();
        }
    }

    /// Whether it has written more than is compared.
    pub(crate) fn is_too_long(&self) -> bool {
        matches!(self, Self::All(file) if file.metadata().is_ok_and(|metadata| metadata.len() > OUTPUT))
    }

    /// All of it, if it is kept.
    pub(crate) fn all(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Self::All(file) = self else { return Ok(None) };
        let mut output = Vec::new();
        file.rewind()?;
        file.take(OUTPUT).read_to_end(&mut output)?;
        Ok(Some(output))
    }

    /// The last line, if it is kept.
    pub(crate) fn last_line(&mut self) -> Option<String> {
        match self {
            Self::LastLine(tail) => tail.line(),
            written => last_line(&written.all().ok()??),
        }
    }
}

/// How many bytes are kept for the last line.
const KEPT: usize = 4096;

/// The longest line that is told, in characters.
const LINE: usize = 200;

/// What a program writes to its standard error, all but its end forgotten. Whoever keeps it has to
/// [drain](Tail::drain) it, or the program waits.
#[derive(Debug)]
pub(crate) struct Tail {
    read: File,
    kept: Vec<u8>,
}

impl Tail {
    /// With the end to write to.
    fn open() -> io::Result<(Self, io::PipeWriter)> {
        let (read, write) = io::pipe()?;
        fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Self { read: File::from(OwnedFd::from(read)), kept: Vec::new() }, write))
    }

    /// Takes what there is.
    fn drain(&mut self) {
        let mut bytes = [0; KEPT];
        while let Ok(read @ 1..) = self.read.read(&mut bytes) {
            self.kept.extend_from_slice(&bytes[..read]);
            self.kept.drain(..self.kept.len().saturating_sub(KEPT));
        }
    }

    /// The last line so far.
    fn line(&mut self) -> Option<String> {
        self.drain();
        last_line(&self.kept)
    }
}

/// The last line that is not empty, fit to be printed.
fn last_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(KEPT)..]);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().filter(|letter| !letter.is_control()).take(LINE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::io::Write;

    #[rstest]
    #[case::none("", None)]
    #[case::blank("\n \n", None)]
    #[case::one("why", Some("why"))]
    #[case::last("one\ntwo\n\n", Some("two"))]
    #[case::escapes("\x1b[31mred\x07", Some("[31mred"))]
    fn the_last_line_is_fit_to_be_printed(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(last_line(text.as_bytes()).as_deref(), expected);
    }

    #[test]
    fn a_line_is_told_up_to_a_length() {
        let long = "x".repeat(10 * KEPT);
        assert_eq!(last_line(long.as_bytes()).map(|line| line.len()), Some(LINE));
    }

    /// More than a pipe holds.
    #[test]
    fn a_program_that_writes_much_is_not_held() {
        let (mut tail, mut write) = Tail::open().unwrap();
        let program = std::thread::spawn(move || (0..9999).try_for_each(|number| writeln!(write, "line {number}")));
        while !program.is_finished() {
            tail.drain();
        }
        program.join().unwrap().unwrap();
        assert_eq!(tail.line().as_deref(), Some("line 9998"));
        assert!(tail.kept.len() <= KEPT);
    }
}
