//! Where no program can be swept.

use sigproof_shim::native::atomic::AtomicBool;

use crate::{Report, Request, Trouble};

/// Says so.
pub(crate) fn probe(
    _request: &Request,
    _stop: &AtomicBool,
    _tell: &mut dyn FnMut(&str),
    _found: &mut Vec<Report>,
) -> Result<(), Trouble> {
    Err(Trouble::Lacks("probe needs Linux on an x86_64 processor; run it there".to_owned()))
}
