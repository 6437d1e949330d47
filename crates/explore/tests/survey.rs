//! The estimate of what is left beside the truth, and searches that go on in another walk.

use std::cell::Cell;
use std::rc::Rc;

use sigproof_explore::atomic::{AtomicU32, Ordering::Relaxed};
use sigproof_explore::graph::Graph;
use sigproof_explore::survey::{Ran, Random, estimate, sample};
use sigproof_explore::{Explorer, Waiting, Walk, Went, signal, thread};

type Program = Rc<dyn Fn()>;

fn add(word: &AtomicU32, times: usize) {
    for _ in 0..times {
        word.fetch_add(1, Relaxed);
    }
}

/// Two threads add to one word, so many times each.
fn adds(times: usize) -> Program {
    Rc::new(move || {
        let word = Rc::new(AtomicU32::new(0));
        let other = Rc::clone(&word);
        thread::spawn(move || add(&other, times));
        add(&word, times);
    })
}

/// So many signals at any of thirty stores: most executions have their first signal late.
fn signals(most: u32) -> Program {
    Rc::new(move || {
        let word = Rc::new(AtomicU32::new(0));
        let inner = Rc::clone(&word);
        signal::action(1, move || add(&inner, 1));
        signal::allow(1, most);
        (0..30).for_each(|n| word.store(n, Relaxed));
    })
}

/// Loads of what others store later: revisits.
fn loads_and_stores() -> Program {
    Rc::new(|| {
        let words = Rc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        for mine in 0..2 {
            let words = Rc::clone(&words);
            thread::spawn(move || {
                words[mine].store(1, Relaxed);
                words[1 - mine].load(Relaxed);
                words[mine].fetch_add(2, Relaxed);
            });
        }
        words[0].load(Relaxed);
        words[1].fetch_add(8, Relaxed);
        words[0].load(Relaxed);
    })
}

fn ran(program: &Program) -> impl FnMut(&mut Walk) -> Ran {
    let program = Rc::clone(program);
    move |walk| match walk.execute(&program, |_| {}) {
        Went::Ended(_) => Ran::Execution,
        Went::Discarded => Ran::Nothing,
    }
}

/// Runs at most so many graphs; how many were executions.
fn explore(walk: &mut Walk, program: &Program, most: usize) -> u64 {
    let mut count = 0;
    for _ in 0..most {
        count += u64::from(matches!(walk.execute(program, |_| {}), Went::Ended(_)));
        if !walk.advance() {
            break;
        }
    }
    count
}

/// The mean over many samples is the truth; with narrow ones, too.
#[test]
fn samples_have_the_true_mean() {
    for (program, width) in [(adds(5), 4), (adds(6), 16), (signals(3), 8)] {
        let explorer = Explorer::new();
        let truth = explore(&mut Walk::new(&explorer), &program, usize::MAX) as f64;
        let mut walk = Walk::new(&explorer);
        let estimate = |seed| {
            let start = vec![Graph::default()];
            sample(&mut walk, start, width, &mut Random::new(seed), &mut ran(&program)).unwrap()
        };
        let mean = (1..=400).map(estimate).sum::<f64>() / 400.0;
        assert!((mean / truth - 1.0).abs() < 0.15, "{mean} of {truth}");
    }
}

/// One sample of a search that was stopped, beside what is left.
#[test]
fn one_sample_is_within_a_factor_of_two() {
    for (program, stops) in [(adds(7), [1, 300, 3000]), (signals(3), [1, 300, 3000])] {
        let explorer = Explorer::new();
        let truth = explore(&mut Walk::new(&explorer), &program, usize::MAX);
        for stop in stops {
            let mut walk = Walk::new(&explorer);
            let left = (truth - explore(&mut walk, &program, stop)) as f64;
            let said =
                sample(&mut Walk::new(&explorer), walk.rest(), 256, &mut Random::new(1), &mut ran(&program)).unwrap();
            assert!((left / 2.0..left * 2.0).contains(&said), "{said} said, {left} left of {truth}");
        }
    }
}

