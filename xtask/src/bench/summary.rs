//! Medians over passes, ratios within a pass, and goals. Pure: costs go in, text comes out.

use std::collections::{BTreeMap, BTreeSet};

use sigproof_oracle::bench::{Contender, Cost, Kind, median};

/// Our part of Go's time, at most.
const GO: f64 = 1.0 / 3.0;

/// Our part of rtrb's time, at most, at the depths [`RTRB_DEPTHS`].
const RTRB: f64 = 1.5;

/// Where rtrb's goal holds.
const RTRB_DEPTHS: [usize; 2] = [16, 64];

/// Several numbers of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// `None` of none.
    pub fn of(numbers: &[f64]) -> Option<Self> {
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { median: median(numbers)?, least, most })
    }
}

/// A goal, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What is to be.
    pub what: String,
    /// The median ratio may be this at most.
    pub limit: f64,
    /// The median ratio.
    pub ratio: f64,
}

impl Goal {
    /// Whether it is reached.
    pub fn met(&self) -> bool {
        self.ratio <= self.limit
    }
}

/// All costs, by depth and contender, and by pass.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    costs: BTreeMap<(usize, Contender), BTreeMap<u32, f64>>,
}

impl Summary {
    /// Of these.
    pub fn of(costs: &[Cost]) -> Self {
        let mut summary = Self::default();
        for cost in costs {
            let of = summary.costs.entry((cost.depth, cost.contender.clone())).or_default();
            of.insert(cost.pass, cost.nanoseconds);
        }
        summary
    }

    /// Who was measured.
    pub fn contenders(&self) -> BTreeSet<&Contender> {
        self.costs.keys().map(|(_, contender)| contender).collect()
    }

    /// The depths, and the median there.
    pub fn line(&self, contender: &Contender) -> Vec<(usize, f64)> {
        let of = self.costs.iter().filter(|((_, who), _)| who == contender);
        of.filter_map(|((depth, _), passes)| Some((*depth, spread(passes)?.median))).collect()
    }

    /// The time of the first as a part of that of the second, in each pass that has both.
    fn ratio(&self, depth: usize, ours: &Contender, theirs: &Contender) -> Option<Spread> {
        let (ours, theirs) = (self.costs.get(&(depth, ours.clone()))?, self.costs.get(&(depth, theirs.clone()))?);
        let ratios: Vec<_> = ours.iter().filter_map(|(pass, ns)| Some(ns / theirs.get(pass)?)).collect();
        Spread::of(&ratios)
    }

    fn ours(&self) -> Vec<&Contender> {
        self.contenders().into_iter().filter(|who| who.kind == Kind::Ours).collect()
    }

    /// Every goal of which both sides were measured.
    pub fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for ours in self.ours() {
            for (depth, theirs) in self.costs.keys() {
                let limit = match theirs.kind {
                    Kind::Go => GO,
                    Kind::Rtrb if RTRB_DEPTHS.contains(depth) => RTRB,
                    Kind::Rtrb | Kind::Copy | Kind::Ours => continue,
                };
                if let Some(ratio) = self.ratio(*depth, ours, theirs) {
                    let what = format!("depth {depth}: {} to {}", ours.name, theirs.name);
                    goals.push(Goal { what, limit, ratio: ratio.median });
                }
            }
        }
        goals
    }

    /// The goals, a line each.
    pub fn goals_text(&self) -> String {
        let line = |goal: &Goal| {
            let met = if goal.met() { "met" } else { "not met" };
            format!("- {}: {:.2}, at most {:.2}: {met}\n", goal.what, goal.ratio, goal.limit)
        };
        self.goals().iter().map(line).collect()
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let ours = self.ours();
        let mut head: Vec<String> = ["depth", "contender", "ns", "passes"].map(str::to_owned).into();
        head.extend(ours.iter().map(|ours| format!("{} as a part of it", ours.name)));
        let mut rows = vec![head];
        for ((depth, contender), passes) in &self.costs {
            let Some(ns) = spread(passes) else { continue };
            let mut row = vec![depth.to_string(), contender.name.clone(), format!("{:.1}", ns.median)];
            row.push(format!("{:.1} to {:.1}", ns.least, ns.most));
            row.extend(ours.iter().map(|ours| match self.ratio(*depth, ours, contender) {
                Some(ratio) => format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.least, ratio.most),
                None => "-".to_owned(),
            }));
            rows.push(row);
        }
        markdown(&rows)
    }
}

fn spread(passes: &BTreeMap<u32, f64>) -> Option<Spread> {
    Spread::of(&passes.values().copied().collect::<Vec<_>>())
}

/// Rows of equal length, the first being the head, with columns that line up.
fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let cells = row.iter().enumerate().map(|(column, cell)| format!(" {cell:<width$} |", width = width(column)));
        text += &format!("|{}\n", cells.collect::<String>());
        if at == 0 {
            let rule = (0..columns).map(|column| format!("{}|", "-".repeat(width(column) + 2)));
            text += &format!("|{}\n", rule.collect::<String>());
        }
    }
    text
}

/// Costs that no machine has measured.
#[cfg(test)]
pub(super) fn fixed() -> Summary {
    let all = [
        (Kind::Ours, "ours", 10.0),
        (Kind::Go, "go1.27.3", 40.0),
        (Kind::Rtrb, "rtrb", 5.0),
        (Kind::Copy, "memcpy", 2.0),
    ];
    let mut costs = Vec::new();
    for (kind, name, base) in all {
        for depth in [2, 16] {
            for pass in 0..3 {
                let contender = Contender { kind, name: name.to_owned() };
                // Each pass is slower than the one before, for all alike.
                let nanoseconds = base * depth as f64 * f64::from(pass + 1);
                costs.push(Cost { contender, depth, pass, nanoseconds });
            }
        }
    }
    Summary::of(&costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_pass() {
        let summary = fixed();
        let who = summary.contenders().into_iter().cloned().collect::<Vec<_>>();
        let ratio = summary.ratio(2, &who[0], &who[1]).unwrap();
        assert_eq!(ratio, Spread { median: 0.25, least: 0.25, most: 0.25 });
        assert_eq!(summary.line(&who[1]), [(2, 160.0), (16, 1280.0)]);
    }

    #[test]
    fn goals_are_met_or_not() {
        let met: Vec<_> = fixed().goals().iter().map(|goal| (goal.what.clone(), goal.met())).collect();
        let expected = [
            ("depth 2: ours to go1.27.3", true),
            ("depth 16: ours to go1.27.3", true),
            ("depth 16: ours to rtrb", false),
        ];
        assert_eq!(met, expected.map(|(what, met)| (what.to_owned(), met)));
        assert!(fixed().goals_text().ends_with("- depth 16: ours to rtrb: 2.00, at most 1.50: not met\n"));
    }

    #[test]
    fn what_was_not_measured_has_no_goal() {
        assert!(Summary::of(&[]).goals().is_empty());
    }

    #[test]
    fn the_table_has_a_line_each() {
        let table = fixed().table();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2 + 8, "{table}");
        assert!(
            lines[3].contains("go1.27.3") && lines[3].contains("160.0") && lines[3].contains("0.25 (0.25 to 0.25)"),
            "{table}"
        );
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{table}");
    }
}
