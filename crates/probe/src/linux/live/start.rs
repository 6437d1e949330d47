//! The program from its first instruction to pass 0: the loader's end, the function's address, a handler.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use super::{ENTRY, Live, QUIET, accepts, open};
use crate::linux::cpu;
use crate::linux::descriptors::Descriptors;
use crate::linux::names::{self, Found, Function};
use crate::linux::process::{Event, Process};
use crate::linux::waits::Action;
use crate::linux::written::Wanted;
use crate::{Output, Request, Thread, Trouble, WindowName};

/// The breakpoint at the loader's hook, while the function is not found.
const HOOK: usize = 2;

/// How long a window that may be passed over is waited for.
const SOON: Duration = Duration::from_secs(2);

/// How the program came to a pass, or why not.
pub(crate) enum Arrival<'a> {
    /// It is at the entry.
    At(Box<Live<'a>>),
    /// It ended, or the time ran out: what was found until then.
    Never {
        /// The function, if there is one.
        function: Option<Function>,
        /// What the signal did when it was last called, before a handler was installed.
        called: Option<Action>,
        /// The signals that had handlers then, as a mask.
        handled: u64,
        /// The nearest names.
        nearest: Vec<String>,
        /// Whether the library that was named is mapped.
        has_library: bool,
        /// How the program ended, if it has.
        ended: Option<std::process::ExitStatus>,
        /// Whether it became another program first.
        became_another: bool,
        /// Whether it had started other processes.
        has_forked: bool,
    },
}

impl<'a> Live<'a> {
    /// Starts the program and brings it to pass 0, if it comes there in time.
    pub(crate) fn start(
        request: &'a Request,
        window: &WindowName,
        signal: i32,
        deadline: Instant,
        stop: &'a AtomicBool,
    ) -> Result<Arrival<'a>, Trouble> {
        let compares = request.expect_output != Output::Any;
        let mut process = Process::start(request, if compares { Wanted::All } else { Wanted::Nothing })?;
        let pid = process.pid;
        let deadline = if request.skips { deadline.min(Instant::now() + SOON) } else { deadline };
        let (mut function, mut nearest, mut called, mut handled) = (None, Vec::new(), None, 0);
        let mut has_library = window.library.is_none();
        let mut became_another = false;
        // The loader is done at the program's own entry; later libraries pass by its debugger's hook.
        process.set_break(pid, ENTRY, entry_point(pid))?;
        let mut hook = None;
        let mut waits_for_entry = true;
        process.go(pid, 0)?;
        let ended = loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Trouble::Interrupted);
            }
            match process.wait(QUIET)? {
                Event::Ended(status) => break Some(status),
                Event::Quiet if Instant::now() > deadline => break None,
                Event::Quiet => open(&process, request)?,
                Event::Signal(tid, signal) => process.go(tid, signal)?,
                Event::Exec(tid) => {
                    became_another = true;
                    function = None;
                    waits_for_entry = true;
                    process.break_everywhere(ENTRY, None);
                    process.set_break(tid, ENTRY, entry_point(pid))?;
                    process.go(tid, 0)?;
                }
                Event::Trap(tid) => {
                    let pc = cpu::registers(tid)?.rip;
                    if waits_for_entry || Some(pc) == hook {
                        waits_for_entry = false;
                        if function.is_none() {
                            if names::hidden(pid) {
                                return Err(hidden());
                            }
                            match names::find(pid, window)? {
                                Found::At(found) => {
                                    // The loader's hook has done its work.
                                    process.break_everywhere(HOOK, None);
                                    process.set_break(tid, HOOK, None)?;
                                    aim(&mut process, request, tid, found.entry)?;
                                    function = Some(found);
                                }
                                Found::Nowhere { nearest: near, has_library: has } => {
                                    (nearest, has_library) = (near, has);
                                    process.set_break(tid, ENTRY, None)?;
                                    hook = loader_hook(pid);
                                    process.break_everywhere(HOOK, hook);
                                    process.set_break(tid, HOOK, hook)?;
                                }
                            }
                        }
                    } else if function.as_ref().is_some_and(|function| function.entry == pc)
                        && accepts(&process, request, tid)
                    {
                        if names::hidden(pid) {
                            return Err(hidden());
                        }
                        let action = process.action(signal);
                        called = Some(action);
                        handled = process.handled();
                        if action == Action::Caught
                            && let Some(function) = function.clone()
                        {
                            let syscall_at = names::syscall_instruction(pid, |at, into| process.read(at, into));
                            let catches_traps = process.action(libc::SIGTRAP) == Action::Caught;
                            let mut live = Self {
                                process,
                                function,
                                tid,
                                pass: 0,
                                ret: 0,
                                sp: 0,
                                same_site: true,
                                syscall_at: syscall_at.unwrap_or_default(),
                                held: Vec::new(),
                                descriptors: Descriptors::minded(request.no_leaks),
                                kinds: HashMap::new(),
                                catches_traps,
                                errno: None,
                                awaits: false,
                                idles: false,
                                request,
                                signal,
                                stop,
                            };
                            live.enter(tid)?;
                            return Ok(Arrival::At(Box::new(live)));
                        }
                    }
                    process.go(tid, 0)?;
                }
            }
        };
        let has_forked = process.has_forked;
        Ok(Arrival::Never { function, called, handled, nearest, has_library, ended, became_another, has_forked })
    }
}

/// Sets the breakpoint of the entry in the threads that may be the one.
fn aim(process: &mut Process, request: &Request, tid: i32, entry: u64) -> Result<(), Trouble> {
    if request.thread != Thread::Main {
        process.break_everywhere(ENTRY, Some(entry));
    }
    process.set_break(tid, ENTRY, Some(entry))
}

/// The address at which the program itself begins, once its loader is done (`AT_ENTRY`).
fn entry_point(pid: i32) -> Option<u64> {
    let bytes = std::fs::read(format!("/proc/{pid}/auxv")).ok()?;
    let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    words.as_chunks::<2>().0.iter().find(|pair| pair[0] == libc::AT_ENTRY).map(|pair| pair[1])
}

/// Where the loader passes by for a debugger's sake whenever it has mapped a library.
fn loader_hook(pid: i32) -> Option<u64> {
    let window = WindowName { function: "_dl_debug_state".to_owned(), library: None };
    match names::find(pid, &window) {
        Ok(Found::At(function)) => Some(function.entry),
        _ => None,
    }
}

/// Why a program cannot be swept whose memory map is not shown any more.
fn hidden() -> Trouble {
    Trouble::Lacks(
        "the program has changed its user or has forbidden to be looked at (PR_SET_DUMPABLE), and this user may not \
         look at it any more; run this as root"
            .to_owned(),
    )
}
