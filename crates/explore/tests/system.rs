//! What a simulated system is made of; executions that are repeated; searches that are driven from outside.
//! Each test has a control.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use sigproof_explore::atomic::{AtomicPtr, AtomicU32, Ordering};
use sigproof_explore::cell::Cell;
use sigproof_explore::system::{self, Gate, Hidden, Ticket};
use sigproof_explore::{End, Explorer, Limit, Trail, Walk, Went, hint, thread};

use Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

/// The ends, after a check that no graph was explored twice.
fn ends<T: Ord + 'static>(program: impl Fn() -> T + 'static) -> BTreeSet<End<T>> {
    let report = Explorer::new().distinct().run(program);
    assert_eq!(Some(report.explored), report.distinct);
    report.ends.into_keys().collect()
}

fn done<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeSet<End<T>> {
    values.into_iter().map(End::Done).collect()
}

/// Two threads add their letter to a text behind a gate, or without one: which texts there are.
fn texts(with_gate: bool) -> BTreeSet<End<String>> {
    ends(move || {
        let gate = Rc::new(Gate::hidden());
        let text = Rc::new(RefCell::new(String::new()));
        let add = |letter: char| {
            let (gate, text) = (Rc::clone(&gate), Rc::clone(&text));
            move || {
                for _ in 0..2 {
                    if with_gate {
                        gate.pass(Relaxed);
                    }
                    text.borrow_mut().push(letter);
                }
            }
        };
        let other = thread::spawn(add('b'));
        add('a')();
        other.join();
        text.take()
    })
}

#[test]
fn the_order_of_a_gate_is_the_order_of_what_is_behind_it() {
    let all = ["aabb", "abab", "abba", "baab", "baba", "bbaa"];
    assert_eq!(texts(true), done(all.map(str::to_owned)));
    assert_eq!(texts(false).len(), 1, "control: of plain memory the search knows nothing");
}

/// A cell that is written before a gate is passed, and read after; the reader passes second, or reads not.
fn handed_over(gate: fn() -> Gate, release: Ordering) -> bool {
    let found = ends(move || {
        let (gate, turn, cell) = (Rc::new(gate()), Rc::new(RefCell::new(0)), Rc::new(Cell::new(0)));
        let writer = {
            let (gate, turn, cell) = (Rc::clone(&gate), Rc::clone(&turn), Rc::clone(&cell));
            thread::spawn(move || {
                cell.set(1);
                gate.pass(release);
                *turn.borrow_mut() += 1;
            })
        };
        gate.pass(Acquire);
        let is_second = *turn.borrow() == 1;
        let read = is_second.then(|| cell.get());
        writer.join();
        read
    });
    found.iter().any(|end| matches!(end, End::Race(_)))
}

#[test]
fn a_gate_that_is_seen_orders_memory_and_a_hidden_one_does_not() {
    assert!(!handed_over(Gate::seen, Release));
    assert!(handed_over(Gate::seen, Relaxed), "control: it orders what it is asked to");
    assert!(handed_over(Gate::hidden, AcqRel), "what the kernel knows it does not tell");
}

/// What the kernel finds in a word after a waker has stored there and called the kernel.
fn looked_at(during: bool) -> BTreeSet<End<(bool, u32)>> {
    ends(move || {
        let (gate, word, was_here) =
            (Rc::new(Gate::hidden()), Rc::new(AtomicU32::new(0)), Rc::new(RefCell::new(false)));
        let other = {
            let (gate, word, was_here) = (Rc::clone(&gate), Rc::clone(&word), Rc::clone(&was_here));
            thread::spawn(move || {
                word.store(1, Relaxed);
                gate.pass(Relaxed);
                *was_here.borrow_mut() = true;
            })
        };
        let seen = if during {
            gate.during(Relaxed, || system::seen_by_kernel(&word))
        } else {
            gate.pass(Relaxed);
            word.load(Relaxed)
        };
        let after_waker = *was_here.borrow();
        other.join();
        (after_waker, seen)
    })
}

#[test]
fn the_kernel_sees_what_was_stored_before_the_call_that_came_first() {
    assert_eq!(looked_at(true), done([(false, 0), (false, 1), (true, 1)]));
    assert!(looked_at(false).contains(&End::Done((true, 0))), "control: the program's own load may be older");
}

