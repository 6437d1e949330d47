//! Windows: pieces of code of this program, swept by [`sigproof_step`] in forks of it.
//!
//! ```text
//!  xtask step ──► [child process] worker ──► sigproof_step::sweep ──► [its child] stage ──► case
//! ```
//!
//! A *window* is a piece of code between two marks: a note's sleep, a buffer's write. Cases bring their
//! windows ([`Case::windows`](crate::case::Case::windows)); a [registry](crate::registry) may have others.
//! [`Entry`] is the [`Subject`] that a window is to the engines.
//!
//! | file | holds |
//! |---|---|
//! | this one | window and entry |
//! | `stage` | the side of the process that is interrupted: helper, bystander, bookkeeping |
//! | [`worker`] | the process that sweeps: orders and events |

#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there is no engine that would use it"))]

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::thread;

use sigproof_inspect::hang::Stuck;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::seen::Step;
use sigproof_report::{Expected, Finding, Outcome, Run, Seen, SetupId, Technique};
use sigproof_shim::native::atomic::{AtomicU8, AtomicU64, Ordering};
use sigproof_step::{
    Ended, Interrupted, Notes, OnlyThread, PANICKED, Probe, Slate, Subject, Trouble, engine, leave, slate,
};

use crate::failure::Failure;
use crate::inject;
use crate::page::{Page, Shared};
use crate::setup::Setup;
use crate::supervise::judge::{self, End};

mod stage;
pub mod worker;

pub use stage::Stage;

/// What a window's process does: it makes the tested objects, then runs the window again and again, as long
/// as the stage says [`another`](Stage::another).
pub type Play = Arc<dyn Fn(&mut Stage) -> Result<(), Failure> + Send + Sync>;

/// A piece of code, and what may interrupt it.
#[derive(Clone)]
pub struct Window {
    /// Its name among the windows of a setup: `sleep`, `write`.
    pub name: &'static str,
    /// What is run.
    pub(crate) play: Play,
    /// Whom the signal hits.
    pub(crate) interrupted: Interrupted,
    /// Whether the handler lets a second signal in, which is then swept over the handler's own instructions.
    pub(crate) nests: bool,
    /// Whether the others are held again once the signal has let them go.
    pub(crate) alone: bool,
    /// The expected outcomes, if they differ from those of the setup.
    pub(crate) expected: Option<Expected>,
    /// The object that has the handler's code, and whether the handler may allocate: see
    /// [`Window::measured`].
    pub(crate) measured: Option<(String, bool)>,
}

impl Window {
    /// A window whose own thread is interrupted, by one signal.
    pub fn new(name: &'static str, play: impl Fn(&mut Stage) -> Result<(), Failure> + Send + Sync + 'static) -> Self {
        Self {
            name,
            play: Arc::new(play),
            interrupted: Interrupted::Target,
            nests: false,
            alone: false,
            expected: None,
            measured: None,
        }
    }

    /// The signal hits another thread, while the one in the window is held at the boundary.
    #[must_use]
    pub fn on_bystander(mut self) -> Self {
        self.interrupted = Interrupted::Bystander;
        self
    }

    /// The handler masks nothing: a second signal is swept over its instructions.
    #[must_use]
    pub fn nests(mut self) -> Self {
        self.nests = true;
        self
    }

    /// Once the signal has released the other threads and they rest, they are held again: the target runs
    /// alone to the end of the window.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// The handler, whose code is in the object of this file name, is stepped through at every boundary: its
    /// instructions are counted, and a call of the allocator or of a lock's function is a bad outcome unless
    /// it `may_allocate`.
    #[must_use]
    pub fn measured(mut self, object: impl Into<String>, may_allocate: bool) -> Self {
        self.measured = Some((object.into(), may_allocate));
        self
    }

    /// Replaces the expected outcomes of the setup.
    #[must_use]
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }
}

