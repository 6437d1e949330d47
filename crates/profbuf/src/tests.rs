//! Tests that need to see or spoil the inside of a buffer.

extern crate std;

use core::convert::Infallible;
use std::vec::Vec;

use rstest::rstest;
use sigproof_shim::atomic::Ordering;
use sigproof_shim::sync::Arc;

use crate::config::{Config, Counts};
use crate::error::{Malformed, ReadError};
use crate::mode::{NoNote, Polled};
use crate::overflow::{Lost, Overflow};
use crate::reader::{Read, ReadMode, Reader};
use crate::record::Tag;
use crate::room::Room;
use crate::shared::Shared;
use crate::wake::Wake;
use crate::word::{READER_SLEEPING, WRITE_EXTRA, Word};
use crate::writer::Writer;

/// Never slept on.
struct Quiet;

impl Wake for Quiet {
    type Error = Infallible;
    fn clear(&self) {}
    fn sleep(&self) -> Result<(), Infallible> {
        panic!("nothing here sleeps")
    }
    fn wakeup(&self) -> Result<(), Infallible> {
        panic!("no thread sleeps, so no thread is woken")
    }
}

const CONFIG: Config = Config { header: 1, words: 16, tags: 4 };

fn make(counts: Counts) -> (Writer<Quiet>, Reader<Quiet>, Arc<Shared<Quiet>>) {
    let shared = Arc::new(Shared::new(CONFIG.layout().unwrap(), counts, Quiet).unwrap());
    let reader = Reader::new(Arc::clone(&shared)).unwrap();
    (Writer::new(Arc::clone(&shared)), reader, shared)
}

#[rstest]
#[case::from_zero(0, 0, 5, 1, 5, 1)]
#[case::data_wrap(u32::MAX, 7, 2, 1, 1, 8)]
#[case::tags_wrap(9, (1 << 30) - 1, 4, 1, 13, 0)]
#[case::both_wrap(u32::MAX - 3, (1 << 30) - 1, 10, 3, 6, 2)]
fn counts_wrap_apart_and_leave_the_flags(
    #[case] data: u32,
    #[case] tags: u32,
    #[case] by: usize,
    #[case] by_tags: usize,
    #[case] then: u32,
    #[case] then_tags: u32,
) {
    for flags in [0, READER_SLEEPING, WRITE_EXTRA, READER_SLEEPING | WRITE_EXTRA] {
        let word = Word::at(Counts { data, tags }).with(flags);
        let next = word.advanced(by, by_tags);
        assert_eq!((next.data(), next.tags()), (then, then_tags));
        assert_eq!(next.0 & (READER_SLEEPING | WRITE_EXTRA), flags);
        assert_eq!(next.ahead_of(word), (by as isize, by_tags as isize));
        assert_eq!(word.ahead_of(next), (-(by as isize), -(by_tags as isize)));
        assert_eq!(next.without(READER_SLEEPING | WRITE_EXTRA), Word::at(Counts { data: then, tags: then_tags }));
    }
}

#[test]
fn differences_are_exact_up_to_the_largest_ring() {
    let far = 1 << 28;
    for start in [0, 1, far as u32, u32::MAX - 1, u32::MAX] {
        let word = Word::at(Counts { data: start, tags: start });
        assert_eq!(word.advanced(far, far).ahead_of(word), (far as isize, far as isize));
        assert_eq!(word.ahead_of(word.advanced(far, far)), (-(far as isize), -(far as isize)));
    }
}

#[test]
fn a_released_tag_slot_is_empty_and_a_held_one_is_not() {
    let (mut writer, mut reader, shared) = make(Counts { data: 0, tags: (1 << 30) - 2 });
    // SAFETY: one thread, no other thread is at it.
    let slots = || -> Vec<usize> { (0..4).map(|i| unsafe { shared.tags.get(i) }.0).collect() };
    for n in 1..=3 {
        writer.write(0, Tag(n), &[], &[]).unwrap();
    }
    assert_eq!(slots(), [3, 0, 1, 2]);
    // A read stops where the tag ring ends.
    assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Records(r)) if r.len() == 2));
    assert_eq!(slots(), [3, 0, 1, 2]);
    assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Records(r)) if r.len() == 1));
    assert_eq!(slots(), [3, 0, 0, 0]);
    assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Empty)));
    assert_eq!(slots(), [0, 0, 0, 0]);
}

