//! Every litmus test of the repository gives exactly the outcomes, and the number of executions, that its
//! file names.

use std::fs;
use std::path::Path;

use sigproof_explore::Explorer;
use sigproof_explore::litmus::{Executions, Litmus};

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
        if !judged.is_as_said()
            || !judged.has_expectation
            || judged.distinct != Some(judged.explored)
            || test.name != name
        {
            println!("{}", judged.show(&test, Executions::All));
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
        ("atomic_store_explicit(x, 1, memory_order_acquire);", "the order Acquire of a store"),
        ("int r0 = atomic_load_explicit(x, memory_order_release);", "the order Release of a load"),
        ("int r0 = x[1];", "the address `x`"),
        ("int a[2];", "the array `a`"),
        ("int* p = x;", "the pointer `p`"),
        ("return;", "`return`"),
        ("int r0 = 7 % 4;", "the operator `%`"),
        ("int r0 = INT_MAX;", "`INT_MAX`, which nothing declares"),
        ("int r0 = r1; int r1 = 1;", "`r1`, which nothing declares"),
        ("int r0 = 9223372036854775808;", "`9223372036854775808` where a number"),
        (&format!("int r0 = {}1{};", "(".repeat(3_000), ")".repeat(3_000)), "a nesting of more"),
        (&format!("int r0 = 1{};", " + 1".repeat(3_000)), "a chain of more than"),
        (&"{ ".repeat(3_000), "a nesting of more"),
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

/// The question is whether the file is read, and whether its condition is judged.
#[test]
fn the_forms_of_c_that_are_in_use_are_read() {
    let initial = [
        "{}",
        "{ x = 0; y = 0; }",
        "{ [x] = 0; [y] = 0 }",
        "{ atomic_int x = 0; volatile int y; }",
        "{ _Atomic int x = 0; int y = 0; }",
        "{ atomic_int x = ATOMIC_VAR_INIT(0); (* a comment *) y = 0; }",
        "{ int64_t x = 0x0; uint64_t y = 0UL; int 1:r9 = 7; 0:r8 = 8; }",
    ];
    let parameters = [
        "atomic_int* x, volatile int* y",
        "atomic_int *x, const int *y",
        "_Atomic int* x, int* y",
        "_Atomic(int)* x, int *y",
        "volatile atomic_int * x, volatile int * y",
        "atomic_uint* x, unsigned int* y",
        "atomic_llong* x, uint64_t* y",
    ];
    let writer = [
        "*y = 1; atomic_store_explicit(x, 1, memory_order_release);",
        "*y = 1; atomic_store(x, 1);",
        "*y = 1; *x = 1;",
        "*y = 1; atomic_thread_fence(memory_order_release); atomic_store_explicit(x, 1, memory_order_relaxed);",
        "*y = 1; int old = atomic_exchange_explicit(x, 1, memory_order_acq_rel);",
        "*y = (1); (void)atomic_fetch_add(x, (int)1);",
        "*y = 1; int e = 0; int ok = atomic_compare_exchange_strong(x, &e, 1);",
        "int a, b = 1; a = 0; a += b; a++; --; *y = a - 1; atomic_store((atomic_int*)x, ~(-2));",
        "int a = 1; if (a == 1 && !(a > 1)) { *y = a ? 1 : 2; } else { *y = 3; } atomic_store(x, 3 >> 1 << 0);",
        "atomic_init(y, 1); do { atomic_store(x, 1); } while (0); // the end\n",
    ];
    let reader = [
        "int r0 = 0; int r1 = 1; r0 = atomic_load_explicit(x, memory_order_acquire); if (r0) { r1 = *y; }",
        "int r1; int r0 = atomic_load(x); if (r0 == 1) r1 = *y; else r1 = 1;",
        "int r1 = 1; int r0 = atomic_fetch_or_explicit(x, 0, memory_order_acquire); if (r0 != 0) { r1 = *y; } /* */",
        "int r0 = atomic_load_explicit(x, memory_order_relaxed); atomic_thread_fence(memory_order_acquire);\n\
         int r1 = 1; if (r0) { r1 = *y; }",
        "int r0 = *x; int r1 = 1; if (r0) { r1 = *y; }",
    ];
    let questions = [
        "~exists (1:r0=1 /\\ 1:r1=0)",
        "exists (1:r0=1 /\\ 1:r1=1)",
        "forall (1:r0=1 => 1:r1=1)",
        "locations [x; 1:r1;] forall ((1:r0=0 \\/ 1:r1=1) /\\ not (1:r0=2))",
        "filter (1:r0=1) forall 1:r1=1",
        "exists (true /\\ P1:r0 == 1)",
        "locations [int y; 1:r0] not exists 1:r1=0 /\\ 1:r0=1",
    ];
    let mut files = 0;
    let mut judge = |initial: &str, parameters: &str, writer: &str, reader: &str, question: &str| {
        let writer = writer.replace(" --;", "");
        let text = format!(
            "C MP\n\"a text (* with marks\"\n(* nests (* here *) *)\nCycle=Rfe Fre\n{initial}\n\
             P0 ({parameters}) {{ {writer} }}\nP1 ({parameters}) {{ {reader} }}\n{question}\n"
        );
        let judged = Litmus::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}")).run(&Explorer::new());
        assert_eq!(judged.holds, Some(true), "{text}");
        files += 1;
    };
    initial.iter().for_each(|initial| judge(initial, parameters[0], writer[0], reader[0], questions[0]));
    parameters.iter().for_each(|parameters| judge(initial[0], parameters, writer[0], reader[0], questions[0]));
    writer.iter().for_each(|writer| judge(initial[0], parameters[0], writer, reader[0], questions[0]));
    reader.iter().for_each(|reader| judge(initial[0], parameters[0], writer[0], reader, questions[0]));
    questions.iter().for_each(|question| judge(initial[0], parameters[0], writer[0], reader[0], question));
    assert_eq!(files, 36);
}

