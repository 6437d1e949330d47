//! Where a report goes: `json=PATH` or `junit=PATH`; a path of `-` is the standard output.
//!
//! A regular file is replaced whole or not at all: the text goes to a temporary file beside it, which is then renamed over it. What
//! is not a regular file (a device, a pipe) is written in place, since a rename would put a file where the device was.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Report, junit};

/// The forms in which a report can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The schema `sigproof.report/1`.
    Json,
    /// JUnit's XML, which every CI system can show.
    Junit,
}

impl Format {
    /// Every form, with the word that selects it.
    pub const ALL: &'static [(&'static str, Self)] = &[("json", Self::Json), ("junit", Self::Junit)];

    /// The report in this form.
    fn render(self, report: &Report) -> Result<String, WriteError> {
        match self {
            Self::Json => report.to_json().map_err(|e| WriteError::Render(e.to_string())),
            Self::Junit => junit::render(report).map_err(|e| WriteError::Render(e.to_string())),
        }
    }
}

/// A form and a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The form.
    pub format: Format,
    /// The place; `None` is the standard output.
    pub path: Option<PathBuf>,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (word, path) = text.split_once('=').ok_or_else(|| TargetError::NoFormat(text.to_owned()))?;
        let format = Format::ALL.iter().find(|(name, _)| *name == word);
        let format = format.ok_or_else(|| TargetError::UnknownFormat(word.to_owned()))?.1;
        match path {
            "" => Err(TargetError::NoPath(word.to_owned())),
            "-" => Ok(Self { format, path: None }),
            path => Ok(Self { format, path: Some(PathBuf::from(path)) }),
        }
    }
}

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// No `=` in it.
    #[error("'{0}' names no format: write json={0} or junit={0}")]
    NoFormat(String),
    /// A format that does not exist.
    #[error("unknown report format '{0}' (one of: json, junit)")]
    UnknownFormat(String),
    /// Nothing after the `=`.
    #[error("'{0}=' names no file: write {0}=PATH, or {0}=- for the standard output")]
    NoPath(String),
}

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It could not be put into this form.
    #[error("cannot render the report: {0}")]
    Render(String),
    /// The place does not take it.
    #[error("cannot write the report to {place}: {source}")]
    Io {
        /// The path, or "the standard output".
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Target {
    /// Writes the report there.
    ///
    /// # Errors
    /// [`WriteError`]; what stood at the path before is then untouched, and no temporary file is left.
    pub fn write(&self, report: &Report) -> Result<(), WriteError> {
        self.write_text(&self.format.render(report)?)
    }

    /// Writes a text there that is in this form already.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_text(&self, text: &str) -> Result<(), WriteError> {
        match &self.path {
            None => {
                let mut out = io::stdout().lock();
                let done = out.write_all(text.as_bytes()).and_then(|()| out.flush());
                done.map_err(|source| WriteError::Io { place: "the standard output".to_owned(), source })
            }
            Some(path) => replace(path, text.as_bytes())
                .map_err(|source| WriteError::Io { place: path.display().to_string(), source }),
        }
    }

    /// Whether it goes to the standard output.
    pub fn is_stdout(&self) -> bool {
        self.path.is_none()
    }
}

/// Puts `bytes` at `path`, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link is followed, so that its target is replaced and not the link.
    let path = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    match fs::metadata(&path) {
        Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => return write_in_place(&path, bytes),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // For an error in the system's words; that of the temporary file would name the temporary file.
    fs::metadata(folder)?;
    // 0666, from which the system takes the user's umask: a report is for others to read.
    let mut temporary = tempfile::Builder::new()
        .prefix(".sigproof-report-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| error.kind())?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes into what is there and is no regular file.
fn write_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut there = File::options().write(true).open(path)?;
    there.write_all(bytes)?;
    there.flush()
}
