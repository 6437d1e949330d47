//! What each thread waits for, and whose it is.
//!
//! The kernel gives the futex word or the descriptor; the functions on the stack tell what the word belongs to. An owner is read where
//! one is stored:
//!
//! | resource | owner |
//! |---|---|
//! | `pthread_mutex_t` of glibc | thread id at +8 (part of its ABI through static initialisers) |
//! | `pthread_mutex_t` of musl | thread id in the low 30 bits of the word at +4, except in a mutex of the normal type, which stores none |
//! | a lock word used with `FUTEX_LOCK_PI` | thread id in the word's low 30 bits |
//! | the end of a thread | thread id in the word waited for |
//!
//! The lock word of glibc's mutex is taken before its owner is stored and released after it is cleared. A signal in between finds owner 0:
//! then, and for locks that store none, the owner is inferred from what signals interrupted. See [`Known`].
//!
//! # Without names
//! Most distributions keep the names of functions that libc does not export in a separate package. Two waits
//! are told apart without them:
//!
//! - `pthread_join` waits without the private flag, in private memory, on a word that holds the id of another
//!   living thread. The kernel clears that word when the thread ends, and wakes without the private flag.
//! - A lock of glibc's own waits by `FUTEX_WAIT` for the value 2. glibc's other waits are
//!   `FUTEX_WAIT_BITSET`.

use super::Subject;
use super::arch::Registers;
use super::c_library;
use super::images::Images;
use super::memory::Memory;
use crate::diagnose::{Frame, Known, Owner, Resource, ResourceKind};
use crate::hang::procfs::{Mapping, Syscall};
use crate::hang::sleep::{self, Sleep};

/// How much of an interrupted stack is searched for a lock's address: a few frames.
const INTERRUPTED_BYTES: u64 = 512;
/// How much of any other stack is.
const STACK_BYTES: u64 = 4096;

/// Functions that wait, and for what; the innermost known one decides. `__lll_lock_wait` is not among them: it serves several.
const WAITERS: &[(&str, ResourceKind)] = &[
    ("pthread_mutex_", ResourceKind::Mutex),
    ("pthread_cond_", ResourceKind::Condvar),
    ("pthread_rwlock_", ResourceKind::RwLock),
    ("pthread_clockjoin", ResourceKind::ThreadExit),
    ("pthread_timedjoin", ResourceKind::ThreadExit),
    ("pthread_join", ResourceKind::ThreadExit),
    ("sem_", ResourceKind::Semaphore),
    ("new_sem_wait", ResourceKind::Semaphore),
    ("std::sys::sync::mutex::", ResourceKind::StdLock),
    ("std::sys::sync::rwlock::", ResourceKind::StdLock),
    ("std::sys::sync::condvar::", ResourceKind::Condvar),
    ("std::sys::sync::thread_parking::", ResourceKind::Unpark),
    ("std::thread::park", ResourceKind::Unpark),
];

/// Frames above the innermost known waiter that may belong to it.
const WAITER_DEPTH: usize = 8;

/// Fills in what each thread waits for, then who owns it.
pub(super) fn find(subjects: &mut [Subject], memory: &mut Memory, images: &Images, maps: &[Mapping]) {
    for at in 0..subjects.len() {
        let mut resource = resource(&subjects[at], images);
        if let Some(resource) = resource.as_mut().filter(|found| is_join(found, at, subjects, memory, maps)) {
            resource.kind = ResourceKind::ThreadExit;
        }
        subjects[at].report.waits_for = resource;
    }
    for at in 0..subjects.len() {
        let Some(resource) = &subjects[at].report.waits_for else { continue };
        let owner = owner(resource, at, subjects, memory);
        if let Some(resource) = &mut subjects[at].report.waits_for {
            resource.owner = owner;
        }
    }
}

