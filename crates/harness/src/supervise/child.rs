//! One worker process: started with its page, and gone for good when this is dropped.

use std::io;
use std::process::{Command, ExitStatus, Stdio};

use super::group::Group;
use crate::page::{Page, Shared};
use crate::worker::{Order, VERB, leash};

/// A worker.
#[derive(Debug)]
pub(super) struct Child {
    group: Group,
    shared: Shared,
    _leash: Option<io::PipeWriter>,
}

impl Child {
    /// Starts one.
    pub(super) fn start(order: &Order) -> io::Result<Self> {
        let (shared, file) = Shared::create()?;
        let order = serde_json::to_string(order).map_err(io::Error::other)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(VERB).arg(order).stdin(file);
        let leash = if leash::NEEDS_PIPE {
            let (read, write) = io::pipe()?;
            command.stdout(read);
            Some(write)
        } else {
            command.stdout(Stdio::null());
            None
        };
        Ok(Self { group: Group::start(&mut command)?, shared, _leash: leash })
    }

    pub(super) fn pid(&self) -> u32 {
        self.group.pid()
    }

    pub(super) fn page(&self) -> &Page {
        self.shared.page()
    }

    /// As [`Group::ended`].
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.group.ended()
    }

    /// As [`Group::last_words`].
    pub(super) fn last_words(&self) -> String {
        self.group.last_words()
    }

    /// As [`Group::end`].
    pub(super) fn end(&mut self) {
        self.group.end();
    }
}
