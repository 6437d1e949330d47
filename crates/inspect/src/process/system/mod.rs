//! What a supervisor does in one way on Linux and in another way elsewhere.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
use elsewhere as this;
#[cfg(target_os = "linux")]
use linux as this;

pub(crate) use this::{REFUSES_A_ZOMBIE_S_GROUP, kill_by_descriptor, take_name};
pub use this::{own_executable, pause};
