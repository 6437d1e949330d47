//! The side of the process that is interrupted: what a window's play is given.
//!
//! ```text
//! target      set up ── another ── prepare ── | window | ── check ── another ── ..
//!                                             ^mark    ^mark
//! helper      waits ........................... acts, once the target sleeps
//! bystander   waits ....................... its handler runs, the target held at a boundary   (if it is the one that is interrupted)
//! others      held until the signal comes, or the target sleeps; then free
//! ```
//!
//! Between the marks nothing runs but the window, the handlers, and what was let go. `another` tells whether
//! all that was sent was handled, exactly once, whether a handler left `errno` changed, and whether the table
//! of descriptors is what it was.
//!
//! Helper and bystander wait for a *signal* of the sweeping process, not on memory or a descriptor that it
//! shares: so that to [`hang`](sigproof_inspect::hang), which knows what others could wake, they are asleep
//! for good.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use sigproof_shim::native::atomic::{Ordering, compiler_fence};

use sigproof_step::slate::OTHERS;
use sigproof_step::{GO_ON, Interrupted, OVER, Slate, itself, leave, mark, thread_id};

use super::Window;
use crate::failure::Failure;
use crate::inject::{self, Fault};
use crate::page::Page;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::Outcome;

/// The descriptors that are looked at, from 0 on.
const DESCRIPTORS: libc::c_int = 64;

/// What a window's process has.
#[derive(Debug)]
pub struct Stage {
    page: &'static Page,
    slate: &'static Slate,
    interrupted: Interrupted,
    nests: bool,
    /// Told by the helper when it has acted.
    helped: Option<Receiver<()>>,
    calls: u64,
    /// Told by the bystander when its handler has run.
    passed: Option<Receiver<()>>,
    /// Signals accounted for in earlier executions.
    handled: u64,
    descriptors: Option<u64>,
}

impl Stage {
    /// The stage of the calling thread, the target, once it may begin.
    pub(super) fn new(page: &'static Page, slate: &'static Slate, window: &Window) -> io::Result<Self> {
        block(inject::SIGNAL)?;
        block(GO_ON)?;
        slate.target.store(thread_id(), Ordering::Relaxed);
        tell_parent()?;
        wait_for(GO_ON);
        if slate.steps_itself.load(Ordering::Relaxed) != 0 {
            itself::install(&page.armed, inject::SIGNAL, slate)?;
        }
        Ok(Self {
            page,
            slate,
            interrupted: window.interrupted,
            nests: window.nests,
            helped: None,
            calls: 0,
            passed: None,
            handled: 0,
            descriptors: None,
        })
    }

