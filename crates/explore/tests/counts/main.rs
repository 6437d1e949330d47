//! The number of executions of classic litmus tests is that of another checker: `counts.txt`.

use std::rc::Rc;

use sigproof_explore::atomic::{AtomicU32, Ordering, fence};
use sigproof_explore::cell::Cell;
use sigproof_explore::{Explorer, Report, thread};

mod wrong;

/// One access or fence.
#[derive(Clone, Copy, Debug)]
enum Op {
    Load(usize),
    Store(usize, u32),
    Add(usize, u32),
    Swap(usize, u32),
    /// From the first value to the second.
    Exchange(usize, u32, u32),
    Fence,
    /// Plain accesses, of memory of their own.
    PlainLoad(usize),
    PlainStore(usize, u32),
    /// A load, after which the thread ends unless it gave more than this.
    More(usize, u32),
}

type Step = (Op, Ordering);

/// A thread: `x=1; y=1.rel`.
fn steps(text: &str) -> Vec<Step> {
    text.split(';').map(|step| step_of(step.trim()).unwrap_or_else(|| panic!("no step: {step}"))).collect()
}

fn step_of(text: &str) -> Option<Step> {
    let of = |name: &str| "xyzwuv".find(name).filter(|_| name.len() == 1);
    // The order stands at the end, or behind the location of a test.
    let (name, order) = [".acq", ".rel", ".ar", ".sc"]
        .into_iter()
        .find_map(|order| text.contains(order).then(|| (text.replacen(order, "", 1), order)))
        .unwrap_or_else(|| (text.to_owned(), ""));
    let order = match order {
        ".acq" => Ordering::Acquire,
        ".rel" => Ordering::Release,
        ".ar" => Ordering::AcqRel,
        ".sc" => Ordering::SeqCst,
        _ => Ordering::Relaxed,
    };
    let words: Vec<&str> = name.split(' ').collect();
    let op = match words[..] {
        ["F"] => Op::Fence,
        ["r", place] => Op::Load(of(place)?),
        ["p", place] => Op::PlainLoad(of(place)?),
        ["swap", place, value] => Op::Swap(of(place)?, value.parse().ok()?),
        ["cas", place, values] => {
            let (from, to) = values.split_once('>')?;
            Op::Exchange(of(place)?, from.parse().ok()?, to.parse().ok()?)
        }
        ["if", test] => {
            let (place, value) = test.split_once('>')?;
            Op::More(of(place)?, value.parse().ok()?)
        }
        [write] if write.contains(":=") => {
            let (place, value) = write.split_once(":=")?;
            Op::PlainStore(of(place)?, value.parse().ok()?)
        }
        [write] => match write.split_once("+=") {
            Some((place, value)) => Op::Add(of(place)?, value.parse().ok()?),
            None => {
                write.split_once('=').and_then(|(place, value)| Some(Op::Store(of(place)?, value.parse().ok()?)))?
            }
        },
        _ => return None,
    };
    Some((op, order))
}

struct Memory {
    words: [AtomicU32; 6],
    cells: [Cell<u32>; 6],
}

fn run(Memory { words, cells }: &Memory, steps: &[Step]) {
    for &(op, order) in steps {
        match op {
            Op::PlainLoad(at) => _ = cells[at].get(),
            Op::PlainStore(at, value) => cells[at].set(value),
            Op::Load(at) => _ = words[at].load(order),
            Op::Store(at, value) => words[at].store(value, order),
            Op::Add(at, value) => _ = words[at].fetch_add(value, order),
            Op::Swap(at, value) => _ = words[at].swap(value, order),
            Op::Exchange(at, from, to) => _ = words[at].compare_exchange(from, to, order, Ordering::Relaxed),
            Op::Fence => fence(order),
            Op::More(at, least) if words[at].load(order) > least => {}
            Op::More(..) => return,
        }
    }
}

/// All executions of a program.
fn explored(program: &str) -> Report<()> {
    let threads: Vec<Rc<[Step]>> = program.split("//").map(|thread| steps(thread).into()).collect();
    let report = Explorer::new().distinct().run(move || {
        let memory =
            Rc::new(Memory { words: [(); 6].map(|()| AtomicU32::new(0)), cells: [(); 6].map(|()| Cell::new(0)) });
        for steps in &threads[1..] {
            let (memory, steps) = (Rc::clone(&memory), Rc::clone(steps));
            thread::spawn(move || run(&memory, &steps));
        }
        run(&memory, &threads[0]);
    });
    assert!(report.is_complete() && report.distinct == Some(report.explored), "{program}: {report:?}");
    report
}

/// How many executions a program has.
fn executions(program: &str) -> u64 {
    explored(program).explored
}

#[test]
fn the_numbers_are_those_of_another_checker() {
    let text = include_str!("counts.txt");
    let mut wrong = Vec::new();
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for line in &lines {
        let mut parts = line.splitn(3, ": ");
        let (Some(name), Some(stated), Some(program)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("no test: {line}")
        };
        let stated: u64 = stated.split(' ').next().unwrap().parse().unwrap();
        let counted = executions(program);
        if counted != stated {
            wrong.push(format!("{name}: {counted}, stated {stated}: {program}"));
        }
    }
    assert!(lines.len() >= 80, "{} tests", lines.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A weaker order, or a fence left out, has another number: the comparison can fail.
#[test]
fn another_program_has_another_number() {
    assert_ne!(executions("x=1; y=1.rel // if y.acq>0; r x"), executions("x=1; y=1 // if y>0; r x"));
    assert_ne!(executions("x=1; F.sc; r y // y=1; F.sc; r x"), executions("x=1; r y // y=1; F.sc; r x"));
}
