//! The windows around the reader's sleep, hit deterministically: what the writer does happens inside the
//! note's sleep, on the reader's own thread.

mod support;

use std::sync::{Arc, Mutex};

use rstest::rstest;
use sigproof_profbuf::{
    Config, EveryRecord, HalfFull, Read, ReadError, ReadMode, Reader, Tag, WakePolicy, WriteError, Writer, Written,
};
use support::{KeepFlag, Scripted, Trouble};

const CONFIG: Config = Config { header: 1, words: 16, tags: 8 };

type Held<P> = Arc<Mutex<Writer<Scripted, P>>>;

fn make<P: WakePolicy>() -> (Held<P>, Reader<Scripted, P>, Scripted) {
    let note = Scripted::default();
    let (writer, reader) = sigproof_profbuf::new(CONFIG, note.clone()).unwrap();
    (Arc::new(Mutex::new(writer)), reader, note)
}

fn write<P: WakePolicy>(writer: &Held<P>, stack: usize) -> Result<Written, WriteError<Trouble>> {
    writer.lock().unwrap().write(1, Tag(1), &[1], &vec![3; stack])
}

/// (records, dropped) of one blocking read; `None` at the end of the file.
fn read<P: WakePolicy>(reader: &mut Reader<Scripted, P>) -> Option<(u64, u64)> {
    match reader.read(ReadMode::Blocking).unwrap() {
        Read::Records(records) => Some(records.fold((0, 0), |(stored, dropped), r| match r.overflow() {
            None => (stored + 1, dropped),
            Some(n) => (stored, dropped + u64::from(n)),
        })),
        Read::EndOfFile => None,
        Read::Empty => panic!("a blocking read that gives nothing"),
    }
}

/// What happens during one sleep, by stack size (99 never fits, 1 takes a quarter of the ring): the number of
/// wake-ups.
#[rstest]
#[case::one(&[1], 1, 0)]
#[case::two(&[1, 1], 1, 1)]
#[case::full(&[1, 1, 1, 1], 1, 1)]
#[case::full_and_dropped(&[1, 1, 1, 1, 1], 1, 1)]
#[case::dropped(&[99], 1, 1)]
#[case::dropped_then_stored(&[99, 1], 1, 1)]
#[case::dropped_twice_then_stored(&[99, 99, 1, 1], 1, 1)]
#[case::stored_then_dropped(&[1, 99], 1, 1)]
fn wakeups_in_one_sleep(#[case] stacks: &'static [usize], #[case] every: u32, #[case] half: u32) {
    fn run<P: WakePolicy>(stacks: &'static [usize], expected: u32) {
        let (writer, mut reader, note) = make::<P>();
        let (held, n) = (Arc::clone(&writer), note.clone());
        note.on_sleep(move || {
            for &stack in stacks {
                write(&held, stack).unwrap();
            }
            assert_eq!(n.pending(), expected);
            Ok(())
        });
        assert!(read(&mut reader).is_some());
        assert_eq!((note.sleeps(), note.clears(), note.pending()), (1, 1, 0));
    }
    run::<EveryRecord>(stacks, every);
    run::<HalfFull>(stacks, half);
}

/// Go up to 1.24: the reader sleeps, a drop is published (first wake-up, announcement kept), a record is
/// committed (second).
#[test]
fn keeping_the_flag_wakes_twice_and_clearing_it_does_not() {
    fn second_write<P: WakePolicy>() -> Result<Written, WriteError<Trouble>> {
        let (writer, mut reader, note) = make::<P>();
        let result = Arc::new(Mutex::new(None));
        let (held, slot) = (Arc::clone(&writer), Arc::clone(&result));
        note.on_sleep(move || {
            assert_eq!(write(&held, 99), Ok(Written::Dropped));
            *slot.lock().unwrap() = Some(write(&held, 1));
            Ok(())
        });
        // Even so both the overflow and the record are there.
        assert_eq!(read(&mut reader), Some((1, 1)));
        result.lock().unwrap().take().expect("it slept")
    }
    assert_eq!(second_write::<KeepFlag>(), Err(WriteError::Wake(Trouble::Double)));
    assert_eq!(second_write::<EveryRecord>(), Ok(Written::Stored));
    assert_eq!(second_write::<HalfFull>(), Ok(Written::Stored));
}

#[test]
fn keeping_the_flag_wakes_twice_for_two_drops_too() {
    let (writer, mut reader, note) = make::<KeepFlag>();
    let held = Arc::clone(&writer);
    note.on_sleep(move || {
        assert_eq!(write(&held, 99), Ok(Written::Dropped));
        assert_eq!(write(&held, 99), Err(WriteError::Wake(Trouble::Double)));
        Ok(())
    });
    assert_eq!(read(&mut reader), Some((0, 2)));
}

#[test]
fn half_full_lets_the_reader_sleep_on_and_delivers_all_at_once() {
    let (writer, mut reader, note) = make::<HalfFull>();
    let (held, n) = (Arc::clone(&writer), note.clone());
    note.on_sleep(move || {
        write(&held, 1).unwrap();
        assert_eq!(n.wakeups(), 0);
        write(&held, 1).unwrap();
        assert_eq!(n.wakeups(), 1);
        write(&held, 1).unwrap();
        assert_eq!(n.wakeups(), 1);
        Ok(())
    });
    assert_eq!(read(&mut reader), Some((3, 0)));
}

