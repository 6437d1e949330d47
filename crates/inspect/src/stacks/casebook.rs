//! The casebook's entry whose mechanism a finding has. No entry is better than a wrong one.

use super::dump::{Dump, Trace, TraceFrame};
use super::judge::Finding;
use super::verdict::Verdict;
use crate::rules::locks::Lock;
use crate::rules::waits::Wait;
use crate::rules::{handlers, waits};

/// The entry for a handler that does something.
pub fn entry(dump: &Dump, finding: &Finding, handler: &[TraceFrame], shared: bool) -> Option<&'static str> {
    let has = |name: &str| handler.iter().any(|frame| frame.name.key == name || frame.name.path == name);
    let part = |part: &str| handler.iter().any(|frame| frame.name.path.contains(part));
    if dump.notices.no_signal_stack {
        return Some("stack-freed-before-exit");
    }
    if dump.notices.errno_spoiled {
        return Some("errno-spoiled");
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
        return Some("lazy-tls-in-handler");
    }
    if has("fork") || has("libc_fork") {
        return Some("fork-in-handler");
    }
    if ["syslog", "vsyslog", "vsyslog_internal", "vsyslog_chk", "syslog_chk", "openlog"].iter().any(|name| has(name)) {
        return Some("syslog-in-handler");
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
        return Some("lazy-binding-in-handler");
    }
    if handler.iter().any(|frame| frame.name.path.contains("cpuProfile") || frame.name.path.contains("sigprof"))
        && part("runtime.")
    {
        return (finding.verdict != Verdict::Faults
            && (part("procyield") || part("osyield") || part("lock2") || part("Cas")))
        .then_some("cpuprof-signal-lock");
    }
    let Some(waiting) = &finding.waiting else {
        return match finding.verdict {
            Verdict::Unsafe | Verdict::Faults if logger && heap => Some("logger-in-handler"),
            Verdict::Unsafe | Verdict::Faults if heap => Some("allocator-in-handler"),
            Verdict::Unsafe => by_functions(handler),
            _ => None,
        };
    };
    match (waiting.wait, waiting.lock) {
        (Wait::Output, _) => {
            (finding.verdict == Verdict::Waits && handler.len() <= 4).then_some("selfpipe-full-blocking")
        }
        (Wait::Once, _) => Some("once-reentered"),
        (Wait::Spin, _) => None,
        (_, Some(Lock::Heap)) if logger => Some("logger-in-handler"),
        (_, Some(Lock::TimeZone)) => Some("timezone-lock-in-handler"),
        (_, Some(Lock::Heap)) => Some("allocator-in-handler"),
        (_, Some(Lock::Loader | Lock::Unwinder)) => Some("loader-lock-in-handler"),
        (_, Some(Lock::Stdio)) => Some("stdio-in-handler"),
        (_, Some(Lock::Syslog)) => Some("syslog-in-handler"),
        (_, Some(Lock::Random)) => Some("random-in-handler"),
        (_, Some(Lock::Program | Lock::ReadWrite)) if shared => Some("lock-shared-by-two-signals"),
        (_, Some(Lock::Program | Lock::ReadWrite)) => Some("mutex-in-handler"),
        _ => None,
    }
}

fn by_functions(handler: &[TraceFrame]) -> Option<&'static str> {
    let lock = handler.iter().rev().find_map(|frame| crate::rules::locks::of(&frame.name).map(|(lock, _)| lock))?;
    match lock {
        Lock::Stdio => Some("stdio-in-handler"),
        Lock::TimeZone => Some("timezone-lock-in-handler"),
        Lock::Random => Some("random-in-handler"),
        Lock::Loader => Some("loader-lock-in-handler"),
        _ => None,
    }
}

/// A stack without a handler on which a thread sleeps until a handler wakes it: what it is, and the entry.
pub fn sleeper(trace: &Trace) -> Option<(&'static str, Option<&'static str>)> {
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
            darwin.then_some("darwin-profbuf-blocking-read"),
        ));
    }
    if has("os/signal.signal_recv") && trace.frames.iter().take(10).any(|frame| frame.name.path == "runtime.semasleep")
    {
        return Some(("the receiver of signals sleeps on a note that the handler wakes", Some("darwin-sigqueue-note")));
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
