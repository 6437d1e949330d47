//! The explorer against a brute-force enumerator of RC11, on random programs: the same outcomes, and as many
//! executions as there are consistent graphs, none of them twice.
//!
//! `EXPLORE_PROGRAMS` sets the number of programs (2,000), `EXPLORE_SEED` the first seed (1). Program *n* has
//! the seed first + n, so that one failing program is repeated with `EXPLORE_PROGRAMS=1 EXPLORE_SEED=<its
//! seed>`.

mod enumerate;
mod program;
mod relation;

use sigproof_explore::Explorer;
use sigproof_explore::search::Fault;

use program::Program;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

fn program(seed: u64) -> Program {
    let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let operations = rng.usize(5..=7);
    Program::random(&mut rng, operations, seed.is_multiple_of(2))
}

/// What differs, if anything.
fn difference(seed: u64, explorer: &Explorer) -> Option<String> {
    let program = program(seed);
    let (wanted, graphs) = enumerate::enumerate(&program);
    let (given, explored, distinct) = program.explore(explorer);
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
        if let Some(difference) = difference(seed, &explorer) {
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
        let found = (1..2_000).find(|&seed| difference(seed, &explorer).is_some());
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
        let (merged, ..) = program.explore(&Explorer::new());
        let (all, ..) = program.explore(&Explorer::new().unmerged());
        assert_eq!(merged, all, "seed {seed}:\n{program:?}");
    }
}
