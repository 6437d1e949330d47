//! What the verbs that need a Go toolchain say of what is none. What needs one is in the tests of `go`.

use rstest::rstest;
use sigproof_tests::run;

#[rstest]
fn what_is_no_toolchain_is_said_with_a_remedy(#[values("conform", "upstream")] verb: &str) {
    let ran = run(&[verb, "--go", "not-a-goroot"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("not-a-goroot is no GOROOT") && ran.stderr.contains("https://go.dev/dl"),
        "{}",
        ran.stderr
    );
}
