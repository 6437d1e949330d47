//! What differs by decision: a short list, each with its reason, each seen on both sides in every run of
//! `cargo xtask conform`.
//!
//! The count of dropped records is not on it: at 2^32-1 it stays, on both sides, and random sequences start
//! just below.

use std::io;

use super::answer::describe;
use super::ours;
use super::rule::Rule;
use super::sequence::Sequence;
use super::single::Single;
use crate::process::Silence;

/// A difference that is meant.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    pub name: &'static str,
    /// What shows it.
    pub sequence: &'static str,
    /// What ours says in the end, in part.
    pub ours: &'static str,
    /// What theirs says in the end, in part.
    pub theirs: &'static str,
    /// Only runtimes with this policy; all, if none.
    pub only: Option<Rule>,
    pub why: &'static str,
}

/// All of them.
pub const DECISIONS: &[Decision] = &[
    Decision {
        name: "too many header words",
        sequence: "new header=1 words=8 tags=2 at=0,0; write time=1 tag=1 header=2 stack=0",
        ours: "2 header words, but a record of this buffer has 1",
        theirs: "fatal error: misuse of profBuf.write",
        only: None,
        why: "misuse is an error here, not the end of the process: a handler must not die of it",
    },
    Decision {
        name: "a second close",
        sequence: "new header=0 words=8 tags=2 at=0,0; close; close",
        ours: "closed twice",
        theirs: "fatal error: runtime: profBuf already closed",
        only: None,
        why: "as above",
    },
    Decision {
        name: "a write after close",
        sequence: "new header=0 words=8 tags=2 at=0,0; close; write time=1 tag=1 header=0 stack=0; read",
        ours: "write after close",
        theirs: "words [2, 1] tags [1]",
        only: None,
        why: "the runtime does not look, and its reader may already have been told of the end; here it is misuse, and refused",
    },
    Decision {
        name: "a buffer too large",
        sequence: "new header=0 words=268435456 tags=1 at=0,0; read",
        ours: "268435456 data words: a buffer has fewer than 268435456",
        theirs: "fatal error: newProfBuf: buffer too large",
        only: None,
        why: "as with misuse: an error",
    },
    Decision {
        name: "a record after a drop, the reader asleep",
        sequence: "new header=0 words=64 tags=8 at=0,0; sleep; write time=1 tag=1 header=0 stack=99; write time=2 tag=1 header=0 stack=1",
        ours: "the note has been woken",
        theirs: "fatal error: notewakeup - double wakeup",
        only: Some(Rule::KeepsFlag),
        why: "the bug of profbuf-double-wakeup: publishing the drop wakes the reader and leaves its announcement standing",
    },
];

/// Both sides of a decision, as they were seen.
#[derive(Clone, Debug)]
pub struct Shown {
    pub decision: &'static Decision,
    /// What ours said in the end.
    pub ours: String,
    /// What theirs said in the end.
    pub theirs: String,
}

impl Shown {
    /// Whether both sides said what the list says.
    pub fn is_as_decided(&self) -> bool {
        self.ours.contains(self.decision.ours) && self.theirs.contains(self.decision.theirs)
    }
}

/// Tries the decisions that concern a runtime with this policy.
///
/// # Errors
/// The driver cannot be started.
pub fn show(single: &mut Single<'_>, rule: Rule) -> io::Result<Vec<Shown>> {
    let concerned = DECISIONS.iter().filter(|decision| decision.only.is_none_or(|only| only == rule));
    concerned.map(|decision| show_one(single, decision)).collect()
}

fn show_one(single: &mut Single<'_>, decision: &'static Decision) -> io::Result<Shown> {
    let Ok(sequence) = decision.sequence.parse::<Sequence>() else {
        return Ok(Shown { decision, ours: "not a sequence".to_owned(), theirs: String::new() });
    };
    let last = |answer: &[u64], at: usize| sequence.ops.get(at).map_or_else(String::new, |op| describe(*op, answer));
    // Every sound policy of ours will do.
    let ours = match ours::run(&sequence, Rule::EveryRecord) {
        Ok(answers) => {
            let at = answers.ends.len().saturating_sub(1);
            last(answers.get(at).unwrap_or_default(), at)
        }
        Err(refused) => refused,
    };
    let theirs = match single.ask(&sequence)? {
        (_, Some(Silence::Died { said, .. })) => said,
        (_, Some(silence)) => silence.to_string(),
        (answers, None) => answers.last().map_or_else(String::new, |answer| last(answer, answers.len() - 1)),
    };
    Ok(Shown { decision, ours, theirs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_says_what_the_list_says() {
        for decision in DECISIONS {
            let sequence = decision.sequence.parse::<Sequence>().unwrap();
            let said = match ours::run(&sequence, Rule::EveryRecord) {
                Ok(answers) => {
                    let at = answers.ends.len() - 1;
                    describe(sequence.ops[at], answers.get(at).unwrap())
                }
                Err(refused) => refused,
            };
            assert!(said.contains(decision.ours), "{}: {said}", decision.name);
        }
    }
}
