//! From words to names: which cases a pattern means, and which name a wrong word was meant to be.

use std::fmt;

use crate::args::ChoiceArgs;
use sigproof_report::{PROGRAM, Run, Selection, Verdict};

/// A word that names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The kind of the name: "case", "note".
    pub what: &'static str,
    pub word: String,
    /// The name that is most like it.
    pub nearest: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word.is_empty() {
            true => write!(f, "an empty pattern names no {}", self.what)?,
            false => write!(f, "no {} is called '{}'", self.what, self.word)?,
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "\n  did you mean '{nearest}'?")?;
        }
        write!(f, "\n  `{PROGRAM} list` shows every {}", self.what)
    }
}

/// A name that can be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    pub name: &'static str,
    /// Whether only the exact name chooses it.
    pub hidden: bool,
}

/// The names of these things, each once, in their order. A name is hidden if all are that have it.
pub fn names(all: impl Iterator<Item = (&'static str, bool)>) -> Vec<Name> {
    let mut known: Vec<Name> = Vec::new();
    for (name, hidden) in all {
        match known.iter_mut().find(|other| other.name == name) {
            Some(same) => same.hidden &= hidden,
            None => known.push(Name { name, hidden }),
        }
    }
    known
}

/// The names of the notes.
fn notes() -> Vec<Name> {
    names(crate::library::registry().notes().iter().map(|backend| (backend.name, false)))
}

/// Whether the user would miss a run that was skipped: its note was named, or its case was and none of its
/// setups ran.
pub fn asked_for(run: &Run, choice: &ChoiceArgs, all: &[Run]) -> bool {
    let note_named = run.setup.note.as_ref().is_some_and(|note| choice.notes.contains(note));
    let mut of_case = all.iter().filter(|other| other.setup.case == run.setup.case);
    note_named || choice.patterns.contains(&run.setup.case) && of_case.all(|other| other.verdict == Verdict::Skipped)
}

/// The setups that a user chooses, among these.
///
/// # Errors
/// The first word that names nothing; `what` says what a pattern should have named.
pub fn selection(
    choice: &ChoiceArgs,
    what: &'static str,
    names: &[Name],
    flavours: impl Iterator<Item = &'static str>,
) -> Result<Selection, Unknown> {
    Ok(Selection {
        cases: resolve(what, &choice.patterns, names)?,
        setups: Vec::new(),
        notes: resolve("note", &choice.notes, &notes())?,
        mode: choice.mode,
        variant: choice.variant,
        flavour: flavour(choice.flavour.as_deref(), flavours)?,
    })
}

/// The names that the patterns choose, each once, in the order in which they are known. No patterns choose
/// nothing.
///
/// # Errors
/// The first pattern that chooses nothing.
pub fn resolve(what: &'static str, patterns: &[String], known: &[Name]) -> Result<Vec<String>, Unknown> {
    for pattern in patterns {
        if !known.iter().any(|name| chooses(pattern, *name)) {
            let shown = known.iter().filter(|n| !n.hidden).map(|n| n.name);
            return Err(Unknown { what, word: pattern.clone(), nearest: nearest(pattern, shown) });
        }
    }
    let exact = |pattern: &String| known.iter().any(|n| n.name == *pattern);
    // A whole name means itself, even where it is a part of another one.
    let chosen =
        known.iter().filter(|n| patterns.iter().any(|p| if exact(p) { n.name == *p } else { chooses(p, **n) }));
    Ok(chosen.map(|n| n.name.to_owned()).collect())
}

/// The flavour that is asked for, if it is one of those known.
///
/// # Errors
/// It is not.
fn flavour(asked: Option<&str>, known: impl Iterator<Item = &'static str>) -> Result<Option<String>, Unknown> {
    let Some(word) = asked else { return Ok(None) };
    let known: Vec<_> = known.collect();
    if known.contains(&word) {
        return Ok(Some(word.to_owned()));
    }
    Err(Unknown { what: "flavour", word: word.to_owned(), nearest: nearest(word, known.into_iter()) })
}

/// Whether a pattern chooses a name: the whole of it, a part of it, or with `*` for anything.
fn chooses(pattern: &str, name: Name) -> bool {
    if pattern == name.name {
        return true;
    }
    // An empty text is a part of every name; it comes from a shell's variable that is not set, and is a
    // mistake.
    !pattern.is_empty()
        && !name.hidden
        && if pattern.contains('*') { glob(pattern, name.name) } else { name.name.contains(pattern) }
}

/// Whether a pattern, in which `*` stands for anything, is all of `text`.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            // Every place where the tail could begin; the lengths are those of names.
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| glob(tail, &rest[at..]))
        }),
    }
}

