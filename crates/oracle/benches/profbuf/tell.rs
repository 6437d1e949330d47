//! What the benchmarks tell their parent, or a person.

use sigproof_inspect::process::lines::Teller;
use sigproof_oracle::bench::{Benching, Event, Group, Skipped};

/// Tells events to the parent, if there is one.
pub struct Tell(Option<Teller<Benching>>);

impl Tell {
    /// To the parent.
    pub fn events() -> Result<Self, String> {
        let teller = Teller::greet_apart().map_err(|refusal| refusal.to_string())?;
        Ok(Self(Some(teller)))
    }

    /// Without a parent. A person is told what is skipped.
    pub fn without_parent() -> Self {
        Self(None)
    }

    /// Tells an event.
    pub fn event(&mut self, event: &Event) {
        match (&self.0, event) {
            (Some(teller), event) => teller.tell(event),
            (None, Event::Skipped(Skipped { what, why, .. })) => eprintln!("{what} is left out: {why}"),
            (None, _) => {}
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
