//! From the write in a signal handler to the return of the reader that it wakes.
//!
//! ```text
//!  sender      sleeps ── pthread_kill ──────────────────────── sleeps ...
//!  target      spins ────────┤ handler: clock, write, wake-up ├─ spins ...
//!  reader      sleeps on its note ─────────────────────────────┤ read returns, clock
//! ```
//!
//! The record's time is what the clock said in the handler, before the write. The sender waits until the
//! record has been read, and then for [`GAP`], so that the reader has had the time to go to sleep again;
//! whether it had announced its sleep is told by the count of wake-ups, and a record that did not wake the
//! reader is not counted.
//!
//! Invariants:
//! 1. A writer is put into [`WRITER`] before the first signal of a visit is sent, and stays until the last
//!    one has been handled: the sender waits for each record.
//! 2. One target at a time takes signals, and the handler masks its own, so that one write ends before the
//!    next begins.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use sigproof_oracle::bench::{self, Contender, DEPTH, Event, Group, Kind, Latencies, Order, RING, TAGS};
use sigproof_osnote::Backend;
use sigproof_profbuf::{EveryRecord, Read, ReadMode, Reader, Tag, Writer};
use sigproof_shim::native::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};
use sigproof_shim::native::hint;
use sigproof_shim::native::os::{clock, errno::ErrnoGuard};

use crate::contenders::{CONFIG, HEADER_WORDS, TAG};
use crate::go::Go;
use crate::notes::{self, Counting};
use crate::tell::Tell;

/// The pause between a record that was read and the next signal.
const GAP: Duration = Duration::from_micros(300);

/// How long a record may take to be read. Only a wake-up that is lost gets there.
const PATIENCE: Duration = Duration::from_secs(5);

/// The signal: the profiler's.
const SIGNAL: libc::c_int = libc::SIGPROF;

/// How many visits a pass has.
pub fn visits(drivers: &[Go]) -> usize {
    notes::usable().count() + drivers.len()
}

/// All passes.
pub fn run(drivers: &[Go], order: &Order, tell: &mut Tell) {
    if let Err(why) = install() {
        return tell.skipped(Group::Latency, "all of it", &why);
    }
    let backends: Vec<_> = notes::usable().collect();
    let all = backends.len() + drivers.len();
    let mut dead = BTreeSet::new();
    for pass in 0..order.passes {
        for turn in 0..all {
            let which = (turn + pass as usize) % all;
            let (what, visit) = match backends.get(which) {
                Some(backend) => (backend.name.to_owned(), Visit::Note(backend)),
                None => {
                    let go = &drivers[which - backends.len()];
                    (go.contender().name, Visit::Go(go))
                }
            };
            tell.begun(Group::Latency, &what, pass);
            if !dead.contains(&which) {
                match visit.perform(order.pace.signals(), pass) {
                    Ok(latencies) => tell.event(&Event::Latencies(latencies)),
                    Err(why) => {
                        tell.skipped_from(Group::Latency, &what, pass, &why);
                        dead.insert(which);
                    }
                }
            }
            tell.event(&Event::Done);
        }
    }
}

/// Who is visited.
enum Visit<'a> {
    Note(&'static Backend),
    Go(&'a Go),
}

impl Visit<'_> {
    fn perform(&self, signals: u32, pass: u32) -> Result<Latencies, String> {
        match self {
            Self::Note(backend) => {
                let nanoseconds = signalled(backend, signals)?;
                let contender = Contender { kind: Kind::Ours, name: "sleeping, woken for every record".to_owned() };
                let (asleep, records, note) = (nanoseconds.len() as u64, signals.into(), backend.name.to_owned());
                Ok(Latencies { contender, note, in_handler: true, pass, asleep, records, nanoseconds })
            }
            Self::Go(go) => {
                let gap = u64::try_from(GAP.as_nanos()).unwrap_or(0);
                let nanoseconds = go.ask(&[2, RING as u64, TAGS as u64, DEPTH as u64, signals.into(), gap])?;
                if nanoseconds == [bench::UNKNOWN] {
                    return Err("its reader is not woken for a record, but once half of the ring is unread".to_owned());
                }
                let (asleep, records, note) = (nanoseconds.len() as u64, signals.into(), "of the runtime".to_owned());
                let contender = go.contender();
                Ok(Latencies { contender, note, in_handler: false, pass, asleep, records, nanoseconds })
            }
        }
    }
}

/// Our writer.
type Shot = Writer<Counting, EveryRecord>;

/// What the handler writes to.
static WRITER: AtomicPtr<Shot> = AtomicPtr::new(core::ptr::null_mut());

/// What went wrong in the handler: 1 if a write was refused.
static REFUSED: AtomicI32 = AtomicI32::new(0);

/// What it writes.
static STACK: [u64; DEPTH] = [1; DEPTH];

fn now_ns() -> u64 {
    u64::try_from(clock::now().as_nanos()).unwrap_or(u64::MAX)
}

