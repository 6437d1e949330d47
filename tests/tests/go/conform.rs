//! The comparison with real Go runtimes.

use std::path::PathBuf;

use sigproof_oracle::conform::rule::Rule;
use sigproof_tests::{json, run};

use crate::{newest, path};

pub fn a_runtime_agrees_with_its_own_policy_and_with_no_other() {
    let toolchain = newest();
    let go = path(&toolchain);
    let (ran, report) = json(&["conform", "--go", &go, "--cases", "3000", "--seed", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run = &report["runs"][0];
    assert_eq!((&run["verdict"], &run["observed"]["delivered"]), (&"as-expected".into(), &3000.into()), "{run:#}");
    assert!(run["control"]["shortest"].as_str().unwrap().contains("sleep; write"), "{run:#}");

    let own = run["wake_policy"].as_str().unwrap();
    for wrong in Rule::ALL.map(Rule::as_str).into_iter().filter(|rule| *rule != own) {
        let (ran, report) = json(&["conform", "--go", &go, "--cases", "3000", "--seed", "1", "--policy", wrong]);
        let run = &report["runs"][0];
        assert_eq!((ran.code, &run["verdict"]), (Some(1), &"unexpected".into()), "{wrong}: {}", ran.stderr);
        assert_eq!(run["observed"]["disagreement"], 1, "{run:#}");
        let shortest = run["diagnosis"]["sentence"].as_str().unwrap();
        assert!(shortest.split("; ").count() <= 8, "{shortest}");
        assert!(ran.stderr.contains("#[test]") && ran.stderr.contains(shortest), "{}", ran.stderr);
    }
}

pub fn one_sequence_is_told_in_full() {
    let toolchain = newest();
    let sequence = "new header=0 words=64 tags=8 at=0,0; sleep; write time=1 tag=1 header=0 stack=70; read";
    let go = path(&toolchain);
    let alike = run(&["conform", "--go", &go, "--sequence", sequence]);
    assert_eq!(alike.code, Some(0), "{}", alike.stderr);
    let wrong = run(&["conform", "--go", &go, "--sequence", "new header=0"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("is not part of a sequence such as"), "{}", wrong.stderr);
}

pub fn a_runtime_that_does_not_build_is_told() {
    let toolchain = newest();
    let folder = tempfile::tempdir().unwrap();
    // A tree whose buffer somebody has broken: everything else is the real one's.
    let link = |from: PathBuf, to: PathBuf| std::os::unix::fs::symlink(from, to).unwrap();
    let (root, tree) = (&toolchain.goroot, folder.path());
    for part in ["bin", "pkg", "VERSION", "go.env"].iter().filter(|part| root.join(part).exists()) {
        link(root.join(part), tree.join(part));
    }
    let copy = |from: &str, but: &str| {
        std::fs::create_dir(tree.join(from)).unwrap();
        for entry in root.join(from).read_dir().unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != but) {
            link(entry.path(), tree.join(from).join(entry.file_name()));
        }
    };
    copy("src", "runtime");
    copy("src/runtime", "profbuf.go");
    std::fs::write(tree.join("src/runtime/profbuf.go"), "package runtime\n").unwrap();
    let ran = run(&["conform", "--go", &tree.to_string_lossy()]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("does not build with go") && ran.stderr.contains("profBuf"), "{}", ran.stderr);
}
