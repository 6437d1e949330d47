//! Which setup of which case.
//!
//! A case is a bug; a setup is one way to run it. Its identity has five parts. People and tokens write it as
//! `CASE/VARIANT[/FLAVOUR][/NOTE][/MODE]`, as in `note-sleep/broken/sema/blocking`.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// The side of a case.
    Variant, "variant" {
        /// The historical bug.
        Broken = "broken",
        /// The upstream fix, or a design that never had the bug.
        Fixed = "fixed",
    }
}

words! {
    /// How the profile's reader reads.
    Mode, "mode" {
        /// The reader sleeps on its note until there is a record.
        Blocking = "blocking",
        /// The reader returns at once, and its caller calls it again after an interval.
        NonBlocking = "non-blocking",
    }
}

/// The identity of a setup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SetupId {
    /// The name of the case.
    pub case: String,
    /// Broken or fixed.
    pub variant: Variant,
    /// What tells apart setups that agree in variant, note and mode: which of several fixes, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavour: Option<String>,
    /// The note, for a case that runs over several.
    pub note: Option<String>,
    /// The read mode, for a case that has one.
    pub mode: Option<Mode>,
}

impl SetupId {
    /// A setup without a flavour, a note and a mode.
    pub fn new(case: impl Into<String>, variant: Variant) -> Self {
        Self { case: case.into(), variant, flavour: None, note: None, mode: None }
    }

    /// All parts but the case: `broken/sema/blocking`.
    pub fn setup(&self) -> String {
        let rest = [self.flavour.as_deref(), self.note.as_deref(), self.mode.map(Mode::as_str)];
        rest.into_iter().flatten().fold(self.variant.to_string(), |label, part| label + "/" + part)
    }

    /// Reads what [`Display`](fmt::Display) writes. A lone word may be a flavour or a note, and only the
    /// caller knows the notes: hence no `FromStr`.
    ///
    /// # Errors
    /// [`NoSetup`]: the text has too few or too many parts, an empty part, or no variant.
    pub fn parse(text: &str, is_note: impl Fn(&str) -> bool) -> Result<Self, NoSetup> {
        let no = |why| NoSetup { text: text.to_owned(), why };
        let mut parts = text.split('/');
        let (Some(case), Some(variant)) = (parts.next(), parts.next()) else {
            return Err(no("it has no variant"));
        };
        let variant: Variant = variant.parse().map_err(|_| no("its variant is neither 'broken' nor 'fixed'"))?;
        let mut rest: Vec<&str> = parts.collect();
        if case.is_empty() || rest.contains(&"") {
            return Err(no("one of its parts is empty"));
        }
        let mode = rest.last().and_then(|word| word.parse().ok());
        if mode.is_some() {
            rest.pop();
        }
        let (flavour, note) = match rest[..] {
            [] => (None, None),
            [word] if is_note(word) => (None, Some(word)),
            [word] => (Some(word), None),
            [flavour, note] if is_note(note) => (Some(flavour), Some(note)),
            [_, _] => return Err(no("it names an unknown note")),
            _ => return Err(no("it has too many parts")),
        };
        let [flavour, note] = [flavour, note].map(|word| word.map(str::to_owned));
        Ok(Self { case: case.to_owned(), variant, flavour, note, mode })
    }

    /// The arguments that choose this setup on the command line.
    pub fn arguments(&self) -> String {
        let mut text = format!("{} --variant {}", self.case, self.variant);
        let rest =
            [("flavour", &self.flavour), ("note", &self.note), ("mode", &self.mode.map(|mode| mode.to_string()))];
        for (flag, value) in rest {
            if let Some(value) = value {
                text += &format!(" --{flag} {value}");
            }
        }
        text
    }
}

impl fmt::Display for SetupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.case, self.setup())
    }
}

/// A text that names no setup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' names no setup: {why}; a setup is written CASE/VARIANT[/FLAVOUR][/NOTE][/MODE]")]
pub struct NoSetup {
    text: String,
    why: &'static str,
}

/// A choice of setups. Each field that is empty, or `None`, chooses all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// These cases, by their whole names.
    #[serde(default)]
    pub cases: Vec<String>,
    /// These setups ([`SetupId`] as text), and with them the hidden ones.
    #[serde(default)]
    pub setups: Vec<String>,
    /// Those over one of these notes.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Those in this mode.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Those of this variant.
    #[serde(default)]
    pub variant: Option<Variant>,
    /// Those of this flavour.
    #[serde(default)]
    pub flavour: Option<String>,
}

impl Selection {
    /// The setup of this identity alone.
    pub fn only(setup: &SetupId) -> Self {
        Self { setups: vec![setup.to_string()], ..Self::default() }
    }

