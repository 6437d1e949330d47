//! The reproducers: their names, what is expected of each in which release on which platform, and from where
//! that is known.
//!
//! The code of each is a file in `go/driver`. The sources that were read are those of the releases named;
//! between two of them that differ nothing is claimed, and either outcome may be seen.

use std::time::Duration;

use sigproof_osnote::Platform;
use sigproof_report::{Expected, Grade, Outcome, Variant};

use crate::toolchain::Version;

#[derive(Debug)]
pub struct Reproducer {
    /// Its name, also that of the driver's part.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Where the bug that it is about was reported or mended.
    pub upstream: &'static [&'static str],
    /// Whether only its whole name chooses it.
    pub hidden: bool,
    expects: fn(&Version, Platform) -> Expects,
}

/// What is expected, and why.
#[derive(Clone, Debug)]
pub struct Expects {
    /// The graded outcomes.
    pub expected: Expected,
    /// From where that is known.
    pub why: &'static str,
    /// How long an attempt goes on, if nothing bad comes of it.
    pub budget: Duration,
}

impl Reproducer {
    /// What is expected of it in this release, on this platform.
    pub fn expects(&self, version: &Version, platform: Platform) -> Expects {
        (self.expects)(version, platform)
    }
}

impl Expects {
    /// Whether the release has the bug. One that refuses loudly has not.
    pub fn variant(&self) -> Variant {
        let is_good = |outcome| matches!(outcome, Outcome::Delivered | Outcome::Refused);
        match self.expected.must_occur().all(is_good) {
            true => Variant::Fixed,
            false => Variant::Broken,
        }
    }
}

/// How long an attempt goes on by default.
const BUDGET: Duration = Duration::from_millis(1500);

/// The same where the bug waits for the reader's sleep, of which there are ten a second at most.
const BUDGET_OF_DARWIN: Duration = Duration::from_secs(20);

const ISSUE_61768: &str = "https://github.com/golang/go/issues/61768";

/// All of them.
pub const REPRODUCERS: &[Reproducer] = &[
    Reproducer {
        name: "profbuf-double-wakeup",
        summary: "one thread writes to the profiling buffer flat out, another one is blocked in its read",
        upstream: &["https://github.com/golang/go/blob/go1.24.4/src/runtime/profbuf.go"],
        hidden: false,
        expects: double_wakeup,
    },
    Reproducer {
        name: "cpuprof-blocking-reader",
        summary: "a CPU profile under a storm of SIGPROF; the handler wakes the note that its reader is on",
        upstream: &[ISSUE_61768],
        hidden: false,
        expects: blocking_reader,
    },
    Reproducer {
        name: "cpuprof-non-blocking-reader",
        summary: "the same, its reader polling",
        upstream: &[ISSUE_61768],
        hidden: false,
        expects: |_, _| delivered("a reader that polls needs no wake-up"),
    },
    Reproducer {
        name: "cpuprofile-start-stop",
        summary: "runtime/pprof starts and stops in a loop; SIGPROF comes as its reader goes to sleep",
        upstream: &[ISSUE_61768, "https://go-review.googlesource.com/c/go/+/518836"],
        hidden: false,
        expects: start_stop,
    },
    Reproducer {
        name: "os-signal-storm",
        summary: "threads send signals flat out, each a kind of its own, and os/signal receives them",
        upstream: &[ISSUE_61768],
        hidden: false,
        expects: |_, _| delivered("the receiver's note may be woken in a handler: a futex, and on Darwin a pipe"),
    },
    selftest("selftest-deadlock", |_, _| selftest_of(Outcome::LostWakeup)),
    selftest("selftest-spin", |_, _| selftest_of(Outcome::Livelock)),
    selftest("selftest-deaf", |_, _| selftest_of(Outcome::Livelock)),
    selftest("selftest-handler", |_, _| selftest_of(Outcome::SelfDeadlock)),
    selftest("selftest-slow", |_, _| selftest_of(Outcome::Delivered)),
    selftest("selftest-panic", |_, _| selftest_of(Outcome::Crash)),
    selftest("selftest-error", |_, _| selftest_of(Outcome::Crash)),
    selftest("selftest-refused", |_, _| selftest_of(Outcome::Refused)),
    selftest("selftest-failed", |_, _| selftest_of(Outcome::CorruptRecord)),
];

/// A reproducer that misbehaves on purpose.
const fn selftest(name: &'static str, expects: fn(&Version, Platform) -> Expects) -> Reproducer {
    Reproducer { name, summary: "misbehaves on purpose", upstream: &[], hidden: true, expects }
}

