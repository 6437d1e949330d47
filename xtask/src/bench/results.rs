//! What was measured, on what; and its JSON, the schema `sigproof.bench/1`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;
use sigproof_inspect::process;
use sigproof_oracle::bench::{Contender, Cost, Event, Group, Kind, Latencies, Order, Pace, Traffic};
use sigproof_oracle::conform::{rule::Rule, single::Single};
use sigproof_oracle::driver::Driver;
use sigproof_report::host::Host;

use super::costs::{Costs, Goal};

/// The schema's name.
const SCHEMA: &str = "sigproof.bench/1";

/// All of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What it ran on.
    pub machine: Machine,
    /// The runtimes that were measured against.
    pub runtimes: Vec<Runtime>,
    /// What was asked for.
    pub groups: Vec<Group>,
    /// In how many passes.
    pub passes: u32,
    /// How thoroughly.
    pub pace: Pace,
    /// Until its end, the build included.
    pub elapsed_seconds: f64,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// The visits of [`Group::Record`].
    pub costs: Vec<Cost>,
    /// The visits of [`Group::Threads`].
    pub traffic: Vec<Traffic>,
    /// The visits of [`Group::Latency`].
    pub latencies: Vec<Latencies>,
    /// What was not measured, and why.
    pub skipped: Vec<String>,
}

/// One of Go's.
#[derive(Clone, Debug, Serialize)]
pub struct Runtime {
    /// As it calls itself.
    pub version: String,
    /// By which a write wakes its sleeping reader, as `conform` names it; `None` if it is none that is known.
    pub wake_policy: Option<String>,
}

impl Runtime {
    /// Asks one.
    pub fn ask(driver: &Driver) -> Self {
        // What cannot be asked will not be measured either, and is told there.
        let rule = Rule::of(&mut Single::new(driver)).ok().flatten();
        Self { version: driver.version.to_string(), wake_policy: rule.map(|rule| rule.to_string()) }
    }
}

/// What a report adds to that.
#[derive(Serialize)]
struct WithGoals<'a> {
    #[serde(flatten)]
    results: &'a Results,
    goals: Vec<Goal>,
}

impl Results {
    /// Nothing yet.
    pub fn new(order: &Order, machine: Machine) -> Self {
        Self {
            schema: SCHEMA,
            machine,
            runtimes: Vec::new(),
            groups: order.groups.clone(),
            passes: order.passes,
            pace: order.pace,
            elapsed_seconds: 0.0,
            interrupted: false,
            costs: Vec::new(),
            traffic: Vec::new(),
            latencies: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Adds the results of a visit.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Cost(cost) => self.costs.push(cost),
            Event::Traffic(traffic) => self.traffic.push(traffic),
            Event::Latencies(latencies) => self.latencies.push(latencies),
            Event::Skipped(skipped) => {
                let line = format!("{}, {}: {}", skipped.group.as_str(), skipped.what, skipped.why);
                if !self.skipped.contains(&line) {
                    self.skipped.push(line);
                }
            }
            Event::Planned(_) | Event::Begun { .. } | Event::Done => {}
        }
    }

    /// How many Go toolchains anything was measured of.
    pub fn toolchains(&self) -> usize {
        let costs = self.costs.iter().map(|cost| &cost.contender);
        let traffic = self.traffic.iter().map(|traffic| &traffic.contender);
        let all = costs.chain(traffic).chain(self.latencies.iter().map(|latencies| &latencies.contender));
        all.filter(|contender| contender.kind == Kind::Go).collect::<BTreeSet<&Contender>>().len()
    }

    /// For programs.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let all = WithGoals { results: self, goals: Costs::of(&self.costs).goals() };
        serde_json::to_string_pretty(&all).map(|text| text + "\n")
    }
}

/// What was measured on, and with what. Nothing that names its owner.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor, and how many of it.
    pub processor: String,
    /// The operating system.
    pub system: String,
    pub rustc: String,
    /// The crate that we are compared with.
    pub rtrb: String,
}

