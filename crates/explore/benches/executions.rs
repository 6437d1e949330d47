//! Executions a second and core: `cargo bench -p sigproof-explore`. The throughput counts executions that
//! came to an end; `explored` and `discarded` of each program are printed first.

use std::hint::black_box;
use std::rc::Rc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sigproof_explore::atomic::{AtomicU32, Ordering};
use sigproof_explore::futex::Futex;
use sigproof_explore::{Explorer, Report, signal, thread};

use Ordering::Relaxed;

type Program = fn() -> Report<()>;

fn add(word: &AtomicU32, times: usize) {
    for _ in 0..times {
        word.fetch_add(1, Relaxed);
    }
}

/// Two threads that each add `times` to one atomic.
fn adds(times: usize) -> Report<()> {
    Explorer::new().run(move || {
        let word = Rc::new(AtomicU32::new(0));
        let other = Rc::clone(&word);
        thread::spawn(move || add(&other, times));
        add(&word, times);
    })
}

/// A store buffer, with a handler that loads both locations.
fn store_buffer_with_handler() -> Report<()> {
    Explorer::new().run(|| {
        let words = Rc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let (other, inner) = (Rc::clone(&words), Rc::clone(&words));
        signal::action(1, move || {
            inner[0].load(Relaxed);
            inner[1].load(Relaxed);
        });
        thread::spawn(move || {
            other[1].store(1, Relaxed);
            other[0].load(Relaxed);
        });
        signal::allow(1, 1);
        words[0].store(1, Relaxed);
        words[1].load(Relaxed);
    })
}

/// A note on a futex: a thread wakes, another sleeps, `cycles` times.
fn note(cycles: u32) -> Report<()> {
    Explorer::new().run(move || {
        let note = Rc::new(Futex::new(0));
        let other = Rc::clone(&note);
        thread::spawn(move || {
            for _ in 0..cycles {
                other.fetch_add(1, Ordering::Release);
                other.wake(1);
            }
        });
        for cycle in 0..cycles {
            while note.load(Ordering::Acquire) <= cycle {
                note.wait(cycle);
            }
        }
    })
}

fn executions(criterion: &mut Criterion) {
    let programs: [(&str, Program); 4] = [
        ("2 threads x 5 adds", || adds(5)),
        ("2 threads x 8 adds", || adds(8)),
        ("store buffer with handler", store_buffer_with_handler),
        ("note on a futex, 3 cycles", || note(3)),
    ];
    for (name, program) in programs {
        let report = program();
        println!("{name}: {} explored, {} discarded", report.explored, report.discarded);
        let mut group = criterion.benchmark_group("executions");
        group.throughput(Throughput::Elements(report.explored)).sample_size(10);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(program())));
        group.finish();
    }
}

criterion_group!(benches, executions);
criterion_main!(benches);
