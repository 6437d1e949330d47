//! Sequences that once disagreed: a line each, run before all others.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::sequence::{NotASequence, Sequence};

/// The file of the project, which belongs into version control.
pub fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions.txt")
}

/// Why the file is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegressionError {
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    /// A line of it is no sequence.
    #[error("{}:{line}: {error}", path.display())]
    Line {
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        error: NotASequence,
    },
}

/// The sequences in the file; none if there is no file. What follows a `#` is a comment.
///
/// # Errors
/// [`RegressionError`].
pub fn read(path: &Path) -> Result<Vec<Sequence>, RegressionError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(RegressionError::File { path: path.to_owned(), error }),
    };
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default().trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty());
    let parse = |(line, text): (usize, &str)| {
        text.parse().map_err(|error| RegressionError::Line { path: path.to_owned(), line, error })
    };
    lines.map(parse).collect()
}

/// Adds a sequence, unless it is there.
///
/// # Errors
/// [`RegressionError`].
pub fn keep(path: &Path, sequence: &Sequence, remark: &str) -> Result<(), RegressionError> {
    if read(path)?.contains(sequence) {
        return Ok(());
    }
    let append = || {
        let mut file = fs::File::options().create(true).append(true).open(path)?;
        file.write_all(format!("{sequence} # {remark}\n").as_bytes())
    };
    append().map_err(|error| RegressionError::File { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regressions.txt");
        assert_eq!(read(&path).unwrap(), []);
        let sequence: Sequence = "new header=0 words=8 tags=2 at=1,2; read".parse().unwrap();
        keep(&path, &sequence, "go1.0").unwrap();
        keep(&path, &sequence, "go1.1").unwrap();
        assert_eq!(read(&path).unwrap(), [sequence]);
        fs::write(&path, "# a remark\n\nnew\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("regressions.txt:3: 'new' is not part of a sequence"), "{error}");
    }

    #[test]
    fn the_file_of_the_project_is_read() {
        assert!(!read(&file()).unwrap().is_empty());
    }
}
