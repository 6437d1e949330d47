//! What handlers do, read in the machine code: programs that are compiled here in several ways, none of which
//! is run but for comparison.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sigproof_tests::{Ran, run};

use crate::{Check, FOLDER};

pub const TESTS: &[(&str, Check)] = &[
    ("each_mechanism_is_named_and_its_mended_form_is_not", mechanisms),
    ("a_logger_in_a_handler_leads_to_the_allocator", logs),
    ("a_logger_is_named_by_both_sources", both),
    ("a_flag_and_a_byte_are_silent", silent),
    ("errno_that_is_not_saved_is_noted", errno),
    ("handlers_come_from_tables_and_wrappers", installed),
    ("a_library_of_the_program_is_followed", library),
    ("calls_that_are_computed_are_counted", computed),
    ("a_program_without_handlers_is_inconclusive", none),
    ("what_is_no_program_is_refused", refused),
    ("a_damaged_program_never_harms", damaged),
    ("only_the_signals_that_are_asked_for", asked),
    ("windows_name_their_sources", windows),
    ("a_function_that_marks_a_variable_is_no_handler", marks),
    ("no_window_follows_from_a_handler_without_locks", no_windows),
];

/// Those that need a compiler of C++.
pub const IN_CPP: &[(&str, Check)] = &[("cpp_is_followed_to_new_and_throw", cpp)];

/// Those that need a static C library.
pub const STATIC: &[(&str, Check)] = &[("a_static_program_without_names_is_inconclusive", nameless)];

/// Why no static program can be linked here.
pub fn lacks_static() -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("none.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("a file");
    let output = compiler("CC", "cc").args(["-static", "-o"]).arg(folder.path().join("none")).arg(source).output();
    let linked = output.is_ok_and(|output| output.status.success());
    (!linked).then(|| "no static program can be linked; remedy: install the static C library".to_owned())
}

/// Ways to compile one program.
const WAYS: &[&[&str]] =
    &[&["-O0"], &["-O2"], &["-O2", "-s"], &["-O2", "-no-pie", "-fno-pie"], &["-O2", "-fno-plt"], &["-Os", "-g"]];

fn compiler(variable: &str, usual: &str) -> Command {
    Command::new(std::env::var_os(variable).unwrap_or_else(|| usual.into()))
}

/// One program is compiled once, although several tests ask for it.
static COMPILING: Mutex<()> = Mutex::new(());

