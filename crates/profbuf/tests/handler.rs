//! The write path in a real signal handler: no allocation, no change of errno, and nothing lost.
//!
//! The allocator of this binary counts what is allocated and freed while the handler runs. The handler is
//! entered by SIGPROF from an interval timer, at whatever the reading thread is doing, allocating included.

use std::alloc::{GlobalAlloc, Layout, System};
use std::convert::Infallible;
use std::hint::black_box;

use sigproof_profbuf::{Config, EveryRecord, Read, ReadMode, Tag, Wake, Writer, Written};
use sigproof_shim::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use sigproof_shim::os::errno;

struct Counting;

static IN_HANDLER: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU32 = AtomicU32::new(0);

fn count() {
    if IN_HANDLER.load(SeqCst) {
        ALLOCATIONS.fetch_add(1, SeqCst);
    }
}

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A note whose wake-up is one atomic operation.
struct Flag(AtomicU32);

impl Wake for Flag {
    type Error = Infallible;

    fn clear(&self) {
        self.0.store(0, SeqCst);
    }

    fn sleep(&self) -> Result<(), Infallible> {
        while self.0.load(SeqCst) == 0 {
            std::hint::spin_loop();
        }
        Ok(())
    }

    fn wakeup(&self) -> Result<(), Infallible> {
        self.0.fetch_add(1, SeqCst);
        Ok(())
    }
}

/// The thread that reads. The handler does its work there only: a timer's signal may be taken by any thread
/// of the test runner, and two writers at a time are misuse.
static READER: AtomicUsize = AtomicUsize::new(0);
const SENTINEL: i32 = 12_345;
static WRITER: AtomicPtr<Writer<Flag, EveryRecord>> = AtomicPtr::new(std::ptr::null_mut());
static STORED: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static SPOILED: AtomicI32 = AtomicI32::new(0);

extern "C" fn on_signal(_: libc::c_int) {
    let entry = errno::get();
    // SAFETY: neither has preconditions; the test's thread lives as long as the timer runs.
    unsafe {
        let reader = READER.load(SeqCst) as libc::pthread_t;
        if libc::pthread_self() != reader {
            libc::pthread_kill(reader, libc::SIGPROF);
            errno::set(entry);
            return;
        }
    }
    IN_HANDLER.store(true, SeqCst);
    errno::set(SENTINEL);
    let writer = WRITER.load(SeqCst);
    if !writer.is_null() {
        // SAFETY: set once to a writer that is never freed. Only this handler writes, on one thread, its
        // signal masked while it runs.
        let written = unsafe { (*writer).write_shared(1, Tag(2), &[3], &[4, 5, 6]) };
        match written {
            Ok(Written::Stored) => STORED.fetch_add(1, SeqCst),
            Ok(Written::Dropped) => DROPPED.fetch_add(1, SeqCst),
            Err(_) => 0,
        };
        // Misuse must be as quiet: too long a header, a stack larger than the ring.
        // SAFETY: as above.
        let misused = unsafe { (*writer).write_shared(1, Tag(2), &[3; 9], &[4]) };
        SPOILED.fetch_add(i32::from(misused.is_ok()), SeqCst);
        // SAFETY: as above.
        let oversized = unsafe { (*writer).write_shared(1, Tag(2), &[3], &[4; 300]) };
        match oversized {
            Ok(Written::Dropped) => DROPPED.fetch_add(1, SeqCst),
            _ => SPOILED.fetch_add(1, SeqCst) as u64,
        };
    }
    SPOILED.fetch_add(i32::from(errno::get() != SENTINEL), SeqCst);
    IN_HANDLER.store(false, SeqCst);
    errno::set(entry);
}

fn install() {
    // SAFETY: a zeroed sigaction is valid, its handler a function of the right type; no other test of this
    // binary installs one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGPROF, &action, std::ptr::null_mut()), 0);
    }
}

/// Every `micros` of this process's processor time; 0 stops.
fn timer(micros: libc::suseconds_t) {
    let every = libc::timeval { tv_sec: 0, tv_usec: micros };
    let value = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: the pointer is valid for the call.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_PROF, &value, std::ptr::null_mut()) }, 0);
}

/// The only test of this binary: handler, timer and allocator are the process's.
#[test]
fn a_handler_writes_without_allocating_or_touching_errno() {
    // SAFETY: no preconditions.
    READER.store(unsafe { libc::pthread_self() } as usize, SeqCst);
    let (mut delivered, mut lost) = (0, 0);
    let note = Flag(AtomicU32::new(0));
    let (writer, mut reader) =
        sigproof_profbuf::new::<_, EveryRecord>(Config { header: 1, words: 256, tags: 32 }, note).unwrap();
    WRITER.store(Box::leak(Box::new(writer)), SeqCst);
    install();

    // The counter counts: an allocation with the flag up is seen.
    IN_HANDLER.store(true, SeqCst);
    drop(black_box(Box::new(1)));
    IN_HANDLER.store(false, SeqCst);
    assert_eq!(ALLOCATIONS.swap(0, SeqCst), 2);

    let mut account = |read: Read<'_>| match read {
        Read::Records(records) => {
            for record in records {
                match record.overflow() {
                    Some(count) => lost += u64::from(count),
                    None => {
                        assert_eq!((record.header(), record.stack()), (&[3][..], &[4, 5, 6][..]));
                        delivered += 1;
                    }
                }
            }
            true
        }
        Read::Empty | Read::EndOfFile => false,
    };

    // First by raise, where the signal is taken for certain, past the room of the ring.
    for _ in 0..100 {
        // SAFETY: raising a signal whose handler is installed.
        assert_eq!(unsafe { libc::raise(libc::SIGPROF) }, 0);
    }
    assert!(STORED.load(SeqCst) > 0 && DROPPED.load(SeqCst) > 100);
    while account(reader.read(ReadMode::NonBlocking).unwrap()) {}

    // Then by timer, anywhere: in the reader, in malloc.
    let before = STORED.load(SeqCst) + DROPPED.load(SeqCst);
    timer(200);
    while STORED.load(SeqCst) + DROPPED.load(SeqCst) < before + 200 {
        black_box(vec![1_u8; 1000]);
        account(reader.read(ReadMode::NonBlocking).unwrap());
    }
    // Asleep in the note's spin, which only the handler ends.
    for _ in 0..20 {
        assert!(account(reader.read(ReadMode::Blocking).unwrap()));
    }
    timer(0);
    while account(reader.read(ReadMode::NonBlocking).unwrap()) {}

    assert_eq!(ALLOCATIONS.load(SeqCst), 0, "allocations in the handler");
    assert_eq!(SPOILED.load(SeqCst), 0, "errno changed, or misuse not refused");
    assert_eq!(delivered, STORED.load(SeqCst));
    assert_eq!(lost, DROPPED.load(SeqCst));
}
