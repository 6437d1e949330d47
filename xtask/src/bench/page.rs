//! `docs/performance.md`: made, never edited. The command line prints the same tables.

use sigproof_oracle::bench::{BURST, DEPTH, Group, Kind, PERIOD, POLL, Pace, RING};

use super::costs::{self, Costs, RTRB, RTRB_DEPTHS};
use super::grid::Grid;
use super::results::Results;
use super::traffic;
use crate::units;

/// The text and the tables of a group.
pub struct Section {
    pub title: &'static str,
    /// What was measured, for the page.
    text: String,
    pub grids: Vec<Grid>,
    /// The text below the tables on the page.
    after: &'static str,
}

/// A section for each group that was measured.
pub fn sections(results: &Results) -> Vec<Section> {
    results.groups.iter().filter_map(|group| section(*group, results)).collect()
}

fn section(group: Group, results: &Results) -> Option<Section> {
    let (poll, period) = (POLL.as_millis(), PERIOD.as_millis());
    match group {
        Group::Record if !results.costs.is_empty() => {
            let costs = Costs::of(&results.costs);
            let goals = costs::met(&costs.goals()).map_or_else(String::new, |met| format!("; {met}"));
            let ring = units::count(RING as u64);
            let text = format!(
                "One thread writes a batch of records that fills half of a ring of {ring} words, and then reads \
                them all. \
                 A record has a length, a time, one header word, as many stack words as the depth says and, in our \
                 buffer and in Go's, a tag. \
                 The reader adds up the length, the time, the last word and the tag of each record, by the same \
                 rule for every contender.\n\n\
                 - `sleeping` is our buffer with a reader that may sleep on a note, although it never does here: a \
                 compare-and-swap commits a record. `polled` is our buffer with a reader that polls, which its type \
                 says: a plain store commits a record. This is the difference between the two.\n\
                 - Go's is `profBuf` in package runtime, written and read without blocking in a loop of a Go \
                 program. The program times the loop, which has no call between languages and no pipe.\n\
                 - `rtrb` gets the same words, one chunk for each record, and is read in one chunk; it has no tags, \
                 no marks of loss and no wake-ups.\n\
                 - `memcpy` copies each record into place and reads it: the limit.\n\n\
                 The goals: at most a third of Go's time at each depth, and at most {RTRB} times that of rtrb at \
                 depths {} and {}{goals}.\n",
                RTRB_DEPTHS[0], RTRB_DEPTHS[1]
            );
            let after = "![Nanoseconds per record over the depth of its stack](performance.svg)\n";
            let grids = vec![costs.times(), costs.ratios()];
            Some(Section { title: "Write and drain, one thread", text, grids, after })
        }
        Group::Threads if !results.traffic.is_empty() => {
            let text = format!(
                "A thread writes records of depth {DEPTH} into the same ring, and another one reads. Paced: bursts \
                of {BURST} records every \
                 {period} ms, between which the writer spins; flat out: without a pause. A blocking reader sleeps \
                 on its note (ours: the first \
                 one of the platform; Go's: that of the runtime), a polling reader reads and, if there is no \
                 record, sleeps for {poll} ms. The time of a write is that of its burst, divided; it includes \
                 wake-ups, and the dropping of a record if there is no room. Every record is counted as read or as \
                 lost. Flat out, a slower reader loses more records. A dropped record is cheap, so compare these \
                 times only together with the losses. A reader that is woken quickly for every record is asleep \
                 again before the burst ends, and is woken again: then most of the time of a write is the \
                 wake-up.\n\n\
                 Our wake-ups are counted at the note. Go's are how often the reader's thread went to sleep \
                 (voluntary context switches). A sleeping \
                 reader is woken for every record or at half full; the names of our contenders say which, and the \
                 list at the top says it for each runtime: compare contenders of the same policy. A runtime that \
                 dies of its double wake-up, which is the case `profbuf-double-wakeup`, is listed at the end of the \
                 page.\n"
            );
            let grids = vec![traffic::threads(&results.traffic)];
            Some(Section { title: "Two threads", text, grids, after: "" })
        }
        Group::Latency if !results.latencies.is_empty() => {
            let mut text = "A signal is sent to a thread that spins. Its handler reads the clock, and writes a \
            record with that time; a reader on a third thread sleeps on the note, is woken, and reads the clock \
            when its read returns. The next signal is \
                 sent once the record has been read and the reader has had the time to go back to sleep. Only \
                 records that found the reader asleep are counted; the table has their share. The table has every \
                 note of this platform that a handler may wake; the buffer wakes its reader for every record. The \
                 target spins and the reader needs a processor of its own, so on a busy machine these times are \
                 those of its scheduler: differences within the brackets say nothing about the notes.\n"
                .to_owned();
            if results.latencies.iter().any(|one| one.contender.kind == Kind::Go) {
                text += "\nFor Go, an ordinary thread writes the record, not a handler, and another thread reads it and blocks.\n";
            }
            let grids = vec![traffic::latencies(&results.latencies)];
            Some(Section { title: "From a signal handler to the reader", text, grids, after: "" })
        }
        _ => None,
    }
}

pub fn text(results: &Results) -> String {
    let machine = &results.machine;
    let runtimes = results.runtimes.iter().map(|runtime| {
        let policy = runtime.wake_policy.as_deref().unwrap_or("unknown");
        format!("- {}, whose wake policy, found by probes, is {policy}\n", runtime.version)
    });
    let runtimes: String = runtimes.collect();
    let pace = if results.pace == Pace::Full { "" } else { ", of shorter visits than usual (`--quick`)" };
    let mut text = format!(
        "# Performance\n\n\
         Made by `cargo xtask bench --write`, never by hand. All numbers are from one run.\n\n\
         - processor: {}\n- system: {}\n- compiler: {}, profile `bench`\n- rtrb: {}\n- passes: {}{}\n{}\n\
         Each pass visits all contenders in turn, and each pass begins with another one; a visit takes a fraction \
         of a second. A cell is the median over the passes, with the least and the most of any pass in brackets if \
         they differ. A ratio compares two visits of the same pass, so other work of the machine affects both sides \
         alike. A ratio is therefore more reliable than a time.\n",
        machine.processor, machine.system, machine.rustc, machine.rtrb, results.passes, pace, runtimes
    );
    for Section { title, text: about, grids, after } in sections(results) {
        text += &format!("\n## {title}\n\n{about}");
        for grid in grids {
            text += &format!("\n{}", grid.markdown());
        }
        if !after.is_empty() {
            text += &format!("\n{after}");
        }
    }
    if !results.skipped.is_empty() {
        text += "\n## Not measured\n\n";
        results.skipped.iter().for_each(|line| text += &format!("- {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::example;
    use super::*;

    #[test]
    fn the_page_is_what_it_was() {
        insta::assert_snapshot!(text(&example()));
    }

    #[test]
    fn what_was_not_measured_has_no_section() {
        let mut results = example();
        results.costs.clear();
        results.latencies.clear();
        let titles: Vec<_> = sections(&results).iter().map(|section| section.title).collect();
        assert_eq!(titles, ["Two threads"]);
    }
}
