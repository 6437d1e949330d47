//! The casebook's entry whose mechanism a finding has. No entry is better than a wrong one.

use super::dump::{Dump, Trace, TraceFrame};
use super::judge::Finding;
use super::verdict::Verdict;
use crate::rules::bugs::{self, Bug};
use crate::rules::locks::Lock;
use crate::rules::waits::Wait;
use crate::rules::{handlers, waits};

/// The entry for a handler that does something.
pub fn entry(dump: &Dump, finding: &Finding, handler: &[TraceFrame], shared: bool) -> Option<&'static Bug> {
    let has = |name: &str| handler.iter().any(|frame| frame.name.key == name || frame.name.path == name);
    let part = |part: &str| handler.iter().any(|frame| frame.name.path.contains(part));
    if dump.notices.no_signal_stack {
        return Some(&bugs::STACK_FREED_BEFORE_EXIT);
    }
    if dump.notices.errno_spoiled {
        return Some(&bugs::ERRNO_SPOILED);
    }
    let tls = [
        "tls_get_addr",
        "tlv_get_addr",
        "tlv_allocate_and_initialize_for_key",
        "tls_get_addr_tail",
        "instantiateTLVs_thunk",
        "tls_get_addr_slow",
        "emutls_get_address",
        "tlv_get_addr_slow",
    ];
    let logger = handler.iter().any(|frame| !frame.is_unknown() && handlers::logs(&frame.name) && !frame.is_in_libc());
    let heap = finding.waiting.as_ref().is_some_and(|waiting| waiting.lock == Some(Lock::Heap))
        || finding.waiting.is_none()
            && handler
                .iter()
                .any(|frame| crate::rules::locks::of(&frame.name).is_some_and(|(lock, _)| lock == Lock::Heap));
    if !matches!(finding.verdict, Verdict::Waits | Verdict::Faults | Verdict::Unsafe | Verdict::Runs) {
        return None;
    }
    if finding.fatal && finding.verdict != Verdict::Waits {
        return None;
    }
    if tls.iter().any(|name| has(name)) && heap {
        return Some(&bugs::LAZY_TLS_IN_HANDLER);
    }
    if has("fork") || has("libc_fork") {
        return Some(&bugs::FORK_IN_HANDLER);
    }
    if ["syslog", "vsyslog", "vsyslog_internal", "vsyslog_chk", "syslog_chk", "openlog"].iter().any(|name| has(name)) {
        return Some(&bugs::SYSLOG_IN_HANDLER);
    }
    if [
        "dl_runtime_resolve",
        "dl_fixup",
        "dyld_stub_binder",
        "dl_runtime_resolve_xsave",
        "dl_runtime_resolve_xsavec",
        "rtld_bind",
    ]
    .iter()
    .any(|name| has(name))
    {
        return Some(&bugs::LAZY_BINDING_IN_HANDLER);
    }
    if handler.iter().any(|frame| frame.name.path.contains("cpuProfile") || frame.name.path.contains("sigprof"))
        && part("runtime.")
    {
        return (finding.verdict != Verdict::Faults
            && (part("procyield") || part("osyield") || part("lock2") || part("Cas")))
        .then_some(&bugs::CPUPROF_SIGNAL_LOCK);
    }
    let Some(waiting) = &finding.waiting else {
        return match finding.verdict {
            Verdict::Unsafe | Verdict::Faults if logger && heap => Some(&bugs::LOGGER_IN_HANDLER),
            Verdict::Unsafe | Verdict::Faults if heap => Some(&bugs::ALLOCATOR_IN_HANDLER),
            Verdict::Unsafe => by_functions(handler),
            _ => None,
        };
    };
    match (waiting.wait, waiting.lock) {
        (Wait::Output, _) => {
            (finding.verdict == Verdict::Waits && handler.len() <= 4).then_some(&bugs::SELFPIPE_FULL_BLOCKING)
        }
        (Wait::Once, _) => Some(&bugs::ONCE_REENTERED),
        (Wait::Spin, _) => None,
        (_, Some(Lock::Heap)) if logger => Some(&bugs::LOGGER_IN_HANDLER),
        (_, Some(Lock::TimeZone)) => Some(&bugs::TIMEZONE_LOCK_IN_HANDLER),
        (_, Some(Lock::Heap)) => Some(&bugs::ALLOCATOR_IN_HANDLER),
        (_, Some(Lock::Loader | Lock::Unwinder)) => Some(&bugs::LOADER_LOCK_IN_HANDLER),
        (_, Some(Lock::Stdio)) => Some(&bugs::STDIO_IN_HANDLER),
        (_, Some(Lock::Syslog)) => Some(&bugs::SYSLOG_IN_HANDLER),
        (_, Some(Lock::Random)) => Some(&bugs::RANDOM_IN_HANDLER),
        (_, Some(Lock::Program | Lock::ReadWrite)) if shared => Some(&bugs::LOCK_SHARED_BY_TWO_SIGNALS),
        (_, Some(Lock::Program | Lock::ReadWrite)) => Some(&bugs::MUTEX_IN_HANDLER),
        _ => None,
    }
}