#[test]
fn what_a_file_must_not_have_is_refused() {
    let body = "P0 (atomic_int* x) { int r0 = atomic_load(x); }";
    let nine: String = (0..9).map(|n| format!("P{n} (atomic_int* x) {{ atomic_store(x, 1); }}\n")).collect();
    for (text, name) in [
        (format!("C t\n{{ int x[2] = {{0, 0}}; }}\n{body}\nexists (x=0)"), "the array `x`"),
        (format!("C t\n{{ int* x; }}\n{body}\nexists (x=0)"), "a pointer"),
        (format!("C t\n{{ x = &y; }}\n{body}\nexists (x=0)"), "`&` as an initial value"),
        (format!("C t\n{{ x = 1 2; }}\n{body}\nexists (x=0)"), "`2` after the initial value"),
        (format!("C t\n{{}}\n{body}\nexists (z=0)"), "`[z]`, which is not there"),
        (format!("C t\n{{}}\n{body}\nexists (0:r1=0)"), "`0:r1`, which is not there"),
        (format!("C t\n{{}}\n{nine}exists (x=1)"), "9 threads"),
        ("C t\n{}\nP0 (int x[4]) { }\nexists (true)".to_owned(), "the array `x`"),
        ("C t\n(* no end".to_owned(), "a comment that does not end"),
        (format!("C t\n{{}}\n{body}\nexists {}x=0", "(".repeat(30_000)), "a nesting of more"),
        (format!("C t\n{{}}\n{body}\nexists {}x=0", "x=0 => ".repeat(30_000)), "a nesting of more"),
        (format!("C t\n{{}}\n{body}\nexists x=0{}", " /\\ x=0".repeat(30_000)), "a chain of more than"),
        (String::new(), "a test of the language"),
        ("C".to_owned(), "the end of the file"),
    ] {
        let error = Litmus::read(&text).expect_err(&text);
        assert!(error.what.contains(name), "{error}\n{text}");
    }
}

/// herd tells the values of racing tests as well, beside its mark.
#[test]
fn a_test_with_a_race_is_undefined_and_its_condition_is_told_all_the_same() {
    let text = "C race\n{}\nP0 (int* x) { *x = 1; }\nP1 (int* x) { int r0 = *x; }\nexists (1:r0=1)\n";
    let test = Litmus::read(text).unwrap();
    let judged = test.run(&Explorer::new());
    assert_eq!((judged.holds, judged.holds_with_races), (None, Some(true)));
    let shown = judged.show(&test, Executions::None);
    assert!(shown.contains("undefined: plain accesses race") && shown.contains("exists (1:r0=1): yes"), "{shown}");
}

