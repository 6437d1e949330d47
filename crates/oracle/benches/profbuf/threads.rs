//! A writer and a reader, on a thread each: what a write costs, what is lost, how often the reader is woken,
//! and what it costs.
//!
//! The writer is *paced*: a burst of [`BURST`] records every [`PERIOD`], between which it spins; or it goes
//! *flat out*. The reader *blocks*: it sleeps on its note; or it *polls*: it looks, and sleeps for [`POLL`]
//! if there is nothing. A write is timed by the burst, so that a clock is read once in 64 writes. Criterion
//! has no part in it: a time is the least of what is told here.
//!
//! Every record is accounted for: read, or reported as lost.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use sigproof_oracle::bench::{self, Contender, DEPTH, Event, Group, Kind, Order, Rate, Reader as Waits, Seen, Traffic};
use sigproof_oracle::bench::{BURST, PERIOD, POLL, RING, TAGS};
use sigproof_profbuf::{EveryRecord, HalfFull, Mode, Read, ReadError, ReadMode, Reader, Tag, Wake, WakePolicy, Writer};
use sigproof_shim::native::atomic::{AtomicU64, Ordering};
use sigproof_shim::sync::Arc;

use crate::contenders::{CONFIG, HEADER_WORDS, TAG, stack};
use crate::go::{self, Go};
use crate::notes::{self, Counting};
use crate::tell::Tell;

/// Runs a writer and a reader for that long.
type Run<'a> = Box<dyn Fn(Rate, Duration) -> Result<Seen, String> + 'a>;

/// Who is visited.
struct Pair<'a> {
    contender: Contender,
    waits: Waits,
    run: Run<'a>,
}

/// All pairs.
fn pairs(drivers: &[Go]) -> Vec<Pair<'_>> {
    let ours = |name: &str, waits, run: Run<'static>| {
        let contender = Contender { kind: Kind::Ours, name: name.to_owned() };
        Pair { contender, waits, run }
    };
    let every = "sleeping, woken for every record";
    let mut pairs = vec![
        ours(every, Waits::Blocking, Box::new(|rate, window| sleeping::<EveryRecord>(rate, window, blocking))),
        ours(
            "sleeping, woken at half full",
            Waits::Blocking,
            Box::new(|rate, window| sleeping::<HalfFull>(rate, window, blocking)),
        ),
        ours(every, Waits::Polling, Box::new(|rate, window| sleeping::<EveryRecord>(rate, window, Reader::poll))),
        ours("polled", Waits::Polling, Box::new(polled)),
    ];
    for go in drivers {
        for waits in [Waits::Blocking, Waits::Polling] {
            let run = Box::new(move |rate, window| of_go(go, waits, rate, window));
            pairs.push(Pair { contender: go.contender(), waits, run });
        }
    }
    pairs
}

/// The rates, in the order in which each pass takes them.
const RATES: [Rate; 2] = [Rate::Paced, Rate::FlatOut];

/// How many visits a pass has.
pub fn visits(drivers: &[Go]) -> usize {
    pairs(drivers).len() * RATES.len()
}

/// All passes. Who has died at a rate is not asked for it again.
pub fn run(drivers: &[Go], order: &Order, tell: &mut Tell) {
    let pairs = pairs(drivers);
    let mut dead = BTreeSet::new();
    for pass in 0..order.passes {
        for rate in RATES {
            for turn in 0..pairs.len() {
                let pair = &pairs[(turn + pass as usize) % pairs.len()];
                let key = (pair.contender.clone(), pair.waits, rate);
                let what = format!("{}, {}, {}", key.0.name, pair.waits.as_str(), rate.as_str());
                tell.begun(Group::Threads, &what, pass);
                if !dead.contains(&key) {
                    match (pair.run)(rate, order.pace.threads()) {
                        Ok(seen) => {
                            let (contender, reader) = (key.0, pair.waits);
                            tell.event(&Event::Traffic(Traffic { contender, reader, rate, pass, seen }));
                        }
                        Err(why) => {
                            tell.skipped_from(Group::Threads, &what, pass, &why);
                            dead.insert(key);
                        }
                    }
                }
                tell.event(&Event::Done);
            }
        }
    }
}

/// A read, blocking or not.
type Look<W, M> = for<'a> fn(&'a mut Reader<W, M>) -> Result<Read<'a>, ReadError<<W as Wake>::Error>>;

fn blocking<W: Wake, P: WakePolicy>(reader: &mut Reader<W, P>) -> Result<Read<'_>, ReadError<W::Error>> {
    reader.read(ReadMode::Blocking)
}

