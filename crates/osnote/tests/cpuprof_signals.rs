//! The profile log under real SIGPROFs: both locks, hit on purpose inside their critical sections, and storms
//! of on and off.

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use sigproof_osnote::cpuprof::{
    Added, CpuProf, Entry, Lost, MaskedSpin, Practice, ProfileRead, Settings, SignalLock, Sound, Switched, TrySpin,
};
use sigproof_osnote::{Backends, notes};
use sigproof_profbuf::{EveryRecord, Tag};
use sigproof_shim::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering::SeqCst};
use sigproof_shim::os::{errno, sigmask};

/// What the handler does. Kept, so that a late signal finds it.
type Hook = Box<dyn Fn() + Send + Sync>;

static HOOK: AtomicPtr<Hook> = AtomicPtr::new(ptr::null_mut());
static SPOILED: AtomicI32 = AtomicI32::new(0);

extern "C" fn on_signal(_: libc::c_int) {
    let entry = errno::get();
    errno::set(4_321);
    let hook = HOOK.load(SeqCst);
    if !hook.is_null() {
        // SAFETY: set to a hook that is kept, or null.
        unsafe { (*hook)() };
    }
    if errno::get() != 4_321 {
        SPOILED.fetch_add(1, SeqCst);
    }
    errno::set(entry);
}

/// One test at a time: handler and timer are the process's. The handler does what `hook` says until the next
/// test.
fn handle(hook: impl Fn() + Send + Sync + 'static) -> MutexGuard<'static, ()> {
    static SERIAL: Mutex<()> = Mutex::new(());
    let serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    HOOK.store(ptr::from_ref(keep(Box::new(hook) as Hook)).cast_mut(), SeqCst);
    // SAFETY: a zeroed sigaction is valid, its handler a function of the right type.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGPROF, &action, ptr::null_mut()), 0);
    }
    serial
}

fn raise() {
    // SAFETY: its handler is installed.
    assert_eq!(unsafe { libc::raise(libc::SIGPROF) }, 0);
}

/// Every `micros` of this process's processor time; 0 stops.
fn timer(micros: libc::suseconds_t) {
    let every = libc::timeval { tv_sec: 0, tv_usec: micros };
    let value = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: the pointer is valid for the call.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_PROF, &value, ptr::null_mut()) }, 0);
}

/// For the rest of the process, since a signal may come late; and reachable from a static, which is no leak
/// to a leak checker.
fn keep<T: Sync + 'static>(value: T) -> &'static T {
    static KEPT: Mutex<Vec<&'static dyn Sync>> = Mutex::new(Vec::new());
    let kept: &'static T = Box::leak(Box::new(value));
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    kept
}

/// The signal comes inside the critical section: (deliveries during it, sections entered during it, sections
/// entered in all).
fn hit_inside<L: SignalLock>() -> (u64, u64, u64) {
    let (delivered, entered) = (keep(AtomicU64::new(0)), keep(AtomicU64::new(0)));
    let lock: &'static L = keep(L::new(libc::SIGPROF).unwrap());
    let _serial = handle(move || {
        delivered.fetch_add(1, SeqCst);
        // SAFETY: in the handler of SIGPROF. A refusal shows as a section that was not entered.
        let _ = unsafe { lock.enter(|| entered.fetch_add(1, SeqCst)) };
    });
    let (during, in_it) = lock.lock(|| {
        raise();
        (delivered.load(SeqCst), entered.load(SeqCst))
    });
    assert_eq!(delivered.load(SeqCst), 1);
    // And when it is free, it is entered.
    raise();
    (during, in_it, entered.load(SeqCst))
}

#[test]
fn a_masked_lock_holds_the_signal_back_until_it_is_free() {
    assert_eq!(hit_inside::<MaskedSpin>(), (0, 0, 2));
}

#[test]
fn a_trying_lock_is_given_up_by_the_handler() {
    assert_eq!(hit_inside::<TrySpin>(), (1, 0, 1));
}

/// Raises the signal inside the critical section of switching off.
struct Hit<L>(std::marker::PhantomData<fn() -> L>);

impl<L: SignalLock> Practice for Hit<L> {
    type Policy = EveryRecord;
    type Lock = L;

