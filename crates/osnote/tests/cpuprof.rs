//! The profile log without signals: rates, the on/off/read-to-the-end protocol, foreign stacks, counts of
//! losses, the read mode.

use std::sync::OnceLock;
use std::time::Duration;

use rstest::rstest;
use sigproof_osnote::cpuprof::{
    Added, CpuProf, Entry, Lost, MaskedSpin, Practice, ProfileRead, ProfileReader, RateError, Settings, Sound, Switched,
};
use sigproof_osnote::{Backends, Note, NoteError, SignalSafety, Woken, notes};
use sigproof_profbuf::{EveryRecord, ReadMode, Tag};
use sigproof_shim::atomic::{AtomicU64, Ordering};
use sigproof_shim::os::errno;

/// A small log; no thread handles its signal.
fn log_of<P: Practice>(words: usize) -> CpuProf<P> {
    let settings = Settings { words, tags: 4096, ..Settings::new(libc::SIGPROF) };
    CpuProf::new(&notes::pipe::BACKEND, settings).unwrap()
}

fn on<P: Practice>(prof: &CpuProf<P>, hz: i64) -> ProfileReader<'_, P> {
    match prof.set_rate(hz) {
        Ok(Switched::On(reader)) => reader,
        other => panic!("not switched on: {other:?}"),
    }
}

fn off<P: Practice>(prof: &CpuProf<P>) {
    assert!(matches!(prof.set_rate(0), Ok(Switched::Off)));
}

fn add<P: Practice>(prof: &CpuProf<P>, n: usize) -> Added {
    // SAFETY: no thread handles the signal in this process.
    unsafe { prof.add(n as i64, Tag(n), &[n as u64, 7]) }.unwrap()
}

fn add_foreign<P: Practice>(prof: &CpuProf<P>, stack: &[u64]) -> Added {
    // SAFETY: no thread handles the signal in this process.
    unsafe { prof.add_foreign(stack) }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Rate(u64),
    Sample(i64, usize, Vec<u64>),
    Lost(Lost, u64),
}

/// All up to the end of the profile, or up to where there is nothing.
fn drain<P: Practice>(reader: &mut ProfileReader<'_, P>) -> (Vec<Seen>, bool) {
    let mut all = Vec::new();
    loop {
        match reader.read_with(ReadMode::NonBlocking).unwrap() {
            ProfileRead::Entries(entries) => all.extend(entries.map(|entry| match entry {
                Entry::Rate { hz, time } => {
                    assert!(time > 0);
                    Seen::Rate(hz)
                }
                Entry::Sample { time, tag, stack } => Seen::Sample(time, tag.0, stack.to_vec()),
                Entry::Lost { at, count } => Seen::Lost(at, count),
            })),
            ProfileRead::Empty => return (all, false),
            ProfileRead::EndOfProfile => return (all, true),
        }
    }
}

#[rstest]
#[case::lowest(1, 1)]
#[case::usual(100, 100)]
#[case::highest(1_000_000, 1_000_000)]
#[case::one_more(1_000_001, 1_000_000)]
#[case::absurd(i64::MAX, 1_000_000)]
fn a_rate_is_clamped_from_above_and_comes_first(#[case] asked: i64, #[case] given: u64) {
    let prof = log_of::<Sound>(64);
    let mut reader = on(&prof, asked);
    off(&prof);
    assert_eq!(drain(&mut reader), (vec![Seen::Rate(given)], true));
}

#[rstest]
#[case(0)]
#[case(-1)]
#[case(i64::MIN)]
fn a_rate_of_nothing_or_less_is_off(#[case] hz: i64) {
    let prof = log_of::<Sound>(64);
    assert!(matches!(prof.set_rate(hz), Ok(Switched::AlreadyOff)));
    let _reader = on(&prof, 5);
    assert!(matches!(prof.set_rate(hz), Ok(Switched::Off)));
    assert!(matches!(prof.set_rate(hz), Ok(Switched::AlreadyOff)));
}

