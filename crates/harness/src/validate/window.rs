//! The stress and the sweep of the windows of a library.
//!
//! Beside the window's own check, each execution is asked: did the handler run once and return
//! ([`Stage::another`]), was `errno` kept, are mask, dispositions and descriptors as they were, and, of a
//! window with a digest, is its result that of one of the two orders of window and signal.

use std::sync::mpsc;
use std::thread;

use sigproof_inspect::refusal::Refusal;
use sigproof_osnote::Backends;
use sigproof_osnote::foreign::current;
use sigproof_osnote::foreign::library::{Description, Window as Said};
use sigproof_osnote::foreign::window::ForeignWindow;
use sigproof_report::Outcome;
use sigproof_shim::native::atomic::{AtomicBool, AtomicU64, Ordering};
use sigproof_shim::sync::Arc;
use sigproof_step::thread_id;

use super::stack::Painted;
use super::{asleep, guard};
use crate::attempt::Attempt;
use crate::case::Case;
use crate::failure::Failure;
use crate::forked::{Entry, Stage, Window};
use crate::inject::Fault;
use crate::page::{LEFT_BY_A_JUMP, Page};
use crate::setup::Setup;

pub static CASE: LibraryWindow = LibraryWindow;

/// See the module.
#[derive(Debug)]
pub struct LibraryWindow;

/// Its name, and that of the windows. A setup's flavour is the library's name of the window.
pub const NAME: &str = "library-window";

/// The only window of a setup.
const WINDOW: &str = "window";

impl Case for LibraryWindow {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a signal handler interrupts a window"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        current::described().into_iter().flat_map(setups).collect()
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        let played = Played::make(attempt.page, setup)?;
        let mut injector = attempt.injector({
            let played = Arc::clone(&played);
            move || played.handler()
        })?;
        // Large enough for a handler whose stack the sweep measures.
        let _painted = Painted::install()?;
        let helper = Helper::start(&played, attempt.page)?;
        // After the timer, which may open a descriptor.
        let before = guard::descriptors();
        let around = guard::Around::now();
        for _ in attempt.rounds() {
            played.prepare()?;
            let code = injector.round(|| helper.around(|| played.window.window()))?;
            injector.settle();
            if !attempt.page.handlers_returned() {
                return Err(Failure::new(Outcome::Crash, LEFT_BY_A_JUMP));
            }
            helper.failed()?;
            played.check(code, None)?;
            around.changed_by("window").map_or(Ok(()), Err)?;
        }
        let now = guard::descriptors();
        if now != before {
            let detail =
                format!("descriptors {:?} were open before, {:?} after", guard::numbers(before), guard::numbers(now));
            return Err(Failure::new(Outcome::DescriptorLeak, detail));
        }
        Ok(())
    }

    fn hidden(&self) -> bool {
        true
    }
}

fn setups(described: &'static Description) -> impl Iterator<Item = Setup> {
    described.windows.iter().map(|window| Setup::fixed().flavour(window.name.as_str()))
}

/// The windows of this library.
pub(super) fn entries(described: &'static Description) -> Vec<Entry> {
    let object = described.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let entry = |setup: Setup| {
        let of = setup.clone();
        let window = Window::new(WINDOW, move |stage| play(&of, stage));
        let said = described.windows.iter().find(|said| Some(said.name.as_str()) == setup.flavour);
        let window = window.measured(object.clone(), said.is_none_or(|said| !said.forbids_allocation()));
        Entry { name: NAME, hidden: true, lacks: None, setup, window }
    };
    setups(described).map(entry).collect()
}

/// A window of the library in this process.
struct Played {
    window: ForeignWindow,
    said: &'static Said,
    of_handler: &'static [&'static str],
}

impl Played {
    fn make(page: &'static Page, setup: &Setup) -> Result<Arc<Self>, Failure> {
        guard::begin(page)?;
        let library = super::loaded()?;
        let windows = &library.description.windows;
        let at = windows.iter().position(|window| Some(window.name.as_str()) == setup.flavour);
        let made = at.and_then(|at| Some((ForeignWindow::make(library, at)?, &windows[at])));
        let Some((window, said)) = made else {
            return Err(Failure::new(Outcome::Crash, "the library has no such window"));
        };
        Ok(Arc::new(Self { window, said, of_handler: guard::sentences("handler") }))
    }

    fn prepare(&self) -> Result<(), Failure> {
        must("prepare", self.window.prepare())
    }

    fn handler(&self) -> Result<(), Fault> {
        match self.window.handler() {
            0 => Ok(()),
            code => Err(Fault { outcome: Outcome::Crash, detail: guard::sentence(self.of_handler, code) }),
        }
    }

    fn helper(&self) -> Result<(), Failure> {
        must("helper", self.window.helper())
    }

    /// What came of an execution whose window returned this. `orders`: the digests of the two orders.
    fn check(&self, code: libc::c_int, orders: Option<&[String; 2]>) -> Result<(), Failure> {
        must("window", code)?;
        let checked = self.window.check();
        let failed = |detail: String| Err(Failure::new(Outcome::CorruptRecord, detail));
        match (checked.errno, orders) {
            (0, Some([before, after])) if checked.why != *before && checked.why != *after => failed(format!(
                "not atomic: the result is '{}'; a signal before the whole window gives '{before}', one after it \
                 '{after}'",
                checked.why
            )),
            (0, _) => Ok(()),
            (errno, _) if checked.why.is_empty() => {
                failed(format!("check returned {}, and no sentence", guard::returned(errno)))
            }
            (..) => failed(checked.why),
        }
    }

