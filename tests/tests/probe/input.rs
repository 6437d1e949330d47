//! What cannot be swept, and what is asked for wrongly: an exit code and a message that helps.

use std::process::Stdio;

use sigproof_tests::{Ran, finish, run, xtask};

use crate::kinds::sweep;
use crate::{Check, compiled, specimens};

pub const TESTS: &[(&str, Check)] = &[
    ("wrong_usage", usage),
    ("nobody_calls_it", uncalled),
    ("no_handler_is_installed", no_handler),
    ("a_program_that_fails_by_itself", fails),
    ("a_program_that_hangs_by_itself", hangs),
    ("a_program_without_an_end", endless),
    ("a_program_that_becomes_another", execs),
    ("a_program_that_leaves_its_starter", daemon),
    ("a_program_with_a_worker_process", worker),
    ("output_without_an_end", loud),
    ("a_program_that_forbids_a_look_at_it", undumpable),
    ("a_program_that_handles_traps", traps),
    ("a_program_that_wants_to_be_traced", traced),
    ("a_program_that_asks_its_terminal", terminal),
];

fn probe(signal: &str, window: &str, command: &[&str]) -> Ran {
    run(&[&["probe", "--signal", signal, "--at", window, "--time", "20s", "--"], command].concat())
}

/// It ends with this code, and says this.
fn says(ran: &Ran, code: i32, what: &str) {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    assert!(ran.stderr.contains(what), "{what}: {ran:#?}");
}

fn usage() {
    let path = specimens();
    says(&probe("USR1", "boook", &[&path, "mutex"]), 2, "nearest: book");
    says(&probe("USR1", "book", &["./no-such-program"]), 2, "no such program");
    says(&probe("USR1", "book", &[concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]), 2, "may not be run");
    says(&probe("KILL", "book", &[&path, "mutex"]), 2, "no handler can be installed");
    says(&probe("NONE", "book", &[&path, "mutex"]), 2, "no such signal");
    says(&probe("USR1", "book@", &[&path, "mutex"]), 2, "FUNCTION@LIBRARY");
    let ran = run(&["probe", "--signal", "USR1", "--at", "book", "--replay", "x", "--", &path, "mutex"]);
    says(&ran, 2, "not a replay token");
    says(&run(&["probe", "--signal", "USR1", "--at", "book"]), 2, "COMMAND");
}

fn uncalled() {
    let path = specimens();
    says(&probe("USR1", "transfer", &[&path, "mutex"]), 3, "no thread called transfer");
    says(&probe("USR1", "book@libnothing", &[&path, "mutex"]), 3, "libnothing is never loaded");
    let ran = run(&["probe", "--signal", "USR1", "--at", "book", "--from", "9999", "--", &path, "mutex"]);
    says(&ran, 3, "--from asks for a later call");
}

fn no_handler() {
    let path = specimens();
    let ran = probe("USR2", "book", &[&path, "mutex"]);
    says(&ran, 4, "its default action is in place");
    says(&ran, 4, "it handles SIGUSR1");
    let script = format!("trap '' USR2; exec '{path}' mutex");
    says(&probe("USR2", "book", &["sh", "-c", &script]), 4, "it is ignored");
}

/// Why is what it wrote last, to its standard error or where output is compared.
fn fails() {
    let command = ["sh", "-c", "echo first >&2; echo 'no folder \"x\"' >&2; exit 3"];
    let told = "exit status 3; the last line that it wrote: \"no folder \"x\"\"";
    says(&probe("USR1", "getservbyport", &command), 3, told);
    let compared =
        [&["probe", "--signal", "USR1", "--at", "getservbyport", "--expect-output", "same", "--"], &command[..]];
    says(&run(&compared.concat()), 3, told);
    // Nothing is told of a program that does well.
    let well = probe("USR1", "getservbyport", &["sh", "-c", "echo a warning >&2"]);
    says(&well, 3, "it ended (exit status 0)");
}

fn hangs() {
    says(&probe("USR1", "book", &[&specimens(), "stuck"]), 3, "it hangs without any signal");
}

fn endless() {
    let (ran, report) = sweep(&[], "book", &["endless", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(report["sweeps"][0]["untouched"].as_str().is_some_and(|text| text.contains("still running")));
}

fn execs() {
    let (ran, _) = sweep(&[], "book", &["execs", "broken"]);
    assert_eq!(ran.code, Some(1), "the other program is swept: {ran:#?}");
}

fn daemon() {
    let (ran, _) = sweep(&[], "book", &["daemon", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    sigproof_tests::interrupt::await_nothing("a daemon", || {
        let mine = |(_, words): &(i32, Vec<String>)| words.first() == Some(&specimens()) && words[1] == "daemon";
        sigproof_tests::interrupt::command_lines().into_iter().filter(mine).collect()
    });
}

/// Children are not swept, and that is told.
fn worker() {
    let path = compiled("more");
    says(&probe("USR1", "bump", &[&path, "has_worker"]), 3, "it has started other processes, which are not looked at");
    let ran = probe("USR1", "bump", &[&path, "has_worker", "broken"]);
    assert!(ran.code == Some(0) && ran.stdout.contains("only the first one is swept"), "{ran:#?}");
    let alone = probe("USR1", "book", &[&specimens(), "mutex", "fixed"]);
    assert!(alone.code == Some(0) && !alone.stdout.contains("first one"), "{alone:#?}");
}

fn loud() {
    let (ran, _) = sweep(&["--calls", "1"], "shout", &["loud", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn undumpable() {
    let path = compiled("more");
    let mut command = xtask(&["probe", "--signal", "USR1", "--at", "update", "--", &path, "undumpable"]);
    // SAFETY: between fork and exec it makes one system call. That fails for a user who lacks the capability.
    #[cfg(target_os = "linux")]
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, || {
            /// linux/capability.h: the right of root to look at any process.
            const CAP_SYS_PTRACE: libc::c_ulong = 19;
            libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0);
            Ok(())
        })
    };
    let ran = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask starts"));
    says(&ran, 4, "has forbidden to be looked at");
}

fn traps() {
    for engine in ["auto", "rerun"] {
        let (ran, report) = sweep(&["--engine", engine], "trap", &["traps", "fixed"]);
        // Steps in its handler, where SIGTRAP is blocked, leave it the handler.
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        assert_eq!(report["sweeps"][0]["reference"], "the program goes on");
    }
}

fn traced() {
    // It is told that somebody traces it already, and goes its way.
    says(&probe("USR1", "book", &[&specimens(), "traced"]), 3, "no thread called book");
}

fn terminal() {
    let (ran, _) = sweep(&[], "book", &["terminal", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}
