//! Everything that one command found: the schema `sigproof.report/1`.
//!
//! The schema may gain fields within its version; a reader ignores fields that it does not know.

use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::run::Run;

/// The name and version of the report's schema.
pub const SCHEMA: &str = "sigproof.report/1";

/// Everything that one command found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Where it ran.
    pub host: Host,
    /// The seed of everything random in it; the same seed aims the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Wall time of the whole, in seconds.
    #[serde(default)]
    pub elapsed_seconds: f64,
    /// Whether the user stopped it: the runs are then those up to that moment.
    #[serde(default)]
    pub interrupted: bool,
    /// One entry for each setup, in the order of the registry.
    pub runs: Vec<Run>,
}

impl Report {
    /// An empty report of this machine.
    pub fn new() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            host: Host::detect(),
            seed: None,
            elapsed_seconds: 0.0,
            interrupted: false,
            runs: Vec::new(),
        }
    }

    /// Reads a report back.
    ///
    /// # Errors
    /// [`ReadError`] for what is not JSON, not a report, or a report of another version.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        let report: Self = serde_json::from_str(text)?;
        if report.schema == SCHEMA { Ok(report) } else { Err(ReadError::Schema(report.schema)) }
    }

    /// As JSON, indented, with a newline at the end.
    ///
    /// # Errors
    /// None in practice: every key is a string; a float that is not finite is written as null.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not JSON, or not of the shape.
    #[error("not a report: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is of a schema that this program does not know.
    #[error("a report of schema '{0}', this program reads '{SCHEMA}'")]
    Schema(String),
}