fn selftest_of(outcome: Outcome) -> Expects {
    expects(Expected::default().with(outcome, Grade::MustOccur), "it is made for that")
}

fn expects(expected: Expected, why: &'static str) -> Expects {
    Expects { expected, why, budget: BUDGET }
}

fn delivered(why: &'static str) -> Expects {
    expects(Expected::delivered(), why)
}

/// Whether a release has a bug; `None` if that is not known.
fn has(version: &Version, last_with: [u32; 3], first_without: [u32; 3]) -> Option<bool> {
    match version.numbers() {
        Some(numbers) if numbers <= last_with => Some(true),
        Some(numbers) if numbers < first_without => None,
        _ => Some(false),
    }
}

/// Whether announcing a loss wakes the reader and leaves its flag standing.
fn wakes_twice(version: &Version) -> Option<bool> {
    has(version, [1, 25, 5], [1, 26, 0])
}

fn double_wakeup(version: &Version, _: Platform) -> Expects {
    match wakes_twice(version) {
        Some(true) => expects(
            Expected::broken(Outcome::DoubleWakeup),
            "announcing a loss wakes the reader and leaves its flag standing: src/runtime/profbuf.go of go1.19.8, go1.21.13, go1.24.4, \
             go1.25.0 and go1.25.5",
        ),
        Some(false) => delivered(
            "announcing a loss clears the reader's flag: src/runtime/profbuf.go of go1.26.0, go1.26.6 and go1.27.3",
        ),
        None => expects(
            may(&[Outcome::Delivered, Outcome::DoubleWakeup]),
            "between go1.25.5, which has the bug, and go1.26.0, which has not, no sources were read",
        ),
    }
}

fn may(outcomes: &[Outcome]) -> Expected {
    outcomes.iter().fold(Expected::default(), |expected, outcome| expected.with(*outcome, Grade::MayOccur))
}

/// All is delivered, but that a storm that fills the buffer may meet the bug of [`double_wakeup`].
fn delivered_or_woken_twice(version: &Version, why: &'static str) -> Expects {
    let mut expects = delivered(why);
    if wakes_twice(version) != Some(false) {
        expects.expected = expects.expected.with(Outcome::DoubleWakeup, Grade::MayOccur);
    }
    expects
}

fn blocking_reader(version: &Version, platform: Platform) -> Expects {
    if platform != Platform::Darwin {
        return delivered_or_woken_twice(version, "the note may be woken in a handler: a futex");
    }
    // From go1.26.0 on a write wakes the reader only when the buffer is half full: hardly ever while it goes
    // to sleep.
    let wakes_often = !version.at_least([1, 26, 0]);
    let (outcomes, why): (&[Outcome], _) = match throws_on_signal_stack(version) {
        Some(false) => (
            &[Outcome::SelfDeadlock],
            "a note of Darwin is a mutex and a condition variable, and the overlay reads as releases did before golang/go#61768 was mended",
        ),
        Some(true) => (
            &[Outcome::Refused],
            "the overlay reads as releases did before golang/go#61768 was mended, and semawakeup throws on a signal stack: \
             src/runtime/os_darwin.go of go1.22.10, go1.23.9, go1.24.4 and go1.27.3",
        ),
        None => (
            &[Outcome::SelfDeadlock, Outcome::Refused],
            "between go1.21.13, whose semawakeup does not throw on a signal stack, and go1.22.10, whose does, no sources were read",
        ),
    };
    let expected = match outcomes {
        [outcome] if wakes_often => Expected::broken(*outcome),
        _ => may(outcomes).with(Outcome::Delivered, Grade::MayOccur),
    };
    let expected = if wakes_often { expected.with(Outcome::DoubleWakeup, Grade::MayOccur) } else { expected };
    Expects { budget: BUDGET_OF_DARWIN, ..expects(expected, why) }
}

/// Whether the semaphores of Darwin refuse signal handlers.
fn throws_on_signal_stack(version: &Version) -> Option<bool> {
    has(version, [1, 21, 13], [1, 22, 10]).map(|is_silent| !is_silent)
}

