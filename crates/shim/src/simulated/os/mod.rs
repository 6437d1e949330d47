//! The simulated kernel, under the names of the real one.

pub mod clock;
pub mod errno;
pub mod fd;
pub mod futex;
pub mod process;
pub mod pthread;
pub mod sem;
pub mod sigmask;
pub mod sigstack;
pub mod thread;

pub use crate::native::os::OsError;

use super::world::with;

/// What a failing call leaves: the error, and `errno`.
fn failed(call: &'static str, errno: i32) -> OsError {
    with(|w| w.me().errno = errno);
    OsError::Failed { call, errno }
}
