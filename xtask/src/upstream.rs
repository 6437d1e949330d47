//! `cargo xtask upstream`: reproducers inside the real Go runtimes, a child for each run.

use std::time::Instant;

use sigproof_oracle::driver::{self, Driver};
use sigproof_oracle::toolchain::{self, Toolchain};
use sigproof_oracle::upstream::registry::Expects;
use sigproof_oracle::upstream::{REPRODUCERS, Reproducer, Told, attempt};
use sigproof_osnote::Platform;
use sigproof_report::seen::Upstream;
use sigproof_report::{Looked, Run, Seen, SetupId, Technique, Verdict};
use sigproof_shim::native::atomic::Ordering;

use crate::args::UpstreamArgs;
use crate::findings::View;
use crate::output;
use crate::progress::{Event, Progress};
use crate::session::{Concluded, Session, Text};
use crate::trouble::Trouble;
use crate::{select, units};

/// Runs the verb.
pub fn run(args: &UpstreamArgs, session: &mut Session<'_>) -> Concluded {
    let chosen = chosen(&args.names)?;
    let toolchains = toolchain::find(&args.toolchains).map_err(|error| Trouble::lacking(error.to_string()))?;
    let stop = session.stop;
    // Read by the thread that runs everything; nothing else depends on it.
    let stopped = || stop.load(Ordering::Relaxed);
    let progress = Progress::start();
    progress.event(Event::Planned { count: toolchains.len() * chosen.len(), thing: "reproducer" });
    let mut runs: Vec<Run> = Vec::new();
    for toolchain in &toolchains {
        if stopped() {
            break;
        }
        output::tell(&format!("building the reproducers with {}", toolchain.version));
        let built = Driver::build(toolchain, &driver::folder(), stop);
        for reproducer in &chosen {
            let expects = reproducer.expects(&toolchain.version, Platform::current());
            let mut run = planned(reproducer, toolchain, &expects);
            let index = runs.len();
            progress.event(Event::Started { index, label: format!("{} {}", run.setup.case, toolchain.version) });
            match &built {
                Ok(driver) => observe(&mut run, driver, &expects, args.runs.get(), &stopped, &progress, index),
                Err(error) => run.reason = Some(error.to_string()),
            }
            if run.attempts == 0 && stopped() {
                break;
            }
            progress.event(Event::Finished { index, run: Box::new(run.clone()) });
            runs.push(run);
        }
    }
    progress.finish();
    let report = session.report(runs);
    let view = View::of(args.shown, report.runs.len());
    session.conclude(&report, Text::Table(Technique::Upstream, view), None, |_| true)
}

/// The reproducers that the patterns choose; all but hidden ones, if there are no patterns.
fn chosen(patterns: &[String]) -> Result<Vec<&'static Reproducer>, Trouble> {
    let known = select::names(REPRODUCERS.iter().map(|r| (r.name, r.hidden)));
    let names = select::resolve("reproducer", patterns, &known).map_err(|unknown| {
        let all: Vec<_> = known.iter().filter(|n| !n.hidden).map(|n| n.name).collect();
        let nearest = unknown.nearest.map(|n| format!("\n  did you mean '{n}'?")).unwrap_or_default();
        Trouble::usage(format!("no reproducer is called '{}'{nearest}\n  there are: {}", unknown.word, all.join(", ")))
    })?;
    let wanted = |r: &&Reproducer| if patterns.is_empty() { !r.hidden } else { names.iter().any(|n| n == r.name) };
    Ok(REPRODUCERS.iter().filter(wanted).collect())
}

/// A run of nothing yet.
fn planned(reproducer: &Reproducer, toolchain: &Toolchain, expects: &Expects) -> Run {
    let flavour = Some(toolchain.version.to_string());
    let setup = SetupId { flavour, ..SetupId::new(reproducer.name, expects.variant()) };
    let mut run = Run::new(Technique::Upstream, setup, expects.expected.clone());
    run.seen = Seen::Upstream(Upstream {
        expected_because: expects.why.to_owned(),
        upstream: reproducer.upstream.iter().map(|link| (*link).to_owned()).collect(),
        ..Upstream::default()
    });
    // No path of a machine in a report: which toolchain is told by its version.
    run.replay = Some(format!("cargo xtask upstream {} --go GOROOT  # of {}", reproducer.name, toolchain.version));
    run
}