#[test]
fn the_count_of_dropped_records_saturates_until_taken() {
    let (mut writer, mut reader, shared) = make(Counts::default());
    shared.overflow().preset(u32::MAX - 1, 5);
    for time in 6..9 {
        writer.write(time, Tag(1), &[], &[0; 20]).unwrap();
    }
    let Ok(Read::Records(mut records)) = reader.read(ReadMode::NonBlocking) else { panic!("an overflow") };
    let record = records.next().unwrap();
    assert_eq!((record.overflow(), record.time()), (Some(u32::MAX), 5));
    writer.write(9, Tag(1), &[], &[0; 20]).unwrap();
    let Ok(Read::Records(mut records)) = reader.read(ReadMode::NonBlocking) else { panic!("an overflow") };
    let record = records.next().unwrap();
    assert_eq!((record.overflow(), record.time()), (Some(1), 9));
}

/// The race of writer and reader for one overflow: the loser of the compare-and-swap gets nothing, also if
/// the count is the same again.
#[test]
fn an_overflow_is_taken_once_and_never_by_a_stale_look() {
    let overflow = Overflow::new();
    assert_eq!(overflow.take(overflow.look()), None);
    overflow.add(10);
    let (reader, writer) = (overflow.look(), overflow.look());
    assert_eq!(overflow.take(writer), Some(Lost { count: 1, time: 10 }));
    assert_eq!(overflow.take(reader), None);

    // A reset that the reader did not see, and the same count after it: the generation tells.
    overflow.add(20);
    assert!(overflow.look().pending());
    assert_eq!(overflow.take(reader), None);
    // One more since the look.
    let early = overflow.look();
    overflow.add(21);
    assert_eq!(overflow.take(early), None);
    assert_eq!(overflow.take(overflow.look()), Some(Lost { count: 2, time: 20 }));
    assert!(!overflow.look().pending());
}

/// What a look at a pending overflow has seen does not come again, whoever takes overflows in between.
#[test]
fn a_pending_word_does_not_come_again() {
    let overflow = Overflow::new();
    let mut seen = Vec::new();
    for round in 0..100 {
        for time in 0..=round % 3 {
            overflow.add(time);
            assert!(!seen.contains(&overflow.look()), "round {round}");
            seen.push(overflow.look());
        }
        assert!(overflow.take(overflow.look()).is_some());
        assert!(!overflow.look().pending());
    }
}

#[rstest]
#[case::too_long(0, 15, Malformed::Length { length: 15 })]
#[case::past_what_is_unread(0, 11, Malformed::Length { length: 11 })]
#[case::huge(0, u64::MAX, Malformed::Length { length: u64::MAX })]
#[case::shorter_than_its_fixed_part(0, 2, Malformed::Length { length: 2 })]
#[case::second_record(5, 6, Malformed::Length { length: 6 })]
#[case::words_after_the_last(5, 4, Malformed::Length { length: 4 })]
#[case::a_marker_in_the_midst(5, 0, Malformed::Length { length: 0 })]
#[case::rewind_before_the_data(0, 0, Malformed::RewindToNothing)]
fn a_spoiled_length_is_loud_in_the_reader(#[case] index: usize, #[case] length: u64, #[case] fault: Malformed) {
    let (mut writer, mut reader, shared) = make(Counts::default());
    for n in 1..=2 {
        writer.write(n, Tag(1), &[1], &[1, 2]).unwrap();
    }
    // SAFETY: one thread, no other thread is at it.
    unsafe { shared.data.put(index as u32, length) };
    if let Ok(Read::Records(records)) = reader.read(ReadMode::NonBlocking) {
        // The sound ones before it, and none after it.
        let times: Vec<_> = records.clone().map(|record| record.time()).collect();
        assert_eq!(times, [1][..index / 5]);
        assert!(records.size_hint().0 <= times.len(), "no more is promised than comes");
        let mut records = records;
        assert!(records.by_ref().last().is_none_or(|record| record.time() == 1) && records.next().is_none());
        assert_eq!(records.len(), 0);
    }
    for _ in 0..2 {
        let error = reader.read(ReadMode::NonBlocking).unwrap_err();
        assert_eq!(error, ReadError::Malformed { fault, index });
        assert_eq!(reader.poll().unwrap_err(), error);
        assert_eq!(reader.read_polling(|| {}).unwrap_err(), error);
    }
}

