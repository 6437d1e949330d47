//! Which setups run, in the order of the registry, and why the others do not.

use super::{Options, StressError};
use crate::case::Case;
use crate::registry::{Registry, lacking};
use crate::setup::Setup;

/// One setup of the plan.
pub(super) struct Planned {
    pub(super) index: usize,
    pub(super) case: &'static dyn Case,
    pub(super) setup: Setup,
    /// Why it cannot run here.
    pub(super) skip: Option<String>,
}

impl Planned {
    /// Case and setup in one line.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.case.name(), self.setup.id(self.case.name()).setup())
    }
}

/// Selects and orders.
pub(super) fn plan(registry: &Registry, options: &Options) -> Result<Vec<Planned>, StressError> {
    let selection = &options.selection;
    if let Some(unknown) = selection.cases.iter().find(|name| registry.find(name).is_none()) {
        return Err(StressError::NoSuchCase(unknown.clone()));
    }
    let mut planned = Vec::new();
    for &case in registry.cases() {
        for setup in registry.setups_of(case) {
            if selection.takes(&setup.id(case.name()), case.hidden()) {
                let skip = lacking(case, &setup);
                planned.push(Planned { index: planned.len(), case, setup, skip });
            }
        }
    }
    if planned.is_empty() {
        return Err(StressError::NothingToRun(
            "no setup of the chosen cases has this variant, note, mode and flavour; `{program} list` prints all setups"
                .into(),
        ));
    }
    Ok(planned)
}
