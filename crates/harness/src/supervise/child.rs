//! One worker process: started with its page, and gone for good when this is dropped.

use std::io;
use std::process::ExitStatus;

use crate::page::{Page, Shared};
use crate::worker::{Order, VERB, leash};
use sigproof_inspect::process::{Group, own_command};
use sigproof_inspect::refusal::Refusal;

/// A worker.
#[derive(Debug)]
pub(super) struct Child {
    group: Group,
    shared: Shared,
    _leash: Option<io::PipeWriter>,
}

impl Child {
    /// Starts one.
    pub(super) fn start(order: &Order) -> Result<Self, Refusal> {
        let (shared, file) = Shared::create().map_err(|error| Refusal::new("the page for a child", &error))?;
        let order = serde_json::to_string(order).map_err(io::Error::other);
        let order = order.map_err(|error| Refusal::new("the order for a child", &error))?;
        let mut command = own_command()?;
        command.arg(VERB).arg(order).stdin(file);
        let (group, leash) = if leash::NEEDS_PIPE {
            let (read, write) = io::pipe().map_err(|error| Refusal::new("pipe", &error))?;
            command.stdout(read);
            (Group::start(&mut command), Some(write))
        } else {
            (Group::start_mute(&mut command), None)
        };
        let group = group.map_err(|error| Refusal::new("a child process (clone, execve)", &error))?;
        Ok(Self { group, shared, _leash: leash })
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
