//! Models of the buffer: one writer, one reader, nothing in between.
//!
//! | model | what happens | what must hold |
//! |---|---|---|
//! | `profbuf-order` | three records, room for all | each comes out once, in order, with its tag |
//! | `profbuf-overflow` | more records than there is room for | the overflow comes in its place, with its time and its count |
//! | `profbuf-overflow-race` | an overflow is pending; the reader takes it, or the writer | one of them reports it |
//! | `profbuf-generation` | the overflow that the reader has seen is taken, and another made that looks the same | it is not taken for the first |
//! | `profbuf-rewind` | records that do not fit before the end of the ring | they begin at its beginning; skipped words count |
//! | `profbuf-wrap` | both counts pass their wrap | the buffer goes on as before |
//! | `profbuf-close` | a record, a drop, the end | the end comes after both, and stays |
//! | `profbuf-tags` | slots are used again | each is empty before |
//! | `profbuf-wake` | the reader sleeps, and nothing but the record or the drop wakes it | it is woken: once, and by half a ring or a drop only where so agreed |
//! | `profbuf-failed-sleep` | a sleep fails | its wake-up is collected, and no other sleep is woken by it |
//! | `profbuf-handler` | the writer is a handler on the reader's thread, and another thread | as above |
//! | `profbuf-writer-interrupted` | the writer is a thread and the handler that interrupts it where it has not blocked it | as above |
//! | `profbuf-polled-order` | the reader polls: records, room for all | as `profbuf-order` |
//! | `profbuf-polled-overflow-race` | the reader polls: an overflow is pending | as `profbuf-overflow-race` |
//! | `profbuf-polled-handler` | the reader polls: the writer is a handler on its thread, and another thread | as `profbuf-order`, with drops |
//! | `profbuf-polled-close` | the reader polls: a slot used again, a drop, the end | the end comes after all, and stays |
//!
//! All that may sleep, over a note that checks the use that is made of it ([`contract`](super::contract)).

use sigproof_profbuf::Counts;

use super::{Core, Ways};

mod polled;
mod script;
mod signals;
mod wakes;

use script::Script;

pub(super) const ALL: &[Core] = &[
    Core {
        name: "profbuf-order",
        setups: Ways::Alone(|| Script { preemptions: 2, ..Script::new(16, 4, &[3, 4]) }.setups()),
    },
    Core {
        name: "profbuf-overflow",
        setups: Ways::Alone(|| Script { before: &[3], ..Script::new(4, 2, &[3, 3]) }.setups()),
    },
    Core {
        name: "profbuf-overflow-race",
        setups: Ways::Alone(|| Script { before: &[3, 3, 3], reads_before: 1, ..Script::new(8, 2, &[3]) }.setups()),
    },
    // The overflow record and the next one fill both tags, so that the record after that is dropped again.
    Core {
        name: "profbuf-generation",
        setups: Ways::Alone(|| {
            Script { before: &[3, 3, 3], reads_before: 1, ..Script::new(8, 2, &[3, 3]) }.setups_of_one_policy()
        }),
    },
    // On the second lap, so that the marker has an old word to write over.
    Core {
        name: "profbuf-rewind",
        setups: Ways::Alone(|| Script { before: &[4, 4], reads_before: 2, ..Script::new(8, 2, &[5, 4]) }.setups()),
    },
    Core {
        name: "profbuf-wrap",
        setups: Ways::Alone(|| Script { counts: WRAP, ..Script::new(8, 2, &[3, 4, 3]) }.setups()),
    },
    Core { name: "profbuf-close", setups: Ways::Alone(|| Script::new(8, 1, &[3, 3]).setups()) },
    Core { name: "profbuf-tags", setups: Ways::Alone(wakes::tags) },
    Core { name: "profbuf-wake", setups: Ways::Alone(wakes::wake) },
    Core { name: "profbuf-failed-sleep", setups: Ways::Alone(wakes::failed_sleep) },
    Core { name: "profbuf-handler", setups: Ways::Alone(signals::handler) },
    Core { name: "profbuf-writer-interrupted", setups: Ways::Alone(signals::writer_interrupted) },
    Core { name: "profbuf-polled-order", setups: Ways::Alone(polled::order) },
    Core { name: "profbuf-polled-overflow-race", setups: Ways::Alone(polled::overflow_race) },
    Core { name: "profbuf-polled-close", setups: Ways::Alone(polled::close) },
    Core { name: "profbuf-polled-handler", setups: Ways::Alone(polled::handler) },
];

/// Four words and one tag before the counts wrap.
const WRAP: Counts = Counts { data: u32::MAX - 3, tags: (1 << 30) - 1 };
