//! **signote-fork-cloexec**: a pipe made by `pipe` and marked close-on-exec by `fcntl` can be copied by a
//! fork between the two calls. The child keeps both ends across exec: descriptors leak, and whoever waits for
//! end-of-file on the pipe waits as long as that child lives.
//!
//! Upstream: the reason given by the fix of golang/go#61768 for refusing a general pipe note;
//! rust-lang/rust#95584; swiftlang/swift-subprocess#373 (macOS 27 has `pipe2`).
//!
//! ```text
//! cargo xtask stress signote-fork-cloexec
//! ```
//!
//! | variant | a pipe is made by | must be seen |
//! |---|---|---|
//! | broken | `pipe`, then `fcntl` | descriptor leak |
//! | fixed/pipe2 | `pipe2(O_CLOEXEC)` | no child has a descriptor that is not its own |
//! | fixed/fork-lock | `pipe`, then `fcntl`, under the lock that every fork takes | the same |
//!
//! One thread makes pipes, another forks. A child that finds a descriptor without close-on-exec really
//! executes a program, this one, which tells what it has inherited: its answer is the outcome.
//!
//! In the model two threads make a pipe each, and a third forks once, at any time; no signal takes part.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::thread;

use sigproof_osnote::cloexec::{self, ForkLock, Pipe2, PipeRecipe};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::os::OsError;
use sigproof_shim::os::fd::{self, PipeEnds};

use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject::Fault;
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_harness::worker;
use sigproof_inspect::process::own_executable;
use sigproof_inspect::refusal::Refusal;
use sigproof_osnote::Backends;
use sigproof_report::{Outcome, Variant};

/// A fork is long; so many rounds make one.
const ROUNDS_A_FORK: usize = 5;

/// The descriptors that are looked at: a worker has far fewer.
const DESCRIPTORS: libc::c_int = 64;

/// How a child ends that has only its own descriptors.
const CLEAN: libc::c_int = 0;
/// How a child ends that could not execute the program.
const NO_EXEC: libc::c_int = 127;

/// The names of the two fixes.
const PIPE2: &str = "pipe2";
const FORK_LOCK: &str = "fork-lock";

pub(super) static CASE: SignoteForkCloexec = SignoteForkCloexec;

pub(super) struct SignoteForkCloexec;

/// `pipe` and `fcntl`, with nothing to keep a fork out.
struct Unguarded;

impl PipeRecipe for Unguarded {
    fn name(&self) -> &'static str {
        "pipe, then fcntl"
    }

    fn make(&self) -> Result<PipeEnds, OsError> {
        let ends = fd::pipe()?;
        ends.read.borrow().set_cloexec(true)?;
        ends.write.borrow().set_cloexec(true)?;
        Ok(ends)
    }
}

impl Case for SignoteForkCloexec {
    fn name(&self) -> &'static str {
        "signote-fork-cloexec"
    }

    fn summary(&self) -> &'static str {
        "a fork between pipe and fcntl copies a note's descriptors into a child that keeps them across exec"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &["https://go.dev/cl/518836", "https://github.com/rust-lang/rust/issues/95584"]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(Outcome::DescriptorLeak), Setup::fixed().flavour(PIPE2), Setup::fixed().flavour(FORK_LOCK)]
    }

    fn lacks(&self, setup: &Setup) -> Option<String> {
        (setup.flavour == Some(PIPE2) && !fd::has_pipe2())
            .then(|| "this system has no pipe2; run it on Linux, a BSD, or macOS 27 or later".into())
    }

    fn aimed(&self) -> bool {
        false
    }

    fn child(&self, argument: &str) -> u8 {
        inherited(argument)
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        let recipe = recipe(setup);
        let child = Program::new()?;
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            let maker = thread::Builder::new().spawn_scoped(scope, || -> Result<(), Failure> {
                while !enough.load(Ordering::Relaxed) {
                    drop(cloexec::pipe_with(recipe)?);
                }
                Ok(())
            });
            let maker = maker.map_err(|error| Refusal::thread(&error))?;
            let forked = forks(attempt, &child, recipe);
            enough.store(true, Ordering::Relaxed);
            let made = maker.join().unwrap_or_else(|_| Err(Failure::new(Outcome::Crash, "the maker panicked")));
            forked.and(made)
        })
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let recipe = recipe(setup);
        vec![Window::new("make", move |stage| stepped(recipe, stage)).on_bystander()]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        let recipe = recipe(setup);
        let model = Model::new(move || {
            let makers = ["maker", "other maker"].map(|name| {
                let make = move || drop(must(cloexec::pipe_with(recipe)));
                model::spawn(name, make)
            });
            let kept = {
                let _guard = cloexec::fork_guard();
                model::fork_and_exec()
            };
            ensure(kept.is_empty(), Outcome::DescriptorLeak, || {
                format!("a child, after its exec, still had descriptors {kept:?} of pipes made by {}", recipe.name())
            });
            makers.into_iter().for_each(|maker| maker.join());
        });
        // The lock takes more steps than the pipes.
        Some(model.handlers(0).depth(0, if setup.flavour == Some(FORK_LOCK) { Some(4) } else { None }))
    }
}

