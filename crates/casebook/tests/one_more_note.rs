//! A note that is not built here is covered from the moment when it joins the registry.

use std::collections::BTreeSet;

use sigproof_casebook::REGISTRY;
use sigproof_harness::Registry;
use sigproof_osnote::{Backend, notes};

/// Differs from the pipe note in its name only, so that it must meet the same cases, windows and models.
static MINE: Backend = Backend { name: "mine", ..notes::pipe::BACKEND };

/// Each setup, window and model over the note of that name, with the name taken out.
fn over(registry: &Registry, note: &str) -> BTreeSet<String> {
    let is = |setup: &sigproof_harness::Setup| setup.note_name() == Some(note);
    let without = |label: String| label.replace(note, "NOTE");
    let setups = registry.cases().iter().flat_map(|case| {
        registry.setups_of(*case).into_iter().filter(is).map(|setup| setup.id(case.name()).to_string())
    });
    let windows = registry.windows().into_iter().filter(|entry| is(&entry.setup)).map(|entry| entry.label());
    let models = registry.models().into_iter().filter(|entry| is(&entry.setup)).map(|entry| entry.label());
    let named = |kind: &'static str| move |label| format!("{kind} {label}");
    let all = setups.map(named("setup")).chain(windows.map(named("window"))).chain(models.map(named("model")));
    all.map(without).collect()
}

#[test]
fn a_further_note_meets_what_its_like_meets() {
    let with_mine = REGISTRY.with_note(&MINE);
    let of_pipe = over(&with_mine, "pipe");
    assert!(of_pipe.iter().any(|label| label.starts_with("window note-sleep")), "{of_pipe:?}");
    assert!(of_pipe.iter().any(|label| label.starts_with("model note-cycles")), "{of_pipe:?}");
    assert_eq!(over(&with_mine, "mine"), of_pipe);
    assert!(over(&REGISTRY, "mine").is_empty(), "a registry is a value");
}
