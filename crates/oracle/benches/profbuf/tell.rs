//! What goes to the parent: a line of JSON an event, on the standard output.

use std::io::Write;

use sigproof_oracle::bench::{Event, Group};

/// Tells events, or nothing where nobody listens.
pub struct Tell {
    listened_to: bool,
    broken: Option<String>,
}

impl Tell {
    /// To the standard output.
    pub fn events() -> Self {
        Self { listened_to: true, broken: None }
    }

    /// To nobody: only what is skipped is told, to a person.
    pub fn nobody() -> Self {
        Self { listened_to: false, broken: None }
    }

    /// Tells an event.
    pub fn event(&mut self, event: &Event) {
        if let (false, Event::Skipped { what, why, .. }) = (self.listened_to, event) {
            eprintln!("{what} is left out: {why}");
        }
        if !self.listened_to || self.broken.is_some() {
            return;
        }
        let mut out = std::io::stdout().lock();
        let line = serde_json::to_string(event).map_err(|error| error.to_string());
        let told = line.and_then(|line| writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| e.to_string()));
        self.broken = told.err();
    }

    /// How many visits there will be, by group.
    pub fn planned(&mut self, visits: impl Iterator<Item = usize>) {
        self.event(&Event::Planned(visits.sum()));
    }

    /// Something cannot be measured.
    pub fn skipped(&mut self, group: Group, what: &str, why: &str) {
        self.event(&Event::Skipped { group, what: what.to_owned(), why: why.to_owned() });
    }

    /// Why the parent did not get all, if so.
    pub fn result(self) -> Result<(), String> {
        self.broken.map_or(Ok(()), Err)
    }
}
