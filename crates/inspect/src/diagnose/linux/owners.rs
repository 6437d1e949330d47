//! Whose a resource is.
//!
//! An owner is read where one is stored:
//!
//! | resource | owner |
//! |---|---|
//! | `pthread_mutex_t` of glibc | thread id at +8 (part of its ABI through static initialisers) |
//! | `pthread_mutex_t` of musl | thread id in the low 30 bits of the word at +4, except in a mutex of the normal type, which stores none |
//! | `pthread_rwlock_t` of glibc | thread id of the writer at +24; readers are counted, not named |
//! | a stream's lock of glibc | address of the thread's descriptor at +8, and the thread id in there |
//! | a lock word used with `FUTEX_LOCK_PI` | thread id in the word's low 30 bits |
//! | CPython's global interpreter lock | the state of the last thread that had it, 24 bytes before its condition variable; 16 before it, whether a thread has it (3.2 to 3.14, `ceval_gil`) |
//! | the end of a thread | thread id in the word waited for |
//!
//! The lock word of glibc's mutex is taken before its owner is stored and released after it is cleared. A
//! signal in between finds owner 0: then, and for locks that store none, the owner is inferred from what
//! signals interrupted. See [`Known`].

use super::arch::Registers;
use super::c_library::CLibrary;
use super::memory::Memory;
use super::waits::is_word_alone;
use super::{Subject, library_locks};
use crate::diagnose::{Frame, Known, Owner, Resource, ResourceKind};

/// How much of an interrupted stack is searched for a lock's address: a few frames.
const INTERRUPTED_BYTES: u64 = 512;
/// How much of any other stack is.
const STACK_BYTES: u64 = 4096;
/// No thread has a greater id.
const PID_MAX: u32 = 1 << 22;

pub(super) fn owner(
    resource: &Resource,
    waiter: usize,
    subjects: &[Subject],
    memory: &mut Memory,
    library: CLibrary,
) -> Option<Owner> {
    let address = resource.address?;
    let stored = match resource.kind {
        ResourceKind::Mutex if is_word_alone(&subjects[waiter]) => {
            memory.half_word(address).map(|word| word & libc::FUTEX_TID_MASK)
        }
        ResourceKind::Mutex => library.mutex_owner(address, memory),
        ResourceKind::RwLock => library.rwlock_writer(address, memory),
        ResourceKind::LibcLock if library_locks::of_stream(subjects[waiter].report.handler()) => {
            library.stream_owner(address, memory)
        }
        ResourceKind::Gil => interpreter_owner(address, subjects, memory, library),
        ResourceKind::ThreadExit => memory.half_word(address),
        _ => None,
    };
    if let Some(owner) = stored.and_then(|inner| subjects.iter().find(|subject| subject.inner == inner)) {
        return Some(Owner { tid: owner.report.tid, known: Known::Stored });
    }
    let live = memory.is_live();
    let lives = |tid: u32| live && std::fs::exists(format!("/proc/{tid}")).unwrap_or(true);
    let gone = |tid: &u32| (1..=PID_MAX).contains(tid) && !lives(*tid);
    if let Some(tid) = stored.filter(gone)
        && resource.kind == ResourceKind::Mutex
    {
        return Some(Owner { tid, known: Known::Stored });
    }
    if resource.kind == ResourceKind::Once {
        return initialiser(waiter, subjects);
    }
    if !resource.kind.is_held() {
        return None;
    }
    let stores_none = stored.is_none_or(|tid| tid == 0);
    inferred(address, waiter, subjects, memory).or_else(|| only_other(waiter, subjects).filter(|_| stores_none))
}

/// How far before its condition variable the global interpreter lock has its last holder, and whether a
/// thread has it.
const GIL: (u64, u64) = (24, 16);

/// How much of a `PyThreadState` is searched for the thread's own id. It has been among the first 200 bytes.
const THREAD_STATE_BYTES: u64 = 512;