fn start_stop(version: &Version, platform: Platform) -> Expects {
    if platform != Platform::Darwin {
        return delivered_or_woken_twice(version, "the note may be woken in a handler: a futex");
    }
    let expected = match has(version, [1, 20, 7], [1, 21, 13]) {
        Some(true) => expects(
            Expected::broken(Outcome::SelfDeadlock).with(Outcome::DoubleWakeup, Grade::MayOccur),
            "runtime/pprof reads blocking: src/runtime/cpuprof.go of go1.19.8, and golang/go#61768, which was seen with go1.20.7",
        ),
        Some(false) => delivered(
            "runtime/pprof reads without blocking: src/runtime/cpuprof.go of go1.21.13, go1.24.4 and go1.27.3",
        ),
        None => expects(
            may(&[Outcome::Delivered, Outcome::SelfDeadlock, Outcome::DoubleWakeup]),
            "between go1.20.7, in which golang/go#61768 was seen, and go1.21.13, in which it is mended, no sources were read",
        ),
    };
    Expects { budget: BUDGET_OF_DARWIN, ..expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn named(name: &str) -> &'static Reproducer {
        REPRODUCERS.iter().find(|reproducer| reproducer.name == name).unwrap()
    }

    #[rstest]
    #[case::oldest("profbuf-double-wakeup", "go1.19.8", Platform::Linux, "must double wake-up, may delivered")]
    #[case::last_seen("profbuf-double-wakeup", "go1.25.5", Platform::Darwin, "must double wake-up, may delivered")]
    #[case::unknown("profbuf-double-wakeup", "go1.25.9", Platform::Linux, "may delivered, may double wake-up")]
    #[case::mended("profbuf-double-wakeup", "go1.26.0", Platform::Linux, "must delivered")]
    #[case::development("profbuf-double-wakeup", "gotip", Platform::Linux, "must delivered")]
    #[case::futex("cpuprofile-start-stop", "go1.19.8", Platform::Linux, "must delivered, may double wake-up")]
    #[case::issue(
        "cpuprofile-start-stop",
        "go1.20.7",
        Platform::Darwin,
        "must self-deadlock, may delivered, may double wake-up"
    )]
    #[case::between(
        "cpuprofile-start-stop",
        "go1.21.0",
        Platform::Darwin,
        "may delivered, may double wake-up, may self-deadlock"
    )]
    #[case::fixed("cpuprofile-start-stop", "go1.21.13", Platform::Darwin, "must delivered")]
    #[case::forced(
        "cpuprof-blocking-reader",
        "go1.20.7",
        Platform::Darwin,
        "must self-deadlock, may delivered, may double wake-up"
    )]
    #[case::last_that_hangs(
        "cpuprof-blocking-reader",
        "go1.21.13",
        Platform::Darwin,
        "must self-deadlock, may delivered, may double wake-up"
    )]
    #[case::hangs_or_refuses(
        "cpuprof-blocking-reader",
        "go1.22.0",
        Platform::Darwin,
        "may delivered, may double wake-up, may refused, may self-deadlock"
    )]
    #[case::first_that_refuses(
        "cpuprof-blocking-reader",
        "go1.22.10",
        Platform::Darwin,
        "must refused, may delivered, may double wake-up"
    )]
    #[case::refuses(
        "cpuprof-blocking-reader",
        "go1.24.4",
        Platform::Darwin,
        "must refused, may delivered, may double wake-up"
    )]
    #[case::half_full("cpuprof-blocking-reader", "go1.27.3", Platform::Darwin, "may delivered, may refused")]
    #[case::never_on_linux(
        "cpuprof-blocking-reader",
        "go1.24.4",
        Platform::Linux,
        "must delivered, may double wake-up"
    )]
    #[case::polled("cpuprof-non-blocking-reader", "go1.19.8", Platform::Darwin, "must delivered")]
    #[case::pipe("os-signal-storm", "go1.19.8", Platform::Darwin, "must delivered")]
    fn what_is_expected(#[case] name: &str, #[case] version: &str, #[case] platform: Platform, #[case] expected: &str) {
        let found = named(name).expects(&Version::new(version), platform);
        let words = |grade: Grade, word: &str| {
            let of = found.expected.iter().filter(move |(_, g)| *g == grade);
            let mut words: Vec<_> = of.map(|(outcome, _)| format!("{word} {outcome}")).collect();
            words.sort();
            words
        };
        let words = [words(Grade::MustOccur, "must"), words(Grade::MayOccur, "may")].concat().join(", ");
        assert_eq!(words, expected);
        assert!(!found.why.is_empty());
        assert_eq!(
            found.variant() == Variant::Broken,
            words.starts_with("must double") || words.starts_with("must self")
        );
    }

    #[test]
    fn each_is_in_the_driver() {
        for reproducer in REPRODUCERS {
            let file = format!("go/driver/{}.go", reproducer.name.replace('-', "_"));
            let file = if reproducer.hidden { "go/driver/selftest.go".to_owned() } else { file };
            let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap();
            assert!(
                text.contains(&format!("reproducers[\"{}\"]", reproducer.name)),
                "{} is not in {file}",
                reproducer.name
            );
        }
    }
}
