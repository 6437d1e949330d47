//! Compares our buffer with real runtimes for `cargo xtask conform`. It gets one comparison, tells how far it
//! is, and then the result. While it works, it reads on: an order to stop, or the end of the orders, ends the
//! comparison early.

use std::thread;

use sigproof_inspect::process::lines::{Orders, Teller};
use sigproof_inspect::refusal::Refusal;
use sigproof_oracle::conform::comparing::{Comparing, Event, Order};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_workbench::conform::compare;

static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    let teller = Teller::<Comparing>::greet(|| ());
    let mut orders = Orders::<Comparing>::of_parent();
    let comparison = match orders.next() {
        Some(Ok(Order::Compare(comparison))) => comparison,
        Some(Err(error)) => return teller.tell(&Event::Done(Err(error))),
        Some(Ok(Order::Stop)) | None => return,
    };
    let stop = move || {
        orders.find(|order| matches!(order, Ok(Order::Stop)));
        STOP.store(true, Ordering::Relaxed);
    };
    let reading = thread::Builder::new().name("orders".to_owned()).spawn(stop);
    let tallies = match reading {
        Ok(_) => {
            let further = |more| teller.tell(&Event::Further(more));
            compare::all(&comparison, &STOP, &further).map_err(|error| error.to_string())
        }
        Err(error) => Err(Refusal::thread(&error).to_string()),
    };
    teller.tell(&Event::Done(tallies));
}