/// The functions of the allocator, as C libraries name them.
const ALLOCATOR: [&str; 20] = [
    "malloc",
    "__libc_malloc",
    "__libc_malloc2",
    "free",
    "cfree",
    "__libc_free",
    "calloc",
    "__libc_calloc",
    "realloc",
    "__libc_realloc",
    "reallocarray",
    "posix_memalign",
    "__posix_memalign",
    "aligned_alloc",
    "memalign",
    "__libc_memalign",
    "valloc",
    "_int_malloc",
    "_int_free",
    "malloc_usable_size",
];

/// The functions that take a lock, and wait for it.
const LOCKS: [&str; 15] = [
    "pthread_mutex_lock",
    "pthread_mutex_timedlock",
    "pthread_mutex_clocklock",
    "pthread_rwlock_rdlock",
    "pthread_rwlock_wrlock",
    "pthread_spin_lock",
    "pthread_cond_wait",
    "pthread_cond_timedwait",
    "pthread_once",
    "mtx_lock",
    "call_once",
    "flockfile",
    "IO_flockfile",
    "lll_lock_wait",
    "lll_lock_wait_private",
];

/// What is forbidden to a handler that allocates nothing and takes no lock, if this function of a C library
/// is of that kind.
fn forbidden_in_handler(function: &str) -> Option<&'static str> {
    // A C library calls its own functions by internal names.
    let plain = function.trim_start_matches("__GI_").trim_start_matches('_');
    match function {
        _ if ALLOCATOR.contains(&function) || ALLOCATOR.contains(&plain) => Some("allocates nothing"),
        _ if LOCKS.contains(&plain) => Some("takes no lock"),
        _ => None,
    }
}

/// A window under its name.
#[derive(Clone)]
pub struct Entry {
    /// The case, or the name of a window that belongs to none.
    pub name: &'static str,
    /// Whether only its exact name chooses it: it tests the tool.
    pub hidden: bool,
    /// What this machine lacks for it, whatever the engine: the reason and the remedy.
    pub lacks: Option<String>,
    /// Which way to run it.
    pub setup: Setup,
    pub window: Window,
}

impl Entry {
    /// The outcomes that must and may occur.
    pub fn expected(&self) -> &Expected {
        self.window.expected.as_ref().unwrap_or(&self.setup.expected)
    }

    /// The identity of its setup.
    pub fn id(&self) -> SetupId {
        self.setup.id(self.name)
    }

    /// Its identity as text: `darwin-sigqueue-note/broken/sema@receive`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.id(), self.window.name)
    }
}

impl Subject for Entry {
    fn label(&self) -> String {
        Self::label(self)
    }

    fn run(&self) -> Run {
        let step = Step { window: Some(self.window.name.to_owned()), ..Step::default() };
        let run = Run::new(Technique::Step, self.id(), self.expected().clone());
        Run { seen: Seen::Step(Box::new(step)), ..run }
    }

    fn interrupted(&self) -> Interrupted {
        self.window.interrupted
    }

    fn nests(&self) -> bool {
        self.window.nests
    }

    fn alone(&self) -> bool {
        self.window.alone
    }

    fn handler_object(&self) -> Option<&str> {
        self.window.measured.as_ref().map(|(object, _)| object.as_str())
    }

    fn forbids(&self, function: &str) -> Option<String> {
        let (_, may_allocate) = self.window.measured.as_ref()?;
        let said = forbidden_in_handler(function).filter(|_| !may_allocate)?;
        Some(format!("the handler calls {function}, though it says that it {said}"))
    }

    fn handler_stack(&self) -> Option<u64> {
        let most = page().ok()?.handler_stack.load(Ordering::Relaxed);
        (most > 0).then_some(most)
    }

    fn signal(&self) -> libc::c_int {
        inject::SIGNAL
    }