fn resource(subject: &Subject, images: &Images) -> Option<Resource> {
    let (kind, address, descriptor) = match sleep::untimed(subject.syscall?)? {
        Sleep::Futex { address } | Sleep::SharedFutex { address } => {
            let kind = kind_by_frames(subject.report.handler(), operation(subject.syscall));
            let of_libc = kind == ResourceKind::Mutex && !is_word_alone(subject);
            (kind, Some(if of_libc { c_library::mutex_of(address) } else { address }), None)
        }
        Sleep::Signal => (ResourceKind::Signal, None, None),
        Sleep::Descriptor { fd } => (ResourceKind::Descriptor, None, Some(fd)),
        Sleep::Poll { address, .. } => (ResourceKind::Descriptor, Some(address), None),
    };
    let name = address.and_then(|address| images.variable(address));
    Some(Resource { kind, address, descriptor, name, owner: None })
}

/// What a futex call says of the lock that it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Operation {
    /// A lock that the kernel knows as one.
    pi: bool,
    /// `FUTEX_WAIT` rather than `FUTEX_WAIT_BITSET`.
    plain: bool,
    private: bool,
    /// The value that the word had to have.
    value: u32,
}

fn operation(syscall: Option<Syscall>) -> Operation {
    let Some(Syscall::In { nr: libc::SYS_futex, args, .. }) = syscall else { return Operation::default() };
    let command = args[1] as i32 & libc::FUTEX_CMD_MASK;
    Operation {
        pi: !matches!(command, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET),
        plain: command == libc::FUTEX_WAIT,
        private: args[1] as i32 & libc::FUTEX_PRIVATE_FLAG != 0,
        value: args[2] as u32,
    }
}

/// Whether the wait is for the end of a thread although no name says so.
fn is_join(resource: &Resource, waiter: usize, subjects: &[Subject], memory: &mut Memory, maps: &[Mapping]) -> bool {
    let Some(address) = resource.address.filter(|_| resource.kind == ResourceKind::Futex) else { return false };
    let call = operation(subjects[waiter].syscall);
    let others = || subjects.iter().enumerate().filter(|(at, _)| *at != waiter).map(|(_, other)| other.report.tid);
    let private_memory = maps.iter().any(|map| (map.start..map.end).contains(&address) && !map.shared);
    !call.pi
        && !call.private
        && private_memory
        && others().any(|tid| tid == call.value)
        && memory.half_word(address) == Some(call.value)
}

/// What a futex belongs to, by the functions that wait on it and by the call.
fn kind_by_frames(frames: &[Frame], call: Operation) -> ResourceKind {
    let mut low_level = is_low_level_call(frames, call);
    for frame in frames.iter().take(WAITER_DEPTH) {
        let Some(symbol) = &frame.symbol else { continue };
        // Rust writes inherent methods as `<Type>::method`.
        let plain = symbol.trim_start_matches(['_', '<']);
        low_level |= c_library::is_internal_lock(symbol);
        if let Some((_, kind)) = WAITERS.iter().find(|(prefix, _)| plain.starts_with(prefix)) {
            // A condition variable's internal lock is not the condition variable.
            return if low_level && *kind == ResourceKind::Condvar { ResourceKind::LibcLock } else { *kind };
        }
    }
    match (call.pi, low_level) {
        (true, _) => ResourceKind::Mutex,
        (_, true) => ResourceKind::LibcLock,
        _ => ResourceKind::Futex,
    }
}

/// Whether a thread waits for a bare lock word of the program by `FUTEX_LOCK_PI`, rather than for a mutex of
/// libc.
fn is_word_alone(subject: &Subject) -> bool {
    let of_libc = |symbol: &String| symbol.trim_start_matches('_').starts_with("pthread_mutex_");
    let frames = subject.report.handler().iter().take(WAITER_DEPTH);
    operation(subject.syscall).pi && !frames.filter_map(|frame| frame.symbol.as_ref()).any(of_libc)
}

