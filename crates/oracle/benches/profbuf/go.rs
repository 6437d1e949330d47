//! Go's buffer as a contender: a driver of each toolchain, which is asked for batches and answers with the
//! time that its own loop took.

use std::cell::RefCell;
use std::time::Duration;

use sigproof_oracle::bench::{self, Contender, Kind, Order, RING, TAGS};
use sigproof_oracle::driver::Driver;
use sigproof_oracle::process::{Process, frame};

use crate::contenders::Rival;
use crate::tell::Tell;

/// How long an answer may take beyond what was asked for. Only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(20);

/// A driver, and the process of it that serves requests.
pub struct Go {
    driver: Driver,
    process: RefCell<Process>,
}

/// Starts the drivers of an order; one that does not is told as skipped.
pub fn drivers(order: &Order, tell: &mut Tell) -> Vec<Go> {
    let mut drivers = Vec::new();
    for driver in &order.go {
        match Go::start(driver.clone()) {
            Ok(go) => drivers.push(go),
            Err(why) => {
                order.groups.iter().for_each(|group| tell.skipped(*group, &driver.version.to_string(), &why));
            }
        }
    }
    drivers
}

impl Go {
    fn start(driver: Driver) -> Result<Self, String> {
        let process = RefCell::new(start(&driver)?);
        Ok(Self { driver, process })
    }

    /// Who it is.
    pub fn contender(&self) -> Contender {
        Contender { kind: Kind::Go, name: self.driver.version.to_string() }
    }

    /// Asks, and waits for the answer. A process that has died, or that hangs, is replaced, for those who ask
    /// next.
    ///
    /// # Errors
    /// What it said when it died.
    pub fn ask(&self, request: &[u64]) -> Result<Vec<u64>, String> {
        let mut process = self.process.borrow_mut();
        let mut bytes = Vec::new();
        frame(request, &mut bytes);
        process.send(bytes);
        let answer = process.receive(PATIENCE);
        answer.map_err(|silence| match start(&self.driver) {
            Ok(fresh) => {
                *process = fresh;
                silence.to_string()
            }
            Err(error) => format!("{silence}; and {error}"),
        })
    }

    /// As a contender, for records of that depth.
    pub fn rival(&self, depth: usize) -> Box<dyn Rival + '_> {
        Box::new(Batches { go: self, depth })
    }
}

fn start(driver: &Driver) -> Result<Process, String> {
    Process::start(driver, &["bench"]).map_err(|error| error.to_string())
}

/// What to say of an answer that is none.
pub fn senseless(answer: &[u64]) -> String {
    format!("the Go program answered with {} words", answer.len())
}

/// See [`Go::rival`].
struct Batches<'a> {
    go: &'a Go,
    depth: usize,
}

impl Rival for Batches<'_> {
    fn contender(&self) -> Contender {
        self.go.contender()
    }

    fn batches(&mut self, batches: u64) -> Result<Duration, String> {
        let batch = bench::batch(self.depth) as u64;
        let request = [0, RING as u64, TAGS as u64, self.depth as u64, batch, batches];
        let answer = self.go.ask(&request)?;
        let &[nanoseconds, records, _sum] = answer.as_slice() else { return Err(senseless(&answer)) };
        if records != batch * batches {
            return Err(format!("{records} of {} records were read", batch * batches));
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}
