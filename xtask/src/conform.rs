//! `cargo xtask conform`: compares our buffer with those of real Go runtimes.

use std::time::Instant;

use sigproof_oracle::conform::comparing::{Comparison, Contestant, TRIES};
use sigproof_oracle::conform::regressions;
use sigproof_oracle::conform::rule::Rule;
use sigproof_oracle::conform::single::{Compared, Single};
use sigproof_oracle::driver::{self, Driver};
use sigproof_oracle::toolchain;
use sigproof_report::Outcome;
use sigproof_report::exit::Exit;
use sigproof_report::{Report, Run, Verdict};
use sigproof_shim::native::atomic::Ordering;

use crate::args::ConformArgs;
use crate::output::{self, Out};
use crate::progress::{Event, Progress};
use crate::session::{Concluded, Session, Text};
use crate::trouble::Trouble;
use crate::{table, units, workbench};

mod examined;

use examined::{Examined, Examiner};

/// Runs the verb.
pub fn run(args: &ConformArgs, session: &mut Session<'_>) -> Concluded {
    let toolchains = toolchain::find(&args.go).map_err(|error| Trouble::lacking(error.to_string()))?;
    let stop = session.stop;
    let drivers = toolchains.iter().map(|toolchain| {
        output::tell(&format!("building for {} (some seconds, the first time)", toolchain.version));
        Driver::build(toolchain, &driver::folder(), stop).map_err(|error| Trouble::environment(error.to_string()))
    });
    drivers.collect::<Result<Vec<_>, _>>().and_then(|drivers| match &args.sequence {
        Some(_) => Ok(one(args, &drivers, session.out)?.into()),
        None => all(args, &drivers, session),
    })
}

/// The wake policy of a runtime: the one of the arguments, or else the one that probes find.
fn rule(args: &ConformArgs, single: &mut Single<'_>, driver: &Driver) -> Result<Rule, Trouble> {
    if let Some(rule) = args.policy {
        return Ok(rule);
    }
    let found = Rule::of(single).map_err(|error| cannot_run(driver, &error))?;
    found.ok_or_else(|| {
        let known = Rule::ALL.map(Rule::as_str).join(", ");
        Trouble::unexpected(format!(
            "{} wakes its reader by none of the known policies ({known}); --policy POLICY shows where it differs from one",
            driver.version
        ))
    })
}

fn cannot_run(driver: &Driver, error: &std::io::Error) -> Trouble {
    Trouble::environment(format!("the driver for {} cannot be run: {error}", driver.version))
}

/// Compares the one sequence of the arguments, and prints every answer.
fn one(args: &ConformArgs, drivers: &[Driver], out: Out) -> Result<Exit, Trouble> {
    let Some(sequence) = &args.sequence else { return Ok(Exit::Inconclusive) };
    let sequence = sequence.clone().lawful();
    let mut exit = Exit::AsExpected;
    for driver in drivers {
        let mut single = Single::new(driver);
        let rule = rule(args, &mut single, driver)?;
        let told = match single.compare(&sequence, rule).map_err(|error| cannot_run(driver, &error))? {
            Compared::Alike { died: None } => "alike\n".to_owned(),
            Compared::Alike { died: Some(said) } => {
                format!("alike: the runtime dies where ours wakes twice ({said})\n")
            }
            Compared::Differs(found) => {
                exit = Exit::Unexpected;
                format!("DIFFERS\n{found}")
            }
        };
        exit = exit.worst(out.say(&format!("{} {rule}: {told}", driver.version)));
    }
    Ok(exit)
}

/// All that a run does.
fn all(args: &ConformArgs, drivers: &[Driver], session: &mut Session<'_>) -> Concluded {
    let (out, stop) = (session.out, session.stop);
    let started = Instant::now();
    // Every reader of JSON can represent it.
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 53));
    let file = regressions::file();
    let kept = regressions::read(&file).map_err(|error| Trouble::environment(error.to_string()))?;

    let mut examined = Vec::new();
    for driver in drivers {
        let mut single = Single::new(driver);
        let rule = rule(args, &mut single, driver)?;
        let mut examiner = Examiner { driver, single, rule };
        examined.push(examiner.before(&kept).map_err(|error| cannot_run(driver, &error))?);
    }

    let progress = Progress::start();
    let total = args.cases.saturating_mul(drivers.len() as u64).max(1);
    progress.event(Event::Planned { count: drivers.len(), thing: "runtime" });
    progress.event(Event::Started { index: 0, label: "sequences".to_owned() });
    let contestants: Vec<_> = drivers
        .iter()
        .zip(&examined)
        .map(|(driver, examined)| Contestant { driver: driver.clone(), rule: examined.rule, tries: TRIES })
        .collect();
    let mut now = 0;
    let comparison = Comparison { contestants, cases: args.cases, seed };
    let tallies = workbench::compare(comparison, stop, |more| {
        now += more;
        let detail = format!("{} compared", units::count(now));
        progress.event(Event::Progress { index: 0, fraction: now as f64 / total as f64, detail });
    });
    progress.finish();
    let tallies = tallies?;
    let interrupted = stop.load(Ordering::Relaxed);

    for ((driver, examined), tally) in drivers.iter().zip(&mut examined).zip(tallies) {
        examined.tally = tally;
        if !interrupted {
            examined.control = examined::control(driver, examined.rule, seed)?;
        }
    }
    let keep = (!args.no_keep && args.policy.is_none()).then_some(file.as_path());
    let runs: Vec<_> = examined.iter().map(|examined| examined.run(seed, interrupted)).collect();
    let mut text = render(&examined, &runs, out);
    for examined in &examined {
        text += &examined.told(keep).map_err(|error| Trouble::environment(error.to_string()))?;
    }
    let elapsed = started.elapsed().as_secs_f64();
    let sequences = examined.iter().map(|examined| examined.tally.sequences).sum::<u64>();
    text += &format!(
        "\n{}{}: {} sequences; {}; seed {seed}\n",
        if interrupted { "interrupted after " } else { "" },
        units::of(drivers.len(), "runtime"),
        units::count(sequences),
        units::seconds(elapsed)
    );
    let report = Report { seed: Some(seed), elapsed_seconds: elapsed, interrupted, runs, ..Report::new() };
    session.conclude(&report, Text::Of(text), None, |_| true)
}

/// A line for each runtime.
fn render(examined: &[Examined], runs: &[Run], out: Out) -> String {
    let header = [
        "runtime",
        "wake policy",
        "sequences",
        "per second",
        "operations",
        "deaths",
        "decisions",
        "control",
        "disagreements",
        "verdict",
    ];
    let rows = examined.iter().zip(runs).map(|(examined, run)| {
        let tally = &examined.tally;
        let rate = tally.sequences as f64 / tally.elapsed.as_secs_f64().max(1e-9);
        let deaths = match tally.deaths_expected {
            0 => "-".to_owned(),
            expected => {
                format!("{} of {} tried ({} foreseen)", tally.deaths_seen, tally.deaths_tried, units::count(expected))
            }
        };
        let disagreements = run.observed.get(&Outcome::Disagreement).copied().unwrap_or(0);
        vec![
            examined.version.to_string(),
            examined.rule.to_string(),
            units::count(tally.sequences),
            units::count(rate as u64),
            units::count(tally.operations),
            deaths,
            format!("{} of {}", examined.as_decided(), examined.decisions.len()),
            examined.control_word().to_owned(),
            units::count(disagreements),
            match run.verdict {
                Verdict::AsExpected => "as-expected".to_owned(),
                other => other.to_string(),
            },
        ]
    });
    table::plain(header.into_iter(), rows, out)
}
