//! What a piece of a stack waits for, and whether another piece holds it.

use super::dump::TraceFrame;
use super::parse::python;
use crate::rules::locks::{self, Holding, Lock};
use crate::rules::name::Name;
use crate::rules::waits::{self, Wait};

/// A wait at the top of some frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What kind.
    pub wait: Wait,
    /// Which lock, if it is one.
    pub lock: Option<Lock>,
    /// The addresses that the frames of the wait print: of the futex, of the mutex.
    pub addresses: Vec<u64>,
    /// How many frames the wait itself takes; the next one is who asked for it.
    pub depth: usize,
    /// The thread sleeps in the kernel, rather than being at the entrance of a function that may wait.
    pub asleep: bool,
}

impl Waiting {
    /// In words, behind "waits for".
    pub fn what(&self) -> String {
        let what = match (self.wait, self.lock) {
            (Wait::Spin, Some(lock)) => format!("{} (it spins)", lock.what()),
            (Wait::Lock | Wait::Once, Some(lock)) => lock.what().to_owned(),
            (wait, _) => wait.what().to_owned(),
        };
        match self.addresses.first() {
            Some(address) => format!("{what} at {address:#x}"),
            None => what,
        }
    }
}

/// What the innermost of these frames wait for, where libc has no names: only the function that called it
/// has.
pub fn unnamed(frames: &[TraceFrame]) -> Option<Waiting> {
    let depth = frames.iter().take_while(|frame| frame.is_unknown() && frame.is_in_libc()).count();
    let asker = frames.get(depth).filter(|_| depth > 0)?;
    let allocates = asker.name.last().to_ascii_lowercase().contains("alloc");
    let lock = locks::of(&asker.name).map(|(lock, _)| lock).or(allocates.then_some(Lock::Heap))?;
    Some(Waiting { wait: Wait::Lock, lock: Some(lock), addresses: Vec::new(), depth, asleep: true })
}

/// What the innermost of these frames wait for.
pub fn waiting(frames: &[TraceFrame]) -> Option<Waiting> {
    let mut found: Option<Wait> = None;
    let mut lock = None;
    let mut addresses = Vec::new();
    let mut asleep = false;
    let mut at = 0;
    let mut skipped = 0;
    while let Some(frame) = frames.get(at) {
        let unknown = frame.is_unknown() || frame.function.contains("@plt");
        if unknown {
            skipped += 1;
            if skipped > 2 {
                break;
            }
            at += 1;
            continue;
        }
        let Some(wait) = python::waits(frame).or_else(|| waits::of(&frame.name).filter(|_| !python::is_python(frame)))
        else {
            break;
        };
        asleep |= found.is_none()
            && (wait == Wait::Kernel
                || frame.name.key.contains("wait")
                || frame.name.key.contains("trap")
                || python::is_python(frame));
        found = Some(match (found, wait) {
            (Some(inner), Wait::Kernel) => inner,
            // The lock of a condition variable is taken again at the end of the wait.
            (_, wait) => wait,
        });
        lock = lock.or_else(|| locks::of(&frame.name).map(|(lock, _)| lock));
        // Debuggers read the arguments of Go's functions from the stack; Go passes them in registers.
        let waited: &[&str] = if frame.name.key.starts_with("runtime.") { &[] } else { WAITED };
        for address in addresses_in(&frame.args, waited) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        skipped = 0;
        at += 1;
    }
    let mut wait = found?;
    let depth = at - skipped;
    let private = frames[..depth]
        .iter()
        .any(|frame| frame.name.key == "lll_lock_wait_private" || frame.name.key.starts_with("L_lock_"));
    if wait == Wait::Kernel || wait.is_held() || wait == Wait::Sleep {
        // Who asked: a library function stands for its lock.
        let asker = frames.get(depth..).unwrap_or_default().iter().take(3).enumerate();
        let mut of_asker = None;
        for (distance, frame) in asker {
            if let Some((lock, _)) = locks::of(&frame.name) {
                of_asker = Some(lock);
                break;
            }
            if distance > 0 || !(frame.is_unknown() || frame.is_in_libc() || frame.name.path.starts_with("__")) {
                break;
            }
        }
        if wait == Wait::Kernel && of_asker.is_some() {
            wait = Wait::Lock;
        }
        if wait != Wait::Kernel && wait != Wait::Sleep {
            lock = lock.or(of_asker).or(Some(if private {
                Lock::Libc
            } else if frames[..depth].iter().any(|frame| is_of_read_write_lock(&frame.name)) {
                Lock::ReadWrite
            } else {
                Lock::Program
            }));
        }
        if wait == Wait::Kernel && frames[..depth].iter().any(|frame| frame.name.key == "syscall") && depth == 1 {
            asleep = false;
        }
    }
    Some(Waiting { wait, lock, addresses, depth, asleep })
}

