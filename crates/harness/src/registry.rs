//! Cases, notes, models and windows that a command can choose from.
//!
//! The harness knows no case: each entry point takes a registry, and a child that is started again takes the
//! same one, for it is the same executable.

use sigproof_osnote::{Backend, Backends, Platform};
use sigproof_report::SetupId;

use crate::case::Case;
use crate::setup::Setup;
use crate::{forked, model};

/// See the module.
#[derive(Clone, Copy)]
pub struct Registry {
    cases: &'static [&'static dyn Case],
    notes: Backends,
    models: fn(Backends) -> Vec<model::Entry>,
    windows: fn(Backends) -> Vec<forked::Entry>,
    more_windows: fn(Backends) -> Vec<forked::Entry>,
}

impl Registry {
    /// These cases over these notes, with the cases' models and windows.
    pub const fn new(cases: &'static [&'static dyn Case], notes: Backends) -> Self {
        Self { cases, notes, models: |_| Vec::new(), windows: |_| Vec::new(), more_windows: |_| Vec::new() }
    }

    /// With models that belong to no case.
    #[must_use]
    pub const fn with_models(self, models: fn(Backends) -> Vec<model::Entry>) -> Self {
        Self { models, ..self }
    }

    /// With windows that belong to no case.
    #[must_use]
    pub const fn with_windows(self, windows: fn(Backends) -> Vec<forked::Entry>) -> Self {
        Self { windows, ..self }
    }

    /// With windows beside those of [`Registry::with_windows`].
    #[must_use]
    pub const fn with_more_windows(self, more_windows: fn(Backends) -> Vec<forked::Entry>) -> Self {
        Self { more_windows, ..self }
    }

    /// With these cases behind its own. The list of cases lives until the process ends.
    #[must_use]
    pub fn with_cases(self, cases: &[&'static dyn Case]) -> Self {
        Self { cases: [self.cases, cases].concat().leak(), ..self }
    }

    /// With one more note: every case, model and window that takes a note then runs over it as well. The list
    /// of notes lives until the process ends.
    #[must_use]
    pub fn with_note(self, note: &'static Backend) -> Self {
        let all: Vec<_> = self.notes.iter().chain([note]).collect();
        Self { notes: Backends::new(all.leak()), ..self }
    }

    pub const fn notes(&self) -> Backends {
        self.notes
    }

    /// The setups of a case, over the notes of this registry.
    pub fn setups_of(&self, case: &dyn Case) -> Vec<Setup> {
        case.setups(self.notes)
    }

    /// Every case, the hidden ones included, in order.
    pub const fn cases(&self) -> &'static [&'static dyn Case] {
        self.cases
    }

    /// The cases for users, in order.
    pub fn shown(&self) -> impl Iterator<Item = &'static dyn Case> + use<> {
        self.cases.iter().copied().filter(|case| !case.hidden())
    }

    /// The case of that name.
    pub fn find(&self, name: &str) -> Option<&'static dyn Case> {
        self.cases.iter().copied().find(|case| case.name() == name)
    }

    /// The cases for users that hang by the mechanism of this fingerprint.
    pub fn with_fingerprint(&self, print: &str) -> impl Iterator<Item = &'static dyn Case> + use<'_> {
        let print = print.to_owned();
        self.shown().filter(move |case| case.fingerprints().contains(&print.as_str()))
    }

    /// The case and the setup of that identity.
    pub fn setup(&self, id: &SetupId) -> Option<(&'static dyn Case, Setup)> {
        let case = self.find(&id.case)?;
        let setup = self.setups_of(case).into_iter().find(|setup| setup.id(case.name()) == *id)?;
        Some((case, setup))
    }

    /// Every model: those of the cases, in order, then those of no case.
    pub fn models(&self) -> Vec<model::Entry> {
        let of_cases = self.cases.iter().flat_map(|case| {
            self.setups_of(*case).into_iter().filter_map(|setup| {
                let model = case.model(&setup)?;
                Some(model::Entry { name: case.name(), hidden: case.hidden(), setup, model })
            })
        });
        of_cases.chain((self.models)(self.notes)).collect()
    }

    /// Every window: those of the cases, in order, then those of no case.
    pub fn windows(&self) -> Vec<forked::Entry> {
        let of_cases = self.cases.iter().flat_map(|case| {
            self.setups_of(*case).into_iter().flat_map(move |setup| {
                let entry = |window| forked::Entry {
                    name: case.name(),
                    hidden: case.hidden(),
                    lacks: lacking(*case, &setup),
                    setup: setup.clone(),
                    window,
                };
                case.windows(&setup).into_iter().map(entry).collect::<Vec<_>>()
            })
        });
        of_cases.chain((self.windows)(self.notes)).chain((self.more_windows)(self.notes)).collect()
    }

    /// Each flavour of a setup of a case, as often as it occurs.
    pub fn flavours(&self) -> impl Iterator<Item = &'static str> + use<> {
        let notes = self.notes;
        self.cases.iter().flat_map(move |case| case.setups(notes)).filter_map(|setup| setup.flavour)
    }
}

impl core::fmt::Debug for Registry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.cases.iter().map(|case| case.name())).finish()
    }
}

/// What this machine lacks for a setup of a case, and what to do about that.
pub fn lacking(case: &dyn Case, setup: &Setup) -> Option<String> {
    if !case.platforms().contains(&Platform::current()) {
        return Some(format!("the case needs {}", names(case.platforms())));
    }
    case.lacks(setup).or_else(|| note_lacking(setup))
}

/// What this machine lacks for the note of a setup.
pub fn note_lacking(setup: &Setup) -> Option<String> {
    let note = setup.note.filter(|note| !note.platforms.contains(&Platform::current()))?;
    Some(format!("note '{}' needs {}", note.name, names(note.platforms)))
}

fn names(platforms: &[Platform]) -> String {
    let names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
    format!("{}; run it there", names.join(" or "))
}
