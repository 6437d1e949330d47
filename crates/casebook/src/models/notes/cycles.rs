//! The models of any note, over every backend.

use std::sync::Arc;

use sigproof_harness::model::{Model, must};
pub(super) use sigproof_harness::notes::models::{Payload, once};
use sigproof_harness::notes::{Make, models};
use sigproof_harness::setup::Setup;
use sigproof_osnote::{Backend, Backends, Note};

/// A note that several threads share.
pub(super) fn make(backend: &Backend) -> Arc<Box<dyn Note>> {
    Arc::new(must((backend.make)()))
}

/// The setups of a model over every note for which there is one.
pub(super) fn over(notes: Backends, model: impl Fn(&'static Backend) -> Option<Model>) -> Vec<(Setup, Model)> {
    notes.iter().filter_map(|backend| Some((Setup::fixed().note(backend), model(backend)?))).collect()
}

fn making(backend: &'static Backend) -> Make {
    Arc::new(backend.make)
}

/// See [`models::cycles`].
pub(super) fn cycles(notes: Backends) -> Vec<(Setup, Model)> {
    over(notes, |backend| Some(models::cycles(making(backend))))
}

/// See [`models::clear`].
pub(super) fn clear(notes: Backends) -> Vec<(Setup, Model)> {
    over(notes, |backend| Some(models::clear(making(backend))))
}

/// See [`models::handler`].
pub(super) fn handler(notes: Backends) -> Vec<(Setup, Model)> {
    over(notes, |backend| backend.wakes_from_handler().then(|| models::handler(making(backend))))
}