#[test]
fn a_stale_extra_flag_does_not_end_a_blocking_read() {
    let (writer, mut reader, note) = make::<EveryRecord>();
    // Published, and read through the ring and the overflow: the flag is left over.
    write(&writer, 99).unwrap();
    assert_eq!(read(&mut reader), Some((0, 1)));
    let held = Arc::clone(&writer);
    note.on_sleep(move || write(&held, 1).map(drop).map_err(|_| Trouble::Staged));
    assert_eq!(read(&mut reader), Some((1, 0)));
    assert_eq!((note.sleeps(), note.wakeups()), (1, 1));
    assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Empty)));
}

#[test]
fn a_close_during_the_sleep_ends_it() {
    let (writer, mut reader, note) = make::<EveryRecord>();
    let held = Arc::clone(&writer);
    note.on_sleep(move || held.lock().unwrap().close().map_err(|_| Trouble::Staged));
    assert_eq!(read(&mut reader), None);
    assert_eq!(read(&mut reader), None);
    assert_eq!((note.sleeps(), note.wakeups(), note.pending()), (1, 1, 0));
}

#[test]
fn a_sleep_that_returns_unwoken_is_slept_again() {
    let (writer, mut reader, note) = make::<EveryRecord>();
    let mut times = 0;
    let held = Arc::clone(&writer);
    note.on_sleep(move || {
        times += 1;
        if times == 3 {
            write(&held, 1).unwrap();
        }
        Ok(())
    });
    assert_eq!(read(&mut reader), Some((1, 0)));
    assert_eq!((note.sleeps(), note.wakeups()), (3, 1));
}

/// A sleep fails. If the writer has not seen the announcement, it is withdrawn and no wake-up comes.
#[test]
fn a_failed_sleep_withdraws_the_announcement() {
    let (writer, mut reader, note) = make::<EveryRecord>();
    note.on_sleep(|| Err(Trouble::Staged));
    assert!(matches!(reader.read(ReadMode::Blocking), Err(ReadError::Wake(Trouble::Staged))));
    write(&writer, 1).unwrap();
    assert_eq!((note.wakeups(), note.clears()), (0, 0));
    assert_eq!(read(&mut reader), Some((1, 0)));
}

/// A sleep fails after the writer has woken it: that wake-up is collected before the next announcement, so
/// there are never two.
#[test]
fn a_failed_sleep_that_was_woken_owes_a_wakeup() {
    let (writer, mut reader, note) = make::<EveryRecord>();
    let held = Arc::clone(&writer);
    note.on_sleep(move || {
        write(&held, 1).unwrap();
        Err(Trouble::Staged)
    });
    assert!(matches!(reader.read(ReadMode::Blocking), Err(ReadError::Wake(Trouble::Staged))));
    assert_eq!(note.pending(), 1);
    // The record is there, and a write in between does not wake.
    write(&writer, 1).unwrap();
    assert_eq!(read(&mut reader), Some((2, 0)));
    assert_eq!((note.pending(), note.sleeps()), (1, 1));

    // Nothing there: the first sleep collects the old wake-up (it returns at once). It is not announced, so a
    // write in it does not wake.
    let (held, n) = (Arc::clone(&writer), note.clone());
    note.on_sleep(move || {
        assert_eq!(n.pending(), 1);
        assert_eq!(write(&held, 1), Ok(Written::Stored));
        assert_eq!(n.pending(), 1);
        Ok(())
    });
    assert_eq!(read(&mut reader), Some((1, 0)));
    assert_eq!((note.sleeps(), note.wakeups(), note.clears(), note.pending()), (2, 1, 1, 0));

    // And the one after it is a real one again.
    let held = Arc::clone(&writer);
    note.on_sleep(move || write(&held, 1).map(drop).map_err(|_| Trouble::Staged));
    assert_eq!(read(&mut reader), Some((1, 0)));
    assert_eq!((note.sleeps(), note.wakeups(), note.clears(), note.pending()), (3, 2, 2, 0));
}

#[test]
fn a_non_blocking_read_never_announces_a_sleep() {
    let (writer, mut reader, note) = make::<EveryRecord>();
    for _ in 0..3 {
        assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Empty)));
        write(&writer, 1).unwrap();
        assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Records(_))));
        write(&writer, 99).unwrap();
        assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Records(_))));
    }
    assert_eq!((note.sleeps(), note.wakeups()), (0, 0));
}

#[test]
fn a_polling_read_pauses_until_there_is_something_and_never_sleeps() {
    let (writer, mut reader, note) = make::<EveryRecord>();
    for (stack, expected) in [(1, None), (99, Some(1))] {
        let mut pauses = 0;
        let pause = || {
            pauses += 1;
            if pauses == 3 {
                write(&writer, stack).unwrap();
            }
        };
        let Read::Records(mut records) = reader.read_polling(pause).unwrap() else { panic!("records") };
        assert_eq!(records.next().unwrap().overflow(), expected);
        assert_eq!(pauses, 3);
    }
    let close = || writer.lock().unwrap().close().unwrap();
    assert!(matches!(reader.read_polling(close), Ok(Read::EndOfFile)));
    assert_eq!((note.sleeps(), note.wakeups()), (0, 0));
}
