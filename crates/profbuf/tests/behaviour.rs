//! Tables: sizes, room, the rewind marker, overflow, the end of the file, misuse.

mod support;

use rstest::rstest;
use sigproof_profbuf::{
    CloseError, Config, ConfigError, Counts, EveryRecord, HalfFull, Read, ReadError, ReadMode, Reader, Tag, WakePolicy,
    WriteError, Writer, Written,
};
use support::{Owned, Scripted, Trouble};

/// One ring's length below both wraps.
const FAR: Counts = Counts { data: 0_u32.wrapping_sub(16), tags: (1 << 30) - 8 };

fn make(header: usize, words: usize, tags: usize) -> (Writer<Scripted>, Reader<Scripted>, Scripted) {
    let note = Scripted::default();
    let (writer, reader) = sigproof_profbuf::new(Config { header, words, tags }, note.clone()).unwrap();
    (writer, reader, note)
}

fn read<P: WakePolicy>(reader: &mut Reader<Scripted, P>) -> Vec<Owned> {
    match reader.read(ReadMode::NonBlocking).unwrap() {
        Read::Records(records) => {
            let announced = records.len();
            let all: Vec<_> = records.map(Owned::from).collect();
            assert_eq!(announced, all.len());
            assert!(!all.is_empty());
            all
        }
        Read::Empty | Read::EndOfFile => Vec::new(),
    }
}

/// The stacks' first words (the number dropped, of an overflow record) of all that there is.
fn drain<P: WakePolicy>(reader: &mut Reader<Scripted, P>) -> Vec<u64> {
    std::iter::from_fn(|| Some(read(reader)).filter(|all| !all.is_empty())).flatten().map(|r| r.stack[0]).collect()
}

#[rstest]
#[case::least(Config { header: 0, words: 0, tags: 0 }, Ok(()))]
#[case::words_at_the_limit(Config { header: 0, words: 1 << 28, tags: 1 }, Err(ConfigError::TooManyWords { words: 1 << 28, limit: 1 << 28 }))]
#[case::header_raises_words(Config { header: (1 << 28) - 3, words: 0, tags: 1 }, Err(ConfigError::TooManyWords { words: 1 << 28, limit: 1 << 28 }))]
#[case::header_of_all(Config { header: usize::MAX, words: 0, tags: 1 }, Err(ConfigError::TooManyWords { words: usize::MAX, limit: 1 << 28 }))]
#[case::tags_at_the_limit(Config { header: 0, words: 1, tags: 1 << 28 }, Err(ConfigError::TooManyTags { tags: 1 << 28, limit: 1 << 28 }))]
fn sizes(#[case] config: Config, #[case] expected: Result<(), ConfigError>) {
    let made = sigproof_profbuf::new::<_, EveryRecord>(config, Scripted::default());
    assert_eq!(made.map(drop), expected);
}

/// How many records of `stack` words a fresh ring takes, wherever its counts start.
#[rstest]
#[case::tags_run_out(0, 64, 4, 1, 4)]
#[case::tags_rounded_up(0, 64, 5, 1, 8)]
#[case::words_run_out(0, 16, 64, 2, 4)]
#[case::words_rounded_up(0, 17, 64, 2, 8)]
#[case::header_counts(2, 16, 64, 0, 4)]
#[case::raised_to_an_overflow_record(5, 0, 64, 1, 1)]
#[case::exactly_the_ring(0, 16, 64, 14, 1)]
#[case::one_more_than_the_ring(0, 16, 64, 15, 0)]
#[case::no_tags_means_one(0, 16, 0, 1, 1)]
fn room(
    #[case] header: usize,
    #[case] words: usize,
    #[case] tags: usize,
    #[case] stack: usize,
    #[case] expected: usize,
) {
    let (mut writer, mut reader, _) = make(header, words, tags);
    let mut stored = 0;
    while writer.write(0, Tag(1), &[], &vec![7; stack]).unwrap() == Written::Stored {
        stored += 1;
    }
    assert_eq!(stored, expected);
    let mut count = 0;
    while let Read::Records(records) = reader.read(ReadMode::NonBlocking).unwrap() {
        count += records.filter(|r| r.overflow().is_none()).count();
    }
    assert_eq!(count, expected);
}