/// Compiles a source of this folder; `None` if the compiler is not there.
fn built_by(mut compiler: Command, source: &str, name: &str, options: &[&str]) -> Option<PathBuf> {
    let _alone = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = FOLDER.get().expect("it was made before the tests").path();
    let out = folder.join(name.replace(['/', '$', ',', '='], "_"));
    if out.exists() {
        return Some(out);
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe").join(source);
    let output = compiler.arg("-w").arg("-o").arg(&out).arg(source).args(options).current_dir(folder).output().ok()?;
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(out)
}

/// A program of `handlers.c`.
fn built(kind: &str, is_broken: bool, options: &[&str]) -> String {
    let name = format!("{kind}{}{}", if is_broken { "-broken" } else { "" }, options.concat());
    let kind = format!("-DKIND={kind}");
    let form = if is_broken { "-DBROKEN" } else { "-DMENDED" };
    let all = [&[kind.as_str(), form], options].concat();
    let path = built_by(compiler("CC", "cc"), "handlers.c", &name, &all).expect("there is a C compiler: see main");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Reads a program, with the report.
fn read(options: &[&str], program: &str) -> (Ran, Value) {
    let ran = run(&[&["probe", "--lint", "--report", "json=-"], options, &[program]].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    (ran, report)
}

/// What is found in a report: functions that are called, and rules that are broken.
fn found(report: &Value) -> Vec<String> {
    let handlers = report["handlers"].as_array().expect("handlers");
    let each = |list: &str, key: &str| -> Vec<String> {
        let all = handlers.iter().flat_map(|handler| handler[list].as_array().expect("a list").clone());
        all.map(|one| one[key].as_str().expect("a word").to_owned()).collect()
    };
    [each("calls", "function"), each("faults", "rule")].concat()
}

fn mechanisms() {
    for (number, (kind, expected)) in [
        ("LOG", "syslog"),
        ("TABLE", "malloc"),
        ("STATIC_ACTION", "fwrite"),
        ("FREED", "freed while the handler may use it"),
        ("BLOCKED", "freed while the handler may use it"),
        ("HEAP", "free"),
        ("JUMP", "jump out of the handler"),
        ("CASES", "strtol"),
        ("LOST", "lost update"),
        ("LEAVES", "exit"),
        ("WRAPPED", "perror"),
    ]
    .into_iter()
    .enumerate()
    {
        // Each kind in two ways at least, and each way for several kinds.
        let ways = WAYS.iter().enumerate().filter(|(way, _)| *way < 2 || (way + number) % 4 == 0);
        for (_, way) in ways {
            let (ran, report) = read(&[], &built(kind, true, way));
            // Without optimisation a constant string is still written by `fputs`.
            let named = |name: &String| name == expected || (expected == "fwrite" && name == "fputs");
            assert!(ran.code == Some(1) && found(&report).iter().any(named), "{kind} {way:?}: {ran:#?}");
            let (ran, report) = read(&[], &built(kind, false, way));
            assert_eq!((ran.code, found(&report)), (Some(0), Vec::new()), "{kind} {way:?}: {ran:#?}");
        }
    }
    let fortified = ["-O2", "-D_FORTIFY_SOURCE=2"];
    let (ran, report) = read(&[], &built("FORTIFIED", true, &fortified));
    let names = found(&report);
    let checked = |name: &str| names.iter().any(|other| other == name || *other == format!("__{name}_chk"));
    assert!(ran.code == Some(1) && checked("printf") && checked("snprintf"), "{ran:#?}");
    assert_eq!(names.len(), 2, "memcpy, strncpy, read and their checked forms are async-signal-safe: {names:?}");
    assert_eq!(read(&[], &built("FORTIFIED", false, &fortified)).0.code, Some(0));
}

/// The call of this name in a report.
fn call(report: &Value, handler: &str, function: &str) -> Value {
    let handlers = report["handlers"].as_array().expect("handlers");
    let calls =
        handlers.iter().filter(|one| one["handler"] == handler).flat_map(|one| one["calls"].as_array().cloned());
    calls.flatten().find(|call| call["function"] == function).unwrap_or_else(|| panic!("{function}: {report:#}"))
}

fn logs() {
    let (ran, report) = read(&[], &built("LOG", true, &["-O2", "-g"]));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    // Through the pointer that `set_sink` has stored.
    let call_of_syslog = call(&report, "out_of_time", "syslog");
    assert_eq!(call_of_syslog["chain"], serde_json::json!(["out_of_time", "note", "to_syslog"]));
    let at = call_of_syslog["at"].as_array().expect("places");
    assert!(at.len() == 3 && at.iter().all(|at| at.as_str().is_some_and(|at| at.contains("handlers.c:"))), "{at:?}");
    let way: Vec<&str> = call_of_syslog["way"].as_array().expect("a way").iter().filter_map(Value::as_str).collect();
    assert!(way.first() == Some(&"syslog") && way.len() > 1, "{way:?}");
    let locking = call_of_syslog["locking"].as_array().expect("a list");
    assert!(locking.contains(&"malloc".into()), "from there to the allocator: {ran:#?}");
    // Without a sink, through the list of arguments.
    assert_eq!(call(&report, "out_of_time", "vsyslog")["chain"], serde_json::json!(["out_of_time", "note"]));
    assert_eq!(report["handlers"][0]["signal"], "SIGALRM");
    assert_eq!(report["handlers"][0]["source"], "in the machine code");
}

fn both() {
    let program = built("LOG", true, &["-O2"]);
    let ran = run(&["probe", "--lint", "--signal", "ALRM", "--report", "json=-", "--", &program]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    let seen = call(&report, "out_of_time", "syslog");
    let read = call(&read(&[], &program).1, "out_of_time", "syslog");
    assert_eq!(seen["chain"], read["chain"], "the same chain as it runs and in the machine code");
    assert_eq!(report["handlers"][0]["source"], "as it runs");
    assert!(seen["way"].as_array().is_some_and(|way| way.len() > 1), "{seen:#}");
}

fn silent() {
    for way in WAYS {
        let ran = run(&["probe", "--lint", &built("KEEPS_ERRNO", false, way)]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        let text = "1 function reachable, all async-signal-safe";
        assert!(ran.stdout.contains("nothing found") && ran.stdout.contains(text), "{ran:#?}");
    }
}

fn errno() {
    let notes = |kind: &str| {
        let (ran, report) = read(&[], &built(kind, false, &["-O2"]));
        assert_eq!(ran.code, Some(0), "a remark is no fault: {ran:#?}");
        report["handlers"][0]["notes"].to_string()
    };
    // The loop reads errno, and does not put it back: that cannot be told from a handler that does.
    assert!(!notes("KEEPS_ERRNO").contains("errno"));
    let (_, report) = read(&[], &built("FORTIFIED", false, &["-O2"]));
    assert!(report["handlers"][0]["notes"].to_string().contains("errno is not saved"), "{report:#}");
}

fn installed() {
    for way in WAYS.iter().filter(|way| !way.contains(&"-s")) {
        let (_, report) = read(&[], &built("TABLE", true, way));
        let mut handlers: Vec<&str> =
            report["handlers"].as_array().expect("handlers").iter().filter_map(|one| one["handler"].as_str()).collect();
        handlers.sort_unstable();
        assert_eq!(handlers, ["bad", "good"], "{way:?}");
        let (_, report) = read(&[], &built("WRAPPED", true, way));
        let handlers = report["handlers"].as_array().expect("handlers");
        let of = |name: &str| handlers.iter().find(|one| one["handler"] == name).map(|one| one["signal"].clone());
        assert_eq!(of("ends"), Some("SIGINT, SIGTERM".into()), "{way:?}: through two functions");
        assert_eq!(of("alarms"), Some("SIGALRM".into()), "{way:?}");
        assert_eq!(report["notes"], serde_json::json!([]), "{way:?}: what was installed before is no new handler");
    }
    let (_, report) = read(&[], &built("STATIC_ACTION", false, &["-O2"]));
    let handlers = report["handlers"].as_array().expect("handlers");
    assert_eq!(handlers.len(), 2, "the one in data, and one of a choice: {report:#}");
}

fn library() {
    for (name, form, expected) in [("libreport-broken.so", "-DBROKEN", 1), ("libreport.so", "-DMENDED", 0)] {
        let library = built_by(compiler("CC", "cc"), "handlers_library.c", name, &["-O2", "-fPIC", "-shared", form]);
        let library = library.expect("there is a C compiler: see main");
        let path = library.to_str().expect("a path in UTF-8");
        let run_path = "-Wl,-rpath,$ORIGIN";
        let program = built("LIBRARY", expected == 1, &["-O2", path, run_path]);
        let (ran, report) = read(&[], &program);
        assert_eq!(ran.code, Some(expected), "{ran:#?}");
        assert_eq!(report["handlers"][0]["functions"], 3, "the handler, and two of the library");
        if expected == 1 {
            assert_eq!(call(&report, "on_signal", "calloc")["chain"][1], "report", "{report:#}");
        }
    }
}

fn cpp() {
    let build = |name: &str, options: &[&str]| built_by(compiler("CXX", "c++"), "handlers.cc", name, options);
    let broken = build("cpp-broken", &["-O2", "-DBROKEN"]).expect("there is a C++ compiler: see main");
    let (ran, report) = read(&[], broken.to_str().expect("UTF-8"));
    let names = found(&report);
    let has = |part: &str| names.iter().any(|name| name.contains(part));
    assert!(ran.code == Some(1) && has("operator delete") && has("__cxa_throw"), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("_Z")), "names are those of the source: {names:?}");
    let mended = build("cpp", &["-O2"]).expect("as before");
    assert_eq!(read(&[], mended.to_str().expect("UTF-8")).0.code, Some(0));
    let table = build("cpp-virtual", &["-O2", "-DVIRTUAL"]).expect("as before");
    let (ran, report) = read(&["--signal", "USR1"], table.to_str().expect("UTF-8"));
    assert_eq!(ran.code, Some(3), "a virtual function is left out, and that is said: {ran:#?}");
    assert_eq!(report["handlers"][0]["unknown"].as_array().map(Vec::len), Some(1));
}

fn computed() {
    let ran = run(&["probe", "--lint", &built("COMPUTED", true, &["-O2"])]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stdout.contains("not enough to tell") && ran.stdout.contains("not followed, at 1 place"), "{ran:#?}");
    assert_eq!(run(&["probe", "--lint", &built("COMPUTED", false, &["-O2"])]).code, Some(0));
}

fn none() {
    let (ran, report) = read(&[], &built("NONE", false, &["-O2"]));
    assert_eq!((ran.code, &report["handlers"]), (Some(3), &serde_json::json!([])), "{ran:#?}");
    let ran = run(&["probe", "--lint", &built("NONE", false, &["-O2"])]);
    assert!(ran.stdout.contains("no handler was found"), "{ran:#?}");
}

fn nameless() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("nameless");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe/handlers.c");
    let mut compiler = compiler("CC", "cc");
    let output = compiler.args(["-w", "-O2", "-static", "-s", "-DKIND=HEAP", "-o"]).arg(&out).arg(source).output();
    assert!(output.expect("there is a C compiler: see main").status.success(), "static programs can be linked here");
    let ran = run(&["probe", "--lint", out.to_str().expect("UTF-8")]);
    assert!(ran.code == Some(3) && ran.stdout.contains("its symbols are stripped"), "{ran:#?}");
    assert!(ran.stdout.contains("remedy: name the file as it was before it was stripped"), "{ran:#?}");
    // The wrapper of the system call leads to its callers, and these to the handler.
    assert!(ran.stdout.contains("the handler of SIGINT, nameless+0x"), "{ran:#?}");
}

fn refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::fs::read(built("FLAG", false, &["-O2"])).expect("it was compiled");
    let mut narrow = program.clone();
    narrow[4] = 1;
    let mut other = program.clone();
    other[18] = 8;
    let mut object = program.clone();
    object[16] = 1;
    for (name, bytes, why) in [
        ("text", b"no program".to_vec(), "is no ELF file"),
        ("empty", Vec::new(), "is no ELF file"),
        ("script", b"#!/bin/sh\ntrue\n".to_vec(), "is a script"),
        ("narrow", narrow, "is no 64-bit ELF file"),
        ("other", other, "is for another processor"),
        ("object", object, "is not linked yet"),
        ("head", program[..40].to_vec(), "damaged ELF file"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        let ran = run(&["probe", "--lint", path.to_str().expect("UTF-8")]);
        assert!(ran.code == Some(2) && ran.stderr.contains(why), "{name}: {ran:#?}");
    }
    for (path, why) in [("/", "no regular file"), ("/no/such/program", "cannot read"), ("/dev/zero", "no regular file")]
    {
        let ran = run(&["probe", "--lint", path]);
        assert!(ran.code == Some(2) && ran.stderr.contains(why), "{path}: {ran:#?}");
    }
    for arguments in [&["probe", "--lint"][..], &["probe", "a", "--", "b"], &["probe", "--lint", "a", "--", "b"]] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
    }
}

fn damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::fs::read(built("LOG", true, &["-O2"])).expect("it was compiled");
    let path = folder.path().join("damaged");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("it is below")
    };
    for round in 0..60 {
        let mut bytes = program.clone();
        match round % 3 {
            // The headers; anywhere; the end.
            0 => (0..4).for_each(|_| bytes[5 + random(600)] = random(256) as u8),
            1 => (0..200).for_each(|_| bytes[random(program.len())] = random(256) as u8),
            _ => bytes.truncate(random(program.len())),
        }
        std::fs::write(&path, &bytes).expect("a file");
        let ran = run(&["probe", "--lint", path.to_str().expect("UTF-8")]);
        assert!(matches!(ran.code, Some(0..=3)) && !ran.stderr.contains("panicked"), "round {round}: {ran:#?}");
    }
}