/// The handler. It may run anywhere in the target's loop: it allocates nothing and takes no lock; what it
/// wakes is a note whose backend says that a handler may.
extern "C" fn on_signal(_: libc::c_int) {
    let _errno = ErrnoGuard::new();
    // SAFETY: null, or valid by invariant 1. Acquire: pairs with the Release of `signalled`.
    let Some(writer) = (unsafe { WRITER.load(Ordering::Acquire).as_ref() }) else { return };
    // SAFETY: by invariant 2 this is the only write at this time; writes are ordered by the sender's wait for
    // each record.
    if unsafe { writer.write_shared(now_ns() as i64, Tag(TAG), &HEADER_WORDS, &STACK) }.is_err() {
        // Relaxed: a flag, and nothing but it.
        REFUSED.store(1, Ordering::Relaxed);
    }
}

fn install() -> Result<(), String> {
    // SAFETY: a zeroed sigaction is valid, and its mask, set to all, keeps the signal itself out of its
    // handler too (invariant 2).
    let result = unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(SIGNAL, &raw const action, core::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
}

/// What reader and target share with the sender.
#[derive(Debug, Default)]
struct Posts {
    /// The target's thread, once it spins.
    target: AtomicU64,
    /// Records read.
    read: AtomicU64,
    stop: AtomicBool,
}

/// Nanoseconds from the handler to the reader, of each signal that found it asleep.
fn signalled(backend: &Backend, signals: u32) -> Result<Vec<u64>, String> {
    let (note, wakeups) = Counting::new(backend)?;
    let (mut writer, mut reader) =
        sigproof_profbuf::new::<_, EveryRecord>(CONFIG, note).map_err(|error| error.to_string())?;
    let posts = Posts::default();
    thread::scope(|scope| {
        let taker = scope.spawn(|| take(&mut reader, &posts, &wakeups));
        let target = scope.spawn(|| spin(&posts));
        // Release: pairs with the Acquire of the handler.
        WRITER.store(&raw mut writer, Ordering::Release);
        let sent = send(&posts, signals);
        posts.stop.store(true, Ordering::Release);
        let spun = target.join();
        WRITER.store(core::ptr::null_mut(), Ordering::Release);
        // The reader gets the end of the file.
        drop(writer);
        let taken = taker.join().map_err(|_| "the reader's thread panicked")?;
        spun.map_err(|_| "the target's thread panicked")?;
        sent.and(taken)
    })
}

/// What the signals interrupt.
fn spin(posts: &Posts) {
    // SAFETY: no preconditions.
    let this = unsafe { libc::pthread_self() };
    // A pthread_t is an integer or a pointer, by platform; it goes through as its bits. Release: pairs with
    // the Acquire of `send`.
    posts.target.store(this as u64, Ordering::Release);
    while !posts.stop.load(Ordering::Acquire) {
        hint::spin_loop();
    }
}

/// Sends so many signals, each once the last one's record has been read.
fn send(posts: &Posts, signals: u32) -> Result<(), String> {
    let started = Instant::now();
    let target = loop {
        match posts.target.load(Ordering::Acquire) {
            0 if started.elapsed() > PATIENCE => return Err("the target's thread did not start".to_owned()),
            0 => thread::sleep(GAP),
            target => break target as libc::pthread_t,
        }
    };
    for signal in 0..u64::from(signals) {
        thread::sleep(GAP);
        // SAFETY: the thread spins until it is told to stop, which is after this.
        let error = unsafe { libc::pthread_kill(target, SIGNAL) };
        if error != 0 {
            return Err(format!("pthread_kill failed with errno {error}"));
        }
        let sent = Instant::now();
        while posts.read.load(Ordering::Acquire) <= signal {
            if sent.elapsed() > PATIENCE {
                return Err(match REFUSED.swap(0, Ordering::Relaxed) {
                    0 => format!("a record was not read within {PATIENCE:?}"),
                    _ => "the write in the handler was refused".to_owned(),
                });
            }
            thread::sleep(GAP);
        }
    }
    Ok(())
}

/// Reads until the end of the file, and notes the time of each record that came with a wake-up.
fn take(reader: &mut Reader<Counting, EveryRecord>, posts: &Posts, wakeups: &AtomicU64) -> Result<Vec<u64>, String> {
    let mut nanoseconds = Vec::new();
    let mut seen = 0;
    loop {
        match reader.read(ReadMode::Blocking).map_err(|error| error.to_string())? {
            Read::Records(records) => {
                let now = now_ns();
                // Relaxed: what woke this thread is ordered by the note.
                let woken = wakeups.load(Ordering::Relaxed);
                for record in records {
                    if woken > seen {
                        nanoseconds.push(now.saturating_sub(record.time() as u64));
                    }
                    posts.read.fetch_add(1, Ordering::Release);
                }
                seen = woken;
            }
            Read::Empty => {}
            Read::EndOfFile => return Ok(nanoseconds),
        }
    }
}