#[test]
fn the_next_profile_waits_for_the_end_of_the_previous_one() {
    let prof = log_of::<Sound>(64);
    let refused = |with| assert_eq!(prof.set_rate(1).map(drop).unwrap_err(), with);
    assert_eq!(add(&prof, 1), Added::Off);

    let mut first = on(&prof, 10);
    refused(RateError::On);
    assert_eq!(add(&prof, 2), Added::Stored);
    off(&prof);
    refused(RateError::Unread);
    assert_eq!(add(&prof, 3), Added::Off);
    assert_eq!(add_foreign(&prof, &[3]), Added::Off);
    // All entries, but not yet the end.
    assert!(matches!(first.read(), Ok(ProfileRead::Entries(entries)) if entries.clone().count() == 2));
    refused(RateError::Unread);
    assert!(matches!(first.read(), Ok(ProfileRead::EndOfProfile)));

    // A reader that is through has no say in the next profile.
    let mut second = on(&prof, 20);
    off(&prof);
    assert!(matches!(first.read(), Ok(ProfileRead::EndOfProfile)));
    drop(first);
    refused(RateError::Unread);
    assert_eq!(drain(&mut second), (vec![Seen::Rate(20)], true));

    // A reader that is dropped gives up.
    drop(on(&prof, 30));
    refused(RateError::On);
    off(&prof);
    let mut last = on(&prof, 40);
    assert_eq!(drain(&mut last), (vec![Seen::Rate(40)], false));
}

#[test]
fn a_note_that_exists_once_is_made_only_for_a_log_that_is_not_refused() {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let make = || {
        MADE.fetch_add(1, Ordering::Relaxed);
        (notes::pipe::BACKEND.make)()
    };
    let prof = CpuProf::<Sound>::with_notes(make, SignalSafety::Safe, Settings::new(libc::SIGPROF)).unwrap();
    let _reader = on(&prof, 1);
    assert!(prof.set_rate(1).is_err());
    assert_eq!(MADE.load(Ordering::Relaxed), 1);

    let make = || Err(NoteError::DuplicateSetup);
    let prof = CpuProf::<Sound>::with_notes(make, SignalSafety::Safe, Settings::new(libc::SIGPROF)).unwrap();
    assert_eq!(prof.set_rate(1).map(drop).unwrap_err(), RateError::Note(NoteError::DuplicateSetup));
    assert!(CpuProf::<Sound>::with_notes(make, SignalSafety::Safe, Settings::new(100_000)).is_err());
}

#[test]
fn foreign_stacks_come_with_the_next_sample_and_what_does_not_fit_is_counted() {
    let prof = log_of::<Sound>(4096);
    let mut reader = on(&prof, 9);
    assert_eq!(add_foreign(&prof, &[1; 997]), Added::Kept);
    assert_eq!(add_foreign(&prof, &[2]), Added::Lost(Lost::Foreign));
    assert_eq!(add_foreign(&prof, &[]), Added::Kept);
    assert_eq!(add_foreign(&prof, &[]), Added::Lost(Lost::Foreign));
    assert_eq!(drain(&mut reader), (vec![Seen::Rate(9)], false));
    assert_eq!(add(&prof, 5), Added::Stored);
    let sample = |n: i64| Seen::Sample(n, n as usize, vec![n as u64, 7]);
    let foreign = |stack: Vec<u64>| Seen::Sample(0, 0, stack);
    let expected = vec![foreign(vec![1; 997]), foreign(vec![]), Seen::Lost(Lost::Foreign, 2), sample(5)];
    assert_eq!(drain(&mut reader), (expected, false));

    // Once only; and the switching-off drains, too.
    assert_eq!(add(&prof, 6), Added::Stored);
    assert_eq!(add_foreign(&prof, &[4, 5]), Added::Kept);
    assert_eq!(add_foreign(&prof, &[0; 2000]), Added::Lost(Lost::Foreign));
    off(&prof);
    let expected = vec![sample(6), foreign(vec![4, 5]), Seen::Lost(Lost::Foreign, 1)];
    assert_eq!(drain(&mut reader), (expected, true));
}

/// The buffer is full when the counts come to be written: none of the lost is forgotten.
#[test]
fn a_count_that_does_not_fit_is_not_lost() {
    let prof = log_of::<Sound>(16);
    let mut reader = on(&prof, 9);
    while add(&prof, 1) == Added::Stored {}
    for _ in 0..10 {
        assert_eq!(add_foreign(&prof, &[0; 2000]), Added::Lost(Lost::Foreign));
    }
    // One dropped before, one here, and the report that does not fit counts for one of the ten.
    assert_eq!(add(&prof, 2), Added::Lost(Lost::Buffer));
    let lost = |seen: &[Seen]| -> u64 {
        seen.iter().map(|seen| if let Seen::Lost(_, count) = seen { *count } else { 0 }).sum()
    };
    let before = lost(&drain(&mut reader).0);
    assert_eq!(before, 3);
    off(&prof);
    assert_eq!(before + lost(&drain(&mut reader).0), 12);
}

/// The bug of golang/go#21836, by the same code path.
enum Forgetful {}

impl Practice for Forgetful {
    type Policy = EveryRecord;
    type Lock = MaskedSpin;

