//! The litmus files of the repository against the enumerator, by a reader of their own: it knows the forms
//! that these files have, and nothing of the engine's reader.
//!
//! A file whose program the enumerator has no words for (blocking calls, plain accesses) says in a comment,
//! `(* By hand: … *)`, how its outcomes were found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sigproof_explore::End;
use sigproof_explore::atomic::Ordering;

use crate::enumerate;
use crate::program::{Op, Outcome, Program};

/// What a register holds.
#[derive(Debug, Clone, Copy)]
enum Register {
    /// What the operation of this thread or handler, with this number in it, read.
    Read(usize, usize),
    /// Whether the exchange took place.
    Success(usize, usize),
    /// The value that an exchange found; this one if it took place.
    Found(usize, usize, u32),
}

#[derive(Debug, Default)]
struct File {
    locations: Vec<String>,
    /// Those of the threads, then those of the handlers.
    bodies: Vec<(String, Vec<Op>)>,
    registers: BTreeMap<String, Register>,
    names: Vec<String>,
    expected: BTreeSet<String>,
    executions: Option<u64>,
    reorders: bool,
    by_hand: bool,
}

fn order(text: &str) -> Option<Ordering> {
    Some(match text.strip_prefix("memory_order_")? {
        "relaxed" => Ordering::Relaxed,
        "acquire" => Ordering::Acquire,
        "release" => Ordering::Release,
        "acq_rel" => Ordering::AcqRel,
        "seq_cst" => Ordering::SeqCst,
        _ => return None,
    })
}

impl File {
    fn at(&mut self, name: &str) -> usize {
        self.locations.iter().position(|known| known == name).unwrap_or_else(|| {
            self.locations.push(name.to_owned());
            self.locations.len() - 1
        })
    }

    /// Reads a file; `None` if it has another form.
    fn read(text: &str) -> Option<Self> {
        let mut file = Self::default();
        let mut comments = text;
        while let Some((_, rest)) = comments.split_once("(*") {
            let (comment, rest) = rest.split_once("*)")?;
            let mut lines = comment.trim().lines().map(str::trim);
            let head: Vec<&str> = lines.next()?.split_whitespace().collect();
            match head[..] {
                ["expect", ref names @ ..] => {
                    file.names = names.iter().map(|&name| name.to_owned()).collect();
                    file.expected = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
                }
                ["executions", number] => file.executions = number.parse().ok(),
                ["compiler", "reorders"] => file.reorders = true,
                ["By", "hand:", ..] => file.by_hand = true,
                _ => {}
            }
            comments = rest;
        }
        let mut given: BTreeMap<String, u32> = BTreeMap::new();
        let mut is_enumerable = true;
        for line in text.lines() {
            if let Some((name, _)) = line.split_once(" (").filter(|(name, _)| name.starts_with(['P', 'H'])) {
                let name = name.strip_prefix('P').unwrap_or(name);
                file.bodies.push((name.to_owned(), Vec::new()));
                given.clear();
            } else if line.starts_with("{ ") {
                is_enumerable &= line.split(" = ").skip(1).all(|value| value.starts_with('0'));
            } else if line.starts_with("  ") && !file.bodies.is_empty() && is_enumerable {
                is_enumerable = file.statement(line.trim(), &mut given).is_some();
            }
        }
        if !is_enumerable {
            file.bodies.clear();
        }
        Some(file)
    }

    fn statement(&mut self, text: &str, given: &mut BTreeMap<String, u32>) -> Option<()> {
        let body = self.bodies.len() - 1;
        let number = self.bodies[body].1.len();
        let (register, call) = match text.strip_prefix("int ").and_then(|rest| rest.split_once(" = ")) {
            Some((register, call)) => (Some(format!("{}:{register}", self.bodies[body].0)), call),
            None => (None, text),
        };
        if let (Some(register), Ok(value)) = (&register, call.trim_end_matches(';').parse()) {
            given.insert(register.clone(), value);
            return Some(());
        }
        if let Some(condition) = call.strip_prefix("while (atomic_load_explicit(") {
            let (load, rest) = condition.split_once(')')?;
            let (at, with) = load.split_once(", ")?;
            let operation = (rest == " == 0) { }").then(|| Some(Op::Await(self.at(at), order(with)?)))??;
            self.bodies[body].1.push(operation);
            return Some(());
        }
        let (name, arguments) = call.strip_suffix(");")?.split_once('(')?;
        let arguments: Vec<&str> = arguments.split(", ").filter(|text| !text.is_empty()).collect();
        let operation = match (name, &arguments[..]) {
            ("atomic_load_explicit", [at, with]) => Op::Load(self.at(at), order(with)?),
            ("atomic_store_explicit", [at, value, with]) => Op::Store(self.at(at), value.parse().ok()?, order(with)?),
            ("atomic_fetch_add_explicit", [at, value, with]) => Op::Add(self.at(at), value.parse().ok()?, order(with)?),
            ("atomic_exchange_explicit", [at, value, with]) => Op::Swap(self.at(at), value.parse().ok()?, order(with)?),
            ("atomic_thread_fence", [with]) => Op::Fence(order(with)?),
            ("atomic_signal_fence", [with]) => Op::Compiler(order(with)?),
            ("sigmask", []) => Op::Closed(true),
            ("sigunmask", []) => Op::Closed(false),
            (
                "atomic_compare_exchange_strong_explicit" | "atomic_compare_exchange_weak_explicit",
                [at, expected, value, success, failure],
            ) => {
                let expected = format!("{}:{}", self.bodies[body].0, expected.strip_prefix('&')?);
                let old = *given.get(&expected)?;
                let (at, new) = (self.at(at), value.parse().ok()?);
                let (success, failure) = (order(success)?, order(failure)?);
                self.registers.insert(expected, Register::Found(body, number, old));
                self.registers.insert(register.clone()?, Register::Success(body, number));
                if name.contains("weak") {
                    Op::Weak(at, old, new, success, failure)
                } else {
                    Op::Cas(at, old, new, success, failure)
                }
            }
            _ => return None,
        };
        if let Some(register) = register.filter(|_| !matches!(operation, Op::Cas(..) | Op::Weak(..))) {
            self.registers.insert(register, Register::Read(body, number));
        }
        self.bodies[body].1.push(operation);
        Some(())
    }

