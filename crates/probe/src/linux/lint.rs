//! A handler's execution, instruction by instruction: what it calls, by whom, and through which libraries.
//!
//! The program is run once for each place at which its handler is run: behind one of the system calls that it
//! makes after the handler was installed. A call is a `call`, or a jump to the first instruction of another
//! function, as a linkage table and a compiler make it.

use std::time::{Duration, Instant};

use sigproof_inspect::diagnose::{Place, Symbols};
use sigproof_inspect::hang::procfs;
use sigproof_inspect::rules::locks;
use sigproof_inspect::rules::name::Name;
use sigproof_inspect::rules::safety;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use super::before::signal_name;
use super::cpu::{self, Kind};
use super::live::is_fault;
use super::names;
use super::process::{Event, Process};
use super::waits::Action;
use super::written::Wanted;
use crate::lint::{Call, Fault, Lint, Listed, Rule, Source, is_system, listed, own_lock};
use crate::{Request, Trouble};
use sigproof_step::traced::stops::resume;

/// System calls of the untouched program that are counted at most.
const CALLS: usize = 2_000;

/// How long the untouched program is followed.
const FOLLOWED: Duration = Duration::from_secs(2);

/// Instructions of one execution that are followed at most.
const LONGEST: u64 = 3_000_000;

/// How long one execution may take, one that sleeps included.
const EXECUTED: Duration = Duration::from_secs(8);

/// The note of an execution that was not followed to its end.
const RUNS_ON: &str = "the handler is too long to be followed to its end: what follows was not seen";

/// Signals that a program catches for its threads' sake, inside the C library.
const INTERNAL: std::ops::RangeInclusive<i32> = 32..=33;

/// Looks at the handlers of these signals, or of all that are caught.
pub(crate) fn lint(request: &Request, stop: &AtomicBool, tell: &mut dyn FnMut(&str)) -> Result<Vec<Lint>, Trouble> {
    tell("the handlers that it installs");
    let installed = installed(request, stop)?;
    let asked = |signal: &i32| request.signals.is_empty() || request.signals.contains(signal);
    if let Some(signal) = request.signals.iter().find(|signal| !installed.iter().any(|(other, _, _)| other == *signal))
    {
        return Err(Trouble::Lacks(format!("no handler of {} is ever installed", signal_name(*signal))));
    }
    let mut lints: Vec<Lint> = Vec::new();
    for (signal, first, last) in installed.iter().filter(|(signal, _, _)| asked(signal)) {
        tell(&format!("the handler of {}", signal_name(*signal)));
        let mut places = vec![*first, first.midpoint(*last), *last];
        places.dedup();
        let mut lint: Option<Lint> = None;
        for place in places {
            let Some(one) = at(request, *signal, place, stop)? else { continue };
            let whole = !one.notes.iter().any(|note| note == RUNS_ON);
            match &mut lint {
                None => lint = Some(one),
                Some(lint) => merge(lint, one),
            }
            // At another place it would be as long.
            if !whole {
                break;
            }
        }
        let Some(lint) = lint else { continue };
        // One handler of several signals is told of once.
        let same = |other: &&mut Lint| {
            (&other.handler, &other.calls, &other.faults) == (&lint.handler, &lint.calls, &lint.faults)
        };
        match lints.iter_mut().find(same) {
            Some(other) => other.signal = format!("{}, {}", other.signal, lint.signal),
            None => lints.push(lint),
        }
    }
    if installed.is_empty() {
        return Err(Trouble::Lacks("it installs no handler: there is nothing to be looked at".to_owned()));
    }
    if lints.is_empty() {
        return Err(Trouble::Inconclusive(
            "it installs handlers, and did not come to them when it was run again; run it once more".to_owned(),
        ));
    }
    Ok(lints)
}

fn merge(lint: &mut Lint, one: Lint) {
    lint.runs += one.runs;
    lint.instructions += one.instructions;
    for call in one.calls {
        if !lint.calls.iter().any(|other| (&other.function, &other.chain) == (&call.function, &call.chain)) {
            lint.calls.push(call);
        }
    }
    for fault in one.faults {
        if !lint.faults.contains(&fault) {
            lint.faults.push(fault);
        }
    }
    for note in one.notes {
        if !lint.notes.contains(&note) {
            lint.notes.push(note);
        }
    }
}