#[test]
fn a_ticket_wakes_and_a_missing_one_is_a_deadlock() {
    let sleeper = |gives: bool| {
        ends(move || {
            let ticket = Rc::new(Ticket::new());
            let other = Rc::clone(&ticket);
            let waker = thread::spawn(move || {
                if gives {
                    other.give();
                }
            });
            ticket.wait_for(1);
            waker.join();
        })
    };
    assert_eq!(sleeper(true), done([()]));
    assert_eq!(sleeper(false), BTreeSet::from([End::Deadlock]));
}

#[test]
fn hidden_words_order_each_other_and_nothing_else() {
    let found = ends(|| {
        let (a, b) = (Rc::new(Hidden::new(0)), Rc::new(Hidden::new(0)));
        let other = {
            let (a, b) = (Rc::clone(&a), Rc::clone(&b));
            thread::spawn(move || {
                a.store(1);
                b.store(1);
            })
        };
        let (b, a) = (b.load(), a.load());
        other.join();
        (b, a)
    });
    assert_eq!(found, done([(0, 0), (0, 1), (1, 1)]));
}

#[test]
fn addresses_may_differ_from_run_to_run() {
    let found = ends(|| {
        let word = Rc::new(AtomicPtr::new(std::ptr::null_mut()));
        let push = |value: u32| {
            let word = Rc::clone(&word);
            move || {
                // Kept, so that no address is given twice.
                let own: &'static mut u32 = Box::leak(Box::new(value));
                let mut old = word.load(Relaxed);
                while let Err(newer) = word.compare_exchange(old, own, AcqRel, Acquire) {
                    old = newer;
                }
                old.is_null()
            }
        };
        let other = thread::spawn(push(1));
        let first = push(2)();
        (first, other.join())
    });
    assert_eq!(found, done([(true, false), (false, true)]));
}

#[test]
fn too_many_sequentially_consistent_events_are_a_limit() {
    let report = Explorer::new().run(|| {
        let word = AtomicU32::new(0);
        for value in 0..200 {
            word.store(value, SeqCst);
        }
    });
    assert_eq!(report.ends.into_keys().collect::<Vec<_>>(), [End::Limit(Limit::SeqCst)]);
    let text = End::<()>::Limit(Limit::SeqCst).to_string();
    assert!(text.contains("128 sequentially consistent"), "{text}");
    let fewer = ends(|| (0..100).for_each(|value| AtomicU32::new(0).store(value, SeqCst)));
    assert_eq!(fewer, done([()]), "control");
}

/// A loop whose turns store what they load, and one whose turns count.
fn waits(adds: u32) -> BTreeSet<End<()>> {
    ends(move || {
        let word = Rc::new(AtomicU32::new(1));
        let other = {
            let word = Rc::clone(&word);
            thread::spawn(move || word.store(0, Release))
        };
        while word.fetch_add(adds, AcqRel) != 0 {
            hint::spin_loop();
        }
        other.join();
    })
}

#[test]
fn a_turn_that_stores_what_it_loaded_changes_nothing() {
    assert_eq!(waits(0), done([()]));
    assert!(waits(1).contains(&End::Limit(Limit::Turns)), "control: each turn is another value");
}

#[test]
fn a_spin_that_nothing_ends_is_a_livelock() {
    let found = ends(|| {
        let word = AtomicU32::new(1);
        while word.fetch_add(0, AcqRel) != 0 {
            hint::spin_loop();
        }
    });
    assert_eq!(found, BTreeSet::from([End::Livelock]));
}

/// Two threads that store, load, add, and wait for each other; what they saw, in a cell of the test.
fn mixed(seen: &Rc<RefCell<Vec<u32>>>) -> Rc<dyn Fn()> {
    let seen = Rc::clone(seen);
    Rc::new(move || {
        let words = Rc::new([0; 4].map(AtomicU32::new));
        let run = |own: usize| {
            let words = Rc::clone(&words);
            move || {
                words[own].store(own as u32 + 1, Relaxed);
                let chosen = system::choose(2) as u32;
                let other = words[1 - own].load(Acquire);
                words[3].store(own as u32 + 1, Relaxed);
                let added = words[2].fetch_add(own as u32 + 1, AcqRel);
                words[own].store(7, Release);
                vec![chosen, other, added]
            }
        };
        let other = thread::spawn(run(1));
        let mut all = run(0)();
        all.extend(other.join());
        all.extend([words[0].load(Relaxed), words[1].load(Relaxed), words[3].load(Relaxed)]);
        *seen.borrow_mut() = all;
    })
}

