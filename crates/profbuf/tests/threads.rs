//! A writer flat out against a reader that really sleeps: no double wake-up, no lost one, and the accounts
//! agree.
//!
//! A lost wake-up shows as a hang, which the test runner's own time limit ends.

mod support;

use std::sync::Arc;
use std::thread;

use rstest::rstest;
use sigproof_profbuf::{Config, Counts, EveryRecord, HalfFull, Read, ReadMode, Reader, Tag, WakePolicy, Written};
use sigproof_shim::atomic::{AtomicU64, Ordering};
use support::Sleeper;

#[derive(Default)]
struct Account {
    delivered: u64,
    lost: u64,
    reads: u64,
}

/// Checks that the records are whole and in order.
fn check<P: WakePolicy>(mut reader: Reader<Sleeper, P>, modes: &[ReadMode]) -> Account {
    let mut account = Account::default();
    let mut last = 0;
    for &mode in modes.iter().cycle() {
        match reader.read(mode).unwrap() {
            Read::Empty => thread::yield_now(),
            Read::EndOfFile => return account,
            Read::Records(records) => {
                account.reads += 1;
                for record in records {
                    assert!(record.time() > last, "out of order");
                    if let Some(count) = record.overflow() {
                        account.lost += u64::from(count);
                        // The times of the dropped ones are the numbers from the first on, without a gap.
                        assert_eq!(record.time(), last + 1);
                        last += i64::from(count);
                        continue;
                    }
                    assert_eq!(record.time(), last + 1, "a gap that no thread reported");
                    last = record.time();
                    let n = last as u64;
                    assert_eq!(record.tag(), Tag(n as usize));
                    assert_eq!(record.header(), [!n]);
                    assert_eq!(record.stack().len() as u64, n % 7);
                    assert!(record.stack().iter().enumerate().all(|(i, &word)| word == n * 31 + i as u64));
                    account.delivered += 1;
                }
            }
        }
    }
    unreachable!("modes cycle for ever")
}

fn run<P: WakePolicy>(words: usize, modes: &'static [ReadMode], total: u64) {
    let config = Config { header: 1, words, tags: 8 };
    let start = Counts { data: u32::MAX - 5_000, tags: (1 << 30) - 1_000 };
    let (mut writer, reader) = sigproof_profbuf::testing::new_at::<_, P>(config, start, Sleeper::default()).unwrap();
    let reading = thread::spawn(move || check(reader, modes));
    let (mut stored, mut dropped) = (0, 0);
    for n in 1..=total {
        let stack: [u64; 6] = std::array::from_fn(|i| n * 31 + i as u64);
        // An error here is a double wake-up.
        match writer.write(n as i64, Tag(n as usize), &[!n], &stack[..(n % 7) as usize]).unwrap() {
            Written::Stored => stored += 1,
            Written::Dropped => dropped += 1,
        }
        if n % 64 == 0 {
            thread::yield_now();
        }
    }
    writer.close().unwrap();
    let account = reading.join().unwrap();
    assert_eq!(account.delivered, stored);
    assert_eq!(account.lost, dropped);
    assert_eq!(account.delivered + account.lost, total);
    assert_eq!(account.reads > 0, total > 0);
}

#[rstest]
#[case::tight_blocking(16, &[ReadMode::Blocking])]
#[case::roomy_blocking(1024, &[ReadMode::Blocking])]
#[case::tight_non_blocking(16, &[ReadMode::NonBlocking])]
#[case::mixed(64, &[ReadMode::Blocking, ReadMode::NonBlocking, ReadMode::NonBlocking])]
fn accounts_agree(#[case] words: usize, #[case] modes: &'static [ReadMode]) {
    run::<EveryRecord>(words, modes, 100_000);
    run::<HalfFull>(words, modes, 100_000);
}

/// Many short lives: the close races with the reader's last look.
#[test]
fn close_races_with_the_last_look() {
    for round in 0..500 {
        run::<EveryRecord>(64, &[ReadMode::Blocking], round % 5);
        run::<HalfFull>(64, &[ReadMode::Blocking], round % 5);
        run::<EveryRecord>(64, &[ReadMode::NonBlocking], round % 5);
    }
}

/// The writer publishes one thing just when the reader goes to look, a little later each time: the window
/// between the reader's look and its sleep. A lost wake-up leaves both waiting.
#[rstest]
#[case::stored(1)]
#[case::dropped(99)]
fn one_publication_against_the_look_before_the_sleep(#[case] stack: usize) {
    const ROUNDS: u64 = 60_000;
    let config = Config { header: 1, words: 16, tags: 8 };
    let (mut writer, mut reader) = sigproof_profbuf::new::<_, EveryRecord>(config, Sleeper::default()).unwrap();
    let turn = Arc::new(AtomicU64::new(0));
    let looking = Arc::clone(&turn);
    let reading = thread::spawn(move || {
        let mut seen = 0;
        while seen < ROUNDS {
            // Relaxed: only sets the pace.
            looking.store(seen + 1, Ordering::Relaxed);
            match reader.read(ReadMode::Blocking).unwrap() {
                Read::Records(records) => seen += records.len() as u64,
                other => panic!("not closed, and blocking: {other:?}"),
            }
        }
    });
    for round in 1..=ROUNDS {
        let mut spins = 0_u32;
        while turn.load(Ordering::Relaxed) < round {
            spins += 1;
            if spins.is_multiple_of(1000) {
                thread::yield_now();
            }
        }
        for spin in 0..round % 150 {
            std::hint::black_box(spin);
        }
        writer.write(1, Tag(1), &[1], &vec![0; stack]).unwrap();
    }
    reading.join().unwrap();
}
