//! What a user sees on a terminal: colours and their switches, stacks that are cut, a run of many setups on
//! two screens.

use rstest::rstest;
use sigproof_tests::terminal::on_terminal;
use sigproof_tests::{Ran, run, xtask};

/// An expected hang, and a good outcome.
const HANG: [&str; 5] = ["stress", "selftest-cross-deadlock", "selftest-exit", "--attempts", "1"];

const GREEN: &str = "as-expected\u{1b}[39m";

/// A command on a terminal of so many columns, with these variables; without those that the caller's shell
/// may have.
fn shown(arguments: &[&str], columns: u16, variables: &[(&str, &str)]) -> Ran {
    let mut command = xtask(arguments);
    for name in ["CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").envs(variables.iter().copied());
    on_terminal(command, columns)
}

/// The same words without the escapes, which are `ESC [ .. letter`.
fn words(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest))
}

#[test]
fn a_terminal_gets_colours_and_they_are_not_the_only_words() {
    let ran = shown(&HANG, 400, &[]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains(GREEN), "the verdict: {:?}", ran.stdout);
    let magenta = "\u{1b}[95mcross deadlock\u{1b}[0m";
    assert!(ran.stdout.contains(magenta), "the finding: {:?}", ran.stdout);
    let text = words(&ran.stdout);
    for word in ["as-expected", "cross deadlock 1", "cross deadlock after", "2 setups: 2 as expected"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[rstest]
#[case::no_color(&[("NO_COLOR", "1")])]
#[case::no_color_of_any_value(&[("NO_COLOR", "0")])]
#[case::dumb(&[("TERM", "dumb")])]
#[case::clicolor(&[("CLICOLOR", "0")])]
#[case::no_color_wins(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")])]
fn a_terminal_that_wants_none_gets_no_colours(#[case] variables: &[(&str, &str)]) {
    let ran = shown(&HANG, 400, variables);
    assert!(!ran.stdout.contains('\u{1b}'), "{:?}", ran.stdout);
    assert!(ran.stdout.contains("as-expected") && ran.stdout.contains("cross deadlock after"), "{}", ran.stdout);
}

#[test]
fn an_empty_no_color_is_none() {
    assert!(shown(&HANG, 400, &[("NO_COLOR", "")]).stdout.contains(GREEN));
}

/// On a pipe, and on a terminal that is said to be dumb; a report has none.
#[test]
fn colours_can_be_forced_and_a_report_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["json", "junit"].map(|form| format!("{form}={}", folder.path().join(form).display()));
    let reports = ["--report", &paths[0], "--report", &paths[1]];
    let mut command = xtask(&[&HANG[..], &reports].concat());
    command.env("CLICOLOR_FORCE", "1").stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let ran = sigproof_tests::finish(command.spawn().unwrap());
    assert!(ran.stdout.contains(GREEN) && ran.stdout.contains("\u{1b}[95m"), "{:?}", ran.stdout);
    for form in ["json", "junit"] {
        let report = std::fs::read_to_string(folder.path().join(form)).unwrap();
        assert!(report.contains("cross deadlock") && !report.contains("\u{1b}"), "{report}");
        assert!(!report.contains("more frames"), "a report has all frames: {report}");
    }
    let dumb = shown(&HANG, 400, &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")]);
    assert!(dumb.stdout.contains(GREEN), "{:?}", dumb.stdout);
    let off = shown(&HANG, 400, &[("TERM", "dumb"), ("CLICOLOR_FORCE", "0")]);
    assert!(!off.stdout.contains('\u{1b}'), "{:?}", off.stdout);
}

/// How many frames each side of each stack has, by the line that it follows.
fn sides(text: &str) -> Vec<usize> {
    let mut sides = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("thread ") || line.starts_with("-- signal handler called") {
            sides.push(0);
        } else if line.starts_with('#')
            && !line.starts_with("##")
            && let Some(last) = sides.last_mut()
        {
            *last += 1;
        }
    }
    sides
}

/// Stacks may be unreadable here; the finding says why.
fn no_stacks(ran: &Ran) -> bool {
    let none = ran.stdout.contains("(no stacks: ");
    if none {
        println!("skipped: no stacks can be read here:\n{}", ran.stdout);
    }
    none
}

#[test]
fn a_stack_has_eight_frames_on_each_side_and_all_with_verbose() {
    let arguments = ["stress", "darwin-sigqueue-note", "--note", "sema", "--variant", "broken", "--attempts", "2"];
    let (brief, whole) = (run(&arguments), run(&[&arguments[..], &["--verbose"]].concat()));
    if no_stacks(&brief) {
        return;
    }
    assert_eq!((brief.code, whole.code), (Some(0), Some(0)), "{brief:#?}");
    let (cut, all) = (sides(&brief.stdout), sides(&whole.stdout));
    assert!(cut.len() >= 2 && cut.iter().all(|side| (1..=8).contains(side)), "{cut:?}: {}", brief.stdout);
    assert!(all.iter().any(|side| *side > 8), "{all:?}: {}", whole.stdout);
    for cut_off in ["sigproof_harness::worker", "start-up"] {
        assert!(!brief.stdout.contains(cut_off) && whole.stdout.contains(cut_off), "{cut_off}: {}", whole.stdout);
    }
    assert!(brief.stdout.contains(" more frames\n") && !whole.stdout.contains(" more frames\n"), "{}", brief.stdout);
    assert!(brief.stdout.contains("\nrepeat with: cargo xtask stress"), "{}", brief.stdout);
}

/// Two screens of 50 lines, 120 columns wide, with the table of all setups; the table fits the width.
#[test]
fn a_run_of_all_setups_fits_on_two_screens() {
    // The widest seed: the commands that repeat a finding are longest.
    let seed = ((1_u64 << 53) - 1).to_string();
    let ran = shown(&["stress", "--coverage", "1", "--seed", &seed], 120, &[]);
    let text = words(&ran.stdout);
    let (table, findings) = text.split_once("\n\n").unwrap_or_else(|| panic!("no findings: {ran:#?}"));
    assert!(table.lines().all(|line| line.len() <= 120), "{table}");
    let rows: usize = text.lines().map(|line| line.chars().count().div_ceil(120).max(1)).sum();
    assert!(rows <= 100, "{rows} rows: {text}");
    // A cell with several outcomes may go on in a second line, which begins with spaces.
    let lines: Vec<_> = table.lines().skip(2).filter(|line| !line.starts_with("  ")).collect();
    let second = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();
    let (setups, fixed): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| second(line).starts_with("broken"));
    let folded = fixed.iter().filter(|line| second(line) == "fixed:").count();
    assert!(setups.len() > 10 && folded > 3 && fixed.len() < 20, "{table}");
    // Each has its sentence and its command, or is named by a setup of its case that says the same.
    let blocks: Vec<_> = findings.split("## ").collect();
    for line in setups {
        let mut cells = line.split_whitespace();
        let (case, setup) = (cells.next().unwrap(), cells.next().unwrap());
        let own = |block: &&str| block.starts_with(&format!("{case} {setup}: ")) && block.contains("\nrepeat with: ");
        let alike = |block: &&str| {
            let mut named = block.lines().filter_map(|line| line.strip_prefix("the same in "));
            block.starts_with(&format!("{case} "))
                && named.any(|names| names.split([',', ';']).any(|name| name.trim() == setup))
        };
        assert!(blocks.iter().any(|block| own(block) || alike(block)), "{case} {setup}: {findings}");
    }
    if !no_stacks(&ran) {
        let sides: Vec<_> = findings.lines().filter(|line| line.contains(" <- ")).collect();
        assert!(sides.iter().any(|side| side.trim_start().starts_with("interrupted: ")), "{findings}");
        assert!(sides.iter().all(|side| side.matches(" <- ").count() <= 8), "{sides:?}: {findings}");
    }
}

#[test]
fn verbose_prints_a_line_for_each_setup() {
    let arguments = ["stress", "cpuprof-signal-lock", "atomic64-spinlock", "--coverage", "1"];
    let (brief, whole) = (run(&arguments), run(&[&arguments[..], &["--verbose"]].concat()));
    let fixed =
        |ran: &Ran| ran.stdout.lines().filter(|line| line.starts_with(" cpuprof") && line.contains(" fixed")).count();
    assert_eq!((fixed(&brief), fixed(&whole)), (1, 2), "{brief:#?} {whole:#?}");
    assert!(brief.stdout.contains("\n5 setups: ") && whole.stdout.contains("\n5 setups: "), "{brief:#?}");
}
