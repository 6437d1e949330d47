//! Litmus tests, judged by the explorer of execution graphs.

use sigproof_explore::Explorer;
use sigproof_explore::litmus::{Judged, Line, Litmus};
use sigproof_harness::model::litmus::{Judgement, Order, Shown};
use sigproof_report::Verdict;

/// Explores a test, and compares its outcomes with what its file says.
pub fn judge(order: &Order) -> Judgement {
    let test = match Litmus::read(&order.text) {
        Ok(test) => test,
        Err(refused) => return Judgement { verdict: Verdict::Inconclusive, text: format!("refused: {refused}\n") },
    };
    let judged = test.run(&Explorer::new().time(order.budget));
    let verdict = verdict(&judged);
    let executions = match order.executions {
        Shown::Always => true,
        Shown::OfOthers => verdict != Verdict::AsExpected,
        Shown::Never => false,
    };
    Judgement { verdict, text: judged.show(&test, executions) }
}

fn verdict(judged: &Judged) -> Verdict {
    let races = judged.outcomes.contains_key(&Line::Race) && !judged.has_expectation;
    if !judged.is_complete {
        Verdict::Inconclusive
    } else if judged.is_as_said() && !races {
        Verdict::AsExpected
    } else {
        Verdict::Unexpected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn judged(text: &str) -> Judgement {
        judge(&Order { text: text.to_owned(), budget: Duration::from_secs(30), executions: Shown::OfOthers })
    }

    #[test]
    fn a_condition_that_does_not_hold_and_a_race_are_unexpected() {
        let test = |body: &str, condition: &str| {
            let text = format!("C t\n{{}}\nP0 (int* x) {{ *x = 1; }}\nP1 (int* x) {{ {body} }}\n{condition}\n");
            judged(&text).verdict
        };
        assert_eq!(test("", "exists (x=1)"), Verdict::AsExpected);
        assert_eq!(test("", "exists (x=2)"), Verdict::Unexpected);
        assert_eq!(test("int r0 = *x;", "exists (x=1)"), Verdict::Unexpected);
    }

    #[test]
    fn what_is_not_read_is_refused_by_name() {
        let refused = judged("AArch64 t\n{}\n");
        assert_eq!(refused.verdict, Verdict::Inconclusive);
        assert!(refused.text.starts_with("refused: ") && refused.text.contains("AArch64"), "{refused:?}");
    }
}
