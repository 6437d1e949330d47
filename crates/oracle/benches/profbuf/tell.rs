//! What goes to the parent: a line of JSON an event, on the standard output.

use std::io::Write;

use sigproof_oracle::bench::{Event, Group, Skipped};

/// Writes events, or nothing if there is no listener.
pub struct Tell {
    listened_to: bool,
}

impl Tell {
    /// To the standard output.
    pub fn events() -> Self {
        Self { listened_to: true }
    }

    /// Without a listener: only skipped measurements are printed, for people.
    pub fn nobody() -> Self {
        Self { listened_to: false }
    }

    /// Writes an event. If the parent has ended, this process ends, too.
    pub fn event(&mut self, event: &Event) {
        if let (false, Event::Skipped(Skipped { what, why, .. })) = (self.listened_to, event) {
            eprintln!("{what} is left out: {why}");
        }
        if !self.listened_to {
            return;
        }
        let mut out = std::io::stdout().lock();
        let line = serde_json::to_string(event).map_err(std::io::Error::other);
        if let Err(error) = line.and_then(|line| writeln!(out, "{line}")).and_then(|()| out.flush()) {
            eprintln!("error: the results cannot be written: {error}");
            std::process::exit(1);
        }
    }

    /// A visit begins.
    pub fn begun(&mut self, group: Group, what: &str, pass: u32) {
        self.event(&Event::Begun { group, pass, what: what.to_owned() });
    }

    /// Something cannot be measured from this pass on.
    pub fn skipped_from(&mut self, group: Group, what: &str, pass: u32, why: &str) {
        match pass {
            0 => self.skipped(group, what, why),
            _ => self.skipped(group, &format!("{what}, from pass {} on", pass + 1), why),
        }
    }

    /// Something cannot be measured.
    pub fn skipped(&mut self, group: Group, what: &str, why: &str) {
        self.event(&Event::Skipped(Skipped { group, what: what.to_owned(), why: why.to_owned() }));
    }
}
