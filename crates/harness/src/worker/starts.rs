//! How a worker is started: this executable with a verb; or, for a case that says so, in another way.
//!
//! A test of a test harness is a case of the second kind: its executable has no verbs, and is started with
//! the test's name.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::VERB;
use sigproof_inspect::process::own_command;
use sigproof_inspect::refusal::Refusal;

/// Makes the command of a worker that is given this order.
pub type Start = dyn Fn(&str) -> Result<Command, Refusal> + Send + Sync;

/// The cases that say so.
static STARTS: Mutex<Option<HashMap<String, Arc<Start>>>> = Mutex::new(None);

/// Workers of this case are started in this way.
pub fn start_by(case: String, start: Box<Start>) {
    let mut starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    starts.get_or_insert_default().insert(case, start.into());
}

/// The command of a worker of this case.
pub(crate) fn command(case: &str, order: &str) -> Result<Command, Refusal> {
    let starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    let start = starts.as_ref().and_then(|starts| starts.get(case)).cloned();
    drop(starts);
    if let Some(start) = start {
        return start(order);
    }
    let mut command = own_command()?;
    command.arg(VERB).arg(order);
    Ok(command)
}
