//! The stress and the sweeps of a library's note.
//!
//! | window | what runs | the handler | the helper |
//! |---|---|---|---|
//! | `sleep` | a sleep, to its return | wakes the sleeper, if it is not woken yet | the same |
//! | `timed-sleep` | a sleep with a time that is not over | the same | the same |
//! | `timed-out` | a sleep whose time is over at once | wakes | - |
//! | `wakeup` | a wake-up | wakes again | - |
//! | `clear` | a clear after a sleep | wakes | - |
//! | `bystander` | a sleep | wakes in another thread, the sleeper held at a boundary | wakes |
//!
//! What is expected is that all goes well, whatever the library claims: the comparison with the claim is
//! [`verdict`](super::verdict)'s.

use sigproof_osnote::foreign::current;
use sigproof_osnote::foreign::note::ForeignNote;
use sigproof_osnote::{Backend, Backends};
use sigproof_report::Outcome;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::sync::Arc;

use super::guard;
use crate::attempt::Attempt;
use crate::case::Case;
use crate::failure::Failure;
use crate::forked::{Entry, Stage, Window};
use crate::inject::{Fault, Rescue};
use crate::setup::Setup;

pub static CASE: LibraryNote = LibraryNote;

/// See the module.
#[derive(Debug)]
pub struct LibraryNote;

/// Its name, and that of the windows.
pub const NAME: &str = "library-note";

/// The time of a timed sleep that is woken, in nanoseconds: the helper wakes much earlier, once it may. A
/// whole second: added to a clock, its fraction carries nothing, so that the path is the same each time.
const LONG: u64 = 1_000_000_000;

impl Case for LibraryNote {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a signal handler wakes the note that its own thread goes to sleep on"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    fn setups(&self, notes: Backends) -> Vec<Setup> {
        super::backend_of(notes).map(|note| Setup::fixed().note(note)).into_iter().collect()
    }

    fn attempt(&self, _setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        guard::begin(attempt.page)?;
        let bell = Bell::new()?;
        let mut injector = attempt.injector({
            let bell = Arc::clone(&bell);
            move || bell.ring()
        })?;
        let mut rescue = Rescue::start({
            let bell = Arc::clone(&bell);
            move || if bell.rung.load(Ordering::Relaxed) { Ok(false) } else { bell.ring().map(|()| true) }
        })?;
        for _ in attempt.rounds() {
            bell.arm()?;
            let code = rescue.around(attempt.page, || injector.round(|| bell.note.call_sleep()))??;
            bell.slept(code)?;
            injector.settle();
        }
        Ok(())
    }

    fn hidden(&self) -> bool {
        true
    }
}

/// The windows of the note in this list.
pub(super) fn entries(notes: Backends) -> Vec<Entry> {
    let Some(backend) = super::backend_of(notes) else { return Vec::new() };
    let timed = backend.timed_sleep.then(|| {
        [
            Window::new("timed-sleep", |stage| sleep(stage, |note| note.call_sleep_timeout(LONG).unwrap_or_default())),
            Window::new("timed-out", timed_out),
        ]
    });
    let windows = [Window::new("sleep", |stage| sleep(stage, ForeignNote::call_sleep))];
    let rest = [
        Window::new("wakeup", wakeup),
        Window::new("clear", clear),
        Window::new("bystander", |stage| sleep(stage, ForeignNote::call_sleep)).on_bystander(),
    ];
    windows.into_iter().chain(timed.into_iter().flatten()).chain(rest).map(|window| entry(backend, window)).collect()
}

fn entry(backend: &'static Backend, window: Window) -> Entry {
    Entry { name: NAME, hidden: true, lacks: None, setup: Setup::fixed().note(backend), window }
}

/// A note that is woken by whoever comes first.
struct Bell {
    note: ForeignNote,
    rung: AtomicBool,
    said: &'static [&'static str],
}

impl Bell {
    fn new() -> Result<Arc<Self>, Failure> {
        let library = super::loaded()?;
        let note = ForeignNote::new(library)?;
        Ok(Arc::new(Self { note, rung: AtomicBool::new(false), said: guard::sentences("wakeup") }))
    }

    /// Before an execution.
    fn arm(&self) -> Result<(), Failure> {
        self.rung.store(false, Ordering::Relaxed);
        must("clear", self.note.call_clear())
    }

