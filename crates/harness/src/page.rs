//! The page of memory that a child shares with its parent.
//!
//! It is an unlinked temporary file that the child gets as its standard input and both map, so it needs no
//! name, no clean-up and no descriptor passing, on any Unix; and what the child wrote to it survives whatever
//! becomes of the child.
//!
//! Every field is an atomic: the handlers of the child write some of them, and the parent reads them at any
//! time. The parent believes nothing in it: a word out of range is an outcome
//! ([`sigproof_report::Outcome::Crash`]), not a surprise.
//!
//! Orderings: `state` is stored with release after the verdict's fields and loaded with acquire before them;
//! the rest are counters that nothing else depends on, and relaxed.

use std::fs::File;
use std::io;

use memmap2::{MmapOptions, MmapRaw};
use sigproof_shim::native::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::failure::Failure;
use sigproof_inspect::refusal::{Refusal, no_temporary_file, temporary_file};
use sigproof_report::Outcome;

/// What is said of a handler that has left its frame.
pub const LEFT_BY_A_JUMP: &str = "the handler did not return: it left by a jump (longjmp, an exception)";

/// Says that the page is one of ours, of this layout.
const MAGIC: u64 = u64::from_le_bytes(*b"sigproof") ^ 1;

/// How much of a failure's sentence is kept, in bytes.
const DETAIL: usize = 1024;

/// What the child has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not begun its attempt.
    Starting,
    /// It is at it.
    Running,
    /// It has finished, and all was well.
    Done,
    /// It has seen a bad outcome.
    Failed(Failure),
    /// The machine refused it a call that the attempt needs.
    Refused(Refusal),
    /// It has written what it never writes.
    Garbage(String),
}

const STARTING: u32 = 0;
const RUNNING: u32 = 1;
const DONE: u32 = 2;
const FAILED: u32 = 3;
const REFUSED: u32 = 4;
/// One thread of the child has claimed the verdict and is writing it.
const WRITING: u32 = 5;

/// The counters, and the child's verdict on itself.
#[derive(Debug)]
#[repr(C)]
pub struct Page {
    magic: AtomicU64,
    state: AtomicU32,
    outcome: AtomicU32,
    /// Set by the parent: finish the round and come to an end.
    pub stop: AtomicU32,
    /// How many handlers are on some thread's stack.
    pub handler_depth: AtomicU32,
    /// Rounds finished.
    pub rounds: AtomicU64,
    /// Signals asked for.
    pub armed: AtomicU64,
    /// Handlers entered.
    pub begun: AtomicU64,
    /// Handlers left.
    pub ended: AtomicU64,
    /// Signals that came before the window.
    pub early: AtomicU64,
    /// Signals that came inside the window, the target awake: the coverage.
    pub inside: AtomicU64,
    /// Signals that came inside the window, the target asleep in the kernel.
    pub asleep: AtomicU64,
    /// Signals that came after the window.
    pub late: AtomicU64,
    /// Handlers that left `errno` changed.
    pub errno_spoiled: AtomicU64,
    /// Any other thing that a case wants to be seen moving.
    pub ticks: AtomicU64,
    /// The most stack that a handler has used, in bytes, over all children that have the page in turn.
    pub handler_stack: AtomicU64,
    detail_len: AtomicU32,
    detail: [AtomicU8; DETAIL],
}