/// The thread that has the global interpreter lock whose condition variable is at `address`. Its state has
/// the thread's `pthread_t`, at an offset that every version of CPython moves.
fn interpreter_owner(address: u64, subjects: &[Subject], memory: &mut Memory, library: CLibrary) -> Option<u32> {
    if memory.half_word(address.checked_sub(GIL.1)?)? != 1 {
        return None;
    }
    let state = memory.word(address.checked_sub(GIL.0)?).filter(|state| *state != 0)?;
    let mut found = (0..THREAD_STATE_BYTES / 8).filter_map(|n| {
        let descriptor = memory.word(state.checked_add(8 * n)?)?;
        let tid = library.thread_of(descriptor, memory)?;
        subjects.iter().any(|subject| subject.inner == tid).then_some(tid)
    });
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// The thread that runs the initialiser: a signal interrupted it in this very thread, or another thread is in
/// it.
fn initialiser(waiter: usize, subjects: &[Subject]) -> Option<Owner> {
    let initialises = |frames: &[Frame]| {
        frames
            .iter()
            .filter_map(|frame| frame.symbol.as_deref())
            .any(|name| name.trim_start_matches('_').starts_with("pthread_once") || name.contains("sys::sync::once::"))
    };
    if initialises(subjects[waiter].report.interrupted()) {
        return Some(Owner { tid: subjects[waiter].report.tid, known: Known::InterruptedFunction });
    }
    let waits = |subject: &&Subject| {
        subject.report.waits_for.as_ref().is_some_and(|resource| resource.kind == ResourceKind::Once)
    };
    let mut others = subjects.iter().filter(|other| !waits(other) && initialises(&other.report.frames));
    let only = others.next()?;
    others.next().is_none().then_some(Owner { tid: only.report.tid, known: Known::StackMention })
}

/// The one other thread that waits for a lock: two that wait for each other's locks, neither in a handler.
fn only_other(waiter: usize, subjects: &[Subject]) -> Option<Owner> {
    let lock = |at: usize| {
        let resource = subjects[at].report.waits_for.as_ref()?;
        (resource.kind.is_held() && subjects[at].report.handler_depth() == 0).then_some(resource.address?)
    };
    let own = lock(waiter)?;
    let mut others = (0..subjects.len()).filter(|at| *at != waiter && lock(*at).is_some_and(|other| other != own));
    let only = others.next()?;
    others.next().is_none().then(|| Owner { tid: subjects[only].report.tid, known: Known::OnlyOther })
}

/// The likeliest owner of a lock that does not say: by the best evidence, the waiter itself before others.
fn inferred(address: u64, waiter: usize, subjects: &[Subject], memory: &mut Memory) -> Option<Owner> {
    let waiter_first = std::iter::once(waiter).chain((0..subjects.len()).filter(|at| *at != waiter));
    let best = waiter_first
        .filter_map(|at| {
            let interrupted = subjects[at].interrupted.as_ref()?;
            let known = evidence(address, interrupted, subjects[at].report.interrupted(), memory)?;
            Some(Owner { tid: subjects[at].report.tid, known })
        })
        .min_by_key(|owner| owner.known);
    if best.is_some() {
        return best;
    }
    let mut mentions = subjects.iter().enumerate().filter(|(at, subject)| {
        let no_owner = subject.report.waits_for.as_ref().is_some_and(|other| {
            // A wait on a condition variable has given its mutex up, and names it to take it again.
            other.address == Some(address) || other.kind == ResourceKind::Condvar
        });
        *at != waiter
            && !no_owner
            && subject.registers.as_ref().is_some_and(|regs| mentions(address, regs, STACK_BYTES, memory))
    });
    let (_, only) = mentions.next()?;
    mentions.next().is_none().then_some(Owner { tid: only.report.tid, known: Known::StackMention })
}

fn evidence(address: u64, interrupted: &Registers, frames: &[Frame], memory: &mut Memory) -> Option<Known> {
    if interrupted.general.contains(&address) {
        return Some(Known::InterruptedRegister);
    }
    if mentions(address, interrupted, INTERRUPTED_BYTES, memory) {
        return Some(Known::InterruptedStack);
    }
    let innermost = frames.first()?.symbol.as_ref()?.trim_start_matches('_').to_owned();
    let locks = ["pthread_mutex_", "pthread_cond_", "pthread_rwlock_", "lll_"];
    locks.iter().any(|prefix| innermost.starts_with(prefix)).then_some(Known::InterruptedFunction)
}

fn mentions(address: u64, regs: &Registers, bytes: u64, memory: &mut Memory) -> bool {
    let start = regs.sp & !7;
    (0..bytes / 8).any(|n| memory.word(start.wrapping_add(8 * n)) == Some(address))
}