    /// Wakes, if nobody has. In a handler, and elsewhere.
    fn ring(&self) -> Result<(), Fault> {
        if self.rung.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.handled(self.note.call_wakeup(), false)
    }

    /// Wakes, whoever has. In a handler.
    fn ring_again(&self) -> Result<(), Fault> {
        self.rung.store(true, Ordering::Relaxed);
        self.handled(self.note.call_wakeup(), true)
    }

    fn handled(&self, code: libc::c_int, again: bool) -> Result<(), Fault> {
        match code {
            0 => Ok(()),
            libc::EALREADY if again => Ok(()),
            libc::EALREADY => Err(Fault {
                outcome: Outcome::DoubleWakeup,
                detail: "wakeup returned EALREADY, though it was the first one since the last clear",
            }),
            code => Err(Fault { outcome: Outcome::Crash, detail: guard::sentence(self.said, code) }),
        }
    }

    /// After a sleep that returned this.
    fn slept(&self, code: libc::c_int) -> Result<(), Failure> {
        must("sleep", code)?;
        if self.rung.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Failure::new(Outcome::SpuriousWakeup, "the sleep returned before anybody had called wakeup"))
    }

    /// After a timed sleep that returned this: a wake-up was returned, or it stays for the next sleep.
    fn slept_timed(&self, code: libc::c_int) -> Result<(), Failure> {
        if code != libc::ETIMEDOUT {
            return self.slept(code);
        }
        if !self.rung.load(Ordering::Relaxed) || self.note.call_sleep_timeout(0) == Some(0) {
            return Ok(());
        }
        let detail = "the timed sleep returned ETIMEDOUT, and the wake-up that came meanwhile is lost";
        Err(Failure::new(Outcome::LostWakeup, detail))
    }
}

fn must(function: &str, code: libc::c_int) -> Result<(), Failure> {
    match code {
        0 => Ok(()),
        code => Err(Failure::new(Outcome::Crash, format!("{function} returned {}", guard::returned(code)))),
    }
}

/// A bell on the stage, with what the handler does.
fn begin(stage: &mut Stage, again: bool) -> Result<Arc<Bell>, Failure> {
    guard::begin(stage.page())?;
    let bell = Bell::new()?;
    let handler = Arc::clone(&bell);
    stage.handler(move |_| if again { handler.ring_again() } else { handler.ring() })?;
    Ok(bell)
}

fn sleep(stage: &mut Stage, how: impl Fn(&ForeignNote) -> libc::c_int) -> Result<(), Failure> {
    let bell = begin(stage, false)?;
    let helper = Arc::clone(&bell);
    stage.helper(move || Ok(helper.ring()?))?;
    while stage.another()? {
        bell.arm()?;
        let code = stage.window(|| how(&bell.note));
        bell.slept_timed(code)?;
    }
    Ok(())
}

fn timed_out(stage: &mut Stage) -> Result<(), Failure> {
    let bell = begin(stage, false)?;
    while stage.another()? {
        bell.arm()?;
        let code = stage.window(|| bell.note.call_sleep_timeout(1)).unwrap_or_default();
        bell.slept_timed(code)?;
    }
    Ok(())
}

fn wakeup(stage: &mut Stage) -> Result<(), Failure> {
    let bell = begin(stage, true)?;
    while stage.another()? {
        bell.arm()?;
        match stage.window(|| bell.note.call_wakeup()) {
            0 | libc::EALREADY => {}
            code => must("wakeup", code)?,
        }
        must("sleep", bell.note.call_sleep())?;
    }
    Ok(())
}

fn clear(stage: &mut Stage) -> Result<(), Failure> {
    let bell = begin(stage, true)?;
    while stage.another()? {
        bell.arm()?;
        must("wakeup", bell.note.call_wakeup())?;
        must("sleep", bell.note.call_sleep())?;
        let code = stage.window(|| bell.note.call_clear());
        must("clear", code)?;
        // A wake-up that interrupted it is forgotten now, and the note works.
        must("clear", bell.note.call_clear())?;
        must("wakeup", bell.note.call_wakeup())?;
        must("sleep", bell.note.call_sleep())?;
    }
    Ok(())
}

/// Whether a library's note claims that a handler may wake it.
pub fn claims_safety() -> bool {
    current::described().and_then(|described| described.note.as_ref()).is_some_and(|said| said.claims_safety())
}
