//! Litmus tests, judged by the explorer of execution graphs.

use sigproof_explore::Explorer;
use sigproof_explore::litmus::{Executions, Litmus};
use sigproof_harness::model::litmus::{Judgement, Order, Shown};
use sigproof_report::Verdict;

/// Explores a test, and compares its outcomes with what its file says.
pub fn judge(order: &Order) -> Judgement {
    let test = match Litmus::read(&order.text) {
        Ok(test) => test,
        Err(refused) => return Judgement::refused(refused.to_string()),
    };
    let judged = test.run(&Explorer::new().time(order.budget));
    let verdict = match judged.verdict_of_file() {
        Some(true) => Verdict::AsExpected,
        Some(false) => Verdict::Unexpected,
        None => Verdict::Inconclusive,
    };
    let executions = match order.executions {
        Shown::Always => Executions::All,
        Shown::OfOthers if verdict == Verdict::AsExpected => Executions::Witness,
        Shown::OfOthers => Executions::All,
        Shown::Never => Executions::None,
    };
    Judgement {
        verdict,
        refused: None,
        names: judged.names.iter().map(ToString::to_string).collect(),
        outcomes: judged.outcomes.iter().map(|(line, (count, _))| (line.to_string(), *count)).collect(),
        cut: (!judged.is_complete).then(|| "graph: not exhausted".to_owned()),
        inexact: Vec::new(),
        text: judged.show(&test, executions),
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
