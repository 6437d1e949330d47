//! A buffer whose reader polls, between two threads: every record comes out once, in order, or is counted.

use sigproof_profbuf::{Config, Read, Tag};

const RECORDS: u64 = 200_000;

#[test]
fn every_record_comes_out_or_is_counted() {
    let (mut writer, mut reader) = sigproof_profbuf::polled(Config { header: 1, words: 64, tags: 8 }).unwrap();
    let (full, started) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        for n in 1..=RECORDS {
            let stack = [n; 32];
            writer.write(n as i64, Tag(n as usize), &[n], &stack[..(n % 30) as usize + 2]).unwrap();
            if n == 100 {
                full.send(()).unwrap();
            }
        }
        writer.close().unwrap();
    });
    // 100 records of 5 words and more do not fit into 64: some are dropped.
    started.recv().unwrap();
    let (mut next, mut dropped) = (1, 0);
    while let Read::Records(records) = reader.read_polling(std::thread::yield_now).unwrap() {
        for record in records {
            assert_eq!(record.time(), next as i64);
            if record.tag() == Tag::NONE {
                dropped += u64::from(record.overflow().unwrap());
                next += u64::from(record.overflow().unwrap());
            } else {
                assert_eq!((record.tag(), record.header()), (Tag(next as usize), &[next][..]));
                assert_eq!(record.stack(), vec![next; (next % 30) as usize + 2]);
                next += 1;
            }
        }
    }
    thread.join().unwrap();
    assert_eq!(next, RECORDS + 1);
    assert!(dropped > 0, "a buffer that overflows drops records");
}