/// The nodes without a signal are few, and most executions are behind them: narrow samples keep them.
#[test]
fn what_is_rare_is_not_lost() {
    let program = signals(3);
    let explorer = Explorer::new();
    let truth = explore(&mut Walk::new(&explorer), &program, usize::MAX) as f64;
    let mut walk = Walk::new(&explorer);
    let near = (1..=40).filter(|&seed| {
        let said = sample(&mut walk, vec![Graph::default()], 16, &mut Random::new(seed), &mut ran(&program)).unwrap();
        (truth / 2.0..truth * 2.0).contains(&said)
    });
    let near = near.count();
    assert!(near >= 36, "{near} of 40");
}

/// Estimates of so many runs, in every tenth of a search: how often the truth was in the interval, and within
/// a factor of two.
#[test]
fn an_estimate_tells_how_far_it_may_be_off() {
    let (mut all, mut held, mut near) = (0, 0, 0);
    for program in [adds(6), signals(3), loads_and_stores()] {
        let explorer = Explorer::new();
        let truth = explore(&mut Walk::new(&explorer), &program, usize::MAX);
        for tenth in 0..9 {
            let mut walk = Walk::new(&explorer);
            let left = (truth - explore(&mut walk, &program, truth as usize * tenth / 10)) as f64;
            let graphs = walk.rest();
            for seed in 1..=4 {
                let (mut runs, mut run) = (0, ran(&program));
                let mut some = |walk: &mut Walk| {
                    runs += 1;
                    if runs > 4000 { Ran::Enough } else { run(walk) }
                };
                let said = estimate(&mut Walk::new(&explorer), &graphs, &mut Random::new(seed), &mut some).unwrap();
                assert!(said.low <= said.about && said.about <= said.high && said.high < said.low * 10.0, "{said:?}");
                all += 1;
                held += u32::from((said.low..=said.high).contains(&left));
                near += u32::from((left / 2.0..left * 2.0).contains(&said.about));
            }
        }
    }
    assert!(held * 10 >= all * 9 && near * 100 >= all * 98, "{held} and {near} of {all}");
}

/// Where a sample is as wide as the tree, nothing is left to chance.
#[test]
fn an_estimate_of_few_executions_is_exact() {
    let (explorer, program) = (Explorer::new(), adds(2));
    let start = [Graph::default()];
    let said = estimate(&mut Walk::new(&explorer), &start, &mut Random::new(1), &mut ran(&program)).unwrap();
    assert_eq!((said.about, said.low, said.high, said.samples), (6.0, 6.0, 6.0, 2));
}

#[test]
fn a_sample_can_be_ended() {
    let program = adds(5);
    let runs = Cell::new(0);
    let mut run = ran(&program);
    let mut at_most = |walk: &mut Walk| {
        runs.set(runs.get() + 1);
        if runs.get() > 10 { Ran::Enough } else { run(walk) }
    };
    let mut walk = Walk::new(&Explorer::new());
    assert_eq!(sample(&mut walk, vec![Graph::default()], 100, &mut Random::new(1), &mut at_most), None);
    assert_eq!(runs.get(), 11);
}

/// Each graph that waits is made a text and built again, at every point of a search.
#[test]
fn a_search_goes_on_from_texts() {
    for program in [adds(3), signals(2), loads_and_stores()] {
        let explorer = Explorer::new();
        let truth = explore(&mut Walk::new(&explorer), &program, usize::MAX);
        let again = |graph: Graph| {
            let waiting = Waiting::of(&graph);
            assert_eq!(Waiting::read(&waiting.text()), Some(waiting.clone()));
            let mut walk = waiting.walk(&explorer);
            walk.execute(&program, |_| {});
            waiting.graph(&walk).expect("the graph of this program")
        };
        let mut walk = Walk::new(&explorer);
        let mut count = 0;
        while !walk.is_over() {
            count += explore(&mut walk, &program, 1);
            walk = Walk::from(&explorer, walk.rest().into_iter().map(again).collect());
        }
        assert_eq!(count, truth);
    }
}