/// The buffer whose reader may sleep, over the platform's first note.
fn sleeping<P: WakePolicy>(rate: Rate, window: Duration, look: Look<Counting, P>) -> Result<Seen, String> {
    let backend = notes::usable().next().ok_or("this platform has no note that a handler may wake")?;
    let (note, wakeups) = Counting::new(backend)?;
    let (writer, reader) = sigproof_profbuf::new::<_, P>(CONFIG, note).map_err(|error| error.to_string())?;
    both(writer, reader, rate, window, look, &wakeups)
}

/// The buffer whose reader polls.
fn polled(rate: Rate, window: Duration) -> Result<Seen, String> {
    let (writer, reader) = sigproof_profbuf::polled(CONFIG).map_err(|error| error.to_string())?;
    both(writer, reader, rate, window, Reader::poll, &Arc::new(AtomicU64::new(0)))
}

/// What a reader has seen.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    records: u64,
    lost: u64,
    cpu_ns: Option<u64>,
}

/// Runs both threads.
fn both<W: Wake + 'static, M: Mode>(
    mut writer: Writer<W, M>,
    mut reader: Reader<W, M>,
    rate: Rate,
    window: Duration,
    look: Look<W, M>,
    wakeups: &AtomicU64,
) -> Result<Seen, String> {
    thread::scope(|scope| {
        let taker = scope.spawn(move || take(&mut reader, look));
        let stack = stack(DEPTH);
        let (mut records, mut writing) = (0, Duration::ZERO);
        let started = Instant::now();
        while started.elapsed() < window {
            let burst = Instant::now();
            for _ in 0..BURST {
                let written = writer.write(records as i64, Tag(TAG), black_box(&HEADER_WORDS), black_box(&stack));
                written.map_err(|error| error.to_string())?;
                records += 1;
            }
            let end = Instant::now();
            writing += end - burst;
            while rate == Rate::Paced && burst.elapsed() < PERIOD {
                std::hint::spin_loop();
            }
        }
        let wall = started.elapsed();
        // Dropped, it closes: the reader is woken if it sleeps, and ends.
        drop(writer);
        let taken = taker.join().map_err(|_| "the reader's thread panicked")??;
        if taken.records + taken.lost != records {
            return Err(format!("{} records were read and {} lost, of {records}", taken.records, taken.lost));
        }
        Ok(Seen {
            records,
            lost: taken.lost,
            writing_ns: nanoseconds(writing),
            wall_ns: nanoseconds(wall),
            // Relaxed: both threads are done.
            wakeups: Some(wakeups.load(Ordering::Relaxed)),
            reader_cpu_ns: taken.cpu_ns,
        })
    })
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The processor time of this thread.
fn cpu_ns() -> Option<u64> {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).ok()?;
    Some(nanoseconds(Duration::from(time)))
}

/// Reads until the end of the file.
fn take<W: Wake, M: Mode>(reader: &mut Reader<W, M>, look: Look<W, M>) -> Result<Taken, String> {
    let before = cpu_ns();
    let (mut taken, mut sum) = (Taken::default(), 0_u64);
    loop {
        match look(reader).map_err(|error| error.to_string())? {
            Read::Records(records) => {
                for record in records {
                    match record.overflow() {
                        Some(lost) => taken.lost += u64::from(lost),
                        None => taken.records += 1,
                    }
                    let last = record.words().last().copied().unwrap_or(0);
                    sum = sum.wrapping_add(record.time() as u64).wrapping_add(last).wrapping_add(record.tag().0 as u64);
                }
            }
            Read::Empty => thread::sleep(POLL),
            Read::EndOfFile => break,
        }
    }
    black_box(sum);
    taken.cpu_ns = cpu_ns().zip(before).map(|(now, before)| now - before);
    Ok(taken)
}

/// Go's buffer, both threads in its own process.
fn of_go(go: &Go, waits: Waits, rate: Rate, window: Duration) -> Result<Seen, String> {
    let blocks = u64::from(waits == Waits::Blocking);
    let [window, period, poll] = [window, PERIOD, POLL].map(nanoseconds);
    let pace = if rate == Rate::Paced { period } else { 0 };
    let request = [1, RING as u64, TAGS as u64, DEPTH as u64, blocks, BURST, pace, poll, window];
    let answer = go.ask(&request)?;
    let &[records, read, lost, writing_ns, wall_ns, wakeups, cpu] = answer.as_slice() else {
        return Err(go::senseless(&answer));
    };
    if read + lost != records {
        return Err(format!("{read} records were read and {lost} lost, of {records}"));
    }
    let known = |number: u64| (number != bench::UNKNOWN).then_some(number);
    Ok(Seen { records, lost, writing_ns, wall_ns, wakeups: known(wakeups), reader_cpu_ns: known(cpu) })
}
