//! The child's side of one attempt.
//!
//! A worker is this same executable, started anew: one attempt, one process. It gets its order as an argument
//! and the shared page as its standard input, writes the outcome on the page, and exits. It does not outlive
//! its parent: on Linux the kernel sees to that (`PR_SET_PDEATHSIG`), elsewhere a thread that waits for the
//! end of a pipe which the parent holds as the child's standard output.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use sigproof_shim::native::atomic::Ordering;

use crate::attempt::{Attempt, EXIT_ORDER};
use crate::case::Case;
use crate::failure::Failure;
use crate::inject::{self, Delivery};
use crate::page::{Page, Shared};
use crate::registry::Registry;
use crate::setup::Setup;
use sigproof_inspect::process::take_own_name;
use sigproof_report::{Expected, Grade, Outcome, SetupId};

pub(crate) mod leash;
pub(crate) mod starts;

pub use starts::start_by;

/// Ends this process with its parent, the process of this number.
///
/// # Errors
/// The machine refuses it, or the parent has ended.
pub fn tie_to(parent: u32) -> io::Result<()> {
    leash::tie_by_orders(parent)
}

/// The first argument that makes an executable a worker.
pub const VERB: &str = "__worker";

/// The second argument of a process that a case has started itself.
const OF_CASE: &str = "--of-case";

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which setup.
    pub setup: SetupId,
    /// Whether the setup may end in a hang: a spin then counts as one earlier.
    pub may_hang: bool,
    /// The seed of everything random in it.
    pub seed: u64,
    /// How many rounds.
    pub rounds: u64,
    /// How signals are sent.
    pub delivery: Delivery,
    /// The process that gave the order.
    pub parent: u32,
}

impl Order {
    /// The order for a setup of a case.
    pub fn new(case: &dyn Case, setup: &Setup, delivery: Delivery, rounds: u64, seed: u64) -> Self {
        Self {
            setup: setup.id(case.name()),
            may_hang: expects_a_hang(&setup.expected),
            seed,
            rounds,
            delivery,
            parent: std::process::id(),
        }
    }
}

/// Whether one of the outcomes that are expected is a hang.
fn expects_a_hang(expected: &Expected) -> bool {
    const HANGS: [Outcome; 4] = [Outcome::Livelock, Outcome::SelfDeadlock, Outcome::CrossDeadlock, Outcome::LostWakeup];
    HANGS.iter().any(|hang| expected.grade(*hang) != Grade::Never)
}

/// The worker's whole life. `args` are the arguments after [`VERB`].
pub fn main(registry: &Registry, args: impl Iterator<Item = OsString>) -> ExitCode {
    take_own_name();
    let mut args = args.peekable();
    if args.next_if(|first| first == OF_CASE).is_some() {
        return ExitCode::from(child_of_case(registry, args));
    }
    match run(registry, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sigproof worker: {error}");
            ExitCode::from(EXIT_ORDER)
        }
    }
}

/// The arguments for a process that a case starts itself: this executable then runs [`Case::child`].
pub fn of_case(case: &str, argument: &str) -> [String; 4] {
    [VERB, OF_CASE, case, argument].map(str::to_owned)
}

fn child_of_case(registry: &Registry, args: impl Iterator<Item = OsString>) -> u8 {
    let words: Vec<String> = args.filter_map(|word| word.into_string().ok()).collect();
    match &words[..] {
        [case, argument] => registry.find(case).map_or(EXIT_ORDER, |case| case.child(argument)),
        _ => EXIT_ORDER,
    }
}

fn run(registry: &Registry, mut args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let text =
        args.next().ok_or_else(|| invalid("started without an order; it is not meant to be started by hand".into()))?;
    let order: Order = serde_json::from_str(&text.to_string_lossy()).map_err(|e| invalid(format!("bad order: {e}")))?;
    // SAFETY: descriptor 0 is open (the parent made it the page) and owned by nothing else in this process,
    // which never reads its input.
    let input = unsafe { File::from_raw_fd(0) };
    let page = Shared::open(&input)?.leak();
    core::mem::forget(input);
    let (case, setup) =
        registry.setup(&order.setup).ok_or_else(|| invalid(format!("no such case or setup: {order:?}")))?;
    page.conclude(attempt(page, &order, case, &setup));
    Ok(())
}

/// The attempt and its preparation. From here on, the page holds the outcome.
fn attempt(page: &'static Page, order: &Order, case: &dyn Case, setup: &Setup) -> Result<(), Failure> {
    leash::tie(order.parent)?;
    inject::shield()?;
    let attempt = Attempt { page, rounds: order.rounds, seed: order.seed, delivery: order.delivery };
    page.set_running();
    case.attempt(setup, &attempt)?;
    errno_kept(page)
}

fn errno_kept(page: &Page) -> Result<(), Failure> {
    match page.errno_spoiled.load(Ordering::Acquire) {
        0 => Ok(()),
        n => Err(Failure::new(Outcome::ErrnoSpoiled, format!("{n} handlers left errno changed"))),
    }
}
