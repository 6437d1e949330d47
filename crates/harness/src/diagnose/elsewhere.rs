//! The diagnosis where another process cannot be looked into by these means: same shape, no result.

use super::{DiagnoseError, Diagnosis, Hints};
use crate::hang::Stuck;

/// Always [`DiagnoseError::Unsupported`].
///
/// # Errors
/// Always.
pub fn diagnose(_pid: u32, _stuck: Stuck, _hints: &Hints) -> Result<Diagnosis, DiagnoseError> {
    Err(DiagnoseError::Unsupported("it needs Linux's /proc on x86_64 or aarch64"))
}

/// Nothing to read ahead.
pub fn warm_up() {}
