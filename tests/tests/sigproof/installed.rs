//! What a package installs beside the command: completions and man pages.

use std::fs;
use std::process::Command;

use rstest::rstest;

use super::{ran, run};

#[rstest]
#[case::bash("bash", "-n")]
#[case::zsh("zsh", "-n")]
#[case::fish("fish", "--no-execute")]
fn completions_are_a_script_of_the_shell(#[case] shell: &str, #[case] only_parse: &str) {
    let made = run(&["completions", shell]);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
    for word in ["explain", "stress", "--attempts", "--stacks"] {
        assert!(made.stdout.contains(word.trim_start_matches("--")), "{word} is not completed");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    fs::write(&script, &made.stdout).unwrap();
    match Command::new(shell).arg(only_parse).arg(&script).output() {
        Ok(parsed) => assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr)),
        Err(error) => println!("skipped: {shell} cannot be run here: {error}"),
    }
}

/// bash itself completes the command.
#[test]
fn bash_completes_a_verb_and_a_value() {
    let script = "eval \"$1\"; COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _sigproof sigproof \
                  \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; echo \"${COMPREPLY[*]}\"";
    let completions = run(&["completions", "bash"]).stdout;
    for (line, expected) in [("sigproof expl", "explain"), ("sigproof stress --variant bro", "broken")] {
        let completed = Command::new("bash").args(["-c", script, "bash", &completions, line]).output();
        let completed = match completed {
            Ok(completed) => String::from_utf8_lossy(&completed.stdout).into_owned(),
            Err(error) => return println!("skipped: bash cannot be run here: {error}"),
        };
        assert_eq!(completed.trim(), expected, "{line}");
    }
}

#[test]
fn there_is_a_man_page_for_the_command_and_for_each_verb() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    let written = run(&["man", "--to", pages.to_str().unwrap()]);
    assert_eq!((written.code, written.stdout.as_str(), written.stderr.as_str()), (Some(0), "", ""));
    let mut names: Vec<String> =
        fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let verbs = ["completions", "explain", "list", "man", "model", "probe", "replay", "step", "stress", "validate"];
    let expected: Vec<_> =
        verbs.map(|verb| format!("sigproof-{verb}.1")).into_iter().chain(["sigproof.1".into()]).collect();
    assert_eq!(names, expected);
    for page in &expected {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        assert!(
            text.contains(".SH NOTES\n.nf\n") && text.ends_with(".fi\n") || page.contains("list"),
            "{page}: {text}"
        );
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-l"]).arg(pages.join(page)).env("MANWIDTH", "110");
        match man.output() {
            Err(error) => println!("skipped: man cannot be run here: {error}"),
            Ok(shown) if !shown.status.success() => {
                println!("skipped: this man cannot show a file: {}", String::from_utf8_lossy(&shown.stderr));
            }
            Ok(shown) => {
                assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "{page}");
                assert!(shown.stdout.len() > 500, "{page} is empty");
            }
        }
    }
    let one = run(&["man"]);
    assert_eq!(one.stdout, fs::read_to_string(pages.join("sigproof.1")).unwrap());
}

#[test]
fn pages_that_cannot_be_written_are_an_error_with_a_remedy() {
    let refused = ran(&mut sigproof_tests::of(sigproof_tests::sigproof(), &["man", "--to", "/dev/null/pages"]));
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("/dev/null/pages") && refused.stderr.contains("folder"), "{}", refused.stderr);
}