/// Whether it is a function of a lock with readers and a writer.
fn is_of_read_write_lock(name: &Name) -> bool {
    let path = name.path.to_ascii_lowercase();
    ["rwlock", "rw_lock", "rwmutex", "psynch_rw", "shared_mutex", "shared_timed_mutex"]
        .iter()
        .any(|of| path.contains(of))
}

/// The arguments that hold the address of what is waited for.
const WAITED: &[&str] = &[
    "futex",
    "mutex",
    "futex_word",
    "lock",
    "m",
    "rwlock",
    "sem",
    "cond",
    "mtx",
    "uaddr",
    "addr",
    "word",
    "barrier",
    "once_control",
    "spinlock",
    "fp",
    "_lock",
];

/// The arguments that hold the address of what a function works on.
const USED: &[&str] = &[
    "av",
    "ar_ptr",
    "arena",
    "mutex",
    "futex",
    "lock",
    "m",
    "mtx",
    "fp",
    "f",
    "stream",
    "s",
    "this",
    "self",
    "zone",
    "rwlock",
    "futex_word",
    "sem",
    "cond",
    "arena_ptr",
    "_lock",
    "bin",
];

/// The addresses in `name=0x1, name2=name2@entry=0x2`.
pub fn addresses_in(args: &str, names: &[&str]) -> Vec<u64> {
    let mut found = Vec::new();
    for part in args.split(',') {
        let Some((name, value)) = part.split_once('=') else { continue };
        if !names.contains(&name.trim()) {
            continue;
        }
        let value = value
            .rsplit('=')
            .next()
            .unwrap_or_default()
            .trim()
            .trim_start_matches(|c: char| c == '(' || c.is_alphabetic() && c != '0');
        let Some(hex) = value.strip_prefix("0x") else { continue };
        let digits = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
        if let Some(address) = u64::from_str_radix(&hex[..digits], 16).ok().filter(|address| *address > 0xfff) {
            found.push(address);
        }
    }
    found
}

/// Whether some code holds what is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It does: the frame at this index has the lock's address, or is only called with the lock held.
    Shown(usize),
    /// The frame at this index takes that kind of lock.
    Likely(usize),
    /// It waits for the same lock, so it is not the holder.
    Waits(usize),
    /// It works with another lock of that kind.
    Another(usize),
    /// No frame tells.
    Unknown,
}

/// Whether `code`, innermost first, holds what `waiting` waits for. `askers` are the frames of the waiter
/// behind its wait.
pub fn holds(code: &[TraceFrame], waiting: &Waiting, askers: &[TraceFrame]) -> Hold {
    let Some(lock) = waiting.lock.filter(|_| waiting.wait.is_held()) else { return Hold::Unknown };
    if let Some(own) = self::waiting(code).filter(|own| own.asleep && own.wait.is_held() && own.lock == Some(lock)) {
        let same = own.addresses.iter().any(|address| waiting.addresses.contains(address));
        if same || own.addresses.is_empty() || waiting.addresses.is_empty() {
            return Hold::Waits(0);
        }
    }
    let by_address = code.iter().position(|frame| {
        let used = addresses_in(&frame.args, USED);
        used.iter().any(|address| waiting.addresses.contains(address))
    });
    if let Some(at) = by_address {
        return Hold::Shown(at);
    }
    if lock.is_of_program() {
        return of_program(code, askers);
    }
    let mut other = None;
    let mut likely = None;
    for (at, frame) in code.iter().enumerate() {
        let Some((of_frame, holding)) = locks::of(&frame.name) else { continue };
        if !same_lock(lock, of_frame) {
            continue;
        }
        let used = addresses_in(&frame.args, USED);
        if !used.is_empty() && !waiting.addresses.is_empty() && lock == Lock::Heap {
            other.get_or_insert(at);
            continue;
        }
        if holding == Holding::Surely {
            return other.map_or(Hold::Shown(at), Hold::Another);
        }
        likely.get_or_insert(at);
    }
    match (other, likely) {
        (Some(at), _) => Hold::Another(at),
        (None, Some(at)) => Hold::Likely(at),
        (None, None) if lock == Lock::Libc => code
            .iter()
            .position(|frame| frame.is_in_libc() && !frame.is_unknown() && waits::of(&frame.name).is_none())
            .map_or(Hold::Unknown, Hold::Likely),
        (None, None) => Hold::Unknown,
    }
}

/// Unwinders take the loader's lock, and `fork` and `exit` hold several.
fn same_lock(waited: Lock, of_frame: Lock) -> bool {
    waited == of_frame
        || matches!(
            (waited, of_frame),
            (Lock::Loader, Lock::Unwinder)
                | (Lock::Unwinder, Lock::Loader)
                | (Lock::Heap, Lock::Threads)
                | (Lock::Libc, _)
        )
}

