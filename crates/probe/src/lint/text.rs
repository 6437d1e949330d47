//! What was found about a handler, for people.

use std::fmt;

use sigproof_inspect::rules::safety::RULE;

use super::{Call, Lint, Source};

/// Functions that take a lock that the text names.
const SHOWN: usize = 8;
/// Calls that the text shows; a report has all.
const CALLS: usize = 40;
/// Faults that the text shows.
const FAULTS: usize = 8;
/// Places of one kind that the text names.
const PLACES: usize = 4;

/// The calls of a chain, each with its place where that is known: `f (a.c:12) > g (a.c:30)`.
fn chain(functions: &[String], at: &[String]) -> String {
    let one = |(number, function): (usize, &String)| match at.get(number) {
        Some(place) => format!("{function} ({place})"),
        None => function.clone(),
    };
    functions.iter().enumerate().map(one).collect::<Vec<_>>().join(" > ")
}

/// The first of a list, and how many more there are.
fn first(all: &[String], shown: usize) -> String {
    let more = all.len().saturating_sub(shown);
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    format!("{}{more}", all[..all.len().min(shown)].join(", "))
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, signal, handler, calls, faults, .. } = self;
        let mut counts = Vec::new();
        if !calls.is_empty() {
            counts.push(counted(calls.len(), "call that is on no list", "calls that are on no list"));
        }
        if !faults.is_empty() {
            counts.push(counted(faults.len(), "other fault", "other faults"));
        }
        let count = match self.source {
            _ if !counts.is_empty() => counts.join(", "),
            Source::Run => "nothing that is on no list".to_owned(),
            Source::Code if self.is_open() => "not enough to tell".to_owned(),
            Source::Code => "nothing found".to_owned(),
        };
        writeln!(f, "## the handler of {signal}, {handler}, of {program}: {count}")?;
        if !self.installed.is_empty() {
            writeln!(f, "  installed at {}", first(&self.installed, PLACES))?;
        }
        calls.iter().take(CALLS).try_for_each(|call| call.write(f))?;
        if calls.len() > CALLS {
            writeln!(f, "  and {} more calls: --report json=PATH has them", calls.len() - CALLS)?;
        }
        for fault in faults.iter().take(FAULTS) {
            writeln!(f, "  {}: {}", fault.rule, fault.what)?;
            writeln!(f, "     in {}", chain(&fault.chain, &fault.at))?;
        }
        if faults.len() > FAULTS {
            writeln!(f, "  and {} more faults: --report json=PATH has them", faults.len() - FAULTS)?;
        }
        if !calls.is_empty() {
            writeln!(f, "  rule: {RULE}")?;
        }
        match self.source {
            Source::Run => {
                writeln!(f, "  seen in {} executions, of {} instructions", self.runs, self.instructions)?;
            }
            Source::Code => {
                let reachable = counted(self.functions as usize, "function", "functions");
                let safe = if self.is_bad() || self.is_open() { "" } else { ", all async-signal-safe" };
                writeln!(f, "  read in the machine code: {reachable} reachable{safe}")?;
            }
        }
        if !self.unknown.is_empty() {
            let left = counted(self.unknown.len(), "place", "places");
            writeln!(f, "  not followed, at {left}: what is called is computed ({})", first(&self.unknown, PLACES))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}

impl Call {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} ({})", self.function, self.object)?;
        writeln!(f, "     called by {}", chain(&self.chain, &self.at))?;
        if self.way.len() > 1 {
            writeln!(f, "     and from there {}", self.way.join(" > "))?;
        }
        // The C library's inner functions have names of their own making.
        let public = |name: &&String| !name.starts_with('_') && !name.contains('.');
        let locking: Vec<String> = self.locking.iter().filter(public).cloned().collect();
        if !locking.is_empty() {
            writeln!(f, "     takes locks in {}", first(&locking, SHOWN))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{Fault, Rule};

    #[test]
    fn a_text_names_the_chain_and_what_was_left_out() {
        let mut lint = Lint::new("daemon".to_owned(), "SIGALRM".to_owned(), "late".to_owned(), Source::Code);
        lint.functions = 3;
        assert!(lint.to_string().contains("3 functions reachable, all async-signal-safe"));
        lint.unknown = (0..6).map(|n| format!("daemon+{n}")).collect();
        let text = lint.to_string();
        assert!(text.contains("not enough to tell") && text.contains("and 2 more"), "{text}");
        lint.calls.push(Call {
            function: "syslog".to_owned(),
            object: "libc.so.6".to_owned(),
            chain: vec!["late".to_owned(), "note".to_owned()],
            at: vec!["a.c:3".to_owned(), "a.c:9".to_owned()],
            locking: vec!["syslog".to_owned(), "__inner".to_owned(), "malloc".to_owned()],
            way: vec!["syslog".to_owned(), "malloc".to_owned()],
        });
        lint.faults.push(Fault {
            rule: Rule::Jump,
            what: "siglongjmp".to_owned(),
            chain: vec!["late".to_owned()],
            at: vec!["a.c:4".to_owned()],
            functions: Vec::new(),
        });
        let text = lint.to_string();
        for part in [
            "1 call that is on no list, 1 other fault",
            "called by late (a.c:3) > note (a.c:9)",
            "and from there syslog > malloc",
            "takes locks in syslog, malloc\n",
            "jump out of the handler: siglongjmp\n     in late (a.c:4)",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
