//! Models: their verdicts, what bounds and budgets do to them, and counterexamples that come back.

use rstest::rstest;
use serde_json::Value;
use sigproof_harness::model::token::with_check;
use sigproof_tests::{Ran, binary, run, xtask};

const BROKEN: &[&str] =
    &["model", "darwin-profbuf-blocking-read", "--note", "sema", "--mode", "blocking", "--variant", "broken"];

/// What is told of plans, and of bounds of preemptions, is told of this engine.
const LOOM: &[&str] = &["--engine", "loom"];

/// A run with its JSON on the standard output.
fn json(arguments: &[&str]) -> (Ran, Value) {
    let ran = run(&[arguments, &["--report", "json=-"]].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    (ran, report)
}

/// The words of a printed command, behind `cargo xtask`.
fn words(command: &str) -> Vec<&str> {
    command.strip_prefix("cargo xtask ").unwrap().split(' ').collect()
}

/// The default engine, and the other one. A token chooses its engine.
#[rstest]
#[case::graph(&[])]
#[case::loom(&["--engine", "loom"])]
fn a_bug_is_found_told_and_replayed(#[case] engine: &[&str]) {
    let (ran, report) = json(&[BROKEN, engine].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run_of = &report["runs"][0];
    assert_eq!((&run_of["technique"], &run_of["verdict"]), (&"model".into(), &"as-expected".into()));
    assert_eq!(run_of["exhausted"], false, "a search that ends at a failure is not exhausted");
    let finding = &run_of["diagnosis"];
    assert_eq!(finding["outcome"], "self-deadlock");
    let steps = finding["details"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["depth"] == 1), "the handler's steps are among them");
    let text = finding["text"].as_str().unwrap();
    assert!(text.contains("thread main") && text.contains("locks mutex "), "{text}");
    assert!(text.contains("crates/") || text.contains("osnote/src/"), "{text}");

    let replay = finding["replay"].as_str().unwrap();
    let (again, repeated) = json(&words(replay));
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let same = &repeated["runs"][0]["diagnosis"];
    for key in ["outcome", "sentence", "replay"] {
        assert_eq!(same[key], finding[key], "{key}");
    }
    // Addresses differ from run to run; everything else is the same execution.
    let plain = |finding: &Value| {
        let steps = finding["details"]["steps"].as_array().unwrap().iter();
        steps.map(|s| (s["thread"].clone(), s["depth"].clone(), s["line"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(plain(same), plain(finding));
}

#[rstest]
#[case::graph(&[], 1)]
#[case::loom(&["--engine", "loom", "--preemptions", "unbounded"], 2)]
fn a_fix_holds_in_every_execution(#[case] engine: &[&str], #[case] tuples: u64) {
    let arguments = ["model", "darwin-profbuf-blocking-read", "--note", "sema", "--variant", "fixed"];
    let (ran, report) = json(&[&arguments[..], engine].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run_of = &report["runs"][0];
    assert_eq!((&run_of["verdict"], &run_of["exhausted"]), (&"as-expected".into(), &true.into()), "{run_of:#}");
    assert!(run_of["signals"].as_u64().unwrap() > 0, "signals were delivered");
    assert!(run_of["tuples"].as_u64().unwrap() >= tuples && run_of["not_exhausted"].is_null(), "{run_of:#}");
}

#[test]
fn a_bound_is_told_and_is_no_proof() {
    let arguments =
        ["model", "darwin-profbuf-blocking-read", "--note", "pipe", "--mode", "blocking", "--preemptions", "1"];
    let (ran, report) = json(&[&arguments[..], LOOM].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(report["runs"][0]["not_exhausted"], "preemption bound 1");
    assert!(ran.stderr.contains("no: preemption bound 1"), "{}", ran.stderr);
}

#[test]
fn a_flavour_chooses_its_models_only() {
    let (ran, report) = json(&["model", "note-leases", "--flavour", "used-again", "--jobs", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!((&runs[0]["case"], &runs[0]["flavour"]), (&"note-leases".into(), &"used-again".into()));
}

#[rstest]
#[case::graph(&["--deliveries", "3"])]
#[case::loom(&["--engine", "loom", "--preemptions", "unbounded"])]
fn a_budget_that_runs_out_is_inconclusive(#[case] engine: &[&str]) {
    let arguments = ["model", "darwin-profbuf-blocking-read", "--note", "futex", "--mode", "blocking"];
    let (ran, report) = json(&[&arguments[..], engine, &["--budget", "300ms"]].concat());
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let run_of = &report["runs"][0];
    assert_eq!((&run_of["verdict"], &run_of["exhausted"]), (&"inconclusive".into(), &false.into()));
    assert!(run_of["not_exhausted"].as_str().unwrap().starts_with("time budget"), "{run_of:#}");
}

/// A search in several commands comes to the same as in one.
#[test]
fn a_search_goes_on_from_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let model = ["model", "cpuprof-foreign", "--flavour", "try-lock", "--jobs", "1"];
    let goes_on = [&model[..], &["--continue", state.to_str().unwrap()]].concat();
    let (_, whole) = json(&model);
    let mut last = Value::Null;
    while last["exhausted"] != true {
        let (ran, mut report) = json(&[&goes_on[..], &["--budget", "400ms"]].concat());
        let before = std::mem::replace(&mut last, report["runs"][0].take());
        assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
        assert!(last["executions"].as_u64() >= before["executions"].as_u64(), "{last:#}");
    }
    for key in ["executions", "discarded", "signals", "observed", "tuples"] {
        assert_eq!(last[key], whole["runs"][0][key], "{key}: {last:#}");
    }
    // What is done is not done again.
    let (again, report) = json(&goes_on);
    assert_eq!((again.code, &report["runs"][0]["elapsed_seconds"]), (Some(0), &last["elapsed_seconds"]));
    let elsewhere = run(&[&goes_on[..], &["--deliveries", "2"]].concat());
    assert_eq!(elsewhere.code, Some(2), "{elsewhere:#?}");
    assert!(elsewhere.stderr.contains("other bounds"), "{}", elsewhere.stderr);
}

/// Jobs that share the models, each with a state of its own and in two commands, come to the same as one job.
#[test]
fn parts_that_go_on_from_their_states_come_to_the_same_as_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let models = ["model", "cpuprof-foreign", "--jobs", "1"];
    let (_, whole) = json(&models);
    let of = |report: &Value| report["runs"].as_array().unwrap().clone();
    let label = |run: &Value| ["case", "variant", "flavour", "note", "mode"].map(|key| run[key].to_string()).join("/");
    let (mut union, mut cut, mut parts) = (Vec::new(), 0, Vec::new());
    for shard in ["1/2", "2/2"] {
        let state = folder.path().join(shard.replace('/', "-"));
        let part = [&models[..], &["--shard", shard, "--continue", state.to_str().unwrap()]].concat();
        let (_, first) = json(&[&part[..], &["--budget", "300ms"]].concat());
        cut += of(&first).iter().filter(|run| run["exhausted"] != true).count();
        let (ran, second) = json(&part);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let labels = |report: &Value| of(report).iter().map(label).collect::<Vec<_>>();
        assert_eq!(labels(&first), labels(&second), "the state changes no part");
        parts.push(of(&second).len());
        union.extend(of(&second));
    }
    assert!(cut > 0, "no search was ended by its first budget: nothing went on");
    assert!(parts.iter().all(|&models| models > 0), "{parts:?}");
    let (mut wanted, mut found) = (of(&whole), union);
    wanted.sort_by_key(label);
    found.sort_by_key(label);
    assert_eq!(found.iter().map(label).collect::<Vec<_>>(), wanted.iter().map(label).collect::<Vec<_>>());
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found["exhausted"], true, "{found:#}");
        for key in ["executions", "discarded", "signals", "observed", "tuples"] {
            assert_eq!(found[key], wanted[key], "{key}: {found:#}");
        }
    }
}

/// The counterexample with its columns, its explanation and its graph.
#[test]
fn a_page_has_the_counterexample_its_explanation_and_its_graph() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let ran = run(&[BROKEN, &["--report", &format!("html={}", file.display())]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    let parts = ["self-deadlock", "thread main", "locks mutex ", "<svg ", "class=\"po\"", "memory order: ", "replay "];
    for part in parts {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn each_graph_is_explored_once_and_that_is_told() {
    let (ran, report) = json(&["model", "darwin-sigqueue-note", "--variant", "fixed", "--distinct"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for run_of in report["runs"].as_array().unwrap() {
        assert_eq!(run_of["distinct"], run_of["executions"], "{run_of:#}");
    }
    assert!(ran.stderr.contains(" = 1.00)"), "{}", ran.stderr);
}

#[test]
fn both_engines_are_compared() {
    let ran = run(&["model", "note-cycles", "--note", "futex", "--engine", "both"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let tally = "1 model over both engines: 1 with the same outcomes, ";
    assert!(ran.stdout.lines().last().is_some_and(|line| line.starts_with(tally)), "{}", ran.stdout);
}

#[test]
fn a_bug_that_lies_deeper_than_asked_is_inconclusive() {
    let (ran, report) = json(&[BROKEN, &["--deliveries", "0"]].concat());
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(report["runs"][0]["verdict"], "inconclusive");
}

#[rstest]
#[case::nothing(&["model", "darwin-profbuf-blocking-read", "--note", "futex", "--variant", "broken"], "no chosen model")]
#[case::exclusive(&["model", "--deep", "--deliveries", "1"], "cannot be used with")]
#[case::loom_has_no_state(&["model", "note-cycles", "--engine", "loom", "--continue", "x"], "--engine graph")]
#[case::loom_counts_none(&["model", "note-cycles", "--engine", "both", "--distinct"], "--engine graph")]
#[case::a_bound_of_loom(&["model", "note-cycles", "--preemptions", "2"], "--engine loom")]
#[case::no_token(&["replay", "nonsense"], "not a replay token")]
#[case::a_part_of_a_token(&["replay", "a-model/broken@none@A"], "not a replay token")]
#[case::junk_behind_a_token(&["replay", &format!("{}zzzz", with_check("selftest-plans/broken@none@A"))], "its check does not fit")]
#[case::choices_of_no_kind(&["replay", &with_check("selftest-plans/broken@none@ffffffff")], "its choices cannot be read")]
#[case::too_many_choices(&["replay", &with_check(&format!("selftest-plans/broken@none@{}", "a".repeat(120_000)))], "its choices cannot be read")]
#[case::no_such_model(&["replay", &with_check("a-model/broken@none@A")], "no model is called 'a-model/broken'")]
fn wrong_usage_is_told_before_anything_is_built(#[case] arguments: &[&str], #[case] said: &str) {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
fn choices_of_another_source_are_inconclusive() {
    // The first choice is of a kind that does not come there.
    let ran = run(&["replay", &with_check("darwin-profbuf-blocking-read/broken/sema/blocking@s29h0@ppppp")]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stdout.contains("does not fit this source"), "{}", ran.stdout);
    let ran = run(&["replay", &with_check("darwin-profbuf-blocking-read/broken/sema/blocking@none@A")]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stdout.contains("does not fail"), "{}", ran.stdout);
}

/// The run of `selftest-plans`, one plan at a time.
fn plans(variant: &str, deliveries: &str, preemptions: &str) -> (Ran, Value) {
    let (ran, mut report) = json(&[
        "model",
        "selftest-plans",
        "--variant",
        variant,
        "--deliveries",
        deliveries,
        "--preemptions",
        preemptions,
        "--jobs",
        "1",
        "--engine",
        "loom",
    ]);
    let run_of = report["runs"][0].take();
    (ran, run_of)
}

/// Four points: one plan without a signal, 4 with one, and 4 + 3 + 2 + 1 with two. The handler has no
/// operations, so that each plan has the executions of the plan without a signal.
#[test]
fn every_plan_of_every_level_is_explored_once() {
    let number = |run_of: &Value, key: &str| run_of[key].as_u64().unwrap();
    let (_, without) = plans("fixed", "0", "2");
    assert_eq!((number(&without, "tuples"), number(&without, "signals")), (1, 0));
    let each = number(&without, "executions");
    for (deliveries, tuples, signals) in [("1", 1 + 4, 4), ("2", 1 + 4 + 10, 4 + 2 * 10)] {
        let (ran, run_of) = plans("fixed", deliveries, "2");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(number(&run_of, "tuples"), tuples);
        assert_eq!(number(&run_of, "executions"), tuples * each);
        assert_eq!(number(&run_of, "attempts"), tuples * each);
        assert_eq!(number(&run_of, "signals"), signals * each);
        assert_eq!(run_of["observed"]["delivered"], tuples * each);
    }
}

#[test]
fn a_bug_in_the_last_plan_is_found_with_the_preemptions_that_it_needs_and_no_fewer() {
    let (ran, run_of) = plans("broken", "2", "2");
    assert_eq!((ran.code, &run_of["verdict"]), (Some(0), &"as-expected".into()), "{}", ran.stderr);
    assert_eq!(run_of["diagnosis"]["details"]["plan"], "s3h0+s3h0");
    // Each level without preemptions, with one and with two; the last plan of the last is the one that fails.
    assert_eq!(run_of["tuples"], 3 * (1 + 4 + 10));
    assert_eq!(run_of["observed"]["corrupt record"], 1);
    assert_eq!(run_of["observed"]["delivered"].as_u64().map(|well| well + 1), run_of["executions"].as_u64());
    for (deliveries, preemptions, plans_of_all) in [("2", "1", 2 * (1 + 4 + 10)), ("1", "2", 3 * (1 + 4))] {
        let (ran, run_of) = plans("broken", deliveries, preemptions);
        assert_eq!((ran.code, &run_of["verdict"]), (Some(3), &"inconclusive".into()), "{}", ran.stderr);
        assert_eq!(run_of["tuples"], plans_of_all);
        assert!(run_of["diagnosis"].is_null(), "{run_of:#}");
    }
}

/// Two stores to one word have two orders. Loom orders the checker's gate before each of them as well: four.
#[rstest]
#[case("graph", 2)]
#[case("loom", 4)]
fn executions_are_counted_once(#[case] engine: &str, #[case] count: u64) {
    let (ran, report) = json(&["model", "selftest-two-threads", "--engine", engine]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run_of = &report["runs"][0];
    assert_eq!((&run_of["attempts"], &run_of["executions"]), (&count.into(), &count.into()), "{run_of:#}");
    assert_eq!(run_of["observed"]["delivered"], count);
    assert_eq!(run_of["exhausted"], true);
}

/// The plan without a signal, and the first of three with one, which fails. The other two may be under way by
/// then; the five plans of the next level, of which two more would fail, are not begun.
#[test]
fn a_search_ends_at_the_first_forbidden_outcome() {
    let (ran, report) = json(&[&["model", "selftest-forbidden", "--jobs", "1"], LOOM].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let run_of = &report["runs"][0];
    assert!((2..=4).contains(&run_of["tuples"].as_u64().unwrap()), "{run_of:#}");
    assert_eq!(run_of["observed"]["corrupt record"], 1);
    assert_eq!(run_of["not_exhausted"], "ended at a failure");
}

/// Each of the two deliveries may be at one of several points, and each is a failure: one is enough.
#[test]
fn a_search_of_graphs_ends_at_the_first_forbidden_outcome() {
    let (ran, report) = json(&["model", "selftest-forbidden"]);
    let run_of = &report["runs"][0];
    assert_eq!((ran.code, &run_of["observed"]["corrupt record"]), (Some(1), &1.into()), "{run_of:#}");
    assert_eq!(run_of["not_exhausted"], "ended at a failure");
}

#[rstest]
#[case("graph", "is too long")]
#[case("loom", "more than 2000 branches")]
fn an_execution_without_an_end_is_inconclusive(#[case] engine: &str, #[case] said: &str) {
    let (ran, report) = json(&["model", "selftest-endless", "--engine", engine]);
    let run_of = &report["runs"][0];
    assert_eq!((ran.code, &run_of["verdict"]), (Some(3), &"inconclusive".into()), "{}", ran.stderr);
    assert!(run_of["reason"].as_str().unwrap().contains(said), "{run_of:#}");
    assert_eq!(run_of["exhausted"], false);
}

#[rstest]
#[case::killed("selftest-killed", 4, "skipped", "ended from outside")]
#[case::crashed("selftest-segv", 1, "unexpected", "a fault of the tool")]
fn a_process_that_dies_takes_one_model_with_it(
    #[case] dies: &str,
    #[case] code: i32,
    #[case] verdict: &str,
    #[case] reason: &str,
) {
    let (ran, report) = json(&["model", dies, "selftest-two-threads", "selftest-plans", "--jobs", "1"]);
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4, "{runs:#?}");
    for run_of in runs {
        let dead = run_of["case"] == dies;
        assert_eq!(run_of["verdict"], if dead { verdict } else { "as-expected" }, "{run_of:#}");
        let said = run_of["reason"].as_str().unwrap_or_default();
        assert_eq!(said.contains(reason) && said.contains(dies), dead, "{said}");
    }
}

#[test]
fn without_a_folder_for_temporary_files_nothing_is_explored() {
    let token = with_check("selftest-plans/broken@none@A");
    for arguments in [&["model", "selftest-plans"][..], &["replay", &token]] {
        let ran = Ran::from(xtask(arguments).env("TMPDIR", "/nonexistent").output().unwrap());
        assert_eq!(ran.code, Some(4), "{ran:#?}");
        assert!(ran.stderr.contains("/nonexistent") && ran.stderr.contains("TMPDIR"), "{}", ran.stderr);
    }
}

#[test]
fn models_are_built_in_the_checkout_wherever_the_executable_is() {
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = Ran::from(xtask(&["model", "selftest-two-threads"]).current_dir(elsewhere.path()).output().unwrap());
    assert_eq!(outside.code, Some(4), "{outside:#?}");
    assert!(outside.stderr.contains("run it from the checkout"), "{}", outside.stderr);

    let folder = elsewhere.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let copy = folder.join("xtask");
    sigproof_tests::executable::copy(binary(), &copy);
    let mut command = std::process::Command::new(&copy);
    let ran = command.args(["model", "selftest-two-threads"]).current_dir(sigproof_tests::workspace()).output();
    let ran = Ran::from(ran.unwrap());
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let made: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["bin"]);
}
