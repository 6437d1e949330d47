//! Signals to the command line itself: the first one asks the command to stop and to print what it has. The
//! second one kills every child and exits.
//!
//! | signal | what this process does with it |
//! |---|---|
//! | SIGINT, SIGQUIT, SIGTERM, SIGHUP | sets the one flag of the process; a second one kills every process group that this process has started, and exits with 130. One that is ignored on entry stays ignored: that is what `nohup` asks for |
//! | SIGCHLD | the default, whatever the parent left: where it is ignored, the kernel reaps children and no `wait` finds them |
//! | SIGSEGV, SIGBUS | the default, if the parent ignores them: only then does Rust's runtime give the threads of a child alternate signal stacks, by which a note can tell that a handler calls it |
//! | SIGXFSZ | ignored, so that a write beyond a limit of the file size fails and is reported |
//!
//! The flag is never cleared. All phases of a command look at the same flag, so one interruption ends the
//! phase and the command.

use std::io;
use std::ptr;
use std::sync::OnceLock;

use sigproof_inspect::process::kill_all_and_exit;
use sigproof_report::exit::Exit;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::sync::Arc;

use crate::output;

/// The signals that interrupt a command.
const SIGNALS: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP];

/// Sets what this process, and each of its children, does with the signals of the table above. `main` calls
/// it before anything else.
pub fn dispositions() {
    for (signal, action) in [(libc::SIGCHLD, libc::SIG_DFL), (libc::SIGXFSZ, libc::SIG_IGN)] {
        // SAFETY: neither disposition is a function; both signals exist, so the call cannot fail.
        unsafe { libc::signal(signal, action) };
    }
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: a zeroed sigaction is valid, both pointers are live locals, and the default is not a
        // function.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

/// The flag that an interruption sets. The first call installs the handlers.
pub fn flag() -> &'static AtomicBool {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        if let Err(error) = install(&flag) {
            output::tell(&format!("warning: an interruption will lose the results: {error}"));
        }
        flag
    })
}

/// Whether the user has interrupted the command.
pub fn requested() -> bool {
    flag().load(Ordering::Relaxed)
}

fn install(flag: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in SIGNALS {
        if is_ignored(signal)? {
            continue;
        }
        let code = i32::from(Exit::Interrupted.code());
        let before = Arc::clone(flag);
        // The actions run in the order of their registration: the first signal finds the flag unset here.
        let end = move || {
            if before.load(Ordering::Relaxed) {
                kill_all_and_exit(code);
            }
        };
        // SAFETY: the action loads an atomic, and calls `killpg` and `_exit`, which are async-signal-safe.
        unsafe { signal_hook::low_level::register(signal, end) }?;
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// Whether a signal is ignored.
fn is_ignored(signal: i32) -> io::Result<bool> {
    // SAFETY: zeroed bytes are a valid `sigaction`.
    let mut now: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: a null action changes nothing, and `now` is a live local to be filled in.
    match unsafe { libc::sigaction(signal, ptr::null(), &raw mut now) } {
        0 => Ok(now.sa_sigaction == libc::SIG_IGN),
        _ => Err(io::Error::last_os_error()),
    }
}