/// A ring of 16 words, H = 0: `first` stack words are written, then read (and, if `released`, given back),
/// then `second` are written.
#[rstest]
#[case::fits_to_the_very_end(8, true, 4, Written::Stored)]
#[case::rewinds_into_released_room(8, true, 5, Written::Stored)]
#[case::rewinds_and_fills_it(8, true, 8, Written::Stored)]
#[case::one_word_more_than_after_the_rewind(8, true, 9, Written::Dropped)]
#[case::rewind_needs_the_room_that_is_held(8, false, 5, Written::Dropped)]
#[case::last_word_takes_the_marker(13, true, 0, Written::Stored)]
#[case::nothing_left_before_the_end(14, true, 14, Written::Stored)]
#[case::full_so_no_room_for_a_marker(14, false, 0, Written::Dropped)]
#[case::one_word_left_and_all_held(13, false, 0, Written::Dropped)]
fn rewind(#[case] first: usize, #[case] released: bool, #[case] second: usize, #[case] expected: Written) {
    for counts in [Counts::default(), Counts { data: 0_u32.wrapping_sub(16), tags: (1 << 30) - 1 }] {
        let note = Scripted::default();
        let config = Config { header: 0, words: 16, tags: 8 };
        let (mut writer, mut reader) =
            sigproof_profbuf::testing::new_at::<_, EveryRecord>(config, counts, note.clone()).unwrap();
        let stack: Vec<u64> = (1..=16).collect();
        assert_eq!(writer.write(1, Tag(1), &[], &stack[..first]), Ok(Written::Stored));
        assert_eq!(read(&mut reader).len(), 1);
        if released {
            assert!(read(&mut reader).is_empty());
        }
        assert_eq!(writer.write(2, Tag(2), &[], &stack[..second]), Ok(expected));
        let got = read(&mut reader);
        let want = match expected {
            Written::Stored => Owned { time: 2, tag: 2, header: vec![], stack: stack[..second].to_vec() },
            Written::Dropped => Owned { time: 2, tag: 0, header: vec![], stack: vec![1] },
        };
        assert_eq!(got, [want]);
    }
}

/// 16 words, records of 4: four fit. `w` writes the next number, `W` one that can never fit, `r` reads.
/// Overflows show as negative.
#[rstest]
#[case::made_by_the_reader("wwwwww r r w r", &[0, 1, 2, 3, -2, 6])]
#[case::not_accepted_while_the_ring_is_held("wwwww r w r", &[0, 1, 2, 3, -2])]
#[case::room_for_one_is_not_enough("w r wwwww r ww r w r", &[0, 1, 2, 3, -4, 8])]
#[case::too_large_alone("W r w r", &[-1, 1])]
#[case::made_by_the_writer("wWww r", &[0, -1, 2, 3])]
#[case::each_reported_once("WW r W r r", &[-2, -1])]
fn overflow_order(#[case] script: &str, #[case] expected: &[i64]) {
    let config = Config { header: 1, words: 16, tags: 8 };
    let (mut writer, mut reader) =
        sigproof_profbuf::testing::new_at::<_, HalfFull>(config, FAR, Scripted::default()).unwrap();
    let (mut n, mut got) = (0, Vec::new());
    for op in script.chars() {
        match op {
            'w' | 'W' => {
                let stack = vec![n; if op == 'W' { 99 } else { 1 }];
                writer.write(n as i64, Tag(9), &[5], &stack).unwrap();
                n += 1;
            }
            'r' => got.extend(read(&mut reader).into_iter().map(|r| match r.tag {
                0 => -(r.stack[0] as i64),
                _ => r.stack[0] as i64,
            })),
            _ => {}
        }
    }
    assert_eq!(got, expected);
}

#[test]
fn an_overflow_has_the_time_of_its_first_and_is_told_by_its_look() {
    let (mut writer, mut reader, _) = make(2, 16, 8);
    for time in [10, 11, 12] {
        assert_eq!(writer.write(time, Tag(1), &[3], &[0; 99]), Ok(Written::Dropped));
    }
    // Into the ring, ahead of a record; that one looks like an overflow but for its tag or header.
    assert_eq!(writer.write(13, Tag(1), &[], &[8]), Ok(Written::Stored));
    assert_eq!(writer.write(14, Tag::NONE, &[0, 1], &[8]), Ok(Written::Stored));
    let Read::Records(records) = reader.read(ReadMode::NonBlocking).unwrap() else { panic!("records") };
    assert_eq!(records.words().len(), 15);
    let seen: Vec<_> = records.map(|r| (r.time(), r.overflow())).collect();
    assert_eq!(seen, [(10, Some(3)), (13, None), (14, None)]);

    // Made by the reader.
    assert_eq!(writer.write(15, Tag(1), &[3], &[0; 99]), Ok(Written::Dropped));
    let Read::Records(mut records) = reader.read(ReadMode::NonBlocking).unwrap() else { panic!("records") };
    let record = records.next().unwrap();
    assert_eq!(record.words(), [5, 15, 0, 0, 1]);
    assert_eq!((record.overflow(), record.tag(), records.len()), (Some(1), Tag::NONE, 0));
}

