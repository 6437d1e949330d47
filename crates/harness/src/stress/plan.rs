//! Which setups run, in the order of the registry, and why the others do not.

use super::{Options, StressError};
use crate::case::{Case, Setup};
use crate::cases;

/// One setup of the plan.
pub(super) struct Planned {
    /// Its place.
    pub(super) index: usize,
    /// The case.
    pub(super) case: &'static dyn Case,
    /// The setup.
    pub(super) setup: Setup,
    /// Why it cannot run here.
    pub(super) skip: Option<String>,
}

impl Planned {
    /// Case and setup in one line.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.case.name(), self.setup)
    }
}

/// Selects and orders.
pub(super) fn plan(options: &Options) -> Result<Vec<Planned>, StressError> {
    let mut planned = Vec::new();
    for case in chosen(options)? {
        for setup in case.setups() {
            if wanted(options, &setup) {
                let skip = cases::lacking(case, &setup);
                planned.push(Planned { index: planned.len(), case, setup, skip });
            }
        }
    }
    if planned.is_empty() {
        return Err(StressError::NothingToRun(
            "no setup of the chosen cases has this variant, note, mode and flavour; `cargo xtask list` shows what there is".into(),
        ));
    }
    Ok(planned)
}

fn chosen(options: &Options) -> Result<Vec<&'static dyn Case>, StressError> {
    if options.cases.is_empty() {
        return Ok(cases::cases().iter().copied().filter(|c| !c.hidden()).collect());
    }
    options.cases.iter().map(|name| cases::find(name).ok_or_else(|| StressError::NoSuchCase(name.clone()))).collect()
}

fn wanted(options: &Options, setup: &Setup) -> bool {
    (options.notes.is_empty() || setup.note_name().is_some_and(|n| options.notes.iter().any(|wanted| wanted == n)))
        && options.mode.is_none_or(|m| setup.mode == Some(m))
        && options.variant.is_none_or(|v| setup.variant == v)
        && options.flavour.as_deref().is_none_or(|f| setup.flavour == Some(f))
}
