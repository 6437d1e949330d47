//! The benchmarks of the buffer: `cargo bench -p sigproof-oracle`, or `cargo xtask bench`, which makes tables
//! of them.
//!
//! | file | holds |
//! |---|---|
//! | `contenders` | who writes and drains records, behind one trait |
//! | `go` | Go's buffer as a contender: requests to a driver, which measures itself |
//! | `record` | criterion's part: the cost of a record, contenders in turn |
//! | `threads` | a writer and a reader on a thread each |
//! | `latency` | from a signal handler to the reader that it wakes |
//! | `notes` | the notes that readers sleep on, with their wake-ups counted |
//! | `tell` | the events |
//!
//! With `--ordered` the program reads an order and tells events; criterion's own text then goes to the
//! standard error. Without, it is one of cargo's usual benches: one pass of the cost of a record.

use std::process::ExitCode;

use criterion::Criterion;
use sigproof_inspect::process::lines::Orders;
use sigproof_oracle::bench::{Benching, Event, Group, ORDERED, Order, Pace};
use sigproof_oracle::driver::{self, Driver};
use sigproof_oracle::toolchain;
use sigproof_shim::native::atomic::AtomicBool;

mod contenders;
mod go;
mod latency;
mod notes;
mod record;
mod tell;
mod threads;

fn main() -> ExitCode {
    let ordered = std::env::args().nth(1).is_some_and(|first| first == ORDERED);
    let done = if ordered { as_ordered() } else { as_usual() };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What the parent asks for. The end of the orders ends this process.
fn as_ordered() -> Result<(), String> {
    let mut tell = tell::Tell::events()?;
    let mut orders = Orders::<Benching>::of_parent();
    let order = orders.next().ok_or("no order")??;
    orders.leash(|| ()).map_err(|refusal| refusal.to_string())?;
    let order = &order;
    let drivers = go::drivers(order, &mut tell);
    let visits = order.groups.iter().map(|group| match group {
        Group::Record => (*group, record::visits(&drivers)),
        Group::Threads => (*group, threads::visits(&drivers)),
        Group::Latency => (*group, latency::visits(&drivers)),
    });
    tell.event(&Event::Planned(visits.collect()));
    for group in &order.groups {
        match group {
            Group::Record => record::run(&drivers, order, &mut record::criterion(order.pace), &mut tell),
            Group::Threads => threads::run(&drivers, order, &mut tell),
            Group::Latency => latency::run(&drivers, order, &mut tell),
        }
    }
    Ok(())
}

/// What cargo asks for: criterion takes the arguments, and prints.
fn as_usual() -> Result<(), String> {
    let pace = if std::env::args().any(|argument| argument == "--bench") { Pace::Full } else { Pace::Tiny };
    let found = toolchain::find(&[]).unwrap_or_else(|why| {
        eprintln!("Go is left out: {why}");
        Vec::new()
    });
    let built = found.iter().map(|toolchain| Driver::build(toolchain, &driver::folder(), &AtomicBool::new(false)));
    let go = built.filter_map(|built| built.map_err(|why| eprintln!("left out: {why}")).ok()).collect();
    let order = Order { groups: vec![Group::Record], passes: 1, pace, go };
    let mut tell = tell::Tell::without_parent();
    let drivers = go::drivers(&order, &mut tell);
    let mut criterion: Criterion = record::criterion(pace).configure_from_args();
    record::run(&drivers, &order, &mut criterion, &mut tell);
    criterion.final_summary();
    Ok(())
}