    fn take_lost(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

#[rstest]
#[case::reset(lost_reports::<Sound>(), 3)]
#[case::not_reset(lost_reports::<Forgetful>(), 9)]
fn a_count_of_losses_is_reported_once(#[case] reported: u64, #[case] expected: u64) {
    assert_eq!(reported, expected);
}

/// Three are lost, three samples follow.
fn lost_reports<P: Practice>() -> u64 {
    let prof = log_of::<P>(256);
    let mut reader = on(&prof, 9);
    for _ in 0..3 {
        add_foreign(&prof, &[0; 2000]);
    }
    for n in 0..3 {
        assert_eq!(add(&prof, n), Added::Stored);
    }
    drain(&mut reader).0.iter().map(|seen| if let Seen::Lost(Lost::Foreign, count) = seen { *count } else { 0 }).sum()
}

/// The fix of golang/go#61768: blocking where the handler may wake the note, polling where it may not.
#[test]
fn the_read_mode_follows_the_note() {
    let (mut safe, mut polled) = (0, 0);
    for backend in Backends::BUILT_IN.available() {
        let settings = Settings { words: 64, tags: 8, ..Settings::new(libc::SIGPROF) };
        let prof = CpuProf::<Sound>::new(backend, settings).unwrap();
        let mut reader = on(&prof, 1);
        let expected = match backend.wakeup {
            SignalSafety::Safe => ReadMode::Blocking,
            SignalSafety::Unsafe => ReadMode::NonBlocking,
        };
        assert_eq!(reader.mode(), expected, "{}", backend.name);
        assert!(matches!(reader.read(), Ok(ProfileRead::Entries(_))));
        if expected == ReadMode::Blocking {
            safe += 1;
            continue;
        }
        // Nothing there: at once back with nothing, or a look each poll interval.
        assert!(matches!(reader.read(), Ok(ProfileRead::Empty)));
        let mut pauses = Vec::new();
        let read = reader.wait_with(|pause| {
            pauses.push(pause);
            if pauses.len() == 3 {
                add(&prof, 4);
            }
        });
        assert!(matches!(read, Ok(ProfileRead::Entries(entries)) if entries.clone().count() == 1));
        assert_eq!(pauses, [settings.poll; 3]);
        polled += 1;
    }
    assert!(safe > 0 && polled > 0);
}

/// A blocking reader on another thread gets the sample, and the end.
#[test]
fn a_waiting_reader_is_woken() {
    let prof = log_of::<Sound>(256);
    let reader = on(&prof, 1);
    let seen = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut reader = reader;
            let mut samples = 0;
            loop {
                match reader.wait().unwrap() {
                    ProfileRead::Entries(entries) => {
                        samples += entries.filter(|entry| matches!(entry, Entry::Sample { .. })).count();
                    }
                    ProfileRead::EndOfProfile => return samples,
                    ProfileRead::Empty => panic!("a wait that gives nothing"),
                }
            }
        });
        for n in 0..5 {
            assert_eq!(add(&prof, n), Added::Stored);
            std::thread::yield_now();
        }
        off(&prof);
        reading.join().unwrap()
    });
    assert_eq!(seen, 5);
}

/// A note whose sleep adds a sample, as a handler would that comes then, and whose wake-up spoils `errno`.
struct Spoiler(&'static OnceLock<CpuProf<Sound>>);

impl Note for Spoiler {
    fn clear(&self) {}

    fn sleep(&self) -> Result<(), NoteError> {
        errno::set(1234);
        assert_eq!(add(self.0.get().unwrap(), 8), Added::Stored);
        assert_eq!(errno::get(), 1234);
        assert_eq!(add_foreign(self.0.get().unwrap(), &[1]), Added::Kept);
        assert_eq!(errno::get(), 1234);
        Ok(())
    }

    fn sleep_timeout(&self, _timeout: Duration) -> Result<Woken, NoteError> {
        Err(NoteError::Unsupported { what: "timed sleep" })
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        errno::set(5);
        Ok(())
    }
}

#[test]
fn a_sample_keeps_errno_whatever_the_note_does() {
    static PROF: OnceLock<CpuProf<Sound>> = OnceLock::new();
    let make = || Ok(Box::new(Spoiler(&PROF)) as Box<dyn Note>);
    let settings = Settings { words: 64, tags: 8, ..Settings::new(libc::SIGPROF) };
    let prof = PROF.get_or_init(|| CpuProf::with_notes(make, SignalSafety::Safe, settings).unwrap());
    let mut reader = on(prof, 1);
    assert!(matches!(reader.wait(), Ok(ProfileRead::Entries(entries)) if entries.clone().count() == 1));
    assert!(matches!(reader.wait(), Ok(ProfileRead::Entries(entries)) if entries.clone().count() == 1));
}