    /// Whether it takes a setup. A hidden one is taken only by the name of its case, or by its own.
    pub fn takes(&self, setup: &SetupId, hidden: bool) -> bool {
        let any = |list: &[String], word: Option<&str>| {
            list.is_empty() || word.is_some_and(|word| list.iter().any(|w| w == word))
        };
        let named = !self.setups.is_empty() && self.setups.contains(&setup.to_string());
        (!hidden || named || self.cases.contains(&setup.case))
            && (self.setups.is_empty() || named)
            && any(&self.cases, Some(&setup.case))
            && any(&self.notes, setup.note.as_deref())
            && self.mode.is_none_or(|mode| setup.mode == Some(mode))
            && self.variant.is_none_or(|variant| setup.variant == variant)
            && self.flavour.as_ref().is_none_or(|flavour| setup.flavour.as_ref() == Some(flavour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn is_note(word: &str) -> bool {
        matches!(word, "futex" | "sema" | "posix-sem")
    }

    fn ids() -> impl Strategy<Value = SetupId> {
        // A word that is a mode or a note is no flavour.
        let flavour =
            "[a-z][a-z0-9.-]{0,8}".prop_filter("a flavour", |word| !is_note(word) && word.parse::<Mode>().is_err());
        let note = prop::sample::select(vec!["futex", "sema", "posix-sem"]).prop_map(str::to_owned);
        let variant = prop::sample::select(Variant::ALL);
        let mode = prop::option::of(prop::sample::select(Mode::ALL));
        ("[a-z][a-z0-9-]{0,12}", variant, prop::option::of(flavour), prop::option::of(note), mode)
            .prop_map(|(case, variant, flavour, note, mode)| SetupId { case, variant, flavour, note, mode })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id in ids()) {
            prop_assert_eq!(SetupId::parse(&id.to_string(), is_note), Ok(id));
        }

        #[test]
        fn no_text_is_a_panic(text in ".{0,40}") {
            if let Ok(id) = SetupId::parse(&text, is_note) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[rstest]
    #[case("a-case")]
    #[case("a-case/mended")]
    #[case("a-case/broken/")]
    #[case("/broken")]
    #[case("a/broken/one/two")]
    #[case("a/broken/one/futex/blocking/more")]
    fn no_setup(#[case] text: &str) {
        assert!(SetupId::parse(text, is_note).is_err());
    }

    #[test]
    fn its_arguments_choose_it() {
        let id = SetupId::parse("a/fixed/half-full/futex/blocking", is_note).unwrap();
        assert_eq!(id.arguments(), "a --variant fixed --flavour half-full --note futex --mode blocking");
    }

    #[test]
    fn a_choice_takes_what_agrees_in_every_part() {
        let all: Vec<SetupId> = ["a/broken/futex", "a/broken/sema", "a/fixed/half/futex/blocking", "b/fixed"]
            .map(|text| SetupId::parse(text, is_note).unwrap())
            .into();
        let one = |word: &str| vec![word.to_owned()];
        let taken = |choice: Selection| {
            let taken: Vec<usize> = (0..all.len()).filter(|n| choice.takes(&all[*n], false)).collect();
            taken
        };
        let none = Selection::default;
        assert_eq!(taken(none()), [0, 1, 2, 3]);
        assert_eq!(taken(Selection { cases: one("b"), ..none() }), [3]);
        assert_eq!(taken(Selection { notes: one("futex"), ..none() }), [0, 2]);
        assert_eq!(taken(Selection { variant: Some(Variant::Broken), notes: one("futex"), ..none() }), [0]);
        assert_eq!(taken(Selection { mode: Some(Mode::Blocking), ..none() }), [2]);
        assert_eq!(taken(Selection { flavour: Some("half".to_owned()), ..none() }), [2]);
        assert_eq!(taken(Selection::only(&all[1])), [1]);
        assert_eq!(taken(Selection { notes: one("sema"), ..Selection::only(&all[0]) }), [0; 0]);
    }

    #[rstest]
    #[case::all(Selection::default(), false)]
    #[case::its_case(Selection { cases: vec!["a".to_owned()], ..Selection::default() }, true)]
    #[case::itself(Selection::only(&SetupId::new("a", Variant::Fixed)), true)]
    #[case::another(Selection::only(&SetupId::new("b", Variant::Fixed)), false)]
    fn a_hidden_setup_is_chosen_by_name_only(#[case] choice: Selection, #[case] taken: bool) {
        assert_eq!(choice.takes(&SetupId::new("a", Variant::Fixed), true), taken);
    }
}