/// A mutex of the program: the same function or the same class on both sides of the signal frame.
fn of_program(code: &[TraceFrame], askers: &[TraceFrame]) -> Hold {
    let own = |frame: &&TraceFrame| {
        !frame.is_unknown() && !super::anatomy::is_library(frame) && !crate::rules::frames::is_root(&frame.name)
    };
    let askers: Vec<&TraceFrame> = askers.iter().take(12).filter(own).collect();
    if let Some(at) =
        code.iter().position(|frame| own(&frame) && askers.iter().any(|asker| asker.name.path == frame.name.path))
    {
        return Hold::Likely(at);
    }
    // A function that gives or takes a mutex at the moment, or one of the class whose function waits.
    let scope = askers.first().and_then(|asker| scope(&asker.name));
    let class =
        scope.and_then(|scope| code.iter().position(|frame| own(&frame) && self::scope(&frame.name) == Some(scope)));
    let taking = code
        .iter()
        .take(3)
        .position(|frame| waits::of(&frame.name) == Some(Wait::Lock) || frame.name.key.contains("mutex_unlock"));
    class.or(taking).map_or(Hold::Unknown, Hold::Likely)
}

fn scope(name: &Name) -> Option<&str> {
    let scope = name.path.rsplit_once("::").map(|(scope, _)| scope)?;
    (!scope.starts_with("std::") && scope != "std" && !scope.starts_with("core::")).then_some(scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn frames(names: &[&str]) -> Vec<TraceFrame> {
        names
            .iter()
            .map(|text| {
                let (name, args) = text.split_once(" (").unwrap_or((text, ""));
                TraceFrame { args: args.trim_end_matches(')').to_owned(), ..TraceFrame::new(name) }
            })
            .collect()
    }

    #[rstest]
    #[case(&["__lll_lock_wait_private (futex=0x7f0001)", "malloc", "f"], Wait::Lock, Some(Lock::Heap))]
    #[case(&["futex_wait", "__pthread_rwlock_rdlock_full64", "___pthread_rwlock_rdlock", "f"], Wait::Lock, Some(Lock::ReadWrite))]
    #[case(&["__psynch_rw_wrlock", "_pthread_rwlock_lock_wait", "_pthread_rwlock_lock_slow", "f"], Wait::Lock, Some(Lock::ReadWrite))]
    #[case(&["syscall", "std::sys::sync::rwlock::futex::RwLock::write_contended", "f"], Wait::Lock, Some(Lock::ReadWrite))]
    #[case(&["__psynch_mutexwait", "_pthread_mutex_lock", "app::Cache::get"], Wait::Lock, Some(Lock::Program))]
    #[case(&["futex_wait", "pthread_cond_wait@@GLIBC_2.3.2", "f"], Wait::Condition, None)]
    #[case(&["syscall", "std::sys::sync::mutex::futex::Mutex::lock_contended", "f"], Wait::Lock, Some(Lock::Program))]
    #[case(&["__lll_lock_wait_private", "__tz_convert", "f"], Wait::Lock, Some(Lock::TimeZone))]
    #[case(&["??", "__poll", "f"], Wait::Input, None)]
    #[case(&["__lll_lock_wait", "pthread_mutex_lock", "__dl_iterate_phdr", "f"], Wait::Lock, Some(Lock::Loader))]
    #[case(&["runtime.futex", "runtime.futexsleep (addr=0xc0000061c0)", "runtime.notesleep", "runtime.f"], Wait::Note, None)]
    #[case(&["runtime.gopark", "runtime.chanrecv", "runtime.chanrecv1", "main.f"], Wait::Channel, None)]
    #[case(&["runtime.futex", "runtime.futexsleep", "runtime.lock2", "runtime.f"], Wait::Lock, Some(Lock::Go))]
    fn a_wait_has_a_kind_and_a_lock(#[case] names: &[&str], #[case] wait: Wait, #[case] lock: Option<Lock>) {
        let found = waiting(&frames(names)).unwrap();
        assert_eq!((found.wait, found.lock), (wait, lock));
        assert!(!names[0].starts_with("runtime.") || found.addresses.is_empty(), "no debugger knows Go's arguments");
    }

    #[rstest]
    #[case::same_arena(&["_int_malloc (av=0x7f0010)", "malloc"], Hold::Shown(0))]
    #[case::another_arena(&["_int_malloc (av=0x7f9990)", "malloc"], Hold::Another(0))]
    #[case::no_address(&["_int_free", "free"], Hold::Shown(0))]
    #[case::at_the_entrance(&["free", "f"], Hold::Likely(0))]
    #[case::waits_itself(&["__lll_lock_wait_private", "free"], Hold::Waits(0))]
    #[case::elsewhere(&["poll", "main"], Hold::Unknown)]
    fn the_interrupted_code_holds_a_lock_or_does_not(#[case] code: &[&str], #[case] hold: Hold) {
        let waiter = waiting(&frames(&["__lll_lock_wait_private (futex=0x7f0010)", "malloc", "f"])).unwrap();
        assert_eq!(holds(&frames(code), &waiter, &[]), hold);
    }
}
