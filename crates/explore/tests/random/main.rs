//! The explorer against a brute-force enumerator of RC11, on random programs: the same outcomes, and as many
//! executions as there are consistent graphs, none of them twice.
//!
//! `EXPLORE_PROGRAMS` sets the number of programs (2,000), `EXPLORE_SEED` the first seed (1). Program *n* has
//! the seed first + n, so that one failing program is repeated with `EXPLORE_PROGRAMS=1 EXPLORE_SEED=<its
//! seed>`; `cargo xtask ci --only random` sets both. The tests of two handlers and of the compiler take a
//! tenth of that number.

mod arrive;
mod enumerate;
mod files;
mod program;
mod relation;
mod reorder;

use sigproof_explore::Explorer;
use sigproof_explore::search::Fault;

use program::Program;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

fn program(seed: u64) -> Program {
    let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let operations = rng.usize(5..=7);
    Program::random(&mut rng, operations, usize::from(seed.is_multiple_of(2)))
}

/// Lets weak exchanges fail as often as they like.
fn all_failures() -> Explorer {
    Explorer::new().weak_failures(u32::MAX)
}

/// What differs, if anything, with so many failures of weak exchanges for each thread.
fn difference(seed: u64, explorer: &Explorer, failures: u32) -> Option<String> {
    let program = program(seed);
    let (wanted, graphs) = enumerate::enumerate_with(&program, false, failures);
    let (given, explored, distinct) = program.explore(&explorer.clone().weak_failures(failures));
    let missing: Vec<_> = wanted.difference(&given).collect();
    let extra: Vec<_> = given.difference(&wanted).collect();
    (!missing.is_empty() || !extra.is_empty() || explored != graphs || distinct != explored).then(|| {
        format!(
            "seed {seed}:\n{program:?}missing {missing:?}\nextra {extra:?}\n\
             {explored} executions, {distinct} distinct, {graphs} graphs"
        )
    })
}

#[test]
fn outcomes_and_graphs_are_those_of_the_enumerator() {
    let (first, programs) = (number("EXPLORE_SEED", 1), number("EXPLORE_PROGRAMS", 2_000));
    let explorer = Explorer::new();
    let mut differences = Vec::new();
    for seed in first..first + programs {
        // Every bound of weak exchanges has its turn; most programs have none.
        let failures = [u32::MAX, 1, 0, u32::MAX][seed as usize % 4];
        if let Some(difference) = difference(seed, &explorer, failures) {
            println!("{difference}");
            differences.push(seed);
        }
        if differences.len() == 5 {
            break;
        }
    }
    println!("{programs} programs from seed {first}: {} differ", differences.len());
    assert_eq!(differences, [], "seeds of programs with a difference");
}

/// The comparison must find an engine that is wrong.
#[test]
fn a_wrong_engine_is_found() {
    for fault in [Fault::NoSc, Fault::LostRevisit, Fault::DoubleRevisit] {
        let explorer = Explorer::new().fault(fault);
        let found = (1..2_000).find(|&seed| difference(seed, &explorer, u32::MAX).is_some());
        println!("{fault:?}: found by seed {found:?}");
        assert!(found.is_some(), "{fault:?} is found");
    }
}

/// Delivery points that cannot differ are merged: a run with points after each operation as well gives the
/// same.
#[test]
fn merged_points_lose_no_outcome() {
    for seed in (2..800).step_by(2) {
        let program = program(seed);
        let (merged, ..) = program.explore(&all_failures());
        let (all, ..) = program.explore(&all_failures().unmerged());
        assert_eq!(merged, all, "seed {seed}:\n{program:?}");
    }
}

/// Programs with two handlers, which may interrupt each other where they have one thread.
#[test]
fn handlers_that_interrupt_each_other_are_those_of_the_enumerator() {
    let (first, programs) = (number("EXPLORE_SEED", 1), number("EXPLORE_PROGRAMS", 2_000).div_ceil(10));
    let (mut wrong, mut nested) = (Vec::new(), 0);
    for seed in first..first + programs {
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0xd1b5_4a32_d192_ed03));
        let operations = rng.usize(4..=5);
        let program = Program::random(&mut rng, operations, 2);
        nested += u64::from(program.handlers[0].0 == program.handlers[1].0);
        let (wanted, _) = enumerate::enumerate(&program, false);
        // Where one handler ends and the other begins is more than one execution with the same operations,
        // so the numbers are not compared.
        let (given, explored, distinct) = program.explore(&all_failures());
        if wanted != given || explored != distinct {
            println!("seed {seed}:\n{program:?}{explored} executions, {distinct} distinct");
            println!("missing {:?}", wanted.difference(&given).collect::<Vec<_>>());
            println!("extra {:?}", given.difference(&wanted).collect::<Vec<_>>());
            wrong.push(seed);
        }
    }
    println!("{programs} programs with two handlers from seed {first}, {nested} of them of one thread");
    assert_eq!(wrong, [], "seeds of programs with a difference");
    assert!(programs < 100 || nested * 4 > programs, "{nested} of {programs}");
}

/// What a handler sees of what the compiler may reorder is what it sees in some permutation of the thread. A
/// part of the programs must tell the two apart.
#[test]
fn what_the_compiler_reorders_is_what_a_permutation_gives() {
    let (first, programs) = (number("EXPLORE_SEED", 1), number("EXPLORE_PROGRAMS", 2_000).div_ceil(10));
    let (mut wrong, mut more) = (Vec::new(), 0);
    // These two were found by longer runs: a handler before a fence, a weak exchange that fails.
    for seed in (first..first + programs).chain([1_001_390, 1_005_538]) {
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0xa076_1d64_78bd_642f));
        let program = Program::interrupted(&mut rng);
        let (wanted, _) = enumerate::enumerate(&program, true);
        let (given, explored, distinct) = program.explore(&all_failures().compiler_reorders());
        if wanted != given || explored != distinct {
            println!("seed {seed}:\n{program:?}{explored} executions, {distinct} distinct");
            println!("missing {:?}", wanted.difference(&given).collect::<Vec<_>>());
            println!("extra {:?}", given.difference(&wanted).collect::<Vec<_>>());
            wrong.push(seed);
        }
        more += u64::from(wanted != enumerate::enumerate(&program, false).0);
    }
    println!("{programs} programs from seed {first}, {more} of them with outcomes that only a compiler makes");
    assert_eq!(wrong, [], "seeds of programs with a difference");
    assert!(programs < 100 || more * 20 > programs, "{more} of {programs}");
}
