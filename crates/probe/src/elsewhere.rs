//! Where no program can be swept.

use sigproof_shim::native::atomic::AtomicBool;

use crate::lint::Lint;
use crate::{Found, Request, Trouble};

/// Says so.
pub(crate) fn probe(
    _request: &Request,
    _stop: &AtomicBool,
    _tell: &mut dyn FnMut(&str),
    _found: &mut Found,
) -> Result<(), Trouble> {
    Err(Trouble::Lacks("probe needs Linux on an x86_64 processor; run it there".to_owned()))
}

/// Says so.
pub(crate) fn lint(_request: &Request, _stop: &AtomicBool, _tell: &mut dyn FnMut(&str)) -> Result<Vec<Lint>, Trouble> {
    Err(Trouble::Lacks("probe needs Linux on an x86_64 processor; run it there".to_owned()))
}