fn asked() {
    let program = built("WRAPPED", true, &["-O2"]);
    let (ran, report) = read(&["--signal", "ALRM"], &program);
    assert_eq!((ran.code, report["handlers"].as_array().map(Vec::len)), (Some(0), Some(1)), "{ran:#?}");
    let (ran, report) = read(&["--signal", "TERM"], &program);
    assert_eq!((ran.code, report["handlers"].as_array().map(Vec::len)), (Some(1), Some(1)), "{ran:#?}");
    assert_eq!(read(&["--signal", "HUP"], &program).0.code, Some(3), "no handler of it was found");
}

fn windows() {
    let (ran, report) = read(&[], &built("LOG", true, &["-O2"]));
    let windows = report["windows"].as_array().expect("windows");
    let of = |name: &str| windows.iter().find(|window| window["function"] == name);
    let malloc = of("malloc").unwrap_or_else(|| panic!("malloc: {ran:#?}"));
    assert_eq!(malloc["sources"], serde_json::json!(["in the machine code"]));
    assert!(of("syslog").is_some() && of("localtime_r").is_some(), "{windows:#?}");
    assert!(
        run(&["probe", "--lint", &built("LOG", true, &["-O2"])]).stdout.contains("windows to sweep first: --at malloc")
    );
}

fn marks() {
    for way in [["-O0"], ["-O2"]] {
        let (ran, report) = read(&[], &built("MARK", false, &way));
        // It might be one all the same.
        assert_eq!((ran.code, found(&report)), (Some(3), Vec::new()), "{ran:#?}");
        let notes = report["notes"].to_string();
        assert!(notes.contains("taken for marks, not for handlers: prepare;"), "{notes}");
        let (ran, report) = read(&[], &built("MARK", true, &way));
        assert!(ran.code == Some(1) && found(&report).contains(&"malloc".to_owned()), "an argument names it: {ran:#?}");
    }
}

fn no_windows() {
    let program = built("FLAG", false, &["-O2"]);
    let ran = run(&["probe", "--signal", "USR1", "--at", "auto", "--report", "json=-", "--", &program]);
    assert_eq!(ran.code, Some(3), "nothing follows from a handler that takes no lock: {ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    for list in ["sweeps", "windows"] {
        assert_eq!(report[list].as_array().map(Vec::len), Some(0), "the report is written all the same: {ran:#?}");
    }
    assert_eq!(report["handlers"].as_array().map(Vec::len), Some(2), "one from each source: {ran:#?}");
}
