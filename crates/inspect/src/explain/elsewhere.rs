//! The explanation where another process cannot be looked into by these means: same shape, no result.

use super::{Answer, Refused};

/// Always [`Refused::Unsupported`].
///
/// # Errors
/// Always.
pub fn explain(_pid: u32) -> Result<Answer, Refused> {
    Err(Refused::Unsupported("it needs Linux's /proc on x86_64 or aarch64"))
}

/// Always [`Refused::Unsupported`].
///
/// # Errors
/// Always.
pub fn explain_core(_file: &std::path::Path) -> Result<Answer, Refused> {
    Err(Refused::Unsupported("it needs Linux on x86_64 or aarch64"))
}
