//! Which plans there are: level by level, each plan once, none that cannot happen.
//!
//! A plan of n perturbations can happen only if it can without the one that comes last, and if an execution
//! without that one came to the chance for it: up to there the two are the same. So the candidates of a level
//! are the plans of the level before that were carried out, each with one more perturbation at each chance
//! that was seen there. No assumption is made about what a perturbation does to the number of chances that
//! come after.

use std::collections::BTreeSet;

use sigproof_shim::model::{Chances, Plan};

use super::Model;

/// The candidates that follow from a plan which was carried out and in which these chances were seen.
pub fn successors(model: &Model, plan: &Plan, chances: Chances, into: &mut BTreeSet<Plan>) {
    for point in 0..chances.signals {
        for handler in 0..model.handlers {
            let mut next = plan.clone();
            next.signals.push((point, handler));
            next.signals.sort_by_key(|(point, _)| *point);
            into.insert(next);
        }
    }
    let one_more = |list: &[u32], n: u32| (!list.contains(&n)).then(|| [list, &[n]].concat());
    if model.timeouts {
        for n in 0..chances.timeouts {
            if let Some(mut timeouts) = one_more(&plan.timeouts, n) {
                timeouts.sort_unstable();
                into.insert(Plan { timeouts, ..plan.clone() });
            }
        }
    }
    if model.spurious {
        for n in 0..chances.spurious {
            if let Some(mut spurious) = one_more(&plan.spurious, n) {
                spurious.sort_unstable();
                into.insert(Plan { spurious, ..plan.clone() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(model: &Model, plan: &Plan, chances: Chances) -> Vec<Plan> {
        let mut into = BTreeSet::new();
        successors(model, plan, chances, &mut into);
        into.into_iter().collect()
    }

    const CHANCES: Chances = Chances { signals: 2, timeouts: 1, spurious: 3 };

    #[test]
    fn each_chance_makes_a_plan() {
        let model = Model::new(|| {}).handlers(2).timeouts();
        let plans = all(&model, &Plan::default(), CHANCES);
        assert_eq!(plans.len(), 2 * 2 + 1, "two points, two handlers, one time-out: {plans:?}");
        assert!(plans.iter().all(|plan| plan.len() == 1));
    }

    #[test]
    fn the_same_plan_is_reached_in_two_ways_and_is_one() {
        let model = Model::new(|| {}).spurious();
        let mut into = BTreeSet::new();
        for plan in all(&model, &Plan::default(), CHANCES) {
            successors(&model, &plan, CHANCES, &mut into);
        }
        // Signals at {0,0}, {0,1}, {1,1}; a signal and a wait: 2 * 3; two waits of three.
        assert_eq!(into.len(), 3 + 6 + 3, "{into:?}");
    }

    #[test]
    fn signals_are_in_the_order_of_their_points() {
        let model = Model::new(|| {});
        let plan = Plan { signals: vec![(1, 0)], ..Plan::default() };
        let plans = all(&model, &plan, CHANCES);
        assert!(plans.iter().all(|plan| plan.signals.is_sorted()), "{plans:?}");
    }
}