    /// The digest of an execution in which `first` comes before `second`.
    fn digest(&self, helper: &Helper, handler_first: bool) -> Result<String, Failure> {
        self.prepare()?;
        let handle = || must("handler", self.window.handler());
        if handler_first {
            handle()?;
        }
        let code = helper.around(|| self.window.window());
        helper.failed()?;
        if !handler_first {
            handle()?;
        }
        must("window", code)?;
        let checked = self.window.check();
        if checked.errno != 0 {
            let order = if handler_first { "before" } else { "after" };
            let detail = format!("with the signal {order} the whole window, the check fails: {}", checked.why);
            return Err(Failure::new(Outcome::CorruptRecord, detail));
        }
        Ok(checked.why)
    }
}

fn must(function: &str, code: libc::c_int) -> Result<(), Failure> {
    match code {
        0 => Ok(()),
        code => Err(Failure::new(Outcome::Crash, format!("{function} returned {}", guard::returned(code)))),
    }
}

/// The window on a stage.
fn play(setup: &Setup, stage: &mut Stage) -> Result<(), Failure> {
    let played = Played::make(stage.page(), setup)?;
    let orders = if played.said.has_digest() { Some(orders(&played, stage.page())?) } else { None };
    let handler = Arc::clone(&played);
    stage.handler(move |_| handler.handler())?;
    if played.window.helps() {
        let helper = Arc::clone(&played);
        stage.helper(move || helper.helper())?;
    }
    // An engine without ptrace has its own handler on the same stack.
    let mut painted = if stage.steps_itself() { None } else { Some(Painted::install()?) };
    let around = guard::Around::now();
    while stage.another()? {
        played.prepare()?;
        let code = stage.window(|| played.window.window());
        if let Some(painted) = &mut painted {
            painted.note(stage.page());
        }
        // Without a signal the result is that of neither order.
        played.check(code, orders.as_ref().filter(|_| stage.handled() > 0))?;
        around.changed_by("window").map_or(Ok(()), Err)?;
    }
    Ok(())
}

/// The digests of the signal before the whole window, and after it.
fn orders(played: &Arc<Played>, page: &'static Page) -> Result<[String; 2], Failure> {
    let helper = Helper::start(played, page)?;
    let orders = [played.digest(&helper, true)?, played.digest(&helper, false)?];
    helper.end();
    Ok(orders)
}

/// A thread that calls the window's helper where nobody tells it when: it looks whether the window's thread
/// sleeps.
struct Helper {
    shared: Option<Arc<Looks>>,
    go: Option<mpsc::Sender<()>>,
    rests: Option<mpsc::Receiver<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What both threads know.
struct Looks {
    target: u32,
    /// Odd while the target is in its window.
    turn: AtomicU64,
    failure: std::sync::Mutex<Option<Failure>>,
    ended: AtomicBool,
}

impl Helper {
    fn start(played: &Arc<Played>, page: &'static Page) -> Result<Self, Failure> {
        if !played.window.helps() {
            return Ok(Self { shared: None, go: None, rests: None, thread: None });
        }
        let shared = Arc::new(Looks {
            target: thread_id(),
            turn: AtomicU64::new(0),
            failure: std::sync::Mutex::new(None),
            ended: AtomicBool::new(false),
        });
        let (go, gone) = mpsc::channel();
        let (tell, rests) = mpsc::channel();
        let (looks, played) = (Arc::clone(&shared), Arc::clone(played));
        let body = move || {
            while gone.recv().is_ok() && !looks.ended.load(Ordering::Relaxed) {
                if looks.wait(page)
                    && let (Err(failure), Ok(mut kept)) = (played.helper(), looks.failure.lock())
                {
                    *kept = Some(failure);
                }
                // The receiver ends with the process.
                let _ = tell.send(());
            }
        };
        let thread = thread::Builder::new().name("helper".to_owned()).spawn(body);
        let thread = thread.map_err(|error| Refusal::thread(&error))?;
        Ok(Self { shared: Some(shared), go: Some(go), rests: Some(rests), thread: Some(thread) })
    }

    /// Runs a window. The helper acts once, if the window sleeps.
    fn around(&self, window: impl FnOnce() -> libc::c_int) -> libc::c_int {
        let (Some(shared), Some(go), Some(rests)) = (&self.shared, &self.go, &self.rests) else { return window() };
        shared.turn.fetch_add(1, Ordering::Release);
        // The receiver ends with the process.
        let _ = go.send(());
        let code = window();
        shared.turn.fetch_add(1, Ordering::Release);
        // What the helper does belongs to this execution.
        let _ = rests.recv();
        code
    }

    /// What the helper has failed with.
    fn failed(&self) -> Result<(), Failure> {
        let failure = self.shared.as_ref().and_then(|shared| shared.failure.lock().ok()?.take());
        failure.map_or(Ok(()), Err)
    }

    /// Ends the thread.
    fn end(mut self) {
        if let Some(shared) = &self.shared {
            shared.ended.store(true, Ordering::Relaxed);
        }
        self.go = None;
        if let Some(thread) = self.thread.take() {
            // It has panicked, or it has not; nothing rests on it any more.
            let _ = thread.join();
        }
    }
}

impl Looks {
    /// Waits until the target sleeps in its window and no handler runs. Not, if the window is over, or if the
    /// target sleeps in its handler: then nothing helps, and the parent sees it.
    fn wait(&self, page: &Page) -> bool {
        let turn = self.turn.load(Ordering::Acquire);
        let mut stuck = 0;
        while turn % 2 == 1 && self.turn.load(Ordering::Acquire) == turn {
            if !asleep::wait(self.target) {
                continue;
            }
            if !page.in_handler() {
                return self.turn.load(Ordering::Acquire) == turn;
            }
            stuck += 1;
            if stuck > 100 {
                return false;
            }
        }
        false
    }
}
