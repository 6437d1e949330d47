//! The tables of two threads, and of latencies. Pure: what was seen goes in, text comes out.

use std::collections::BTreeMap;

use sigproof_oracle::bench::{Contender, Kind, Latencies, Seen, Traffic, quantile};

use super::grid::Grid;
use super::spread::{Passes, Spread};

/// The passes of each, in the order of the keys.
fn by<K: Ord, T>(all: &[T], key: impl Fn(&T) -> K, pass: impl Fn(&T) -> u32) -> BTreeMap<K, BTreeMap<u32, &T>> {
    let mut found: BTreeMap<K, BTreeMap<u32, &T>> = BTreeMap::new();
    for one in all {
        found.entry(key(one)).or_default().insert(pass(one), one);
    }
    found
}

/// A number of each pass, where there is one.
fn each<T>(passes: &BTreeMap<u32, &T>, number: impl Fn(&T) -> Option<f64>) -> Passes {
    passes.iter().filter_map(|(pass, one)| Some((*pass, number(one)?))).collect()
}

fn cell(passes: &Passes) -> String {
    Spread::of(passes).map_or_else(|| "-".to_owned(), |spread| spread.to_string())
}

/// The newest of Go's that there is.
fn newest<'a>(contenders: impl Iterator<Item = &'a Contender>) -> Option<Contender> {
    let of_go: Vec<_> = contenders.filter(|contender| contender.kind == Kind::Go).collect();
    let version = |contender: &Contender| sigproof_oracle::toolchain::Version::new(&contender.name);
    of_go.into_iter().max_by(|a, b| version(a).cmp(&version(b))).cloned()
}

/// Two threads.
pub fn threads(all: &[Traffic]) -> Grid {
    let newest = newest(all.iter().map(|traffic| &traffic.contender));
    let mut grid = Grid::new(["rate", "reader", "contender", "ns per write"]);
    grid.head.extend(newest.as_ref().map(|newest| format!("as a part of {}", newest.name)));
    grid.head.extend(["lost, %", "wake-ups per 1,000 writes", "reader's CPU, %"].map(str::to_owned));
    let writing = |traffic: &Traffic| Some(traffic.seen.writing_ns as f64 / traffic.seen.records as f64);
    let key = |traffic: &Traffic| (traffic.rate, traffic.reader, traffic.contender.clone());
    let found = by(all, key, |traffic| traffic.pass);
    for ((rate, reader, contender), passes) in &found {
        let per = |part: fn(&Seen) -> Option<u64>, of: fn(&Seen) -> u64, times: f64| {
            let number = |traffic: &Traffic| Some(part(&traffic.seen)? as f64 / of(&traffic.seen) as f64 * times);
            cell(&each(passes, number))
        };
        let times = each(passes, writing);
        let theirs = newest.clone().and_then(|newest| found.get(&(*rate, *reader, newest)));
        let ratio = theirs.and_then(|theirs| Spread::of_ratios(&times, &each(theirs, writing)));
        let mut row = vec![rate.as_str().to_owned(), reader.as_str().to_owned(), contender.name.clone(), cell(&times)];
        // Where there is no Go, there is no such column.
        row.extend(newest.as_ref().map(|_| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))));
        row.extend([
            per(|seen| Some(seen.lost), |seen| seen.records, 100.0),
            per(|seen| seen.wakeups, |seen| seen.records, 1000.0),
            per(|seen| seen.reader_cpu_ns, |seen| seen.wall_ns, 100.0),
        ]);
        grid.rows.push(row);
    }
    grid
}

/// Microseconds at this quantile.
fn at(part: f64) -> impl Fn(&Latencies) -> Option<f64> {
    move |latencies| {
        let numbers: Vec<_> = latencies.nanoseconds.iter().map(|ns| *ns as f64 / 1000.0).collect();
        quantile(&numbers, part)
    }
}

/// Latencies, by note.
pub fn latencies(all: &[Latencies]) -> Grid {
    // As they came: ours first, in the order of the registry.
    let mut order: Vec<(Contender, String)> = Vec::new();
    for one in all.iter().filter(|one| one.pass == 0).chain(all) {
        let key = (one.contender.clone(), one.note.clone());
        if !order.contains(&key) {
            order.push(key);
        }
    }
    order.sort_by_key(|(contender, _)| contender.kind);
    let found = by(all, |one| (one.contender.clone(), one.note.clone()), |one| one.pass);
    let first = order.first().and_then(|first| Some((first, found.get(first)?)));
    let mut grid = Grid::new(["note", "written", "median, us"]);
    grid.head.push(format!("as a part of {}", first.map_or("the first", |((_, note), _)| note)));
    grid.head.extend(["99 %, us", "worst, us", "asleep", "records"].map(str::to_owned));
    for key in &order {
        let Some(passes) = found.get(key) else { continue };
        let medians = each(passes, at(0.5));
        let ratio = first.and_then(|(_, first)| Spread::of_ratios(&medians, &each(first, at(0.5))));
        let sum = |number: fn(&Latencies) -> u64| passes.values().map(|one| number(one)).sum::<u64>();
        let (asleep, records) = (sum(|one| one.asleep), sum(|one| one.records));
        let in_handler = passes.values().all(|one| one.in_handler);
        let note = if key.0.kind == Kind::Ours { key.1.clone() } else { format!("{} {}", key.0.name, key.1) };
        grid.rows.push(vec![
            note,
            if in_handler { "in a handler" } else { "by a thread" }.to_owned(),
            cell(&medians),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            cell(&each(passes, at(0.99))),
            cell(&each(passes, at(1.0))),
            crate::units::percent(asleep, records.max(1)),
            crate::units::count(records),
        ]);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::example;
    use super::*;

    #[test]
    fn without_go_there_is_no_column_for_it() {
        let mut all = example().traffic;
        all.retain(|traffic| traffic.contender.kind == Kind::Ours);
        let grid = threads(&all);
        assert_eq!(grid.head.len(), 7);
        assert!(!grid.rows.is_empty() && grid.rows.iter().all(|row| row.len() == grid.head.len()));
    }

    #[test]
    fn the_tables_are_what_they_were() {
        let results = example();
        let (threads, latencies) = (threads(&results.traffic), latencies(&results.latencies));
        insta::assert_snapshot!(format!("{}\n{}", threads.markdown(), latencies.markdown()));
    }
}