#[test]
fn every_execution_can_be_repeated_from_its_text() {
    let seen = Rc::default();
    let program = mixed(&seen);
    let explorer = Explorer::new();
    let mut walk = Walk::new(&explorer);
    let (mut texts, mut values) = (BTreeSet::new(), BTreeSet::new());
    loop {
        if walk.execute(&program, |_| {}) == Went::Ended(End::Done(())) {
            let text = Trail::of(walk.graph()).text();
            let again = Trail::read(&text).expect("a trail");
            let first = seen.take();
            let mut repeated = Walk::along(&explorer, again);
            assert_eq!(repeated.execute(&program, |_| {}), Went::Ended(End::Done(())), "{text}");
            assert_eq!(seen.take(), first, "{text}");
            assert_eq!(Trail::of(repeated.graph()).text(), text);
            assert!(texts.insert(text), "one text for two executions");
            values.insert(first);
        }
        if !walk.advance() {
            break;
        }
    }
    assert!(values.len() > 10 && texts.len() >= values.len(), "{} {}", values.len(), texts.len());
}

#[test]
fn the_trail_of_another_program_is_refused() {
    let explorer = Explorer::new();
    let program: Rc<dyn Fn()> = Rc::new(|| AtomicU32::new(0).store(1, Relaxed));
    let mut walk = Walk::new(&explorer);
    walk.execute(&program, |_| {});
    let trail = Trail::of(walk.graph());
    let other: Rc<dyn Fn()> = Rc::new(|| {
        AtomicU32::new(0).load(Relaxed);
    });
    assert_eq!(Walk::along(&explorer, trail.clone()).execute(&other, |_| {}), Went::Discarded);
    assert_eq!(Walk::along(&explorer, trail).execute(&program, |_| {}), Went::Ended(End::Done(())), "control");
}

/// The parts of a search that was divided have the same executions as the whole, and add up to it.
#[test]
fn a_search_can_be_divided() {
    let seen = Rc::default();
    let program = mixed(&seen);
    let explorer = Explorer::new();
    let run = |walk: &mut Walk, most: usize, texts: &mut Vec<String>| {
        for _ in 0..most {
            if walk.execute(&program, |_| {}) == Went::Ended(End::Done(())) {
                texts.push(Trail::of(walk.graph()).text());
            }
            if !walk.advance() {
                return;
            }
        }
    };
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    let mut walk = Walk::new(&explorer);
    run(&mut walk, usize::MAX, &mut whole);
    assert_eq!(walk.waiting(), 0);

    let mut first = Walk::new(&explorer);
    run(&mut first, 5, &mut parts);
    let given = first.give(first.waiting() / 2);
    assert!(!given.is_empty());
    let mut second = Walk::from(&explorer, given);
    run(&mut first, usize::MAX, &mut parts);
    run(&mut second, usize::MAX, &mut parts);
    assert_eq!(first.runs() + second.runs(), walk.runs() + 1, "a walk from given graphs begins with none");
    whole.sort();
    parts.sort();
    assert_eq!(parts, whole);
}

/// The bound of the search that found an execution is no part of its text.
#[test]
fn an_execution_is_repeated_whatever_the_bound_of_failures_is() {
    let failures = Rc::new(std::cell::Cell::new(0));
    let seen = Rc::clone(&failures);
    let program: Rc<dyn Fn()> = Rc::new(move || {
        let word = AtomicU32::new(0);
        let fails = || word.compare_exchange_weak(0, 1, Relaxed, Relaxed).is_err();
        seen.set((0..3).take_while(|_| fails()).count());
    });
    let mut walk = Walk::new(&Explorer::new().weak_failures(3));
    let mut texts = Vec::new();
    loop {
        walk.execute(&program, |_| {});
        texts.push((Trail::of(walk.graph()).text(), failures.get()));
        if !walk.advance() {
            break;
        }
    }
    assert_eq!(texts.len(), 4);
    for (text, count) in texts {
        for bound in [0, 1, 9] {
            let mut again = Walk::along(&Explorer::new().weak_failures(bound), Trail::read(&text).expect("a trail"));
            assert_eq!(again.execute(&program, |_| {}), Went::Ended(End::Done(())), "{text}");
            assert_eq!(failures.get(), count, "{text}");
        }
    }
}