impl Machine {
    /// This one.
    pub fn detect(root: &Path) -> Self {
        let host = Host::detect();
        let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
        Self {
            processor: format!("{}, {} usable", processor(), host.cpus),
            system: format!("{} {}, {}, {}", host.os, host.kernel, host.arch, host.libc),
            rustc: said("rustc", &["--version"]).unwrap_or_else(unknown),
            rtrb: version(&lock, "rtrb").unwrap_or_else(unknown),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The processor's model: Linux has it in a file, macOS tells it.
fn processor() -> String {
    let file = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line =
        file.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
    line.or_else(|| said("sysctl", &["-n", "machdep.cpu.brand_string"])).unwrap_or_else(unknown)
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    process::output(Command::new(program).args(arguments)).ok()?.text()
}

/// The version of a package in a lock file.
fn version(lock: &str, package: &str) -> Option<String> {
    let rest = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?.1;
    Some(rest.split('"').next()?.to_owned())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use sigproof_oracle::bench::{Rate, Reader, Seen};

    fn contender(kind: Kind, name: &str) -> Contender {
        Contender { kind, name: name.to_owned() }
    }

    /// Results that no machine has measured. Each pass is slower than the one before, for all alike.
    pub fn example() -> Results {
        let word = |text: &str| text.to_owned();
        let machine = Machine { processor: word("P"), system: word("S"), rustc: word("R"), rtrb: word("0.3.6") };
        let order = Order { groups: Group::ALL.to_vec(), passes: 3, pace: Pace::Full, go: Vec::new() };
        let mut results = Results::new(&order, machine);
        let costs = [
            (Kind::Ours, "sleeping", 12.0),
            (Kind::Ours, "polled", 10.0),
            (Kind::Go, "go1.24.4", 38.0),
            (Kind::Go, "go1.27.3", 40.0),
            (Kind::Rtrb, "rtrb", 7.5),
            (Kind::Copy, "memcpy", 2.0),
        ];
        for (version, policy) in [("go1.24.4", Some("every-record-keeps-flag")), ("go1.27.3", None)] {
            results.runtimes.push(Runtime { version: word(version), wake_policy: policy.map(word) });
        }
        for (pass, slower) in [(0, 1.0), (1, 1.5), (2, 1.25)] {
            for (kind, name, nanoseconds) in costs {
                for (depth, times) in [(2, 1.0), (16, 2.0), (64, 4.0)] {
                    let nanoseconds = nanoseconds * times * slower;
                    results.costs.push(Cost { contender: contender(kind, name), depth, pass, nanoseconds });
                }
            }
            let writers = [
                (Kind::Ours, "polled", Reader::Polling, Some(0)),
                (Kind::Go, "go1.24.4", Reader::Polling, None),
                (Kind::Go, "go1.27.3", Reader::Blocking, Some(500)),
            ];
            for (at, (kind, name, reader, wakeups)) in writers.into_iter().enumerate() {
                let writing_ns = ((at + 1) as f64 * 100_000.0 * slower) as u64;
                let (records, lost, reader_cpu_ns) = (10_000, 2_500, wakeups.map(|_| 250_000));
                let seen = Seen { records, lost, writing_ns, wall_ns: 1_000_000, wakeups, reader_cpu_ns };
                let contender = contender(kind, name);
                results.traffic.push(Traffic { contender, reader, rate: Rate::FlatOut, pass, seen });
            }
            for (kind, name, note, each) in
                [(Kind::Ours, "sleeping", "futex", 3.0), (Kind::Go, "go1.24.4", "of the runtime", 9.0)]
            {
                results.latencies.push(Latencies {
                    contender: contender(kind, name),
                    note: note.to_owned(),
                    in_handler: kind == Kind::Ours,
                    pass,
                    asleep: 3,
                    records: 4,
                    nanoseconds: [1.0, 1.5, 20.0].map(|times| (times * each * 1000.0 * slower) as u64).to_vec(),
                });
            }
        }
        results.skipped.push("threads, go1.21.13, blocking, flat out: the Go program exited with code 2".to_owned());
        results.elapsed_seconds = 100.0;
        results
    }

    #[test]
    fn versions_come_from_the_lock() {
        let lock = "[[package]]\nname = \"rtrb\"\nversion = \"0.3.6\"\n";
        assert_eq!(version(lock, "rtrb").as_deref(), Some("0.3.6"));
        assert_eq!(version(lock, "loom"), None);
    }

    #[test]
    fn the_json_has_the_schema_the_visits_and_the_goals() {
        let json: serde_json::Value = serde_json::from_str(&example().to_json().unwrap()).unwrap();
        assert_eq!(json["schema"], SCHEMA);
        assert_eq!(json["costs"].as_array().unwrap().len(), 6 * 3 * 3);
        assert_eq!(json["traffic"][0]["rate"], "flat-out");
        assert!(!json["goals"].as_array().unwrap().is_empty() && json["goals"][0]["met"].is_boolean());
        assert_eq!(example().toolchains(), 2);
    }
}
