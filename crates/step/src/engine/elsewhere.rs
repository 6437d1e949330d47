//! Where there is no engine.

use super::{Engine, Kind, OnlyThread, Probe, Trouble};
use crate::Subject;

pub(super) fn try_out(engine: Kind, _subject: &dyn Subject, _only: OnlyThread) -> Probe {
    let lacks = Some("stepping needs Linux; run it there, or in a Linux container".to_owned());
    Probe { engine, lacks, patience: None }
}

/// None that matters: nothing forks here.
pub(super) fn threads_besides() -> std::io::Result<usize> {
    Ok(0)
}

pub(super) fn open(kind: Kind, _subject: &dyn Subject, _only: OnlyThread) -> Result<Box<dyn Engine + '_>, Trouble> {
    Err(Trouble::Incapable { engine: kind, what: "do anything on this platform" })
}

pub(super) fn settle_down(_number: usize) -> std::io::Result<()> {
    Ok(())
}

pub(super) fn apart(_only: OnlyThread, work: impl FnOnce()) -> std::io::Result<bool> {
    work();
    Ok(true)
}
