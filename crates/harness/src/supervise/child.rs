//! One worker process: started with its page, and gone for good when the value is dropped.

use std::io;
use std::process::ExitStatus;

use crate::page::{Page, Shared};
use crate::validate;
use crate::worker::{Order, leash, starts};
use sigproof_inspect::process::{Errors, Group, Input, Output, Streams};
use sigproof_inspect::refusal::Refusal;

#[derive(Debug)]
pub(super) struct Child {
    group: Group,
    shared: Shared,
}

impl Child {
    /// Starts one.
    pub(super) fn start(order: &Order) -> Result<Self, Refusal> {
        let (shared, file) = Shared::create().map_err(|error| Refusal::new("the page for a child", &error))?;
        let text = serde_json::to_string(order).map_err(io::Error::other);
        let text = text.map_err(|error| Refusal::new("the order for a child", &error))?;
        let mut command = starts::command(&order.setup.case, &text)?;
        validate::hand_down(&mut command);
        let output = if leash::NEEDS_PIPE { Output::Leash } else { Output::AsErrors };
        let streams = Streams { input: Input::File(file), output, errors: Errors::Kept };
        let group = Group::start(&mut command, streams);
        let group = group.map_err(|error| Refusal::new("a child process (clone, execve)", &error))?;
        Ok(Self { group, shared })
    }

    pub(super) fn pid(&self) -> u32 {
        self.group.pid()
    }

    pub(super) fn page(&self) -> &Page {
        self.shared.page()
    }

    /// As [`Group::ended`].
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, Refusal> {
        self.group.ended().map_err(|error| Refusal::new("waitid", &error))
    }

    /// As [`Group::last_words`].
    pub(super) fn last_words(&self) -> String {
        self.group.last_words()
    }

    /// Ends it as [`Group::end`] does.
    ///
    /// # Errors
    /// The machine refused to end it, or to wait for its end.
    pub(super) fn end(&mut self) -> Result<(), Refusal> {
        self.group.end();
        self.group.trouble().map_or(Ok(()), |refusal| Err(refusal.clone()))
    }
}
