//! What each thread waits for, and whose it is.
//!
//! The kernel gives the futex word or the descriptor; the functions on the stack tell what the word belongs
//! to. [`owners`](super::owners) says whose it is.
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
use super::c_library::CLibrary;
use super::images::Images;
use super::memory::Memory;
use super::{library_locks, owners};
use crate::diagnose::{Frame, Resource, ResourceKind};
use crate::hang::procfs::{Mapping, Syscall};
use crate::hang::sleep::{self, Sleep};

/// Functions that wait, and for what; the innermost known one decides. `__lll_lock_wait` is not among them:
/// it serves several.
const WAITERS: &[(&str, ResourceKind)] = &[
    ("pthread_barrier_", ResourceKind::Barrier),
    ("pthread_once", ResourceKind::Once),
    ("runtime.lock2", ResourceKind::GoLock),
    ("runtime.notesleep", ResourceKind::GoNote),
    ("runtime.notetsleep", ResourceKind::GoNote),
    ("parking_lot::raw_mutex::", ResourceKind::ParkingLot),
    ("parking_lot::raw_rwlock::", ResourceKind::ParkingLot),
    ("parking_lot::condvar::", ResourceKind::Condvar),
    ("std::sys::sync::once::", ResourceKind::Once),
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
pub(super) const WAITER_DEPTH: usize = 8;

/// Functions that wait by way of one of [`WAITERS`], and decide over it.
const OUTER_WAITERS: &[(&str, ResourceKind)] =
    &[("PyThread_acquire_lock", ResourceKind::PythonLock), ("take_gil", ResourceKind::Gil)];

/// Fills in what each thread waits for, then who owns it.
pub(super) fn find(subjects: &mut [Subject], memory: &mut Memory, images: &Images, maps: &[Mapping]) {
    let library = CLibrary::of(images);
    for at in 0..subjects.len() {
        let mut resource = resource(&subjects[at], images, library);
        if let Some(resource) = resource.as_mut().filter(|found| is_join(found, at, subjects, memory, maps)) {
            resource.kind = ResourceKind::ThreadExit;
        }
        if let Some(resource) = resource.as_mut().filter(|found| is_mutex(found, at, subjects, memory, library)) {
            resource.kind = ResourceKind::Mutex;
        }
        subjects[at].report.waits_for = resource;
    }
    for at in 0..subjects.len() {
        let Some(resource) = &subjects[at].report.waits_for else { continue };
        let owner = owners::owner(resource, at, subjects, memory, library);
        if let Some(resource) = &mut subjects[at].report.waits_for {
            resource.owner = owner;
        }
    }
}

fn resource(subject: &Subject, images: &Images, library: CLibrary) -> Option<Resource> {
    let call = subject.syscall?;
    let (kind, address, descriptor) = match sleep::untimed(call).or_else(|| turn_of_interpreter(subject, call))? {
        Sleep::Futex { address } | Sleep::SharedFutex { address } => {
            let call = operation(subject.syscall);
            let kind = match takes_interpreter(subject.report.handler()) {
                true => ResourceKind::Gil,
                false => kind_by_frames(subject.report.handler(), call, library),
            };
            let start = match kind {
                ResourceKind::Mutex if !is_word_alone(subject) => library.mutex_of(address),
                ResourceKind::RwLock => library.rwlock_of(address, reads(subject.report.handler()), call.value),
                ResourceKind::Barrier => library.barrier_of(address),
                ResourceKind::Condvar | ResourceKind::Gil if of_pthread(subject.report.handler()) => {
                    library.condvar_of(address)
                }
                _ => address,
            };
            (kind, Some(start), None)
        }
        Sleep::Signal => (ResourceKind::Signal, None, None),
        Sleep::Descriptor { fd } => (ResourceKind::Descriptor, None, Some(fd)),
        Sleep::Poll { address, .. } => (ResourceKind::Descriptor, Some(address), None),
    };
    let name = address.and_then(|address| images.variable(address));
    let name = match kind {
        ResourceKind::Mutex if refused_by_kernel(subject) => Some(
            "with priority inheritance, which the kernel has refused: its owner waits for this thread, or has ended"
                .to_owned(),
        ),
        _ => name,
    };
    let name = library_locks::name(kind, subject.report.handler(), name);
    Some(Resource { kind, address, descriptor, name, owner: None })
}

/// The functions that wait for CPython's global interpreter lock by way of `pthread_cond_timedwait`.
/// `take_gil` has a name only where the debug file is there; its callers are exported. Other timed waits of
/// CPython's go by way of `PyThread_acquire_lock_timed`.
const TAKE_THE_INTERPRETER: &[&str] = &[
    "take_gil",
    "PyEval_RestoreThread",
    "PyEval_AcquireThread",
    "PyEval_AcquireLock",
    "PyGILState_Ensure",
    "_PyEval_EvalFrameDefault",
];

/// The wait of a thread for CPython's global interpreter lock: with a time limit of some milliseconds, again
/// and again, until it has the lock.
fn turn_of_interpreter(subject: &Subject, call: Syscall) -> Option<Sleep> {
    let Syscall::In { nr: libc::SYS_futex, args, .. } = call else { return None };
    takes_interpreter(subject.report.handler()).then_some(Sleep::Futex { address: args[0] })
}

fn takes_interpreter(frames: &[Frame]) -> bool {
    let names: Vec<&str> = frames.iter().take(WAITER_DEPTH).filter_map(|frame| frame.symbol.as_deref()).collect();
    let timed = |name: &str| ["pthread_cond_timedwait", "pthread_cond_clockwait"].iter().any(|of| name.contains(of));
    let Some(at) = names.iter().position(|name| timed(name)) else { return false };
    let inlined = ["PyCOND_TIMEDWAIT", "pthread_cond_"];
    let asker = names[at + 1..].iter().find(|name| !inlined.iter().any(|of| name.contains(of)));
    asker.is_some_and(|name| TAKE_THE_INTERPRETER.iter().any(|of| name.starts_with(of)))
}

/// glibc waits for ever, on a word of its own stack, for a PI mutex that the kernel refuses (EDEADLK, ESRCH).
fn refused_by_kernel(subject: &Subject) -> bool {
    let Some(Sleep::Futex { address } | Sleep::SharedFutex { address }) = subject.syscall.and_then(sleep::untimed)
    else {
        return false;
    };
    let near = subject.registers.as_ref().is_some_and(|regs| address.wrapping_sub(regs.sp) < 4096);
    let call = operation(subject.syscall);
    near && !call.pi && call.value == 0
}

/// Whether a condition variable is the C library's.
fn of_pthread(frames: &[Frame]) -> bool {
    let mut names = frames.iter().take(WAITER_DEPTH).filter_map(|frame| frame.symbol.as_deref());
    names.any(|name| name.trim_start_matches('_').starts_with("pthread_cond_"))
}

/// Whether a thread waits for a read-write lock to read.
fn reads(frames: &[Frame]) -> bool {
    let names = frames.iter().take(WAITER_DEPTH).filter_map(|frame| frame.symbol.as_deref());
    names.into_iter().any(|name| name.contains("rdlock"))
}

/// What a futex call says of the lock that it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Operation {
    /// A lock that the kernel knows as one.
    pub pi: bool,
    /// `FUTEX_WAIT` rather than `FUTEX_WAIT_BITSET`.
    plain: bool,
    private: bool,
    /// The value that the word had to have.
    pub value: u32,
}