/// The name that is most like the word, if any is like it at all.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let word = word.replace('*', "");
    let scored = known.map(|name| (likeness(&word, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.6).then(|| best.1.to_owned())
}

/// How like two words are, from 0 to 1: by edits, or by the best part of a name that has several.
fn likeness(word: &str, name: &str) -> f64 {
    let parts = name.split('-').map(|part| strsim::normalized_damerau_levenshtein(word, part) * 0.95);
    parts.fold(strsim::normalized_damerau_levenshtein(word, name), f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const KNOWN: &[Name] = &[
        Name { name: "darwin-profbuf-read", hidden: false },
        Name { name: "darwin-sigqueue", hidden: false },
        Name { name: "lost-count", hidden: false },
        Name { name: "lost-count-not-reset", hidden: false },
        Name { name: "selftest-crash", hidden: true },
    ];

    fn chosen(patterns: &[&str]) -> Result<Vec<String>, Unknown> {
        let patterns: Vec<_> = patterns.iter().map(|p| (*p).to_owned()).collect();
        resolve("case", &patterns, KNOWN)
    }

    #[rstest]
    #[case::none(&[], &[])]
    #[case::exact(&["darwin-sigqueue"], &["darwin-sigqueue"])]
    #[case::exact_though_part_of_another(&["lost-count"], &["lost-count"])]
    #[case::part(&["darwin"], &["darwin-profbuf-read", "darwin-sigqueue"])]
    #[case::glob_head(&["darwin-*"], &["darwin-profbuf-read", "darwin-sigqueue"])]
    #[case::glob_tail(&["*-reset"], &["lost-count-not-reset"])]
    #[case::glob_middle(&["d*-*d"], &["darwin-profbuf-read"])]
    #[case::everything_but_hidden(&["*"], &["darwin-profbuf-read", "darwin-sigqueue", "lost-count", "lost-count-not-reset"])]
    #[case::hidden_by_its_name(&["selftest-crash"], &["selftest-crash"])]
    #[case::in_order_and_once(&["lost-count", "sig", "darwin-sig*"], &["darwin-sigqueue", "lost-count"])]
    fn what_patterns_choose(#[case] patterns: &[&str], #[case] expected: &[&str]) {
        assert_eq!(chosen(patterns).unwrap(), expected);
    }

    #[rstest]
    #[case::typing_error("darwin-sigqeue", Some("darwin-sigqueue"))]
    #[case::part_mistyped("sigqeue", Some("darwin-sigqueue"))]
    #[case::glob_matches_nothing("darwin-sigqeue*", Some("darwin-sigqueue"))]
    #[case::like_nothing("zzzzzzzz", None)]
    #[case::part_of_a_hidden_one("selftest-", None)]
    #[case::empty_glob("*x*y*z*", None)]
    #[case::empty("", None)]
    fn unknown_words(#[case] pattern: &str, #[case] nearest: Option<&str>) {
        let unknown = chosen(&["darwin", pattern]).unwrap_err();
        assert_eq!((unknown.word.as_str(), unknown.nearest.as_deref()), (pattern, nearest));
        let text = unknown.to_string();
        assert!(text.contains(pattern) && text.contains("`{program} list`"), "{text}");
    }

    #[test]
    fn who_asked_for_a_run_misses_it_where_it_was_skipped() {
        use sigproof_report::{Expected, SetupId, Technique, Variant};
        let run = |case: &str, note: &str, verdict| Run {
            verdict,
            ..Run::new(
                Technique::Stress,
                SetupId { note: Some(note.to_owned()), ..SetupId::new(case, Variant::Fixed) },
                Expected::delivered(),
            )
        };
        let asked_for = |run: &Run, patterns: &[String], notes: &[String], all: &[Run]| {
            let choice = ChoiceArgs { patterns: patterns.to_vec(), notes: notes.to_vec(), ..ChoiceArgs::default() };
            asked_for(run, &choice, all)
        };
        let skipped = run("a", "pipe", Verdict::Skipped);
        let all = [skipped.clone(), run("a", "futex", Verdict::AsExpected)];
        let [a, b, pipe, futex] = ["a", "b", "pipe", "futex"].map(|word| vec![word.to_owned()]);
        assert!(asked_for(&skipped, &[], &pipe, &all), "its note was named");
        assert!(!asked_for(&skipped, &[], &futex, &all) && !asked_for(&skipped, &[], &[], &all));
        assert!(!asked_for(&skipped, &a, &[], &all), "its case was named, and another setup of it ran");
        assert!(asked_for(&skipped, &a, &[], &all[..1]), "its case was named, and nothing of it ran");
        assert!(!asked_for(&skipped, &b, &[], &all[..1]));
    }

    #[test]
    fn an_empty_pattern_is_told_as_one() {
        let said = chosen(&[""]).unwrap_err().to_string();
        assert!(said.starts_with("an empty pattern names no case\n"), "{said}");
    }

    #[rstest]
    #[case("*", "", true)]
    #[case("a*", "a", true)]
    #[case("a*b*c", "aXbbc", true)]
    #[case("a*b*c", "aXc", false)]
    #[case("*é", "né", true)]
    #[case("a", "ab", false)]
    fn globs(#[case] pattern: &str, #[case] text: &str, #[case] matches: bool) {
        assert_eq!(glob(pattern, text), matches);
    }
}
