//! Timers that will send a signal: those that `/proc` lists, and those that only the process itself can ask
//! for.

use std::fs;

/// A timer made by `timer_create`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timer {
    /// Its id.
    pub id: i32,
    /// The signal that it sends; 0 for none.
    pub signal: i32,
    /// Whether it counts processor time, which a process that sleeps does not use.
    pub of_cpu: bool,
}

/// The POSIX timers of a process, armed or not.
pub(super) fn listed(pid: u32) -> Vec<Timer> {
    parse(&fs::read_to_string(format!("/proc/{pid}/timers")).unwrap_or_default())
}

/// `ID: 0`, `signal: 14/0000..`, `notify: signal/pid.7`, `ClockID: 1`.
fn parse(text: &str) -> Vec<Timer> {
    let mut timers: Vec<Timer> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match (key, timers.last_mut()) {
            ("ID", _) => timers.extend(value.parse().ok().map(|id| Timer { id, signal: 0, of_cpu: false })),
            ("signal", Some(timer)) => {
                timer.signal = value.split('/').next().and_then(|number| number.parse().ok()).unwrap_or_default();
            }
            ("notify", Some(timer)) if value.starts_with("none") => timer.signal = 0,
            ("ClockID", Some(timer)) => {
                // Negative ones are clocks of certain processes; 2 and 3 are those of this process and
                // thread.
                timer.of_cpu = value.parse::<i64>().is_ok_and(|id| id < 0 || matches!(id, 2 | 3));
            }
            _ => {}
        }
    }
    timers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_lists() {
        let text = "ID: 0\nsignal: 14/00007ffc\nnotify: signal/pid.7\nClockID: 1\n\
                    ID: 2\nsignal: 27/0\nnotify: signal/tid.7\nClockID: 2\n";
        let expected = [Timer { id: 0, signal: 14, of_cpu: false }, Timer { id: 2, signal: 27, of_cpu: true }];
        assert_eq!(parse(text), expected);
        assert_eq!(parse(""), []);
    }
}