/// Runs the program from system call to system call, and calls `at` behind each of its main thread's.
fn by_calls(
    request: &Request,
    stop: &AtomicBool,
    mut at: impl FnMut(&mut Process, usize) -> Result<bool, Trouble>,
) -> Result<(), Trouble> {
    let mut process = Process::start(request, Wanted::Nothing)?;
    let pid = process.pid;
    process.onwards = libc::PTRACE_SYSCALL;
    resume(libc::PTRACE_SYSCALL, pid, 0)?;
    let begun = Instant::now();
    let (mut stops, mut calls) = (0_usize, 0);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Trouble::Interrupted);
        }
        match process.wait(Duration::from_millis(1))? {
            Event::Ended(_) => return Ok(()),
            Event::Quiet if is_over(begun.elapsed(), request.time, &account(pid)) => return Ok(()),
            Event::Quiet => {}
            Event::Signal(tid, signal) if tid == pid => resume(libc::PTRACE_SYSCALL, tid, signal)?,
            Event::Signal(tid, signal) => process.go(tid, signal)?,
            Event::Exec(tid) => resume(libc::PTRACE_SYSCALL, tid, 0)?,
            Event::Trap(tid) if tid == pid => {
                stops += 1;
                // Entries and exits take turns.
                if stops.is_multiple_of(2) {
                    if !at(&mut process, calls)? {
                        return Ok(());
                    }
                    calls += 1;
                    if calls > CALLS {
                        return Ok(());
                    }
                }
                resume(libc::PTRACE_SYSCALL, tid, 0)?;
            }
            Event::Trap(tid) => process.go(tid, 0)?,
        }
    }
}

/// How a thread is.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    sleeps: bool,
    /// The processor time that it has used.
    used: Duration,
}

fn account(tid: i32) -> Account {
    let number = tid.cast_unsigned();
    let Some(stat) = procfs::thread_stat(number, number) else { return Account { sleeps: true, ..Account::default() } };
    let run = std::fs::read_to_string(format!("/proc/{tid}/task/{tid}/schedstat")).ok();
    let run = run.and_then(|text| procfs::parse_schedstat(&text));
    Account { sleeps: stat.state == 'S', used: Duration::from_nanos(run.map_or(u64::MAX, |run| run.cpu_ns)) }
}

/// Whether the untouched program has been followed for long enough, a wait for its next call included. One
/// that has not had the processor is not done with its beginning, in which it installs its handlers.
fn is_over(elapsed: Duration, most: Duration, account: &Account) -> bool {
    elapsed > FOLLOWED && (account.sleeps || account.used > FOLLOWED || elapsed > most)
}

/// Each signal that is caught, with the first and the last system call behind which it is.
fn installed(request: &Request, stop: &AtomicBool) -> Result<Vec<(i32, usize, usize)>, Trouble> {
    let mut found: Vec<(i32, usize, usize)> = Vec::new();
    by_calls(request, stop, |process, call| {
        for signal in (1..=64).filter(|signal| !INTERNAL.contains(signal)) {
            if process.action(signal) == Action::Caught {
                match found.iter_mut().find(|(other, _, _)| *other == signal) {
                    Some((_, _, last)) => *last = call,
                    None => found.push((signal, call, call)),
                }
            }
        }
        Ok(true)
    })?;
    Ok(found)
}

/// Runs the handler behind one system call.
fn at(request: &Request, signal: i32, place: usize, stop: &AtomicBool) -> Result<Option<Lint>, Trouble> {
    let mut lint = None;
    by_calls(request, stop, |process, call| {
        if call < place {
            return Ok(true);
        }
        if process.action(signal) != Action::Caught {
            return Ok(true);
        }
        lint = Some(execute(request, process, signal, stop)?);
        Ok(false)
    })?;
    Ok(lint)
}

/// One function on the way.
struct Frame {
    name: String,
    /// The stack pointer at its entry.
    sp: u64,
    /// Whether what it calls is its own affair: it is on a list, or was told of already.
    covers: bool,
    /// The number of the call that was told of.
    told: Option<usize>,
}

