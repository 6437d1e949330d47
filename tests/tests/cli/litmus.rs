//! `cargo xtask litmus`: what a test says of itself is judged, and what cannot be read is refused by name.

use std::fs;

use rstest::rstest;
use sigproof_tests::run;

const STORE_BUFFER: &str = "C SB\n{}\n\
    P0 (atomic_int *x, atomic_int *y) { atomic_store_explicit(x, 1, ORDER); int r0 = atomic_load_explicit(y, ORDER); }\n\
    P1 (atomic_int *x, atomic_int *y) { atomic_store_explicit(y, 1, ORDER); int r0 = atomic_load_explicit(x, ORDER); }\n\
    exists (0:r0=0 /\\ 1:r0=0)\n";

#[rstest]
#[case::allowed(&STORE_BUFFER.replace("ORDER", "memory_order_relaxed"), 0, "1 as stated, 0 not")]
#[case::forbidden(&STORE_BUFFER.replace("ORDER", "memory_order_seq_cst"), 1, "0 as stated, 1 not")]
#[case::racing("C race\n{}\nP0 (int *x) { *x = 1; }\nP1 (int *x) { int r0 = *x; }\nexists (1:r0=1)\n", 1, "race")]
#[case::array("C array\n{}\nP0 (atomic_int *x) { int a[2]; }\nexists (x=0)\n", 3, "array")]
#[case::another_language("X86 SB\n{}\nP0;\nMOV [x],$1;\nexists (x=1)\n", 3, "refused")]
fn a_test_is_judged_by_what_it_says(#[case] text: &str, #[case] code: i32, #[case] words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.litmus");
    fs::write(&file, text).unwrap();
    let ran = run(&["litmus", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains(words), "{ran:#?}");
}

#[test]
fn the_worst_of_a_folder_counts_and_no_file_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, order: &str| {
        fs::write(folder.path().join(name), STORE_BUFFER.replace("ORDER", order)).unwrap();
    };
    write("a.litmus", "memory_order_relaxed");
    write("b.litmus", "memory_order_seq_cst");
    let ran = run(&["litmus", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.contains("2 tests: 1 as stated, 1 not, 0 without a verdict"), "{ran:#?}");
    assert_eq!(run(&["litmus", "/nonexistent.litmus"]).code, Some(2));
}