    /// The page of this process.
    pub(crate) const fn page(&self) -> &'static Page {
        self.page
    }

    /// Whether the target steps itself.
    pub(crate) fn steps_itself(&self) -> bool {
        self.slate.steps_itself.load(Ordering::Relaxed) != 0
    }

    /// Installs the handler; `body` is told how many have begun before it in this execution. Called once,
    /// before the first one.
    ///
    /// # Errors
    /// Those of `sigaction`, or of a thread that cannot be started.
    pub fn handler(&mut self, body: impl Fn(u32) -> Result<(), Fault> + Sync + 'static) -> Result<(), Failure> {
        let (page, begun) = (self.page, &self.slate.bodies);
        let body = Box::leak(Box::new(move || body(begun.fetch_add(1, Ordering::Relaxed))));
        if self.nests {
            inject::install_nesting(page, body)?
        } else {
            inject::install(page, body)?
        }
        if self.interrupted == Interrupted::Bystander {
            inject::shield()?;
            let (tell, passed) = mpsc::channel();
            let slate = self.slate;
            self.start("bystander", move |ready| {
                slate.bystander.store(thread_id(), Ordering::Relaxed);
                ready();
                loop {
                    suspend();
                    if tell.send(()).is_err() {
                        return Ok(());
                    }
                }
            })?;
            self.passed = Some(passed);
        }
        Ok(())
    }

    /// A thread that acts once in an execution, when the target sleeps and no handler runs. Called at most
    /// once, before the first execution.
    ///
    /// # Errors
    /// Those of a thread that cannot be started.
    pub fn helper(&mut self, mut act: impl FnMut() -> Result<(), Failure> + Send + 'static) -> Result<(), Failure> {
        let (tell, helped) = mpsc::channel();
        let slate = self.slate;
        self.start("helper", move |ready| {
            slate.helper.store(thread_id(), Ordering::Relaxed);
            ready();
            loop {
                wait_for(GO_ON);
                act()?;
                if tell.send(()).is_err() {
                    return Ok(());
                }
            }
        })?;
        self.helped = Some(helped);
        Ok(())
    }

    /// A thread that takes part, and is held from the beginning of a window to the signal, or to the target's
    /// sleep. Called before the first execution.
    ///
    /// # Errors
    /// Those of a thread that cannot be started, or one thread too many.
    pub fn other(
        &mut self,
        name: &'static str,
        body: impl FnOnce() -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let slate = self.slate;
        if slate.others.load(Ordering::Relaxed) as usize >= OTHERS {
            return Err(Failure::new(Outcome::Crash, format!("more than {OTHERS} other threads")));
        }
        self.start(name, move |ready| {
            let number = slate.others.fetch_add(1, Ordering::Relaxed) as usize;
            slate.other[number].store(thread_id(), Ordering::Relaxed);
            ready();
            body()
        })
    }

    fn start(
        &self,
        name: &'static str,
        body: impl FnOnce(&dyn Fn()) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let page = self.page;
        let (tell, ready): (Sender<()>, Receiver<()>) = mpsc::channel();
        let started = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let result = body(&|| {
                // The receiver is dropped only while the process exits.
                let _ = tell.send(());
            });
            if let Err(Failure { outcome, detail, .. }) = result {
                page.set_failed(outcome, &detail);
                leave(0);
            }
        });
        started.map_err(|error| Refusal::thread(&error))?;
        ready.recv().map_err(|_| Failure::new(Outcome::Crash, format!("thread {name} did not start")))
    }

    /// Ends an execution, if there was one, and says whether there is to be another.
    ///
    /// # Errors
    /// A signal that was not handled exactly once, an `errno` or a table of descriptors that is not as it
    /// was.
    pub fn another(&mut self) -> Result<bool, Failure> {
        match self.descriptors {
            Some(_) => {
                self.account()?;
                self.page.rounds.fetch_add(1, Ordering::Relaxed);
            }
            None => self.descriptors = Some(open_descriptors()),
        }
        self.slate.bodies.store(0, Ordering::Relaxed);
        if self.slate.steps_itself.load(Ordering::Relaxed) != 0 {
            tell_parent()?;
            wait_for(GO_ON);
        }
        Ok(!self.page.stopping())
    }

    fn account(&mut self) -> Result<(), Failure> {
        let called = self.slate.calls.load(Ordering::Relaxed);
        while self.calls < called {
            self.calls += 1;
            gone(self.helped.as_ref(), "helper")?;
        }
        let (page, before) = (self.page, self.handled);
        let sent = page.armed.load(Ordering::Relaxed);
        if self.passed.is_some() {
            for _ in before..sent {
                gone(self.passed.as_ref(), "bystander")?;
            }
        }
        let handled = page.ended.load(Ordering::Acquire);
        if handled != sent {
            let (handled, sent) = (handled.wrapping_sub(before), sent.wrapping_sub(before));
            // A handler has begun, and the target goes on behind the window all the same.
            if page.in_handler() {
                return Err(Failure::new(Outcome::Crash, crate::page::LEFT_BY_A_JUMP));
            }
            return Err(Failure::new(
                Outcome::CorruptRecord,
                format!("signals sent: {sent}; the handler ran {handled} times"),
            ));
        }
        self.handled = handled;
        if page.errno_spoiled.load(Ordering::Relaxed) > 0 {
            return Err(Failure::new(Outcome::ErrnoSpoiled, "the handler left errno changed"));
        }
        let (was, is) = (self.descriptors.unwrap_or_default(), open_descriptors());
        if was != is {
            let detail = format!("descriptors {:?} were open before, {:?} after", numbers(was), numbers(is));
            return Err(Failure::new(Outcome::DescriptorLeak, detail));
        }
        Ok(())
    }

    /// How often handlers have run in this execution.
    pub fn handled(&self) -> usize {
        self.slate.bodies.load(Ordering::Relaxed) as usize
    }

    /// How often handlers, and the helper, have been called on in this execution.
    pub fn acted(&self) -> usize {
        let helped = self.slate.calls.load(Ordering::Relaxed).wrapping_sub(self.calls) as usize;
        self.slate.bodies.load(Ordering::Relaxed) as usize + helped
    }

    /// The window itself: once in an execution.
    #[inline(always)]
    pub fn window<R>(&mut self, window: impl FnOnce() -> R) -> R {
        mark();
        compiler_fence(Ordering::SeqCst);
        let result = window();
        compiler_fence(Ordering::SeqCst);
        mark();
        result
    }
}

