//! The cost of a record: medians, ratios and goals, and their tables. Pure: costs go in, text comes out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sigproof_oracle::bench::{Contender, Cost, Kind, Line};

use super::grid::Grid;
use super::spread::{Passes, Spread};
use crate::units;

/// Our part of Go's time, at most.
const GO: f64 = 1.0 / 3.0;

/// Our part of rtrb's time, at most, at the depths [`RTRB_DEPTHS`].
pub const RTRB: f64 = 1.5;

/// Where rtrb's goal holds.
pub const RTRB_DEPTHS: [usize; 2] = [16, 64];

/// The limit of the ratio to such a contender at that depth.
fn limit(kind: Kind, depth: usize) -> Option<f64> {
    match kind {
        Kind::Go => Some(GO),
        Kind::Rtrb => RTRB_DEPTHS.contains(&depth).then_some(RTRB),
        Kind::Copy | Kind::Ours => None,
    }
}

/// A goal, and whether it was met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Goal {
    /// Which of ours.
    pub ours: String,
    /// Compared with whom.
    pub theirs: String,
    /// At which depth.
    pub depth: usize,
    /// The median ratio may be this at most.
    pub limit: f64,
    /// The median ratio.
    pub ratio: f64,
    /// Whether it is reached.
    pub met: bool,
}

/// How many goals are met, in words; `None` without goals.
pub fn met(goals: &[Goal]) -> Option<String> {
    let met = goals.iter().filter(|goal| goal.met).count();
    (!goals.is_empty()).then(|| format!("{met} of {} met", units::of(goals.len(), "goal")))
}

/// All costs, by depth and contender, and by pass.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    all: BTreeMap<(usize, Contender), Passes>,
    /// In the order in which they came.
    contenders: Vec<Contender>,
}

impl Costs {
    /// Of these.
    pub fn of(costs: &[Cost]) -> Self {
        let mut all: BTreeMap<_, Passes> = BTreeMap::new();
        for cost in costs {
            all.entry((cost.depth, cost.contender.clone())).or_default().insert(cost.pass, cost.nanoseconds);
        }
        // Each kind as the registry of the benches has it: Go in the order of its releases.
        let mut contenders: Vec<Contender> = Vec::new();
        let of_first = costs.iter().filter(|cost| costs.first().is_some_and(|first| first.pass == cost.pass));
        for cost in of_first.chain(costs) {
            if !contenders.contains(&cost.contender) {
                contenders.push(cost.contender.clone());
            }
        }
        contenders.sort_by_key(|contender| contender.kind);
        Self { all, contenders }
    }

    fn depths(&self) -> BTreeSet<usize> {
        self.all.keys().map(|(depth, _)| *depth).collect()
    }

    fn at(&self, depth: usize, who: &Contender) -> Option<&Passes> {
        self.all.get(&(depth, who.clone()))
    }

    /// The medians of each contender over the depth.
    pub fn lines(&self) -> Vec<Line> {
        let median = |who: &Contender, depth| Some((depth, Spread::of(self.at(depth, who)?)?.median));
        let line = |who: &Contender| {
            let points = self.depths().into_iter().filter_map(|depth| median(who, depth)).collect();
            Line { contender: who.clone(), points }
        };
        self.contenders.iter().map(line).collect()
    }

    /// The time of the first as a part of that of the second.
    fn ratio(&self, depth: usize, ours: &Contender, theirs: &Contender) -> Option<Spread> {
        Spread::of_ratios(self.at(depth, ours)?, self.at(depth, theirs)?)
    }

    /// Each of ours with each of the others.
    fn pairs(&self) -> impl Iterator<Item = (&Contender, &Contender)> {
        let (ours, others): (Vec<_>, Vec<_>) = self.contenders.iter().partition(|who| who.kind == Kind::Ours);
        ours.into_iter().flat_map(move |ours| others.clone().into_iter().map(move |theirs| (ours, theirs)))
    }

    /// Every goal of which both sides were measured.
    pub fn goals(&self) -> Vec<Goal> {
        let goals = self.pairs().flat_map(|(ours, theirs)| {
            self.depths().into_iter().filter_map(move |depth| {
                let (limit, ratio) = (limit(theirs.kind, depth)?, self.ratio(depth, ours, theirs)?.median);
                let (ours, theirs) = (ours.name.clone(), theirs.name.clone());
                Some(Goal { ours, theirs, depth, limit, ratio, met: ratio <= limit })
            })
        });
        goals.collect()
    }

    fn head(&self, first: &[&str]) -> Grid {
        let depths = self.depths().into_iter().map(|depth| format!("depth {depth}"));
        let head: Vec<_> = first.iter().map(|word| (*word).to_owned()).chain(depths).collect();
        Grid { head, rows: Vec::new() }
    }

    /// Nanoseconds of each contender at each depth.
    pub fn times(&self) -> Grid {
        let mut grid = self.head(&["ns per record"]);
        for who in &self.contenders {
            let cells = self
                .depths()
                .into_iter()
                .map(|depth| self.at(depth, who).and_then(Spread::of).map_or_else(dash, |spread| spread.to_string()));
            grid.rows.push(std::iter::once(who.name.clone()).chain(cells).collect());
        }
        grid
    }

    /// Our times as parts of those of each other contender, and whether the goals are met.
    pub fn ratios(&self) -> Grid {
        let mut grid = self.head(&["ours", "as a part of", "goal"]);
        for (ours, theirs) in self.pairs() {
            let goal = match theirs.kind {
                Kind::Go => "at most 1/3".to_owned(),
                Kind::Rtrb => format!("at most {RTRB} at {} and {}", RTRB_DEPTHS[0], RTRB_DEPTHS[1]),
                Kind::Copy | Kind::Ours => dash(),
            };
            let cells = self.depths().into_iter().map(|depth| {
                let Some(ratio) = self.ratio(depth, ours, theirs) else { return dash() };
                match limit(theirs.kind, depth) {
                    Some(limit) if ratio.median <= limit => format!("{ratio:.2} met"),
                    Some(_) => format!("{ratio:.2} not met"),
                    None => format!("{ratio:.2}"),
                }
            });
            grid.rows.push([ours.name.clone(), theirs.name.clone(), goal].into_iter().chain(cells).collect());
        }
        grid
    }
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::example;
    use super::*;

    #[test]
    fn goals_are_met_or_not() {
        let costs = Costs::of(&example().costs);
        let goals = costs.goals();
        let unmet: Vec<_> = goals.iter().filter(|goal| !goal.met).map(|g| (&*g.ours, &*g.theirs, g.depth)).collect();
        assert_eq!(unmet, [("sleeping", "rtrb", 16), ("sleeping", "rtrb", 64)]);
        assert_eq!(goals.len(), 2 * (3 + 3 + 2));
        assert!(Costs::of(&[]).goals().is_empty());
    }

    #[test]
    fn the_tables_are_what_they_were() {
        let costs = Costs::of(&example().costs);
        insta::assert_snapshot!(format!("{}\n{}", costs.times().markdown(), costs.ratios().markdown()));
    }

    #[test]
    fn the_line_has_the_median_at_each_depth() {
        let costs = Costs::of(&example().costs);
        let lines = costs.lines();
        assert_eq!(lines[0].points, [(2, 15.0), (16, 30.0), (64, 60.0)]);
        assert_eq!(
            lines.iter().map(|line| &line.contender).collect::<Vec<_>>(),
            costs.contenders.iter().collect::<Vec<_>>()
        );
    }
}
