//! The side of the process that is interrupted.

/// What a window's process has.
#[derive(Debug)]
pub struct Stage {}