#[test]
fn a_spoiled_length_is_loud_at_once_where_the_ring_ends_in_between() {
    let (mut writer, mut reader, shared) = make(Counts { data: 8, tags: 0 });
    for n in 1..=2 {
        // The second goes over the end, to the start of the ring.
        writer.write(n, Tag(1), &[1], &[1, 2]).unwrap();
    }
    // SAFETY: one thread, no other thread is at it.
    unsafe { shared.data.put(8, 9) };
    for _ in 0..2 {
        let error = reader.poll().unwrap_err();
        assert_eq!(error, ReadError::Malformed { fault: Malformed::Length { length: 9 }, index: 8 });
    }
}

#[test]
fn a_count_of_words_that_wraps_leaves_the_flags_alone() {
    // Five words to the top: the record ends where the ring does, and where the count does.
    let counts = Counts { data: u32::MAX - 4, tags: 3 };
    let (mut writer, _reader, shared) = make(counts);
    // No thread but the writer writes the word of this one, so that nothing hides what it has made of it.
    let polled = Arc::new(Shared::new(CONFIG.layout().unwrap(), counts, NoNote::new()).unwrap());
    let mut to_polled = Writer::<_, Polled>::new(Arc::clone(&polled));
    for n in 1..=2 {
        writer.write(n, Tag(1), &[1], &[1, 2]).unwrap();
        to_polled.write(n, Tag(1), &[1], &[1, 2]).unwrap();
        for word in [shared.write_word(), polled.write_word()] {
            let w = Word(word.load(Ordering::Relaxed));
            assert_eq!((w.data(), w.tags()), (5 * (n as u32 - 1), 3 + n as u32));
            assert!(!w.has(READER_SLEEPING) && !w.has(WRITE_EXTRA));
        }
    }
}

#[rstest]
#[case::data_without_tag(4, 0, Malformed::TagsOutOfStep)]
#[case::tag_without_data(0, 1, Malformed::TagsOutOfStep)]
#[case::more_than_the_ring(17, 1, Malformed::CountsOutOfRange)]
#[case::more_than_the_tags(16, 5, Malformed::CountsOutOfRange)]
#[case::behind_the_reader(usize::MAX, 1, Malformed::CountsOutOfRange)]
fn spoiled_counts_are_loud_in_the_reader_and_quiet_in_the_writer(
    #[case] data: usize,
    #[case] tags: usize,
    #[case] fault: Malformed,
) {
    let (mut writer, mut reader, shared) = make(Counts::default());
    let w = Word(shared.write_word().load(Ordering::Relaxed)).advanced(data, tags);
    shared.write_word().store(w.0, Ordering::Relaxed);
    let error = reader.read(ReadMode::NonBlocking).unwrap_err();
    assert_eq!(error, ReadError::Malformed { fault, index: 0 });
    // Whatever it does with them, it does not panic and stays in its bounds.
    for n in 0..20 {
        let _ = writer.write(n, Tag(1), &[1], &[1, 2, 3]);
    }
}

/// The window between the reader's look and its announcement: whatever the writer does there makes the
/// announcement fail.
#[rstest]
#[case::nothing("", true)]
#[case::stored("stored", false)]
#[case::dropped("dropped", false)]
#[case::closed("closed", false)]
fn an_announcement_fails_if_anything_was_published_since_the_look(#[case] meanwhile: &str, #[case] announced: bool) {
    let (mut writer, _reader, shared) = make(Counts::default());
    let seen = shared.reader_view();
    match meanwhile {
        "stored" => drop(writer.write(1, Tag(1), &[], &[]).unwrap()),
        "dropped" => drop(writer.write(1, Tag(1), &[], &[0; 20]).unwrap()),
        "closed" => writer.close().unwrap(),
        _ => {}
    }
    assert_eq!(shared.announce(seen), announced);
    assert_eq!(shared.reader_view().has(READER_SLEEPING), announced);
    // No thread sleeps on this note.
    assert_eq!(shared.withdraw(), announced);
    assert!(!shared.reader_view().has(READER_SLEEPING));
}

/// The same, one level up: the reader that looked before it does not sleep (this note's sleep panics).
#[rstest]
#[case::stored(0)]
#[case::dropped(20)]
fn a_reader_that_looked_too_early_does_not_sleep(#[case] stack: usize) {
    let (mut writer, mut reader, shared) = make(Counts::default());
    let seen = shared.reader_view();
    writer.write(1, Tag(1), &[], &[0; 20][..stack]).unwrap();
    reader.wait(seen).unwrap();
    assert!(!shared.reader_view().has(READER_SLEEPING));
}

