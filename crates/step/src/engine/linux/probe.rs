//! Whether an engine works here: it is tried, on a subject of a few instructions.

use crate::Subject;
use crate::engine::{Ended, Engine, Kind, OnlyThread, Probe, Shot, Trouble};
use sigproof_inspect::hang;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::Outcome;

/// Tries an engine.
pub(in crate::engine) fn try_out(engine: Kind, subject: &dyn Subject, only: OnlyThread) -> Probe {
    let probe = |lacks| Probe { engine, lacks, patience: None };
    if cfg!(not(target_arch = "x86_64")) && engine != Kind::SingleStep {
        return probe(Some(format!("engine {engine} needs an x86_64 processor; use --engine {}", Kind::SingleStep)));
    }
    // Each engine waits until threads sleep, which /proc tells.
    if !hang::proc_is_ours() {
        return probe(Some(format!(
            "{}, so no engine can tell whether a thread sleeps; mount /proc of this PID namespace \
             (`unshare --pid --fork --mount-proc`, or `mount -t proc proc /proc` within it)",
            hang::FOREIGN_PROC
        )));
    }
    let copies = engine == Kind::Undo;
    match super::open(engine, subject, only).and_then(|mut engine| attempt(&mut *engine, copies)) {
        Ok(Some(why)) if copies => probe(Some(format!("engine {engine} looks at its copies: {why}; {}", remedy()))),
        Ok(unwatchable) => Probe { patience: unwatchable.map(|why| format!("{why}; {}", remedy())), ..probe(None) },
        Err(trouble) => probe(Some(lacks(engine, trouble))),
    }
}

/// Why an engine does not work here, and what would help.
fn lacks(engine: Kind, trouble: Trouble) -> String {
    match trouble {
        Trouble::System { call, error } if call.starts_with("ptrace") => format!(
            "engine {engine} is refused here ({call}: {error}); allow ptrace of one's own children: in a container by \
             --cap-add=SYS_PTRACE or another seccomp profile, else by `sysctl kernel.yama.ptrace_scope=1`; or use --engine {}",
            Kind::TrapFlag
        ),
        Trouble::System { call, error } => Refusal::new(call, &error).to_string(),
        Trouble::Refused(why) => why,
        trouble => format!("engine {engine} does not work here: {trouble}; try another one with --engine"),
    }
}

/// What the user can do where a child cannot be looked at.
fn remedy() -> &'static str {
    // SAFETY: takes a number, and touches no memory.
    if unsafe { libc::prctl(libc::PR_GET_DUMPABLE) } == 1 {
        return "allow a look at /proc of one's own children (the options of its mount, the seccomp profile)";
    }
    "the kernel hides the processes of an executable that may not be read: make it readable (`chmod a+r`)"
}

/// One recording and one signal; and one at each boundary, by copies. Why the child cannot be looked at, if
/// that is so.
fn attempt(engine: &mut dyn Engine, copies: bool) -> Result<Option<String>, Trouble> {
    let path = engine.record()?.path;
    let boundaries = path.len();
    if boundaries < 2 {
        return Err(Trouble::Astray(format!("it recorded a path with too few boundaries ({boundaries})")));
    }
    let mut well = 0;
    if copies {
        let is_well = |ended: Option<Ended>| ended.is_some_and(|ended| ended.outcome == Outcome::Delivered);
        engine.by_copies(&path, &mut |_, ended| well += usize::from(is_well(ended)))?;
        if well < boundaries {
            return Err(Trouble::Astray(format!("of {boundaries} boundaries, copies came well out of {well}")));
        }
    }
    match engine.inject(Shot { path: &path, at: boundaries / 2, second: None, explain: false })?.outcome {
        Outcome::Delivered => Ok(engine.unwatchable()),
        outcome => Err(Trouble::Astray(format!("of {boundaries} boundaries, one in the middle gave: {outcome}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Boundary;
    use crate::engine::Recorded;

    /// An engine that records no boundary, and that must not be asked for one.
    struct Blind;

    impl Engine for Blind {
        fn record(&mut self) -> Result<Recorded, Trouble> {
            let ended = Ended { outcome: Outcome::Delivered, detail: String::new(), finding: None, presumed: false };
            Ok(Recorded { path: Vec::new(), ended })
        }

        fn record_handler(&mut self, _path: &[Boundary], _at: usize) -> Result<Vec<Boundary>, Trouble> {
            unreachable!("the probe looks into no handler")
        }

        fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
            panic!("boundary {} of an empty path", shot.at)
        }
    }

    #[test]
    fn an_empty_path_is_refused_before_it_is_used() {
        let refused = attempt(&mut Blind, false).unwrap_err();
        assert_eq!(refused.to_string(), "it recorded a path with too few boundaries (0)");
    }
}