    fn notes(&self) -> io::Result<&'static dyn Notes> {
        let page = page()?;
        page.reset();
        Ok(page)
    }

    /// The target is a thread of its own, so that its memory comes from an arena of its own: what the
    /// sweeping process has allocated before the fork leaves no trace in the allocator's path.
    fn perform(&self, slate: &'static Slate) -> ! {
        let Ok(page) = page() else { leave(PANICKED) };
        thread::scope(|scope| {
            let target = thread::Builder::new().name("target".to_owned());
            let target = target.spawn_scoped(scope, || {
                match panic::catch_unwind(AssertUnwindSafe(|| play(&self.window, page, slate))) {
                    Ok(Ok(())) => page.set_done(),
                    Ok(Err(failure)) => page.conclude(Err(failure)),
                    Err(_) => leave(PANICKED),
                }
                leave(0)
            });
            match target {
                // It ends the process.
                Ok(target) => drop(target.join()),
                Err(error) => {
                    page.conclude(Err(Refusal::thread(&error).into()));
                    leave(0);
                }
            }
        });
        leave(PANICKED)
    }

    fn ended(&self, status: ExitStatus) -> Result<Ended, Trouble> {
        let page = page().map_err(|error| Trouble::System { call: "mapping shared memory", error })?;
        Ok(match judge::judge(page.state(), status, String::new) {
            (End::Outcome(outcome), finding) => {
                let detail = finding.as_ref().map(|finding| finding.sentence.clone()).unwrap_or_default();
                Ended { outcome, detail, finding, presumed: false }
            }
            (End::Unsupported(why), _) => return Err(Trouble::Refused(why)),
            (End::Abandoned, _) => {
                Ended { outcome: Outcome::Crash, detail: String::new(), finding: None, presumed: false }
            }
        })
    }

    fn stuck(&self, stuck: Stuck) -> (Outcome, String) {
        let in_handler = page().is_ok_and(Page::in_handler);
        let (outcome, what) = judge::undiagnosed(in_handler, stuck);
        (outcome, what.to_owned())
    }

    fn diagnosed(&self, pid: u32, stuck: Stuck) -> (Outcome, Finding) {
        // The first thread does nothing but wait for the target.
        judge::explain(pid, page().is_ok_and(Page::in_handler), stuck, Some(pid))
    }
}

impl Notes for Page {
    fn armed(&self) -> &AtomicU64 {
        &self.armed
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    fn signals_idle(&self) -> bool {
        Self::signals_idle(self)
    }

    fn in_handler(&self) -> bool {
        Self::in_handler(self)
    }

    fn progress(&self) -> u64 {
        Self::progress(self)
    }

    fn memory(&self) -> &[AtomicU8] {
        self.bytes()
    }

    unsafe fn put_back(&self, kept: &[u8]) {
        // The most of all children.
        let most = self.handler_stack.load(Ordering::Relaxed);
        // SAFETY: by the caller's promise nobody uses the page.
        unsafe { slate::put_back(self.bytes(), kept) };
        self.handler_stack.store(most, Ordering::Relaxed);
    }
}

/// The page that all children of this process have, one after the other.
fn page() -> io::Result<&'static Page> {
    static MADE: OnceLock<&Page> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made);
    }
    let page = Shared::create()?.0.leak();
    Ok(MADE.get_or_init(|| page))
}

fn play(window: &Window, page: &'static Page, slate: &'static Slate) -> Result<(), Failure> {
    let mut stage = Stage::new(page, slate, window)?;
    page.set_running();
    (window.play)(&mut stage)
}

/// Tries every engine on a window of a few instructions.
pub fn engines(only: OnlyThread) -> Vec<Probe> {
    engine::probe(&nothing(), only)
}

/// A window of a few instructions, on which engines are tried.
fn nothing() -> Entry {
    let window = Window::new("nothing", |stage| {
        stage.handler(|_| Ok(()))?;
        while stage.another()? {
            stage.window(|| {
                for n in 0..4_u64 {
                    core::hint::black_box(n);
                }
            });
        }
        Ok(())
    });
    Entry { name: "probe", hidden: true, lacks: None, setup: Setup::fixed(), window }
}
