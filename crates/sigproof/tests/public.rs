//! The public names are those of the snapshot. A change of it is a change of the version: a name that goes,
//! or another meaning, is the next major one.

/// What `lib.rs` exports.
const PUBLIC: &[&str] = &[
    "Attempt",
    "Failure",
    "Fault",
    "Injector",
    "Model",
    "Note",
    "NoteError",
    "Outcome",
    "SIGNAL",
    "Stage",
    "Woken",
    "ensure",
    "handle",
    "interruptible",
    "model",
    "model_expecting",
    "must",
    "note",
    "note_expecting",
    "shim",
    "spawn",
    "stress",
    "stress_expecting",
    "sweep",
    "sweep_expecting",
];

#[test]
fn the_public_names_are_those_of_the_snapshot() {
    let text = include_str!("../src/lib.rs");
    assert!(!text.contains("pub mod") && !text.contains("pub fn"), "names come by `pub use` alone");
    let mut names: Vec<String> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("pub use ")) {
        let line = line.trim_end_matches(';');
        let last = |path: &str| path.rsplit([':', ' ']).next().unwrap_or_default().to_owned();
        match line.split_once('{') {
            Some((_, group)) => names.extend(group.trim_end_matches('}').split(',').map(|name| last(name.trim()))),
            None => names.push(last(line)),
        }
    }
    names.sort();
    assert_eq!(names, PUBLIC);
}