fn execute(request: &Request, process: &mut Process, signal: i32, stop: &AtomicBool) -> Result<Lint, Trouble> {
    let tid = process.pid;
    let program = request.command.first().map(std::path::Path::new).and_then(|path| path.file_name());
    let program = program.unwrap_or_default().to_string_lossy().into_owned();
    let mut lint = Lint::new(program, signal_name(signal), String::new(), Source::Run);
    lint.runs = 1;
    process.onwards = libc::PTRACE_CONT;
    // Sent, not injected: a stop behind a call takes no signal with it.
    process.send(tid, signal)?;
    resume(libc::PTRACE_CONT, tid, 0)?;
    let begun = Instant::now();
    let stepped = loop {
        match process.wait(Duration::from_millis(1))? {
            Event::Signal(who, number) if who == tid && number == signal => break true,
            Event::Signal(who, number) => process.go(who, number)?,
            Event::Trap(who) | Event::Exec(who) => process.go(who, 0)?,
            Event::Ended(_) => break false,
            Event::Quiet if begun.elapsed() > request.timeout => break false,
            Event::Quiet => {}
        }
    };
    if !stepped {
        lint.notes.push("the signal is blocked where it was sent".to_owned());
        return Ok(lint);
    }
    process.step(tid, signal)?;
    if process.wait_step(tid)? != Event::Trap(tid) {
        lint.notes.push("the program ended before its handler began".to_owned());
        return Ok(lint);
    }
    let symbols = Symbols::of(tid.cast_unsigned());
    let imported = names::imported(tid);
    let own = std::fs::read_link(format!("/proc/{tid}/exe")).ok();
    let own = own.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())).unwrap_or_default();
    let first = cpu::registers(tid)?;
    let place = symbols.place(first.rip);
    lint.handler = place.symbol.clone().unwrap_or_else(|| place.in_object());
    let mut frames = vec![Frame { name: lint.handler.clone(), sp: first.rsp, covers: false, told: None }];
    let mut before = first.rip;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Trouble::Interrupted);
        }
        let mut code = [0; 16];
        let kind = if process.read(before, &mut code) { cpu::kind(&code) } else { Kind::Plain };
        let length = if let Kind::Repeats(length) = kind { u64::from(length) } else { 0 };
        if length > 0 {
            process.set_break(tid, 3, Some(before + length))?;
            process.go(tid, 0)?;
        } else {
            process.step(tid, 0)?;
        }
        let event = if kind == Kind::Plain { process.wait_step(tid)? } else { process.wait(request.timeout)? };
        match event {
            Event::Trap(who) if who == tid => {}
            Event::Trap(who) => {
                process.go(who, 0)?;
                continue;
            }
            Event::Ended(_) => return Ok(lint),
            Event::Exec(_) => return Ok(lint),
            Event::Quiet => {
                let place = frames.last().map_or(String::new(), |frame| frame.name.clone());
                lint.notes.push(format!("the handler waits in {place} for longer than {:?}", request.timeout));
                return Ok(lint);
            }
            // It is left out: this process ends with the handler.
            Event::Signal(who, number) if who == tid && !is_fault(number) => {
                process.step(tid, 0)?;
                let _ = process.wait_step(tid)?;
            }
            Event::Signal(who, number) if who != tid => {
                process.go(who, number)?;
                continue;
            }
            Event::Signal(_, number) => {
                lint.notes
                    .push(format!("{} came while the handler ran: what follows was not seen", signal_name(number)));
                return Ok(lint);
            }
        }
        if length > 0 {
            process.set_break(tid, 3, None)?;
        }
        lint.instructions += 1;
        let now = cpu::registers(tid)?;
        if now.rsp > first.rsp {
            return Ok(lint);
        }
        if lint.instructions > LONGEST || begun.elapsed() > EXECUTED {
            lint.notes.push(RUNS_ON.to_owned());
            return Ok(lint);
        }
        // Frames that have returned.
        while frames.len() > 1 && frames.last().is_some_and(|frame| now.rsp > frame.sp) {
            frames.pop();
        }
        if transfers(&code, before, now.rip) {
            let place = symbols.place(now.rip);
            if place.offset == 0
                && let Some(symbol) = imported.get(&now.rip).or(place.symbol.as_ref())
            {
                entered(symbol, &place, now.rsp, &own, &mut frames, &mut lint);
            }
        }
        before = now.rip;
    }
}