/// Whether a function of glibc without a name waits as `__lll_lock_wait` does: the value 2 says that the lock
/// has waiters.
fn is_low_level_call(frames: &[Frame], call: Operation) -> bool {
    let in_libc = |frame: &Frame| frame.object.as_ref().is_some_and(|object| object.starts_with("libc."));
    let nameless = frames.first().is_some_and(|frame| frame.symbol.is_none() && in_libc(frame));
    c_library::WAITS_TELL_LOCKS && nameless && call.plain && call.private && call.value == 2
}

fn owner(resource: &Resource, waiter: usize, subjects: &[Subject], memory: &mut Memory) -> Option<Owner> {
    let address = resource.address?;
    let stored = match resource.kind {
        ResourceKind::Mutex if is_word_alone(&subjects[waiter]) => {
            memory.half_word(address).map(|word| word & libc::FUTEX_TID_MASK)
        }
        ResourceKind::Mutex => c_library::mutex_owner(address, memory),
        ResourceKind::ThreadExit => memory.half_word(address),
        _ => None,
    };
    if let Some(tid) = stored.filter(|tid| subjects.iter().any(|subject| subject.report.tid == *tid)) {
        return Some(Owner { tid, known: Known::Stored });
    }
    if !resource.kind.is_held() {
        return None;
    }
    let stores_none = stored.is_none_or(|tid| tid == 0);
    inferred(address, waiter, subjects, memory).or_else(|| only_other(waiter, subjects).filter(|_| stores_none))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(symbols: &[&str]) -> Vec<Frame> {
        symbols.iter().map(|symbol| Frame { symbol: Some((*symbol).to_owned()), ..Frame::default() }).collect()
    }

    #[test]
    fn the_innermost_waiting_function_decides() {
        let of = |symbols: &[&str]| kind_by_frames(&stack(symbols), Operation::default());
        assert_eq!(of(&["__lll_lock_wait", "pthread_mutex_lock", "a"]), ResourceKind::Mutex);
        assert_eq!(of(&["__lll_lock_wait", "__pthread_mutex_cond_lock", "pthread_cond_wait"]), ResourceKind::Mutex);
        assert_eq!(of(&["__futex_abstimed_wait_common", "pthread_cond_wait", "a"]), ResourceKind::Condvar);
        assert_eq!(of(&["__lll_lock_wait", "pthread_cond_signal"]), ResourceKind::LibcLock);
        assert_eq!(of(&["__lll_lock_wait", "malloc"]), ResourceKind::LibcLock);
        assert_eq!(of(&["syscall", "std::sys::sync::mutex::futex::Mutex::lock_contended"]), ResourceKind::StdLock);
        assert_eq!(of(&["__futex_abstimed_wait_common", "__pthread_clockjoin_ex"]), ResourceKind::ThreadExit);
        assert_eq!(of(&["syscall", "sigproof_osnote::futex::sleep"]), ResourceKind::Futex);
        assert_eq!(kind_by_frames(&stack(&["a"]), Operation { pi: true, ..Operation::default() }), ResourceKind::Mutex);
    }

    #[test]
    fn a_lock_of_libc_is_known_by_its_call() {
        let lock = Operation { plain: true, private: true, value: 2, pi: false };
        let bitset = Operation { plain: false, ..lock };
        let nameless = |object: &str| Frame { object: Some(object.to_owned()), ..Frame::default() };
        let above = |object: &str, symbol: &str| [vec![nameless(object)], stack(&[symbol])].concat();
        let internal = if c_library::WAITS_TELL_LOCKS { ResourceKind::LibcLock } else { ResourceKind::Futex };
        assert_eq!(kind_by_frames(&above("libc.so.6", "malloc"), lock), internal);
        assert_eq!(kind_by_frames(&above("libc.so.6", "pthread_mutex_lock"), lock), ResourceKind::Mutex);
        assert_eq!(kind_by_frames(&above("libc.so.6", "pthread_cond_wait"), bitset), ResourceKind::Condvar);
        assert_eq!(kind_by_frames(&above("libother.so", "malloc"), lock), ResourceKind::Futex);
        assert_eq!(kind_by_frames(&stack(&["syscall"]), lock), ResourceKind::Futex, "the program's own futex");
    }
}
