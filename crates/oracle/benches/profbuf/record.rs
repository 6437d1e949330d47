//! The cost of a record, by criterion.
//!
//! In each *pass* all contenders are visited in turn at each depth, beginning with another one each time. A
//! visit is short: criterion warms it up and takes its samples, of which the median is told. What else goes
//! on in the machine so meets neighbours alike, and ratios are taken within a pass.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use sigproof_oracle::bench::{self, Cost, DEPTHS, Event, Group, Order, Pace};

use crate::contenders::{self, Make};
use crate::go::Go;
use crate::tell::Tell;

/// Samples of a visit: the least that criterion takes.
const SAMPLES: usize = 10;

/// A criterion that is quick about it: what it would do with resamples is done here with passes.
pub fn criterion(pace: Pace) -> Criterion {
    let (warm, measured) = pace.record();
    let exe = std::env::current_exe().ok();
    // Executables of benches are in PROFILE/deps of the target folder.
    let target = exe.as_deref().and_then(|exe| exe.ancestors().nth(3));
    let criterion = Criterion::default().sample_size(SAMPLES).nresamples(1_000).without_plots();
    let criterion = criterion.warm_up_time(warm).measurement_time(measured);
    match target {
        Some(target) => criterion.output_directory(&target.join("criterion")),
        None => criterion,
    }
}

/// How many visits a pass has.
pub fn visits(drivers: &[Go]) -> usize {
    (contenders::native().len() + drivers.len()) * DEPTHS.len()
}

/// All passes.
pub fn run(drivers: &[Go], order: &Order, criterion: &mut Criterion, tell: &mut Tell) {
    let mut makers: Vec<Make<'_>> = contenders::native();
    for go in drivers {
        makers.push(Box::new(|depth| Ok(go.rival(depth))));
    }
    // Everybody keeps his buffer from pass to pass.
    let mut rivals = Vec::new();
    for depth in DEPTHS {
        let made = makers
            .iter()
            .map(|make| make(depth))
            .filter_map(|made| made.map_err(|why| tell.skipped(Group::Record, "a contender", &why)).ok());
        rivals.push((depth, made.collect::<Vec<_>>()));
    }
    for pass in 0..order.passes {
        for (depth, rivals) in &mut rivals {
            let turns = rivals.len().max(1);
            for turn in 0..rivals.len() {
                let rival = &mut rivals[(turn + pass as usize) % turns];
                let contender = rival.contender();
                tell.begun(Group::Record, &format!("{}, depth {depth}", contender.name), pass);
                match visit(criterion, rival.as_mut(), *depth, pass) {
                    Ok(nanoseconds) => tell.event(&Event::Cost(Cost { contender, depth: *depth, pass, nanoseconds })),
                    Err(why) => tell.skipped(Group::Record, &contender.name, &why),
                }
                tell.event(&Event::Done);
            }
        }
    }
}

/// One visit: nanoseconds for a record.
fn visit(criterion: &mut Criterion, rival: &mut dyn contenders::Rival, depth: usize, pass: u32) -> Result<f64, String> {
    let batch = bench::batch(depth);
    let mut samples: Vec<f64> = Vec::new();
    let mut failure = None;
    let mut group = criterion.benchmark_group(format!("write and drain, pass {}", pass + 1));
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(batch as u64));
    group.bench_function(BenchmarkId::new(rival.contender().name, depth), |bencher| {
        bencher.iter_custom(|batches| {
            if failure.is_some() {
                return Duration::from_nanos(batches);
            }
            let time = rival.batches(batches).unwrap_or_else(|why| {
                failure = Some(why);
                Duration::from_nanos(batches)
            });
            samples.push(time.as_nanos() as f64 / batches as f64 / batch as f64);
            time
        });
    });
    group.finish();
    // Criterion warms up through the same closure, so what it measures comes last.
    let measured = &samples[samples.len().saturating_sub(SAMPLES)..];
    match (failure, bench::median(measured)) {
        (Some(why), _) => Err(why),
        (None, Some(median)) => Ok(median),
        // A filter on cargo's command line has left it out.
        (None, None) => Err("criterion did not ask for it".to_owned()),
    }
}
