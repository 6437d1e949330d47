//! One test over two engines: the outcomes that only one of them has.
//!
//! As for models, an engine excludes an outcome if it has run everything and has not seen it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use sigproof_harness::model::litmus::Judgement;
use sigproof_report::exit::Exit;

/// What the engines make of a test together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The same outcomes, and both engines have run everything.
    Agree,
    /// Outcomes that only graphs have.
    OnlyGraph,
    /// Outcomes that only loom has.
    OnlyLoom,
    /// Each engine has outcomes that the other has not.
    BothWays,
    /// No difference, as far as the engines came.
    Open,
    /// An engine cannot run it.
    Refused,
}

impl Class {
    /// Every class.
    const ALL: [Self; 6] = [Self::Agree, Self::OnlyGraph, Self::OnlyLoom, Self::BothWays, Self::Open, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::OnlyGraph => "only graph",
            Self::OnlyLoom => "only loom",
            Self::BothWays => "both ways",
            Self::Open => "open",
            Self::Refused => "refused",
        }
    }

    /// What it makes of the command.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Agree => Exit::AsExpected,
            Self::OnlyGraph | Self::OnlyLoom | Self::BothWays => Exit::Unexpected,
            Self::Open | Self::Refused => Exit::Inconclusive,
        }
    }
}

/// The comparison of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    pub class: Class,
    /// Outcomes that only graphs have.
    pub only_graph: Vec<String>,
    /// Outcomes that only loom has.
    pub only_loom: Vec<String>,
    /// Why the comparison is not whole, or what loom is known to be inexact about.
    pub reasons: Vec<String>,
}

impl Compared {
    /// Compares what the engines found.
    pub fn of(graph: &Judgement, loom: &Judgement) -> Self {
        let refused: Vec<String> = [("graph", graph), ("loom", loom)]
            .iter()
            .filter_map(|(name, judged)| Some(format!("{name} refused it: {}", judged.refused.as_ref()?)))
            .collect();
        if !refused.is_empty() {
            return Self { class: Class::Refused, only_graph: Vec::new(), only_loom: Vec::new(), reasons: refused };
        }
        let only = |this: &Judgement, other: &Judgement| -> Vec<String> {
            let is_new = |outcome: &&String| other.cut.is_none() && !other.outcomes.contains_key(*outcome);
            this.outcomes.keys().filter(is_new).cloned().collect()
        };
        let (only_graph, only_loom) = (only(graph, loom), only(loom, graph));
        let cut: Vec<String> = graph.cut.iter().chain(&loom.cut).cloned().collect();
        let class = match (only_graph.is_empty(), only_loom.is_empty()) {
            (true, true) if cut.is_empty() => Class::Agree,
            (true, true) => Class::Open,
            (false, true) => Class::OnlyGraph,
            (true, false) => Class::OnlyLoom,
            (false, false) => Class::BothWays,
        };
        let mut reasons = cut;
        if class.exit() == Exit::Unexpected {
            reasons.extend(loom.inexact.iter().cloned());
        }
        Self { class, only_graph, only_loom, reasons }
    }

    /// The finding in a line: `only loom: 0 0`.
    pub fn line(&self) -> String {
        let said = |name: &str, outcomes: &[String]| {
            (!outcomes.is_empty()).then(|| format!("only {name}: {}", outcomes.join(", ")))
        };
        let found: Vec<_> =
            [said("graph", &self.only_graph), said("loom", &self.only_loom)].into_iter().flatten().collect();
        let mut line = match found.is_empty() {
            true => match self.class {
                Class::Agree => "the engines agree".to_owned(),
                class => class.as_str().to_owned(),
            },
            false => found.join("; "),
        };
        if !self.reasons.is_empty() {
            let _ = write!(line, " ({})", self.reasons.join("; "));
        }
        line
    }
}

/// The classes of tests in a line.
pub fn summary<'a>(all: impl Iterator<Item = &'a Compared>) -> String {
    let mut counts = BTreeMap::<Class, u64>::new();
    all.for_each(|compared| *counts.entry(compared.class).or_default() += 1);
    let counted = |class: Class| format!("{} {}", counts.get(&class).unwrap_or(&0), class.as_str());
    format!("the engines: {}", Class::ALL.map(counted).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_report::Verdict;

    fn judged(outcomes: &[&str], cut: Option<&str>) -> Judgement {
        Judgement {
            verdict: Verdict::AsExpected,
            refused: None,
            names: vec!["0:r0".to_owned()],
            outcomes: outcomes.iter().map(|outcome| ((*outcome).to_owned(), 1)).collect(),
            cut: cut.map(str::to_owned),
            inexact: vec!["loom: is inexact".to_owned()],
            text: String::new(),
        }
    }

    const ENDED: Option<&str> = Some("ended at a race");

    #[rstest]
    #[case::agree(&["0", "1"], None, &["0", "1"], None, Class::Agree, "the engines agree")]
    #[case::graph(&["0", "1"], None, &["0"], None, Class::OnlyGraph, "only graph: 1 (loom: is inexact)")]
    #[case::loom(&["0"], None, &["0", "1"], None, Class::OnlyLoom, "only loom: 1 (loom: is inexact)")]
    #[case::ways(&["0"], None, &["1"], None, Class::BothWays, "only graph: 0; only loom: 1 (loom: is inexact)")]
    #[case::open(&["0", "race"], None, &["race"], ENDED, Class::Open, "open (ended at a race)")]
    #[case::cut_and_new(&["race"], None, &["0", "race"], ENDED, Class::OnlyLoom, "only loom: 0 (ended at a race; loom: is inexact)")]
    #[case::both_cut(&["0"], ENDED, &["1"], ENDED, Class::Open, "open (ended at a race; ended at a race)")]
    fn an_outcome_that_the_other_excludes_is_a_finding(
        #[case] graph: &[&str],
        #[case] graph_cut: Option<&str>,
        #[case] loom: &[&str],
        #[case] loom_cut: Option<&str>,
        #[case] class: Class,
        #[case] line: &str,
    ) {
        let compared = Compared::of(&judged(graph, graph_cut), &judged(loom, loom_cut));
        assert_eq!((compared.class, compared.line().as_str()), (class, line));
    }

    #[test]
    fn a_refusal_is_no_agreement() {
        let refused = Judgement::refused("loom has no `raise`".to_owned());
        let compared = Compared::of(&judged(&["0"], None), &refused);
        assert_eq!((compared.class, compared.class.exit()), (Class::Refused, Exit::Inconclusive));
        assert_eq!(compared.line(), "refused (loom refused it: loom has no `raise`)");
        assert!(summary([compared].iter()).ends_with("0 open, 1 refused"));
    }
}