/// Runs the reproducer `runs` times, and grades the outcomes.
fn observe(
    run: &mut Run,
    driver: &Driver,
    expects: &Expects,
    runs: u64,
    stopped: &dyn Fn() -> bool,
    progress: &Progress,
    index: usize,
) {
    let started = Instant::now();
    let (mut delivered, mut lost) = (0, 0);
    for n in 0..runs {
        let look = |told: &Told| {
            let detail = format!("run {} of {runs}, progress {}", n + 1, units::count(told.progress));
            progress.event(Event::Progress { index, fraction: n as f64 / runs as f64, detail });
            !stopped()
        };
        let attempted = match attempt(driver, &run.setup.case, expects.budget, look) {
            Ok(attempted) => attempted,
            Err(error) => {
                run.reason = Some(format!("the program cannot be run: {error}"));
                return;
            }
        };
        let Some(outcome) = attempted.outcome else { break };
        run.attempts += 1;
        run.signals += attempted.told.signals;
        delivered += attempted.told.delivered;
        lost += attempted.told.lost;
        *run.observed.entry(outcome).or_default() += 1;
        if let Some(finding) = attempted.finding {
            if run.first_seconds.is_none() {
                run.first_seconds = Some(started.elapsed().as_secs_f64());
                progress.event(Event::Bad { index, outcome, sentence: finding.sentence.clone() });
            }
            run.add_finding(finding);
        }
    }
    run.elapsed_seconds = started.elapsed().as_secs_f64();
    if let Seen::Upstream(seen) = &mut run.seen {
        (seen.delivered, seen.lost) = (Some(delivered), Some(lost));
    }
    judge(run, runs, expects.why);
}

/// Grades the outcomes of so many runs that were planned.
fn judge(run: &mut Run, planned: u64, why: &str) {
    let cut = (run.attempts < planned).then(|| "it was stopped".to_owned());
    run.grade(Looked { cut, within: format!("in {}", units::of(run.attempts as usize, "run")), ..Looked::default() });
    if run.verdict == Verdict::Unexpected
        && let Some(reason) = &mut run.reason
    {
        *reason += &format!(": {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_report::{Expected, Outcome, Variant};

    #[rstest]
    #[case::all_well(Expected::delivered(), &[(Outcome::Delivered, 3)], Verdict::AsExpected)]
    #[case::forbidden(Expected::delivered(), &[(Outcome::Delivered, 2), (Outcome::Crash, 1)], Verdict::Unexpected)]
    #[case::shown(Expected::broken(Outcome::DoubleWakeup), &[(Outcome::DoubleWakeup, 3)], Verdict::AsExpected)]
    #[case::not_shown(Expected::broken(Outcome::DoubleWakeup), &[(Outcome::Delivered, 3)], Verdict::Unexpected)]
    #[case::stopped(Expected::broken(Outcome::DoubleWakeup), &[(Outcome::DoubleWakeup, 1)], Verdict::Inconclusive)]
    #[case::bad_and_stopped(Expected::delivered(), &[(Outcome::Crash, 1)], Verdict::Unexpected)]
    #[case::nothing(Expected::delivered(), &[], Verdict::Inconclusive)]
    fn verdicts(#[case] expected: Expected, #[case] seen: &[(Outcome, u64)], #[case] verdict: Verdict) {
        let mut run = Run::new(Technique::Upstream, SetupId::new("a", Variant::Fixed), expected);
        run.observed = seen.iter().copied().collect();
        run.attempts = seen.iter().map(|(_, n)| n).sum();
        judge(&mut run, 3, "of that");
        assert_eq!(run.verdict, verdict, "{:?}", run.reason);
        assert_eq!(run.reason.is_none(), verdict == Verdict::AsExpected);
    }

    #[rstest]
    #[case::all(&[], 5)]
    #[case::part(&["cpuprof"], 3)]
    #[case::glob(&["*-reader"], 2)]
    #[case::hidden(&["selftest-slow"], 1)]
    fn what_patterns_choose(#[case] patterns: &[&str], #[case] count: usize) {
        let patterns: Vec<_> = patterns.iter().map(|p| (*p).to_owned()).collect();
        assert_eq!(chosen(&patterns).unwrap().len(), count);
    }
}