#[test]
fn numbers_and_words_mean_what_they_mean_in_c() {
    for (value, is) in [
        ("010", 8),
        ("0", 0),
        ("0x1F", 31),
        ("0XffU", 255),
        ("5UL", 5),
        ("-9223372036854775808", i64::MIN),
        ("true", 1),
        ("true == false", 0),
        ("-(1 << 3) + 1", -7),
        ("~0", -1),
    ] {
        let text =
            format!("\u{feff}C t\r\n{{}}\nP0 (atomic_int* x) {{ atomic_store(x, {value}); }}\nforall (x={is})\n");
        let judged = Litmus::read(&text).unwrap_or_else(|error| panic!("{value}: {error}")).run(&Explorer::new());
        assert_eq!(judged.holds, Some(true), "{value}");
    }
}

/// As in herd, a register that no branch has set is 0 in a condition.
#[test]
fn a_register_that_was_not_set_is_zero_in_a_condition() {
    let text = "C unset\n{}\nP0 (atomic_int* x) { int r0; if (atomic_load(x)) { r0 = 1; } }\nforall (0:r0=0)\n";
    assert_eq!(Litmus::read(text).unwrap().run(&Explorer::new()).holds, Some(true));
}

#[test]
fn an_execution_names_locations_and_threads() {
    let text = "C t\n{}\nP0 (atomic_int* data, atomic_int* f) { atomic_store_explicit(data, 7, memory_order_release);\n\
                int r0 = futex_wake(f, 1); }\nP1 (atomic_int* data) { int r0 = atomic_load(data); }\nexists (1:r0=7)\n";
    let test = Litmus::read(text).unwrap();
    let shown = test.run(&Explorer::new()).show(&test, Executions::All);
    for part in ["P0: #", "write data.rel = 7", "read data.sc = 7 (from P0#", "queue(f)"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

const MESSAGE: &str = "C MP\n{}\n\
    P0 (atomic_int* x, atomic_int* y) { atomic_store_explicit(x, 1, memory_order_relaxed);\n\
    atomic_store_explicit(y, 1, RELEASE); }\n\
    P1 (atomic_int* x, atomic_int* y) { int r0 = atomic_load_explicit(y, ACQUIRE);\n\
    int r1 = atomic_load_explicit(x, memory_order_relaxed); }\n";

/// Which store was read in the place of which, and the step without a happens-before.
#[test]
fn a_witness_says_why_the_memory_model_allows_it() {
    let shown = |release: &str, acquire: &str, question: &str, executions| {
        let text = format!("{}{question}\n", MESSAGE.replace("RELEASE", release).replace("ACQUIRE", acquire));
        let test = Litmus::read(&text).unwrap();
        test.run(&Explorer::new()).show(&test, executions)
    };
    let (relaxed, release, acquire) = ("memory_order_relaxed", "memory_order_release", "memory_order_acquire");
    let stale = "exists (1:r0=1 /\\ 1:r1=0)";
    for (release, acquire, why) in [
        (relaxed, relaxed, "P0#2 does not release, and P1#1 does not acquire"),
        (relaxed, acquire, "P0#2 does not release\n"),
        (release, relaxed, "P1#1 does not acquire\n"),
    ] {
        let shown = shown(release, acquire, stale, Executions::Witness);
        assert!(shown.contains(&format!("no happens-before from P0#2 to P1#1: {why}")), "{shown}");
        assert!(shown.contains("weak: P1#2 reads the initial value of x, although P0#1 is newer"), "{shown}");
        assert!(shown.contains("P0#1 -sb-> P0#2 -rf-> P1#1 -sb-> P1#2"), "{shown}");
        assert_eq!(shown.matches("weak: ").count(), 1, "one witness: {shown}");
    }
    let forbidden = shown(release, acquire, stale, Executions::Witness);
    assert!(!forbidden.contains("weak: ") && !forbidden.contains("P1: #"), "{forbidden}");
    let usual = shown(relaxed, relaxed, "exists (1:r0=1 /\\ 1:r1=1)", Executions::Witness);
    assert!(usual.contains("sequentially consistent: ") && !usual.contains("weak: "), "{usual}");
    let buffered = "C SB\n{}\nP0 (atomic_int* x, atomic_int* y) { atomic_store_explicit(x, 1, memory_order_release);\n\
        int r0 = atomic_load_explicit(y, memory_order_acquire); }\n\
        P1 (atomic_int* x, atomic_int* y) { atomic_store_explicit(y, 1, memory_order_release);\n\
        int r0 = atomic_load_explicit(x, memory_order_acquire); }\n~exists (0:r0=0 /\\ 1:r0=0)\n";
    let test = Litmus::read(buffered).unwrap();
    let shown = test.run(&Explorer::new()).show(&test, Executions::Witness);
    assert!(shown.contains("only sequentially consistent accesses or fences order these"), "{shown}");
}