/// Whether the last instruction went elsewhere by a call or a jump.
fn transfers(code: &[u8; 16], from: u64, to: u64) -> bool {
    let near = to.wrapping_sub(from) <= 15;
    let opcode = code.iter().find(|byte| !matches!(byte, 0x40..=0x4f | 0x66 | 0xf2 | 0xf3 | 0x2e | 0x3e));
    !near || matches!(opcode, Some(0xe8 | 0xff))
}

/// A function begins.
fn entered(symbol: &str, place: &Place, sp: u64, own: &str, frames: &mut Vec<Frame>, lint: &mut Lint) {
    let object = place.object.clone().unwrap_or_default();
    // A jump takes the place of the function that it leaves, and goes on with its affairs.
    let mut left: Option<Frame> = None;
    while frames.len() > 1 && frames.last().is_some_and(|frame| frame.sp == sp) {
        left = frames.pop();
    }
    let covered = frames.last().is_some_and(|frame| frame.covers) || left.as_ref().is_some_and(|frame| frame.covers);
    let told = left.as_ref().and_then(|frame| frame.told);
    let told = told.or_else(|| frames.iter().rev().find_map(|frame| frame.told));
    let listed = listed(symbol);
    let mut frame =
        Frame { name: symbol.to_owned(), sp, covers: covered, told: left.as_ref().and_then(|frame| frame.told) };
    let name = Name::of(symbol);
    if !covered && safety::is_jump(&name) {
        let chain: Vec<String> = frames.iter().chain(&left).map(|frame| frame.name.clone()).collect();
        let what = format!("{symbol} ({object})");
        let fault = Fault { rule: Rule::Jump, what, chain, at: Vec::new(), functions: Vec::new() };
        if !lint.faults.contains(&fault) {
            lint.faults.push(fault);
        }
    }
    if covered {
        if let Some(told) = told
            && listed == Listed::Unsafe
            && !lint.calls[told].locking.iter().any(|other| other == symbol)
        {
            let from = frames.iter().position(|frame| frame.told == Some(told)).unwrap_or(frames.len());
            let way = frames[from..].iter().chain(&left).map(|frame| frame.name.clone());
            let way: Vec<String> = way.chain([symbol.to_owned()]).collect();
            lint.calls[told].leads_to(way);
        }
    } else {
        let is_library = object != own && is_system(&object);
        match listed {
            Listed::Safe => frame.covers = true,
            Listed::Bare => {
                frame.covers = is_library;
                let note = format!("{symbol} is on no list; it is a bare system call, or keeps no state");
                if is_library && !lint.notes.contains(&note) {
                    lint.notes.push(note);
                }
            }
            Listed::Unsafe => frame.told = Some(lint.calls.len()),
            Listed::Neither if is_library => frame.told = Some(lint.calls.len()),
            Listed::Neither => {}
        }
        if let Some(number) = frame.told {
            frame.covers = true;
            let chain: Vec<String> = frames.iter().chain(&left).map(|frame| frame.name.clone()).collect();
            let locks = locks::of(&name).is_some() || own_lock(symbol).is_some();
            let locking = if locks { vec![symbol.to_owned()] } else { Vec::new() };
            let (at, way) = (Vec::new(), vec![symbol.to_owned()]);
            let call = Call { function: symbol.to_owned(), object, chain, at, locking, way };
            match lint.calls.iter().position(|other| (&other.function, &other.chain) == (&call.function, &call.chain)) {
                Some(at) => frame.told = Some(at),
                None => {
                    debug_assert_eq!(number, lint.calls.len());
                    lint.calls.push(call);
                }
            }
        }
    }
    frames.push(frame);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_waits_for_the_processor_is_followed_on() {
        let most = Duration::from_secs(60);
        let starved = Account { sleeps: false, used: Duration::from_millis(3) };
        assert!(!is_over(FOLLOWED * 4, most, &starved));
        assert!(is_over(most * 2, most, &starved));
        assert!(is_over(FOLLOWED * 2, most, &Account { sleeps: true, ..starved }));
        assert!(is_over(FOLLOWED * 2, most, &Account { used: FOLLOWED * 2, ..starved }));
        assert!(!is_over(FOLLOWED / 2, most, &Account { sleeps: true, ..starved }));
    }
}