impl Page {
    /// As it was when it was made. Only while no child has it.
    pub fn reset(&self) {
        for word in [&self.state, &self.outcome, &self.stop, &self.handler_depth, &self.detail_len] {
            word.store(0, Ordering::Relaxed);
        }
        let signals = [&self.armed, &self.begun, &self.ended, &self.early, &self.inside, &self.asleep, &self.late];
        for word in signals.into_iter().chain([&self.rounds, &self.errno_spoiled, &self.ticks]) {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// All of it, byte by byte: to be kept and put back while no child runs.
    pub fn bytes(&self) -> &[AtomicU8] {
        // SAFETY: the bytes are those of `self`, a `repr(C)` struct of atomics, which may be shared; whoever
        // reads them so does it while nobody writes.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>()) }
    }

    /// What changes while the child makes progress.
    pub fn progress(&self) -> u64 {
        [&self.rounds, &self.begun, &self.ended, &self.ticks]
            .iter()
            .fold(u64::from(self.state.load(Ordering::Relaxed)), |sum, c| {
                sum.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(c.load(Ordering::Relaxed))
            })
    }

    /// Whether every signal asked for has reached its handler.
    pub fn signals_idle(&self) -> bool {
        // `begun` first: a signal counted there was armed before.
        let begun = self.begun.load(Ordering::Acquire);
        self.armed.load(Ordering::Acquire) <= begun
    }

    /// How many signals were asked for and have not reached their handler.
    pub fn on_their_way(&self) -> u64 {
        let begun = self.begun.load(Ordering::Acquire);
        self.armed.load(Ordering::Acquire).saturating_sub(begun)
    }

    /// Whether a handler is on the stack of some thread.
    pub fn in_handler(&self) -> bool {
        self.handler_depth.load(Ordering::Relaxed) > 0
    }

    /// Whether every handler that has begun has returned.
    pub fn handlers_returned(&self) -> bool {
        self.ended.load(Ordering::Relaxed) == self.begun.load(Ordering::Relaxed)
    }

    /// Whether the parent wants an end.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    /// The child: at work.
    pub fn set_running(&self) {
        self.state.store(RUNNING, Ordering::Release);
    }

    /// Whether the child has begun its attempt: before that, nothing that it does or fails to do is an
    /// outcome.
    pub fn has_begun(&self) -> bool {
        self.state.load(Ordering::Acquire) != STARTING
    }

    /// The child: finished, well, unless it has said something else before.
    pub fn set_done(&self) {
        if self.claim() {
            self.state.store(DONE, Ordering::Release);
        }
    }

    /// The child: the machine refused this call. Async-signal-safe. Whether it is the first word about the
    /// end, which wins.
    pub fn set_refused(&self, call: &str, errno: i32) -> bool {
        self.say(REFUSED, errno.cast_unsigned(), call)
    }

    /// The child: a bad outcome. Async-signal-safe. Whether it is the first word about the end, which wins. A
    /// handler that has not won must return, rather than end the process: the thread that it interrupted may
    /// be the one that is writing.
    pub fn set_failed(&self, outcome: Outcome, detail: &str) -> bool {
        self.say(FAILED, outcome as u32, detail)
    }

    /// The child: how its attempt ended. A limit that was reached after the first round is one that the case
    /// has used up itself.
    pub fn conclude(&self, result: Result<(), Failure>) {
        let Err(failure) = result else { return self.set_done() };
        let leaked = |refusal: &Refusal| refusal.used_up() && self.rounds.load(Ordering::Relaxed) > 0;
        match failure.refusal.filter(|refusal| !leaked(refusal)) {
            // What a thread says whose handler has jumped into a frame that is gone is worth nothing.
            Some(_) if self.in_handler() => self.set_failed(Outcome::Crash, LEFT_BY_A_JUMP),
            Some(refusal) => self.set_refused(&refusal.call, refusal.errno),
            None => self.set_failed(failure.outcome, &failure.detail),
        };
    }

    fn say(&self, state: u32, word: u32, detail: &str) -> bool {
        let first = self.claim();
        if first {
            self.outcome.store(word, Ordering::Relaxed);
            self.put(detail);
            // Pairs with the acquire in `state`.
            self.state.store(state, Ordering::Release);
        }
        first
    }

    /// Takes the right to say how the attempt ended; one caller gets it.
    fn claim(&self) -> bool {
        // Relaxed: the claim publishes nothing; the words come with the release that ends `WRITING`.
        let take = |from| self.state.compare_exchange(from, WRITING, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        // Only one thread moves it from the first to the second, so that one of the two tries succeeds unless
        // somebody else has claimed it.
        take(STARTING) || take(RUNNING)
    }

    fn put(&self, detail: &str) {
        let mut len = 0;
        for (slot, byte) in self.detail.iter().zip(detail.bytes()) {
            slot.store(byte, Ordering::Relaxed);
            len += 1;
        }
        self.detail_len.store(len, Ordering::Relaxed);
    }

    /// The parent: what the child has come to.
    pub fn state(&self) -> State {
        if self.magic.load(Ordering::Relaxed) != MAGIC {
            return State::Garbage("the shared page has lost its mark".into());
        }
        // Pairs with the releases above.
        match self.state.load(Ordering::Acquire) {
            STARTING => State::Starting,
            // A child that is still writing its verdict is not done.
            RUNNING | WRITING => State::Running,
            DONE => State::Done,
            FAILED => {
                let word = self.outcome.load(Ordering::Relaxed);
                match Outcome::ALL.iter().find(|o| **o as u32 == word) {
                    Some(outcome) => State::Failed(Failure::new(*outcome, self.detail())),
                    None => State::Garbage(format!("the shared page names outcome {word}, which there is not")),
                }
            }
            REFUSED => State::Refused(Refusal::of(self.detail(), self.outcome.load(Ordering::Relaxed).cast_signed())),
            other => State::Garbage(format!("the shared page is in state {other}, which there is not")),
        }
    }

    fn detail(&self) -> String {
        let len = (self.detail_len.load(Ordering::Relaxed) as usize).min(DETAIL);
        let bytes: Vec<u8> = self.detail.iter().take(len).map(|b| b.load(Ordering::Relaxed)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Overwrites the page with nonsense: what a child that went wild does. For the harness's test of itself.
    pub fn scribble(&self, with: u32) {
        self.state.store(with, Ordering::Release);
    }
}

/// A mapping of the page, on either side.
#[derive(Debug)]
pub struct Shared {
    map: MmapRaw,
}

impl Shared {
    /// The parent's side: a fresh page, and the file to hand to the child.
    ///
    /// # Errors
    /// No temporary file, or no memory.
    pub fn create() -> io::Result<(Self, File)> {
        let file = temporary_file()?;
        file.set_len(size_of::<Page>() as u64).map_err(|error| no_temporary_file(&error))?;
        // A file with holes is a promise; on a full disk the first store to such a page is a SIGBUS. Writing
        // it now makes it an error.
        io::Write::write_all(&mut &file, &vec![0; size_of::<Page>()]).map_err(|error| no_temporary_file(&error))?;
        let map = MmapOptions::new().len(size_of::<Page>()).map_raw(&file);
        let shared = Self { map: map.map_err(|error| Refusal::new("a shared mapping (mmap)", &error))? };
        shared.page().magic.store(MAGIC, Ordering::Relaxed);
        Ok((shared, file))
    }

    /// The child's side.
    ///
    /// # Errors
    /// The file is not a page of this layout.
    pub fn open(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() != size_of::<Page>() as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "standard input is not a sigproof page"));
        }
        let shared = Self { map: MmapOptions::new().len(size_of::<Page>()).map_raw(file)? };
        if shared.page().magic.load(Ordering::Relaxed) != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "standard input is not a sigproof page"));
        }
        Ok(shared)
    }

    pub fn page(&self) -> &Page {
        // SAFETY: the mapping is at least as long as a `Page` (both constructors), page-aligned, mapped while
        // `self` lives, and every field of a `Page` is an atomic, for which any bit pattern is valid and
        // concurrent access by the other process is defined.
        unsafe { &*self.map.as_ptr().cast::<Page>() }
    }

    /// The page, for good: what a signal handler needs.
    pub fn leak(self) -> &'static Page {
        let leaked: &'static Self = Box::leak(Box::new(self));
        leaked.page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_s_word_reaches_the_parent() {
        let (parent, file) = Shared::create().unwrap();
        let child = Shared::open(&file).unwrap();
        assert_eq!(parent.page().state(), State::Starting);
        child.page().set_failed(Outcome::LostWakeup, "somebody sleeps");
        child.page().set_failed(Outcome::Crash, "the first one wins");
        assert_eq!(parent.page().state(), State::Failed(Failure::new(Outcome::LostWakeup, "somebody sleeps")));
    }

    /// Whatever comes between its steps, one caller gets the claim, and the words are those of one caller.
    #[test]
    fn of_many_who_speak_at_once_one_is_heard() {
        for _ in 0..500 {
            let (parent, _file) = Shared::create().unwrap();
            let page = parent.page();
            page.set_running();
            let go = std::sync::Barrier::new(3);
            let heard = std::thread::scope(|scope| {
                let speakers = ["one", "another", "the third"].map(|who| {
                    let go = &go;
                    scope.spawn(move || {
                        go.wait();
                        page.set_failed(Outcome::Late, who).then_some(who)
                    })
                });
                speakers.map(|speaker| speaker.join().unwrap())
            });
            let heard: Vec<_> = heard.into_iter().flatten().collect();
            assert_eq!(heard.len(), 1, "{heard:?}");
            assert_eq!(page.state(), State::Failed(Failure::new(Outcome::Late, heard[0])));
            page.set_done();
            assert!(matches!(page.state(), State::Failed(_)), "a good end does not hide a bad one");
        }
    }

    /// The moment between the claim and the words, in which a handler may run.
    #[test]
    fn a_claim_shuts_out_the_others_before_a_word_is_written() {
        let (parent, _file) = Shared::create().unwrap();
        let page = parent.page();
        page.set_running();
        assert!(page.claim());
        assert!(!page.set_failed(Outcome::Crash, "of a handler in between") && !page.set_refused("prctl", libc::EPERM));
        assert_eq!(page.state(), State::Running, "nothing has been said yet");
    }

    #[test]
    fn a_refusal_reaches_the_parent_and_a_limit_that_the_case_used_up_is_its_own_failure() {
        let limit = || Err(Refusal::of("pipe2", libc::EMFILE).into());
        let (parent, _file) = Shared::create().unwrap();
        parent.page().set_running();
        parent.page().conclude(limit());
        assert_eq!(parent.page().state(), State::Refused(Refusal::of("pipe2", libc::EMFILE)));
        let (parent, _file) = Shared::create().unwrap();
        parent.page().set_running();
        parent.page().rounds.store(1, Ordering::Relaxed);
        parent.page().conclude(limit());
        assert!(matches!(parent.page().state(), State::Failed(Failure { outcome: Outcome::Crash, .. })));
    }

    #[test]
    fn nonsense_is_recognised() {
        let (parent, _file) = Shared::create().unwrap();
        parent.page().set_running();
        parent.page().scribble(77);
        assert!(matches!(parent.page().state(), State::Garbage(_)));
        parent.page().scribble(FAILED);
        parent.page().outcome.store(999, Ordering::Relaxed);
        assert!(matches!(parent.page().state(), State::Garbage(_)));
        parent.page().detail_len.store(u32::MAX, Ordering::Relaxed);
        parent.page().outcome.store(0, Ordering::Relaxed);
        assert!(matches!(parent.page().state(), State::Failed(_)));
        parent.page().magic.store(0, Ordering::Relaxed);
        assert!(matches!(parent.page().state(), State::Garbage(_)));
    }

    #[test]
    fn a_file_that_is_no_page_is_refused() {
        assert!(Shared::open(&tempfile::tempfile().unwrap()).is_err());
        let unmarked = tempfile::tempfile().unwrap();
        unmarked.set_len(size_of::<Page>() as u64).unwrap();
        assert!(Shared::open(&unmarked).is_err());
    }

    #[test]
    fn progress_moves_with_every_counter() {
        let (parent, _file) = Shared::create().unwrap();
        let page = parent.page();
        let mut seen = vec![page.progress()];
        for counter in [&page.rounds, &page.begun, &page.ended, &page.ticks] {
            counter.fetch_add(1, Ordering::Relaxed);
            seen.push(page.progress());
        }
        let before = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), before);
    }
}
