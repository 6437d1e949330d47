//! The benchmarks beside a real Go runtime, in a run so short that nothing but the ways of the numbers is
//! tried.

use serde_json::Value;
use sigproof_oracle::bench::{DEPTHS, Kind};
use sigproof_tests::json;

use crate::{newest, path};

/// The elements of an array in a report.
fn all<'a>(report: &'a Value, key: &str) -> &'a [Value] {
    report[key].as_array().unwrap()
}

pub fn ratios_to_a_runtime_are_numbers() {
    let newest = newest();
    let go = path(&newest);
    let (ran, report) = json(&["bench", "--go", &go, "--tiny"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let version = newest.version.to_string();
    assert_eq!(report["runtimes"][0]["version"], version.as_str());
    let of_go = all(&report, "costs").iter().filter(|cost| cost["contender"]["kind"] == serde_json::json!(Kind::Go));
    assert_eq!(of_go.count(), DEPTHS.len(), "{report:#}");
    let goals: Vec<_> = all(&report, "goals").iter().filter(|goal| goal["theirs"] == version.as_str()).collect();
    assert_eq!(goals.len(), 2 * DEPTHS.len(), "{report:#}");
    for goal in goals {
        let number = |key: &str| goal[key].as_f64().unwrap();
        assert!(number("ratio").is_finite() && number("ratio") > 0.0, "{goal:#}");
        assert_eq!(goal["met"], number("ratio") <= number("limit"), "{goal:#}");
    }
}
