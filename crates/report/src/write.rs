//! Where a report goes: `json=PATH` or `junit=PATH`; a path of `-` is the standard output.
//!
//! The file `place.rs` says how a file, a device or a pipe is written, and what can be known before.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Report, junit};

mod place;

use place::Place;

/// The forms in which a report can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The schema `sigproof.report/1`.
    Json,
    /// JUnit's XML, which every CI system can show.
    Junit,
    /// A page for a browser, in one file, which the verbs make.
    Html,
}

impl Format {
    /// Every form that each verb has, with the word that selects it.
    pub const ALL: &'static [(&'static str, Self)] = &[("json", Self::Json), ("junit", Self::Junit)];

    /// The forms of a verb that makes a page as well.
    pub const WITH_PAGE: &'static [(&'static str, Self)] =
        &[("json", Self::Json), ("junit", Self::Junit), ("html", Self::Html)];

    /// The report in this form.
    fn render(self, report: &Report) -> Result<String, WriteError> {
        match self {
            Self::Json => report.to_json().map_err(|e| WriteError::Render(e.to_string())),
            Self::Junit => junit::render(report).map_err(|e| WriteError::Render(e.to_string())),
            Self::Html => Err(WriteError::Render("this verb makes no page".to_owned())),
        }
    }
}

/// A form and a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The format of the report.
    pub format: Format,
    /// The place; `None` is the standard output.
    pub path: Option<PathBuf>,
}

impl Target {
    /// The target that an argument names. A path need not be UTF-8.
    ///
    /// # Errors
    /// [`TargetError`]: the argument names none.
    pub fn from_os(text: &OsStr) -> Result<Self, TargetError> {
        Self::among(Format::ALL, text)
    }

    /// The same for a verb that has these forms.
    ///
    /// # Errors
    /// [`TargetError`]: the argument names none.
    pub fn among(formats: &[(&str, Format)], text: &OsStr) -> Result<Self, TargetError> {
        let bytes = text.as_bytes();
        let Some(equals) = bytes.iter().position(|byte| *byte == b'=') else {
            return Err(TargetError::NoFormat(text.to_string_lossy().into_owned()));
        };
        let (word, path) = (String::from_utf8_lossy(&bytes[..equals]).into_owned(), &bytes[equals + 1..]);
        let format = formats.iter().find(|(name, _)| *name == word);
        let known = || formats.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let format = format.ok_or_else(|| TargetError::UnknownFormat { word: word.clone(), known: known() })?.1;
        match path {
            b"" => Err(TargetError::NoPath(word)),
            b"-" => Ok(Self { format, path: None }),
            path => Ok(Self { format, path: Some(PathBuf::from(OsStr::from_bytes(path))) }),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        Self::from_os(OsStr::new(text))
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
    #[error("unknown report format '{word}' (one of: {known})")]
    UnknownFormat {
        /// The word that names no format.
        word: String,
        /// Those that exist.
        known: String,
    },
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
    /// Whether the place takes a report, as far as that can be known before there is one. The file that
    /// [`write`](Self::write) would replace or make; `None` for the standard output, a device or a pipe.
    ///
    /// # Errors
    /// [`WriteError`], as `write` would give it.
    pub fn check(&self) -> Result<Option<PathBuf>, WriteError> {
        let Some(path) = &self.path else { return Ok(None) };
        let checked = Place::of(path).and_then(|place| place.check().map(|()| place));
        match checked {
            Ok(Place::File(file)) => Ok(Some(file)),
            Ok(Place::Special(_)) => Ok(None),
            Err(source) => Err(WriteError::Io { place: path.display().to_string(), source }),
        }
    }

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
            Some(path) => Place::of(path)
                .and_then(|place| place.write(text.as_bytes()))
                .map_err(|source| WriteError::Io { place: path.display().to_string(), source }),
        }
    }

    /// Whether it goes to the standard output.
    pub fn is_stdout(&self) -> bool {
        self.path.is_none()
    }
}
