//! The stacks of a live process, explained by the rules for a dump: one body of rules names both.

use std::fmt::Write;

use super::waiting;
use super::{parse, verdict};
use crate::diagnose::{Diagnosis, Frame, HangKind, ThreadReport};
use crate::rules::bugs::Bug;
use crate::rules::fingerprint::{self, Awaited, Fingerprint, Mechanism};

/// The name of a signal frame, for [`Told::of_functions`].
pub const SIGNAL: &str = "<signal handler called>";

/// What the rules say of a hang.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The rule that a handler breaks, with its source.
    pub rule: Option<String>,
    /// The casebook's entry.
    pub casebook: Option<&'static Bug>,
    /// Equal for equal hangs, over runs, builds and addresses.
    pub fingerprint: Option<Fingerprint>,
}

impl Told {
    /// What the rules say of a diagnosis: of the threads that its sentence is about.
    pub fn of(diagnosis: &Diagnosis) -> Self {
        Self::of_threads(&diagnosis.about(), diagnosis.kind)
    }

    /// What the rules say of threads of which only the functions on their stacks are known, each thread's
    /// innermost first. [`SIGNAL`] stands for a signal frame.
    pub fn of_functions(stacks: &[Vec<&str>], kind: HangKind) -> Self {
        let frame =
            |name: &&str| Frame { symbol: Some((*name).to_owned()), signal_frame: *name == SIGNAL, ..Frame::default() };
        let thread = |(n, stack): (usize, &Vec<&str>)| ThreadReport {
            tid: n as u32 + 1,
            name: String::new(),
            state: "asleep".to_owned(),
            waits_for: None,
            frames: stack.iter().map(frame).collect(),
            cut_short: None,
        };
        let threads: Vec<ThreadReport> = stacks.iter().enumerate().map(thread).collect();
        Self::of_threads(&threads.iter().collect::<Vec<_>>(), kind)
    }

    /// What the rules say of these threads, which hang in this way.
    pub(crate) fn of_threads(threads: &[&ThreadReport], kind: HangKind) -> Self {
        let dump = parse::parse(dump(threads).as_bytes());
        if threads.iter().any(|thread| thread.handler_depth() > 0) {
            let told = verdict::reach(&dump);
            return Self { rule: told.rule, casebook: told.casebook, fingerprint: told.fingerprint };
        }
        let mechanism = match kind {
            HangKind::SelfDeadlock => Mechanism::SelfDeadlock,
            HangKind::CrossDeadlock => Mechanism::CrossDeadlock,
            HangKind::LostWakeup => Mechanism::LostWakeup,
            HangKind::Livelock => Mechanism::Livelock,
        };
        let first = dump.traces.first().and_then(|trace| Some((trace, waiting::waiting(&trace.frames)?)));
        let awaited = first.as_ref().map(|(_, waiting)| match (waiting.wait.is_held(), waiting.lock) {
            (true, Some(lock)) => Awaited::Lock(lock),
            _ => Awaited::Other(waiting.wait),
        });
        let called = first.as_ref().and_then(|(trace, waiting)| {
            let wait = trace.frames.get(..waiting.depth).unwrap_or(&trace.frames);
            fingerprint::called(verdict::named(wait.iter().rev()))
        });
        Self { fingerprint: Some(Fingerprint::of(mechanism, awaited, called.as_deref(), None)), ..Self::default() }
    }
}

/// The threads as gdb prints them.
fn dump(threads: &[&ThreadReport]) -> String {
    let mut text = String::new();
    for (n, thread) in threads.iter().enumerate() {
        let _ = writeln!(text, "Thread {} (LWP {}):", n + 1, thread.tid);
        for (n, frame) in thread.frames.iter().enumerate() {
            let _ = match (&frame.symbol, &frame.object) {
                _ if frame.signal_frame => writeln!(text, "#{n}  <signal handler called>"),
                (Some(symbol), Some(object)) => {
                    writeln!(text, "#{n}  {:#018x} in {symbol} () from /{object}", frame.pc)
                }
                (Some(symbol), None) => writeln!(text, "#{n}  {:#018x} in {symbol} ()", frame.pc),
                (None, _) => writeln!(text, "#{n}  {:#018x} in ?? ()", frame.pc),
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(symbol: &str, signal_frame: bool) -> Frame {
        let frame = serde_json::json!({"pc": 64, "symbol": symbol, "object": "libc.so.6", "offset": 0, "signal-frame": signal_frame});
        serde_json::from_value(frame).unwrap()
    }

    fn thread(tid: u32, stack: &[&str]) -> ThreadReport {
        let frames = stack.iter().map(|symbol| frame(symbol, *symbol == "signal")).collect();
        ThreadReport { tid, name: String::new(), state: "asleep".to_owned(), waits_for: None, frames, cut_short: None }
    }

    fn print(kind: HangKind, stack: &[&str]) -> String {
        Told::of_threads(&[&thread(7, stack)], kind).fingerprint.unwrap().to_string()
    }

    #[test]
    fn a_handler_is_explained_as_in_a_dump() {
        let stack = ["__lll_lock_wait_private", "malloc", "on_alarm", "signal", "_int_malloc", "malloc", "main"];
        let told = Told::of_threads(&[&thread(7, &stack)], HangKind::SelfDeadlock);
        let dump = super::super::explain(dump(&[&thread(7, &stack)]).as_bytes());
        assert_eq!((told.rule, told.casebook, told.fingerprint), (dump.rule, dump.casebook, dump.fingerprint));
        assert_eq!(told.casebook.map(|bug| bug.name), Some("allocator-in-handler"));
    }

    /// musl, with the names of its debug information; the locks are those of a program in Rust.
    #[test]
    fn the_stacks_of_musl_are_known() {
        let waits = ["sccp", "__futex4_cp", "__timedwait_cp", "__timedwait", "pthread_mutex_timedlock"];
        let shim = "<sigproof_shim::native::os::pthread::Mutex>::lock";
        let interrupted = ["signal", "pthread_mutex_unlock", "pthread_cond_timedwait", "sleep", "main"];
        let stack = [&waits[..], &[shim, "wakeup", "on_signal"], &interrupted].concat();
        let print = print(HangKind::SelfDeadlock, &stack);
        assert_eq!(print, "self-deadlock/mutex/in:pthread_mutex_timedlock/mutex");
        let reads = self::print(HangKind::LostWakeup, &["sccp", "read", "read", "answer", "main"]);
        assert_eq!(reads, "lost-wakeup/input/in:read/-");
    }

    #[test]
    fn a_sleeper_without_a_handler_has_a_fingerprint_too() {
        let stack = ["__futex_abstimed_wait_common", "pthread_cond_wait", "sleep_until", "main"];
        assert_eq!(print(HangKind::LostWakeup, &stack), "lost-wakeup/condition/in:pthread_cond_wait/-");
        assert_eq!(
            print(HangKind::LostWakeup, &stack),
            print(HangKind::LostWakeup, &[&stack[1..3], &["start"]].concat())
        );
        assert_eq!(print(HangKind::Livelock, &["turn", "main"]), "livelock/-/in:-/-");
    }
}
