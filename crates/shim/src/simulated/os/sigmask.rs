//! Blocking one signal in the running thread. A signal that was sent meanwhile is delivered when the guard is
//! dropped.

use core::marker::PhantomData;
use std::panic::Location;
use std::string::String;

use super::OsError;
use crate::simulated::point;
use crate::simulated::world::with;

/// The bit of a signal in a mask.
pub(in crate::simulated) const fn bit(signo: i32) -> u64 {
    if signo >= 1 && signo <= 64 { 1 << (signo - 1) } else { 0 }
}

/// Keeps one signal blocked in this thread.
#[derive(Debug)]
#[must_use = "the signal is unblocked when the guard is dropped"]
pub struct MaskGuard {
    unblock: u64,
    at: &'static Location<'static>,
    _not_send: PhantomData<*const ()>,
}

/// Blocks `signo` in the running thread until the guard is dropped.
///
/// # Errors
/// [`OsError::Failed`] with `EINVAL` for a number that is no signal.
#[track_caller]
pub fn block(signo: i32) -> Result<MaskGuard, OsError> {
    let at = Location::caller();
    let signal = valid(signo)?;
    point::pass(at);
    let unblock = with(|w| {
        w.record(at, || std::format!("blocks signal {signo}"));
        let mask = &mut w.me().mask;
        let before = *mask;
        *mask |= signal;
        signal & !before
    });
    Ok(MaskGuard { unblock: unblock.unwrap_or(0), at, _not_send: PhantomData })
}

/// Whether `signo` is blocked in the running thread.
///
/// # Errors
/// As [`block`].
pub fn is_blocked(signo: i32) -> Result<bool, OsError> {
    let signal = valid(signo)?;
    Ok(with(|w| w.me().mask & signal != 0).unwrap_or(false))
}

fn valid(signo: i32) -> Result<u64, OsError> {
    match bit(signo) {
        0 => Err(OsError::Failed { call: "sigaddset", errno: libc::EINVAL }),
        bit => Ok(bit),
    }
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        if self.unblock == 0 {
            return;
        }
        let me = with(|w| {
            w.record(self.at, || String::from("unblocks the signal"));
            w.me().mask &= !self.unblock;
            w.active
        });
        if let Some(me) = me {
            point::deliver(me, self.at);
        }
    }
}