fn gone(from: Option<&Receiver<()>>, who: &str) -> Result<(), Failure> {
    let told = from.is_some_and(|from| from.recv().is_ok());
    if told { Ok(()) } else { Err(Failure::new(Outcome::Crash, format!("the {who} is gone"))) }
}

fn set_of(signal: libc::c_int) -> libc::sigset_t {
    // SAFETY: a zeroed set is an object that sigemptyset may initialise; the signal is valid.
    unsafe {
        let mut set = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        set
    }
}

fn block(signal: libc::c_int) -> io::Result<()> {
    let set = set_of(signal);
    // SAFETY: the set is initialised; the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, core::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Sleeps until this signal, which is blocked, is sent to this thread.
fn wait_for(signal: libc::c_int) {
    let set = set_of(signal);
    let mut number = 0;
    // SAFETY: the set is initialised, and the number a live local. An error other than EINTR there is not:
    // the set is valid.
    while unsafe { libc::sigwait(&raw const set, &raw mut number) } != 0 {}
}

/// Sleeps until the handler has run in this thread.
fn suspend() {
    // SAFETY: the mask is initialised by pthread_sigmask before it is changed and used.
    unsafe {
        let mut mask = core::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, core::ptr::null(), &raw mut mask);
        libc::sigdelset(&raw mut mask, inject::SIGNAL);
        libc::sigsuspend(&raw const mask);
    }
}

/// Tells the sweeping process that it is its turn.
fn tell_parent() -> Result<(), Refusal> {
    // SAFETY: no preconditions; the parent is the sweeping process, which has the signal blocked.
    let told = unsafe { libc::kill(libc::getppid(), OVER) };
    if told == 0 { Ok(()) } else { Err(Refusal::last("kill")) }
}

/// Which descriptors are open, a bit for each.
fn open_descriptors() -> u64 {
    // One call for all: a number that is no descriptor is told by POLLNVAL.
    let mut looks: [libc::pollfd; DESCRIPTORS as usize] =
        core::array::from_fn(|fd| libc::pollfd { fd: fd as libc::c_int, events: 0, revents: 0 });
    // SAFETY: the array is a live local of that length.
    unsafe { libc::poll(looks.as_mut_ptr(), looks.len() as libc::nfds_t, 0) };
    let open = looks.iter().filter(|look| look.revents & libc::POLLNVAL == 0);
    open.fold(0, |set, look| set | 1 << look.fd)
}

fn numbers(set: u64) -> Vec<libc::c_int> {
    (0..DESCRIPTORS).filter(|fd| set & 1 << fd != 0).collect()
}