#[test]
fn the_end_of_the_file_comes_after_data_and_overflow_and_stays() {
    let (mut writer, mut reader, note) = make(1, 16, 8);
    writer.write(1, Tag(1), &[1], &[4]).unwrap();
    writer.write(2, Tag(2), &[1], &[4; 99]).unwrap();
    writer.close().unwrap();
    assert_eq!(writer.close(), Err(CloseError::AlreadyClosed));
    assert_eq!(writer.write(3, Tag(3), &[1], &[4]), Err(WriteError::Closed));
    assert_eq!(drain(&mut reader), [4, 1]);
    for mode in [ReadMode::Blocking, ReadMode::NonBlocking, ReadMode::Blocking] {
        assert!(matches!(reader.read(mode), Ok(Read::EndOfFile)));
    }
    assert_eq!((note.sleeps(), note.wakeups()), (0, 0));
}

#[test]
fn dropping_the_writer_closes_and_dropping_the_reader_only_loses_records() {
    let (mut writer, mut reader, _) = make(1, 16, 8);
    writer.write(1, Tag(1), &[1], &[4]).unwrap();
    drop(writer);
    assert_eq!(drain(&mut reader), [4]);
    assert!(matches!(reader.read(ReadMode::Blocking), Ok(Read::EndOfFile)));

    let (mut writer, reader, note) = make(1, 16, 8);
    drop(reader);
    let results: Vec<_> = (0..5).map(|n| writer.write(n, Tag(1), &[1], &[4]).unwrap()).collect();
    assert_eq!(results, [[Written::Stored; 4].as_slice(), &[Written::Dropped]].concat());
    assert_eq!(note.wakeups(), 0);
}

#[test]
fn a_header_that_is_too_long_is_refused_and_changes_nothing() {
    let (mut writer, mut reader, _) = make(2, 16, 8);
    assert_eq!(writer.write(1, Tag(1), &[1, 2, 3], &[4]), Err(WriteError::HeaderTooLong { given: 3, limit: 2 }));
    assert!(read(&mut reader).is_empty());
    writer.write(-1, Tag(usize::MAX), &[u64::MAX], &[]).unwrap();
    assert_eq!(read(&mut reader), [Owned { time: -1, tag: usize::MAX, header: vec![u64::MAX, 0], stack: vec![] }]);
}

#[test]
fn a_failed_wakeup_is_reported_and_the_record_is_there() {
    let (writer, mut reader, note) = make(1, 16, 8);
    let (n, mut writer) = (note.clone(), writer);
    note.on_sleep(move || {
        n.fail_next_wakeup();
        assert_eq!(writer.write(1, Tag(1), &[1], &[4]), Err(WriteError::Wake(Trouble::Staged)));
        Ok(())
    });
    let Ok(Read::Records(records)) = reader.read(ReadMode::Blocking) else { panic!("records") };
    assert_eq!(records.len(), 1);

    for dropped in [false, true] {
        let (mut writer, mut reader, note) = make(1, 16, 8);
        let n = note.clone();
        note.on_sleep(move || {
            n.fail_next_wakeup();
            if dropped {
                assert_eq!(writer.write(1, Tag(1), &[1], &[4; 99]), Err(WriteError::Wake(Trouble::Staged)));
            } else {
                assert_eq!(writer.close(), Err(CloseError::Wake(Trouble::Staged)));
            }
            Ok(())
        });
        let read = reader.read(ReadMode::Blocking).unwrap();
        assert_eq!(matches!(read, Read::Records(_)), dropped, "{read:?}");
        assert_eq!(matches!(read, Read::EndOfFile), !dropped, "{read:?}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let texts = [
        WriteError::<Trouble>::HeaderTooLong { given: 3, limit: 2 }.to_string(),
        WriteError::Wake(Trouble::Double).to_string(),
        CloseError::<Trouble>::AlreadyClosed.to_string(),
        ReadError::Wake(Trouble::Staged).to_string(),
    ];
    assert_eq!(
        texts,
        [
            "3 header words, but a record of this buffer has 2",
            "waking the reader: Double",
            "closed twice",
            "sleeping: Staged"
        ]
    );
}