    /// The same for the enumerator: the first thread starts the others, and before that no handler comes.
    fn program(&self) -> (Program, usize) {
        let is_thread = |name: &str| !name.starts_with('H');
        let mut threads: Vec<Vec<Op>> =
            self.bodies.iter().filter(|(name, _)| is_thread(name)).map(|(_, ops)| ops.clone()).collect();
        let handlers = self.bodies.iter().filter(|(name, _)| !is_thread(name));
        let handlers = handlers.map(|(name, ops)| (name[1..].parse().expect("a thread"), ops.clone())).collect();
        let mut first: Vec<Op> = (1..threads.len()).map(Op::Spawn).collect();
        first.push(Op::Closed(false));
        let added = first.len();
        threads[0].splice(0..0, first);
        (Program { locations: self.locations.len(), threads, handlers }, added)
    }

    /// What the enumerator says of it, in the words of the file; and the number of executions.
    fn enumerated(&self) -> (BTreeSet<String>, u64) {
        let (program, added) = self.program();
        let (outcomes, executions) = enumerate::enumerate(&program, self.reorders);
        let offsets = program.offsets();
        let stuck = if self.expected.contains("livelock") { "livelock" } else { "deadlock" };
        let text = |outcome: Outcome| {
            let End::Done((results, last)) = outcome else { return stuck.to_owned() };
            let result = |body: usize, number: usize| {
                let result: Option<u32> = results[offsets[body] + number + if body == 0 { added } else { 0 }];
                result.map(|value| (value & 0xffff, value >> 16 == 0))
            };
            let value = |name: &String| match self.registers.get(name) {
                Some(&Register::Read(body, number)) => result(body, number).map(|(value, _)| value),
                Some(&Register::Success(body, number)) => result(body, number).map(|(_, is)| u32::from(is)),
                Some(&Register::Found(body, number, old)) => {
                    result(body, number).map(|(value, is)| if is { old } else { value })
                }
                None => self.locations.iter().position(|known| known == name).map(|at| last[at]),
            };
            let values = self.names.iter().map(|name| value(name).map_or("-".to_owned(), |value| value.to_string()));
            values.collect::<Vec<_>>().join(" ")
        };
        (outcomes.into_iter().map(text).collect(), executions)
    }
}

/// The outcomes that the files name come from the enumerator, or from the file's own reasons.
#[test]
fn the_outcomes_of_the_files_are_those_of_the_enumerator() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/litmus");
    let (mut enumerated, mut by_hand, mut counted, mut wrong) = (0, Vec::new(), 0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file = File::read(&std::fs::read_to_string(&path).unwrap());
        let file = file.unwrap_or_else(|| panic!("{name}: a comment that does not end"));
        if file.bodies.is_empty() {
            if !file.by_hand {
                wrong.push(format!("{name}: neither enumerated nor derived by hand"));
            }
            by_hand.push(name);
            continue;
        }
        let (outcomes, executions) = file.enumerated();
        if outcomes != file.expected {
            wrong.push(format!("{name}: {:?}, and the enumerator says {outcomes:?}", file.expected));
        }
        if let Some(stated) = file.executions {
            counted += 1;
            if stated != executions {
                wrong.push(format!("{name}: {stated} executions, and the enumerator says {executions}"));
            }
        }
        enumerated += 1;
    }
    println!("{enumerated} files enumerated, {counted} of them with the number of executions; by hand: {by_hand:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(enumerated >= 95 && counted >= 5, "{enumerated}, {counted}");
}
