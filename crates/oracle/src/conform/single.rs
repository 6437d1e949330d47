//! One sequence, operation by operation, in a process that answers each before it begins the next: so the
//! operation that kills a runtime is known.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::PATIENCE;
use super::answer::describe;
use super::ours::{self, Answers};
use super::rule::Rule;
use super::sequence::{Delivery, Sequence};
use crate::driver::Driver;
use crate::process::{Process, Silence, frame};

/// What ours and theirs said of the first operation on which they differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// The sequence, up to and with that operation.
    pub sequence: Sequence,
    /// What ours said, of each operation.
    pub ours: Vec<String>,
    /// What theirs said, of each operation.
    pub theirs: Vec<String>,
    /// All that a runtime printed when it died, if it did.
    pub traceback: String,
}

/// How a sequence went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Alike.
    Alike {
        /// The operation that both have for a double wake-up, at which the runtime died: what it printed.
        died: Option<String>,
    },
    /// Not alike.
    Differs(Box<Disagreement>),
}

/// Sends one sequence to runtimes of one kind, starting them as they die.
#[derive(Debug)]
pub struct Single<'a> {
    driver: &'a Driver,
    process: Option<Process>,
}

/// What one side made of an operation.
enum Answer {
    Words(Vec<u64>),
    Dead(String),
}

impl<'a> Single<'a> {
    /// For this driver. Starts nothing yet.
    pub fn new(driver: &'a Driver) -> Self {
        Self { driver, process: None }
    }

    /// The runtime's answers, one an operation, up to its death or silence, and then what it printed, if it
    /// died.
    ///
    /// # Errors
    /// The driver cannot be started.
    pub fn ask(&mut self, sequence: &Sequence) -> io::Result<(Vec<Vec<u64>>, Option<Silence>)> {
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(Process::start(self.driver, &["serve"])?),
        };
        let mut words = Vec::new();
        sequence.request(sequence.ops.len(), Delivery::Careful, &mut words);
        let mut bytes = Vec::new();
        frame(&words, &mut bytes);
        process.send(bytes);
        let mut answers = Vec::new();
        while answers.len() < sequence.ops.len() {
            match process.receive(PATIENCE) {
                Ok(answer) => answers.push(answer),
                Err(silence) => {
                    self.process = None;
                    return Ok((answers, Some(silence)));
                }
            }
        }
        Ok((answers, None))
    }

    /// Compares our answers with the runtime's.
    ///
    /// # Errors
    /// The driver cannot be started.
    pub fn compare(&mut self, sequence: &Sequence, rule: Rule) -> io::Result<Compared> {
        let (theirs, silence) = self.ask(sequence)?;
        let ours = match ours::run(sequence, rule) {
            Ok(ours) => ours,
            Err(refused) => {
                return Ok(differs(sequence, &Answers::default(), &theirs, &format!("refuses: {refused}"), silence));
            }
        };
        let alike = theirs.iter().enumerate().take_while(|(at, answer)| ours.get(*at) == Some(&answer[..])).count();
        let all_alike = alike == theirs.len() && alike == ours.ends.len();
        Ok(match silence {
            None if all_alike && !ours.fatal => Compared::Alike { died: None },
            Some(Silence::Died { said, .. }) if all_alike && ours.fatal && is_double_wakeup(&said) => {
                Compared::Alike { died: Some(said) }
            }
            silence => differs(sequence, &ours, &theirs, "dies: double wake-up", silence),
        })
    }
}

/// Whether this is how a runtime dies of a double wake-up.
pub fn is_double_wakeup(said: &str) -> bool {
    said.starts_with("fatal error: ") && said.contains("double wakeup")
}

/// Both sides of a sequence whose answers differ, up to the first that does.
fn differs(sequence: &Sequence, ours: &Answers, theirs: &[Vec<u64>], last: &str, silence: Option<Silence>) -> Compared {
    let ends_differ = ours.ends.len().min(theirs.len());
    let first = (0..ends_differ).find(|at| ours.get(*at) != Some(&theirs[*at][..])).unwrap_or(ends_differ);
    let silent = silence.as_ref().map_or_else(|| "says nothing more".to_owned(), ToString::to_string);
    let side = |get: &dyn Fn(usize) -> Answer| {
        let ops = sequence.ops.iter().enumerate().take(first + 1);
        let told = ops.map(|(at, op)| match get(at) {
            Answer::Words(words) => describe(*op, &words),
            Answer::Dead(how) => how,
        });
        told.collect()
    };
    let of_ours =
        |at: usize| ours.get(at).map_or_else(|| Answer::Dead(last.to_owned()), |words| Answer::Words(words.to_vec()));
    let of_theirs =
        |at: usize| theirs.get(at).map_or_else(|| Answer::Dead(silent.clone()), |words| Answer::Words(words.clone()));
    let mut cut = sequence.clone();
    cut.ops.truncate(first + 1);
    let traceback = match silence {
        Some(Silence::Died { all, .. }) => all,
        _ => String::new(),
    };
    Compared::Differs(Box::new(Disagreement {
        sequence: cut,
        ours: side(&of_ours),
        theirs: side(&of_theirs),
        traceback,
    }))
}

/// Operation by operation; the last one is where they differ.
impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buffer = Sequence { ops: Vec::new(), ..self.sequence.clone() };
        writeln!(f, "  {buffer}")?;
        let last = self.sequence.ops.len().saturating_sub(1);
        for (at, op) in self.sequence.ops.iter().enumerate() {
            let none = String::new();
            let (ours, theirs) = (self.ours.get(at).unwrap_or(&none), self.theirs.get(at).unwrap_or(&none));
            if at < last {
                writeln!(f, "  {op}: {}", short(ours))?;
            } else {
                writeln!(f, "  {op}\n    ours: {}\n    theirs: {}", short(ours), short(theirs))?;
            }
        }
        Ok(())
    }
}

impl Disagreement {
    /// The same as a test of this crate, to be kept in `tests/conform.rs`.
    pub fn as_test(&self, version: &impl fmt::Display) -> String {
        let name: String =
            version.to_string().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("#[test]\nfn agrees_with_{name}() {{\n    agrees(\"{}\");\n}}\n", self.sequence)
    }
}

/// Not longer than a screen is wide, twice over.
fn short(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