fn by_functions(handler: &[TraceFrame]) -> Option<&'static Bug> {
    let lock = handler.iter().rev().find_map(|frame| crate::rules::locks::of(&frame.name).map(|(lock, _)| lock))?;
    match lock {
        Lock::Stdio => Some(&bugs::STDIO_IN_HANDLER),
        Lock::TimeZone => Some(&bugs::TIMEZONE_LOCK_IN_HANDLER),
        Lock::Random => Some(&bugs::RANDOM_IN_HANDLER),
        Lock::Loader => Some(&bugs::LOADER_LOCK_IN_HANDLER),
        _ => None,
    }
}

/// A stack without a handler on which a thread sleeps until a handler wakes it: what it is, and the entry.
pub fn sleeper(trace: &Trace) -> Option<(&'static str, Option<&'static Bug>)> {
    let has = |name: &str| trace.frames.iter().any(|frame| frame.name.path == name);
    if has("runtime.(*profBuf).read")
        && trace.frames.iter().take(12).any(|frame| frame.name.path.starts_with("runtime.note"))
    {
        let darwin = trace
            .frames
            .iter()
            .any(|frame| matches!(frame.name.path.as_str(), "runtime.semasleep" | "runtime.pthread_cond_wait"));
        return Some((
            "the reader of the profile sleeps on a note that the SIGPROF handler wakes",
            darwin.then_some(&bugs::DARWIN_PROFBUF_BLOCKING_READ),
        ));
    }
    if has("os/signal.signal_recv") && trace.frames.iter().take(10).any(|frame| frame.name.path == "runtime.semasleep")
    {
        return Some((
            "the receiver of signals sleeps on a note that the handler wakes",
            Some(&bugs::DARWIN_SIGQUEUE_NOTE),
        ));
    }
    let top = trace.frames.iter().find(|frame| !frame.is_unknown())?;
    let waits = waits::of(&top.name) == Some(Wait::Signal)
        && !top.name.key.starts_with("sigwait")
        && !top.name.key.contains("sigtimedwait")
        && top.name.key != "do_sigwait";
    let sleeps_in = |name: &str| trace.frames.iter().take(4).any(|frame| frame.name.key == name);
    let deliberate = sleeps_in("sigwait")
        || sleeps_in("sigwaitinfo")
        || sleeps_in("sigtimedwait")
        || sleeps_in("pthread_wait_for_restart_signal")
        || trace
            .frames
            .iter()
            .any(|frame| frame.name.path.starts_with("pthread_") || frame.name.path.starts_with("__pthread_"));
    let rooted = trace.frames.iter().rev().take(4).any(|frame| crate::rules::frames::is_root(&frame.name));
    (waits && !deliberate && rooted).then_some(("the thread sleeps until a signal arrives", None))
}