pub(super) fn operation(syscall: Option<Syscall>) -> Operation {
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
    let others = || subjects.iter().enumerate().filter(|(at, _)| *at != waiter).map(|(_, other)| other.inner);
    let private_memory = maps.iter().any(|map| (map.start..map.end).contains(&address) && !map.shared);
    !call.pi
        && !call.private
        && private_memory
        && others().any(|tid| tid == call.value)
        && memory.half_word(address) == Some(call.value)
}

/// Whether the wait is for a mutex of glibc although no name says so: the call is that of a lock, and the
/// word at the place of the owner is the id of a living thread.
fn is_mutex(resource: &Resource, at: usize, subjects: &[Subject], memory: &mut Memory, library: CLibrary) -> bool {
    let Some(address) = resource.address.filter(|_| resource.kind == ResourceKind::Futex) else { return false };
    let call = operation(subjects[at].syscall);
    let nameless = subjects[at].report.frames.first().is_none_or(|frame| frame.symbol.is_none());
    library == CLibrary::Glibc
        && nameless
        && call.plain
        && call.private
        && call.value == 2
        && memory.half_word(address) == Some(2)
        && library.mutex_owner(address, memory).is_some_and(|owner| subjects.iter().any(|other| other.inner == owner))
}

/// What a futex belongs to, by the functions that wait on it and by the call.
fn kind_by_frames(frames: &[Frame], call: Operation, library: CLibrary) -> ResourceKind {
    let outer =
        frames.iter().take(WAITER_DEPTH).filter_map(|frame| frame.symbol.as_deref()).find_map(|symbol| {
            OUTER_WAITERS.iter().find(|(prefix, _)| symbol.starts_with(prefix)).map(|(_, kind)| *kind)
        });
    if let Some(kind) = outer {
        return kind;
    }
    let mut low_level = is_low_level_call(frames, call, library);
    for frame in frames.iter().take(WAITER_DEPTH) {
        let Some(symbol) = &frame.symbol else { continue };
        // Rust writes inherent methods as `<Type>::method`.
        let plain = symbol.trim_start_matches(['_', '<']);
        low_level |= library.is_internal_lock(symbol);
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
pub(super) fn is_word_alone(subject: &Subject) -> bool {
    let of_libc = |symbol: &String| symbol.trim_start_matches('_').starts_with("pthread_mutex_");
    let frames = subject.report.handler().iter().take(WAITER_DEPTH);
    operation(subject.syscall).pi && !frames.filter_map(|frame| frame.symbol.as_ref()).any(of_libc)
}

/// Whether a function of glibc without a name waits as `__lll_lock_wait` does: the value 2 says that the lock
/// has waiters.
fn is_low_level_call(frames: &[Frame], call: Operation, library: CLibrary) -> bool {
    let in_libc = |frame: &Frame| frame.object.as_ref().is_some_and(|object| object.starts_with("libc."));
    let nameless = frames.first().is_some_and(|frame| frame.symbol.is_none() && in_libc(frame));
    library.waits_tell_locks() && nameless && call.plain && call.private && call.value == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(symbols: &[&str]) -> Vec<Frame> {
        symbols.iter().map(|symbol| Frame { symbol: Some((*symbol).to_owned()), ..Frame::default() }).collect()
    }

    #[test]
    fn the_innermost_waiting_function_decides() {
        let of = |symbols: &[&str]| kind_by_frames(&stack(symbols), Operation::default(), CLibrary::Glibc);
        assert_eq!(of(&["__lll_lock_wait", "pthread_mutex_lock", "a"]), ResourceKind::Mutex);
        assert_eq!(of(&["__lll_lock_wait", "__pthread_mutex_cond_lock", "pthread_cond_wait"]), ResourceKind::Mutex);
        assert_eq!(of(&["__futex_abstimed_wait_common", "pthread_cond_wait", "a"]), ResourceKind::Condvar);
        assert_eq!(of(&["__lll_lock_wait", "pthread_cond_signal"]), ResourceKind::LibcLock);
        assert_eq!(of(&["__lll_lock_wait", "malloc"]), ResourceKind::LibcLock);
        assert_eq!(of(&["syscall", "std::sys::sync::mutex::futex::Mutex::lock_contended"]), ResourceKind::StdLock);
        assert_eq!(of(&["__futex_abstimed_wait_common", "__pthread_clockjoin_ex"]), ResourceKind::ThreadExit);
        assert_eq!(of(&["futex_wait", "__pthread_once_slow", "a"]), ResourceKind::Once);
        assert_eq!(of(&["futex_wait", "pthread_barrier_wait", "a"]), ResourceKind::Barrier);
        assert_eq!(of(&["__new_sem_wait_slow64", "PyThread_acquire_lock_timed"]), ResourceKind::PythonLock);
        assert_eq!(of(&["runtime.futex", "runtime.futexsleep", "runtime.lock2"]), ResourceKind::GoLock);
        assert_eq!(of(&["syscall", "sigproof_osnote::futex::sleep"]), ResourceKind::Futex);
        assert_eq!(
            kind_by_frames(&stack(&["a"]), Operation { pi: true, ..Operation::default() }, CLibrary::Glibc),
            ResourceKind::Mutex
        );
    }

    #[test]
    fn a_turn_of_the_interpreter_is_known_with_and_without_names() {
        let takes = |symbols: &[&str]| takes_interpreter(&stack(symbols));
        let wait = ["__futex_abstimed_wait_common", "pthread_cond_timedwait@@GLIBC_2.3.2"];
        assert!(takes(&[&wait[..], &["PyCOND_TIMEDWAIT", "take_gil", "PyEval_RestoreThread"]].concat()));
        assert!(takes(&[&wait[..], &["PyGILState_Ensure", "callback"]].concat()));
        assert!(takes(&[&wait[..], &["_PyEval_EvalFrameDefault"]].concat()));
        assert!(!takes(&[&wait[..], &["PyThread_acquire_lock_timed", "_PyEval_EvalFrameDefault"]].concat()));
        assert!(!takes(&["__futex_abstimed_wait_common", "sem_clockwait", "take_gil"]));
    }

    #[test]
    fn a_lock_of_libc_is_known_by_its_call() {
        let lock = Operation { plain: true, private: true, value: 2, pi: false };
        let bitset = Operation { plain: false, ..lock };
        let nameless = |object: &str| Frame { object: Some(object.to_owned()), ..Frame::default() };
        let above = |object: &str, symbol: &str| [vec![nameless(object)], stack(&[symbol])].concat();
        for (library, internal) in [(CLibrary::Glibc, ResourceKind::LibcLock), (CLibrary::Musl, ResourceKind::Futex)] {
            assert_eq!(kind_by_frames(&above("libc.so.6", "malloc"), lock, library), internal);
        }
        let kind_by_frames = |frames: &[Frame], call| kind_by_frames(frames, call, CLibrary::Glibc);
        assert_eq!(kind_by_frames(&above("libc.so.6", "pthread_mutex_lock"), lock), ResourceKind::Mutex);
        assert_eq!(kind_by_frames(&above("libc.so.6", "pthread_cond_wait"), bitset), ResourceKind::Condvar);
        assert_eq!(kind_by_frames(&above("libother.so", "malloc"), lock), ResourceKind::Futex);
        assert_eq!(kind_by_frames(&stack(&["syscall"]), lock), ResourceKind::Futex, "the program's own futex");
    }
}
