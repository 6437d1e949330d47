//! The tests that failed, told again after all phases: thousands of lines are between them and the last one.
//!
//! libtest prints, for each executable with a test that failed:
//!
//! | lines | what |
//! |---|---|
//! | `failures:` | begins the outputs |
//! | `---- NAME stdout ----`, and what follows | the output of one test; libtest-mimic leaves `stdout` out |
//! | `failures:` | begins the names |
//! | `    NAME` | one test |
//! | `test result: FAILED. …` | ends the names |

use std::fmt::{self, Display, Formatter};

/// How many lines of each test's output are told again. They are its last: a panic comes at the end.
const MOST: usize = 40;

/// What is told again of the tests that failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Failed(Vec<Test>);

#[derive(Debug, PartialEq, Eq)]
struct Test {
    name: String,
    /// Empty where the test wrote to the terminal itself.
    output: Vec<String>,
}

impl Failed {
    /// Reads the standard output of `cargo test`.
    pub fn of(lines: &[impl AsRef<str>]) -> Self {
        let lines: Vec<_> = lines.iter().map(AsRef::as_ref).collect();
        let of_executables = lines.split(|line| line.starts_with("test result: "));
        Self(of_executables.flat_map(of_executable).collect())
    }
}

/// The tests that failed of one executable. What a test prints may look like any of the lines: the last ones
/// are those of libtest.
fn of_executable(lines: &[&str]) -> Vec<Test> {
    let Some(names_at) = lines.iter().rposition(|line| *line == "failures:") else { return Vec::new() };
    let (before, names) = (&lines[..names_at], &lines[names_at + 1..]);
    let names: Vec<_> = names.iter().filter_map(|line| line.strip_prefix("    ")).collect();
    let is_of =
        |line: &str, name: &str| line == format!("---- {name} stdout ----") || line == format!("---- {name} ----");
    let begins = |line: &str| names.iter().position(|name| is_of(line, name));
    let mut tests: Vec<_> = names.iter().map(|name| Test { name: (*name).to_owned(), output: Vec::new() }).collect();
    let mut of = None;
    for line in before {
        of = begins(line).or(of);
        if let Some(of) = of.filter(|_| begins(line).is_none()) {
            tests[of].output.push((*line).to_owned());
        }
    }
    tests
}

impl Display for Failed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n== tests of `cargo test` that failed: {}", self.0.len())?;
        for Test { name, output } in &self.0 {
            writeln!(f, "\n-- {name}")?;
            let end = output.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
            let left_out = end.saturating_sub(MOST);
            if left_out > 0 {
                writeln!(f, "[{left_out} lines of its output are further up]")?;
            }
            output[left_out..end].iter().try_for_each(|line| writeln!(f, "{line}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Two executables, the first with two tests that failed, and one line that a test printed.
    const PRINTED: &str = "\
running 3 tests
test good ... ok
test one::bad ... FAILED
test two ... FAILED

failures:

---- one::bad stdout ----
failures:
thread 'one::bad' panicked

---- two ----
Error: no

failures:
    one::bad
    two

test result: FAILED. 1 passed; 2 failed

running 1 test
test good ... ok

test result: ok. 1 passed; 0 failed
";

    #[test]
    fn each_test_that_failed_is_told_with_its_output() {
        let lines: Vec<_> = PRINTED.lines().collect();
        let told = "\n== tests of `cargo test` that failed: 2\n\n-- one::bad\nfailures:\nthread 'one::bad' panicked\n\n\
            -- two\nError: no\n";
        assert_eq!(Failed::of(&lines).to_string(), told);
    }

    #[rstest]
    #[case::no_test(&[])]
    #[case::no_failure(&["test good ... ok", "", "test result: ok. 1 passed"])]
    fn without_a_failure_nothing_is_told(#[case] lines: &[&str]) {
        assert_eq!(Failed::of(lines).to_string(), "");
    }

    #[test]
    fn of_a_long_output_the_end_is_told() {
        let mut lines = vec!["failures:".to_owned(), "---- long stdout ----".to_owned()];
        lines.extend((1..=MOST + 2).map(|line| format!("line {line}")));
        lines.extend(["", "failures:", "    long", "test result: FAILED."].map(str::to_owned));
        let told = Failed::of(&lines).to_string();
        assert!(told.contains("[2 lines of its output are further up]\nline 3\n"), "{told}");
        assert!(told.ends_with(&format!("line {}\n", MOST + 2)), "{told}");
    }

    #[test]
    fn a_test_that_writes_to_the_terminal_is_told_by_its_name() {
        assert_eq!(
            Failed::of(&["failures:", "    loud", "", "test result: FAILED."]),
            Failed(vec![Test { name: "loud".to_owned(), output: Vec::new() }])
        );
    }
}