    fn take_lost(counter: &AtomicU64) -> u64 {
        raise();
        counter.swap(0, SeqCst)
    }
}

/// What the handler's sample became that came while the log was being switched off, and the losses that the
/// profile reports.
fn hit_while_switching_off<L: SignalLock>() -> (Added, Vec<(Lost, u64)>) {
    let settings = Settings { words: 1024, tags: 64, ..Settings::new(libc::SIGPROF) };
    let prof: &'static CpuProf<Hit<L>> = keep(CpuProf::new(&notes::pipe::BACKEND, settings).unwrap());
    let last = keep(Mutex::new(None));
    let _serial = handle(move || {
        // SAFETY: in the handler of SIGPROF.
        let added = unsafe { prof.add(1, Tag(1), &[1]) }.unwrap();
        // A lock in a handler, and sound here: the signal is raised, and nowhere inside this lock.
        *last.lock().unwrap() = Some(added);
    });
    let Ok(Switched::On(mut reader)) = prof.set_rate(100) else { panic!("not on") };
    // SAFETY: the signal is raised only by this thread, and not inside this.
    assert_eq!(unsafe { prof.add_foreign(&[0; 2000]) }, Added::Lost(Lost::Foreign));
    assert!(matches!(prof.set_rate(0), Ok(Switched::Off)));
    let added = last.lock().unwrap().take().expect("the signal was raised");

    let mut losses = Vec::new();
    while let ProfileRead::Entries(entries) = reader.read().unwrap() {
        losses.extend(entries.filter_map(|entry| match entry {
            Entry::Lost { at, count } => Some((at, count)),
            Entry::Rate { .. } | Entry::Sample { .. } => None,
        }));
    }
    (added, losses)
}

#[test]
fn switching_off_behind_a_masked_lock_loses_nothing() {
    assert_eq!(hit_while_switching_off::<MaskedSpin>(), (Added::Off, vec![(Lost::Foreign, 1)]));
}

#[test]
fn switching_off_behind_a_trying_lock_counts_what_it_loses() {
    // The taking of either count raises the signal once.
    let losses = vec![(Lost::Foreign, 1), (Lost::Busy, 2)];
    assert_eq!(hit_while_switching_off::<TrySpin>(), (Added::Lost(Lost::Busy), losses));
}

/// What the handler was told, over all profiles.
#[derive(Default)]
struct Told {
    stored: AtomicU64,
    kept: AtomicU64,
    foreign: AtomicU64,
    buffer: AtomicU64,
    busy: AtomicU64,
    off: AtomicU64,
    errors: AtomicU64,
}

