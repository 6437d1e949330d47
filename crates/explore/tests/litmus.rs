//! Every litmus test of the repository gives exactly the outcomes, and the number of executions, that its
//! file names.

use std::fs;
use std::path::Path;

use sigproof_explore::Explorer;
use sigproof_explore::litmus::Litmus;

#[test]
fn every_file_gives_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/litmus");
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "litmus"));
    paths.sort();
    assert!(paths.len() >= 80, "{} files", paths.len());
    let mut wrong = Vec::new();
    for path in &paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let test = Litmus::read(&fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let judged = test.run(&Explorer::new());
        if !judged.is_as_said() || !judged.has_expectation || judged.distinct != judged.explored || test.name != name {
            println!("{}", judged.show(&test, true));
            wrong.push(name);
        }
    }
    println!("{} files", paths.len());
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn what_is_outside_of_the_subset_is_refused_by_name() {
    let text = |body: &str| format!("C t\n{{ x = 0; }}\nP0 (atomic_int* x) {{ {body} }}\nexists (x=0)\n");
    for (body, name) in [
        ("for (;;) {}", "`for`"),
        ("WRITE_ONCE(*x, 1);", "`WRITE_ONCE`"),
        ("atomic_flag_clear(x);", "`atomic_flag_clear`"),
        ("int r0 = atomic_load(y);", "`y`, which is no parameter"),
        ("atomic_store_explicit(x, 1, memory_order_strong);", "`memory_order_strong`"),
    ] {
        let error = Litmus::read(&text(body)).expect_err(body);
        assert!(error.what.contains(name), "{body}: {error}");
        assert_eq!(error.line, 3, "{body}: {error}");
    }
    let other = Litmus::read("AArch64 t\n{}\n").expect_err("another language");
    assert!(other.what.contains("AArch64"), "{other}");
}

#[test]
fn conditions_are_judged() {
    for (condition, holds) in [
        ("exists (0:r0=0 /\\ 1:r0=0)", true),
        ("~exists (0:r0=0 /\\ 1:r0=0)", false),
        ("forall (0:r0=0 \\/ 1:r0=1 \\/ 1:r0=0)", true),
        ("exists (0:r0=2)", false),
        ("filter (0:r0=1) exists (1:r0=0)", true),
        ("filter (0:r0=1) exists (0:r0=0)", false),
    ] {
        let text = format!(
            "C SB\n{{}}\nP0 (atomic_int* x, atomic_int* y) {{ atomic_store_explicit(x, 1, memory_order_relaxed);\n\
             int r0 = atomic_load_explicit(y, memory_order_relaxed); }}\n\
             P1 (atomic_int* x, atomic_int* y) {{ atomic_store_explicit(y, 1, memory_order_relaxed);\n\
             int r0 = atomic_load_explicit(x, memory_order_relaxed); }}\n{condition}\n"
        );
        let judged = Litmus::read(&text).unwrap().run(&Explorer::new());
        assert_eq!(judged.holds, Some(holds), "{condition}");
    }
}
