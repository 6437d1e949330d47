//! Which test this is, and how its executable is started again to run it alone.
//!
//! libtest and nextest run each test in a thread of the test's name. A program whose `main` calls these
//! functions (a documentation test, an example) is started again with its own arguments.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};
use sigproof_inspect::process::own_command;
use sigproof_inspect::refusal::Refusal;

/// The variable that tells a child which call it is to carry out, as JSON.
const ORDER: &str = "SIGPROOF_TEST_ORDER";

/// One call of a function of this crate, in one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The test.
    pub(crate) test: String,
    /// Which call in this test, from 0.
    pub(crate) number: usize,
}

/// What a child carries out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) call: Call,
    /// The process that gave it.
    pub(crate) parent: u32,
    pub(crate) work: Work,
}

/// How it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// A sweep; its run goes into this file. With a token, one boundary.
    Sweep { answer: std::path::PathBuf, token: Option<String> },
    /// One attempt of a stress, whose own order this is.
    Attempt { order: String },
}

impl Call {
    /// This call of the running test. Each call counts once.
    pub(crate) fn this() -> Self {
        static CALLS: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);
        let test = thread::current().name().unwrap_or("main").to_owned();
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.get_or_insert_default().entry(test.clone()).or_default();
        let number = *count;
        *count += 1;
        Self { test, number }
    }

    /// Its name in tokens and reports, which has no slash and no `@`.
    pub(crate) fn name(&self) -> String {
        let plain = |c: char| if matches!(c, '/' | '@' | ' ') { '-' } else { c };
        let test: String = self.test.chars().map(plain).collect();
        if self.number == 0 { test } else { format!("{test}:{}", self.number + 1) }
    }

    /// A command that starts this executable again, to run this test alone.
    pub(crate) fn again(&self) -> Result<Command, Refusal> {
        let mut command = own_command()?;
        if self.test == "main" {
            command.args(std::env::args_os().skip(1));
        } else {
            command.args([self.test.as_str(), "--exact", "--nocapture", "--include-ignored", "--test-threads=1"]);
        }
        Ok(command)
    }
}

impl Order {
    /// The order of this process, if it is a child of a test.
    pub(crate) fn of_parent() -> Option<Self> {
        let text = std::env::var(ORDER).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Gives it to a child.
    pub(crate) fn give(&self, command: &mut Command) {
        // It has no map with keys that are no strings: rendering it cannot fail.
        command.env(ORDER, serde_json::to_string(self).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_known_by_its_thread_and_its_calls_are_counted() {
        let (first, second) = (Call::this(), Call::this());
        assert_eq!(first.test, "named::tests::a_test_is_known_by_its_thread_and_its_calls_are_counted");
        assert_eq!((first.number, second.number), (0, 1));
        assert!(second.name().ends_with(":2") && !second.name().contains('@'));
    }
}