/// On and off, again and again, while signals come: flat out from another thread to the one that switches,
/// from a timer to whoever runs. Then the accounts must agree.
fn storm<L: SignalLock>(backend_name: &str) {
    let settings =
        Settings { words: 128, tags: 16, poll: std::time::Duration::from_micros(100), ..Settings::new(libc::SIGPROF) };
    let prof: &'static CpuProf<Sound<L>> =
        keep(CpuProf::new(Backends::BUILT_IN.find(backend_name).unwrap(), settings).unwrap());
    let told: &'static Told = keep(Told::default());
    let turn = keep(AtomicU64::new(0));
    let _serial = handle(move || {
        let n = turn.fetch_add(1, SeqCst);
        let added = match n % 3 {
            // SAFETY: in the handler of SIGPROF.
            0 => Ok(unsafe { prof.add_foreign(&vec_free(n)[..(n % 64) as usize]) }),
            // SAFETY: in the handler of SIGPROF.
            _ => unsafe { prof.add(n as i64, Tag(1 + n as usize), &[n, !n]) },
        };
        let counter = match added {
            Ok(Added::Stored) => &told.stored,
            Ok(Added::Kept) => &told.kept,
            Ok(Added::Lost(Lost::Foreign)) => &told.foreign,
            Ok(Added::Lost(Lost::Buffer)) => &told.buffer,
            Ok(Added::Lost(Lost::Busy)) => &told.busy,
            Ok(Added::Off) => &told.off,
            Err(_) => &told.errors,
        };
        counter.fetch_add(1, SeqCst);
    });

    timer(1000);
    let stop = keep(AtomicBool::new(false));
    // SAFETY: no preconditions.
    let target = unsafe { libc::pthread_self() } as usize;
    let sender = thread::spawn(move || {
        let _mask = sigmask::block(libc::SIGPROF).unwrap();
        let mut seen = 0;
        while !stop.load(SeqCst) {
            // SAFETY: the target joins this thread.
            unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGPROF) };
            // Let it be taken, or another thread run.
            for spin in 0..seen % 2000 {
                std::hint::black_box(spin);
            }
            seen = turn.load(SeqCst) * 37;
            thread::yield_now();
        }
    });
    let (mut samples, mut lost) = (0, [0; 3]);
    let mut profile = |least: u64| {
        let Ok(Switched::On(reader)) = prof.set_rate(1000) else { panic!("not on") };
        let before = turn.load(SeqCst);
        let (s, l) = thread::scope(|scope| {
            let reading = scope.spawn(move || read_to_the_end(reader));
            while turn.load(SeqCst) < before + least {
                std::hint::spin_loop();
            }
            assert!(matches!(prof.set_rate(0), Ok(Switched::Off)));
            reading.join().unwrap()
        });
        samples += s;
        lost.iter_mut().zip(l).for_each(|(sum, n)| *sum += n);
    };
    for round in 0..80 {
        profile(round % 7);
    }
    timer(0);
    stop.store(true, SeqCst);
    sender.join().unwrap();
    // One more without signals: it reports the counts that came after the last switching-off had begun.
    profile(0);

    let get = |counter: &AtomicU64| counter.load(SeqCst);
    assert_eq!(get(&told.errors), 0, "wake-ups that failed");
    assert_eq!(SPOILED.load(SeqCst), 0, "errno spoiled");
    assert!(get(&told.stored) > 0);
    // A foreign stack may be dropped later, on its way into the buffer, and so may a report (for one of those
    // that it reports).
    let added = get(&told.stored) + get(&told.kept) + get(&told.buffer) + get(&told.foreign) + get(&told.busy);
    assert_eq!(samples + lost.iter().sum::<u64>(), added);
    assert!(samples >= get(&told.stored));
    assert!(lost[0] >= get(&told.buffer));
}

/// Words for a foreign stack, without an allocation.
fn vec_free(n: u64) -> [u64; 64] {
    [n; 64]
}

/// (samples, [lost in the buffer, lost foreign ones, lost to the lock])
fn read_to_the_end<P: Practice>(mut reader: sigproof_osnote::cpuprof::ProfileReader<'_, P>) -> (u64, [u64; 3]) {
    let (mut samples, mut lost, mut rates) = (0, [0; 3], 0);
    loop {
        match reader.wait().unwrap() {
            ProfileRead::Empty => panic!("a wait that gives nothing"),
            ProfileRead::EndOfProfile => {
                assert_eq!(rates, 1);
                return (samples, lost);
            }
            ProfileRead::Entries(entries) => {
                for entry in entries {
                    match entry {
                        Entry::Rate { hz, .. } => {
                            assert_eq!((hz, samples), (1000, 0));
                            rates += 1;
                        }
                        Entry::Sample { time, tag, stack } if tag != Tag::NONE => {
                            assert_eq!((tag.0 as i64, stack), (time + 1, &[time as u64, !(time as u64)][..]));
                            samples += 1;
                        }
                        Entry::Sample { stack, .. } => {
                            assert!(stack.iter().all(|&word| (word % 64) as usize == stack.len()));
                            samples += 1;
                        }
                        Entry::Lost { at: Lost::Buffer, count } => lost[0] += count,
                        Entry::Lost { at: Lost::Foreign, count } => lost[1] += count,
                        Entry::Lost { at: Lost::Busy, count } => lost[2] += count,
                    }
                }
            }
        }
    }
}

#[test]
fn storm_behind_a_masked_lock() {
    storm::<MaskedSpin>("pipe");
}

#[test]
fn storm_behind_a_trying_lock() {
    storm::<TrySpin>("pipe");
}

/// The fix of golang/go#61768 under fire: the unsafe note, which is never slept on, and so never woken.
#[test]
fn storm_over_the_unsafe_note() {
    storm::<MaskedSpin>("sema");
}
