//! Fingerprints of hangs: each is one of its own case's, whatever the machine knows of the functions of libc.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sigproof_casebook::REGISTRY;
use sigproof_tests::{of, sigproof};

use super::ran;

const STRESS: &[&str] = &["stress", "--variant", "broken", "--attempts", "5", "--report", "json=-"];

/// The cases whose hang was diagnosed, each with its fingerprint.
fn prints(command: &mut Command) -> BTreeSet<(String, String)> {
    let ran = ran(command);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    let runs = report["runs"].as_array().unwrap().iter();
    let of = |run: &Value| {
        let case = run["case"].as_str().unwrap().to_owned();
        let hang = |finding: &Value| finding["details"]["kind"].is_string().then(|| finding["fingerprint"].clone());
        let findings = [&run["diagnosis"]].into_iter().chain(run["more_diagnoses"].as_array().into_iter().flatten());
        findings.filter_map(hang).map(|print| (case.clone(), print.as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    runs.flat_map(of).collect()
}

#[test]
fn a_hang_has_a_fingerprint_of_its_own_case() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        println!("skipped: the fingerprints of the cases are those of glibc, and only Linux shows stacks");
        return;
    }
    let found = prints(&mut of(sigproof(), STRESS));
    for (case, print) in &found {
        let own = REGISTRY.find(case).unwrap().fingerprints();
        assert!(own.contains(&print.as_str()), "{case} has the fingerprint {print}, and not one of {own:?}");
    }
    let with = REGISTRY.shown().filter(|case| !case.fingerprints().is_empty()).map(|case| case.name().to_owned());
    assert_eq!(found.iter().map(|(case, _)| case.clone()).collect::<BTreeSet<_>>(), with.collect(), "who hangs");
    assert_eq!(prints(&mut of(sigproof(), STRESS)), found, "another run");
    let hidden = "mount -t tmpfs none /usr/lib/debug && exec \"$@\"";
    if !Path::new("/usr/lib/debug/.build-id").exists() {
        println!("skipped: there are no debug files here to hide");
        return;
    }
    let unshare = |words: &[&str]| {
        let mut command = of(Path::new("/usr/bin/unshare"), &["--mount", "--map-root-user", "sh", "-c", hidden, "sh"]);
        command.args(words);
        command
    };
    if ran(&mut unshare(&["true"])).code != Some(0) {
        println!("skipped: no mount namespace for a user; remedy: sysctl kernel.unprivileged_userns_clone=1");
        return;
    }
    let executable = sigproof().to_str().unwrap();
    assert_eq!(prints(&mut unshare(&[&[executable], STRESS].concat())), found, "without libc's debug files");
}

/// A counterexample of a model is named by the rules that name a real hang.
#[test]
fn a_counterexample_has_the_fingerprint_of_its_case() {
    let ask = ["model", "darwin-profbuf-blocking-read", "--variant", "broken", "--report", "json=-"];
    let ran = ran(&mut of(sigproof(), &ask));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    let own = REGISTRY.find("darwin-profbuf-blocking-read").unwrap().fingerprints();
    let mut seen = 0;
    for run in report["runs"].as_array().unwrap() {
        let findings = [&run["diagnosis"]].into_iter().chain(run["more_diagnoses"].as_array().into_iter().flatten());
        for finding in findings.filter(|finding| finding["outcome"] == "self-deadlock") {
            let print = finding["fingerprint"].as_str().unwrap_or_else(|| panic!("no fingerprint: {finding}"));
            assert!(own.contains(&print), "{print} is not one of {own:?}");
            seen += 1;
        }
    }
    assert!(seen > 0, "no model deadlocks: {report}");
}
