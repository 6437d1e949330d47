//! Where there is no engine.

use super::{Engine, Kind, Probe, Trouble};
use crate::step::Entry;

pub(super) fn try_out(engine: Kind) -> Probe {
    let lacks = Some("stepping needs Linux; run it there, or in a Linux container".to_owned());
    Probe { engine, lacks, patience: None }
}

pub(super) fn open(kind: Kind, _entry: &Entry) -> Result<Box<dyn Engine>, Trouble> {
    Err(Trouble::Incapable { engine: kind, what: "do anything on this platform" })
}

pub(super) fn settle_down(_number: usize) -> std::io::Result<()> {
    Ok(())
}

pub(super) fn apart(work: impl FnOnce()) -> std::io::Result<bool> {
    work();
    Ok(true)
}
