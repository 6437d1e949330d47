//! Progress on a terminal: a bar for each setup under way, one for the whole with the time that is left.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sigproof_report::Verdict;

use super::{Display, Event, State};

/// The steps into which a bar is divided.
const STEPS: u64 = 1_000;

/// How often the clocks move.
const TICK: Duration = Duration::from_millis(200);

pub(super) struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    running: BTreeMap<usize, ProgressBar>,
    /// Whether the last event deserves a line above the bars: what the bars and the table do not show.
    worth_a_line: bool,
}

/// A style; the templates are ours, and a test goes through them.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

const TOTAL: &str = "{msg} [{bar:30}] {elapsed} elapsed, {eta} left";
const ONE: &str = "  [{bar:20}] {percent:>3} % {wide_msg}";

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let total = all.add(ProgressBar::new(0).with_style(style(TOTAL)));
        Self { all, total, running: BTreeMap::new(), worth_a_line: false }
    }
}

impl Display for Bars {
    fn event(&mut self, event: &Event, state: &State) {
        self.worth_a_line = match event {
            // Most are expected, and all are findings below the table: the bar says so.
            Event::Bad { .. } => false,
            Event::Said { .. } => false,
            Event::Finished { run, .. } => !matches!(run.verdict, Verdict::AsExpected | Verdict::Skipped),
            _ => false,
        };
        match event {
            Event::Planned { count, .. } => self.total.set_length(*count as u64 * STEPS),
            Event::Started { index, label } => {
                let bar = ProgressBar::new(STEPS).with_style(style(ONE)).with_message(label.clone());
                self.running.insert(*index, self.all.insert_before(&self.total, bar));
            }
            Event::Progress { index, .. } => {
                if let (Some(bar), Some(running)) = (self.running.get(index), state.running.get(index)) {
                    bar.set_position((running.fraction * STEPS as f64) as u64);
                    bar.set_message(running.message());
                }
            }
            Event::Bad { index, .. } => {
                if let (Some(bar), Some(running)) = (self.running.get(index), state.running.get(index)) {
                    bar.set_message(running.message());
                }
            }
            Event::Finished { index, .. } | Event::Said { index, .. } => {
                if let Some(bar) = self.running.remove(index) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
            }
        }
        let under_way: f64 = state.running.values().map(|r| r.fraction).sum();
        self.total.set_position(((state.done as f64 + under_way) * STEPS as f64) as u64);
        self.total.set_message(format!("{}/{}", state.done, state.planned));
    }

    fn line(&mut self, line: &str) {
        if self.worth_a_line {
            let _ = self.all.println(line);
        }
    }

    fn period(&self) -> Duration {
        TICK
    }

    fn quiet(&mut self, _: &State) {
        // The display's own thread moves the clocks: indicatif's would panic where no thread can be made.
        self.total.tick();
    }

    fn finish(&mut self) {
        self.total.finish_and_clear();
        let _ = self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_sound() {
        for template in [TOTAL, ONE] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