/// WRITE_EXTRA is cleared only by a reader that has seen all; what is published again sets it again.
#[test]
fn a_flag_is_settled_only_from_the_word_that_was_seen() {
    let (mut writer, _reader, shared) = make(Counts::default());
    writer.write(1, Tag(1), &[], &[0; 20]).unwrap();
    let seen = shared.reader_view();
    writer.write(1, Tag(1), &[], &[]).unwrap();
    shared.settle(seen);
    assert!(shared.reader_view().has(WRITE_EXTRA));
    shared.settle(shared.reader_view());
    assert!(!shared.reader_view().has(WRITE_EXTRA));
    writer.write(1, Tag(1), &[], &[0; 20]).unwrap();
    assert!(shared.reader_view().has(WRITE_EXTRA));
}

/// Left standing, it would hide the next publication from the announcement.
#[test]
fn the_flag_is_cleared_before_a_read_concludes_that_there_is_nothing() {
    let (mut writer, mut reader, shared) = make(Counts::default());
    writer.write(1, Tag(1), &[], &[0; 20]).unwrap();
    assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Records(_))));
    assert!(shared.reader_view().has(WRITE_EXTRA));
    assert!(matches!(reader.read(ReadMode::NonBlocking), Ok(Read::Empty)));
    assert!(!shared.reader_view().has(WRITE_EXTRA));
}

proptest::proptest! {
    /// A write word that no thread has written, over rings that no thread has written to: the reader says
    /// what is wrong with it, as often as it is asked, and no record comes out.
    #[test]
    fn a_wrong_write_word_gives_an_error_and_no_record(start: u32, ahead in -40_i64..=40, ahead_tags in -10_i64..=10, extra: bool) {
        // The end of the writer would be the end of the file.
        let (_writer, mut reader, shared) = make(Counts { data: start, tags: start & 0x3fff_ffff });
        let tags = (i64::from(start) + ahead_tags).rem_euclid(1 << 30);
        let word = Word::at(Counts { data: (i64::from(start) + ahead) as u32, tags: tags as u32 });
        let flag = if extra { WRITE_EXTRA } else { 0 };
        shared.write_word().store(word.with(flag).0, Ordering::Relaxed);
        let at = start as usize % shared.layout.words;
        let in_range = |count: i64, length: usize| (0..=length as i64).contains(&count);
        let fault = if (ahead, ahead_tags) == (0, 0) {
            None
        } else if !in_range(ahead, shared.layout.words) || !in_range(ahead_tags, shared.layout.tags) {
            Some((Malformed::CountsOutOfRange, at))
        } else if ahead == 0 || ahead_tags == 0 {
            Some((Malformed::TagsOutOfStep, at))
        } else if at as i64 + ahead <= shared.layout.words as i64 {
            // The first word is no length: a rewind marker.
            Some((Malformed::RewindToNothing, at))
        } else {
            Some((Malformed::Length { length: 0 }, 0))
        };
        // The first look at words that look sound may leave it to the iterator to find out that they are not.
        if let Ok(Read::Records(records)) = reader.read(ReadMode::NonBlocking) {
            let is_length = matches!(fault, Some((Malformed::Length { .. }, _)));
            proptest::prop_assert!(is_length);
            proptest::prop_assert_eq!(records.count(), 0);
        }
        for _ in 0..2 {
            let read = reader.read(ReadMode::NonBlocking);
            match fault {
                Some((fault, index)) => {
                    proptest::prop_assert_eq!(read.err(), Some(ReadError::Malformed { fault, index }));
                }
                None => proptest::prop_assert!(matches!(read, Ok(Read::Empty)), "{read:?}"),
            }
        }
    }

    /// Whatever the two words say, a place lies in the ring, and what is taken was free.
    #[test]
    fn a_place_lies_in_the_ring_whatever_the_words_say(w: u64, r: u64, near in -20_i64..20, is_near: bool, words in 1_usize..40) {
        let layout = CONFIG.layout().unwrap();
        let r = Word(r);
        let w = if is_near { Word(r.0.wrapping_add_signed(near)) } else { Word(w) };
        let free = layout.words.saturating_sub(w.since(r).0);
        let mut room = Room::between(layout, w, r);
        for place in [room.ahead(words), room.place(words), room.place(words)].into_iter().flatten() {
            proptest::prop_assert_eq!(place.words, words);
            proptest::prop_assert!(place.at + words <= layout.words && place.skip < layout.words && place.skip + words <= free);
        }
    }
}