fn recipe(setup: &Setup) -> &'static dyn PipeRecipe {
    match (setup.variant, setup.flavour) {
        (Variant::Broken, _) => &Unguarded,
        (Variant::Fixed, Some(PIPE2)) => &Pipe2,
        (Variant::Fixed, _) => &ForkLock,
    }
}

fn forks(attempt: &Attempt, child: &Program, recipe: &dyn PipeRecipe) -> Result<(), Failure> {
    for _ in attempt.rounds().step_by(ROUNDS_A_FORK) {
        match child.fork()? {
            CLEAN => {}
            NO_EXEC => return Err(Failure::new(Outcome::Crash, "the child could not execute this program")),
            leaked => {
                let made = recipe.name();
                return Err(Failure::new(
                    Outcome::DescriptorLeak,
                    format!(
                        "a child, after its exec, still had {leaked} ends of pipes that another thread was making by {made}: \
                         their reader sees no end-of-file while that child lives"
                    ),
                ));
            }
        }
        attempt.page.rounds.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// The window is the making of a pipe; the handler, in another thread, forks.
fn stepped(recipe: &'static dyn PipeRecipe, stage: &mut Stage) -> Result<(), Failure> {
    let child = Program::new()?;
    stage.handler(move |_| match child.fork() {
        Ok(CLEAN) => Ok(()),
        Ok(NO_EXEC) => Err(Fault { outcome: Outcome::Crash, detail: "the child could not execute this program" }),
        Ok(_) => Err(Fault {
            outcome: Outcome::DescriptorLeak,
            detail: "a child that was forked here still had an end of the pipe after its exec",
        }),
        Err(_) => Err(Fault { outcome: Outcome::Crash, detail: "the process could not be forked" }),
    })?;
    while stage.another()? {
        drop(stage.window(|| cloexec::pipe_with(recipe))?);
    }
    Ok(())
}

/// This program, ready to be executed by a forked child, which may not allocate.
struct Program {
    path: CString,
    args: [CString; 5],
    own: [bool; DESCRIPTORS as usize],
}

impl Program {
    fn new() -> io::Result<Self> {
        let path = CString::new(own_executable()?.as_os_str().as_bytes())?;
        let mut own = [false; DESCRIPTORS as usize];
        // What came with this process is not of the case's making.
        (0..DESCRIPTORS).zip(&mut own).for_each(|(fd, own)| *own = survives_exec(fd));
        let known: Vec<String> =
            (0..).zip(&own).filter(|(_, own)| **own).map(|(fd, _): (i32, _)| fd.to_string()).collect();
        let [verb, of_case, case, known] = worker::of_case(CASE.name(), &known.join(",")).map(CString::new);
        Ok(Self { args: [path.clone(), verb?, of_case?, case?, known?], path, own })
    }

    /// Forks a child, which looks at its descriptors, and says how it ended: with the number of descriptors
    /// that it should not have.
    fn fork(&self) -> Result<libc::c_int, Failure> {
        let [a, b, c, d, e] = self.args.each_ref().map(|argument| argument.as_ptr());
        let argv = [a, b, c, d, e, core::ptr::null()];
        let guard = cloexec::fork_guard();
        // SAFETY: the child of a process with threads may call only async-signal-safe functions: `child`
        // does.
        let pid = match unsafe { libc::fork() } {
            -1 => return Err(Refusal::last("fork (clone)").into()),
            0 => self.child(&argv),
            pid => pid,
        };
        drop(guard);
        let mut status = 0;
        // SAFETY: our own child, reaped here and nowhere else; `status` is a live local.
        while unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(Refusal::new("waitpid (wait4)", &error).into());
            }
        }
        if libc::WIFEXITED(status) {
            Ok(libc::WEXITSTATUS(status))
        } else {
            Err(Failure::new(Outcome::Crash, format!("the forked child died of signal {}", libc::WTERMSIG(status))))
        }
    }

    /// The child. May not: allocate, lock, return. It calls `fcntl`, `execv` and `_exit`, which are on
    /// POSIX's list.
    fn child(&self, argv: &[*const libc::c_char; 6]) -> ! {
        let leaks = (0..DESCRIPTORS).zip(&self.own).any(|(fd, own)| !own && survives_exec(fd));
        // SAFETY: path and arguments are C strings that live in `self`, the last pointer is null.
        unsafe {
            if leaks {
                libc::execv(self.path.as_ptr(), argv.as_ptr());
                libc::_exit(NO_EXEC);
            }
            libc::_exit(CLEAN)
        }
    }
}

/// Whether a descriptor is open and not close-on-exec. Async-signal-safe.
fn survives_exec(fd: libc::c_int) -> bool {
    // SAFETY: F_GETFD takes no argument and harms no descriptor, open or not.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags != -1 && flags & libc::FD_CLOEXEC == 0
}

/// After the exec: how many descriptors are open that are not in the list `known`.
fn inherited(known: &str) -> u8 {
    let known: Vec<libc::c_int> = known.split(',').filter_map(|n| n.parse().ok()).collect();
    let open = (0..DESCRIPTORS).filter(|fd| survives_exec(*fd) && !known.contains(fd)).count();
    u8::try_from(open).unwrap_or(u8::MAX).min(100)
}
