//! Processes that sweep: each carries out one order after another, and is gone when this is.
//!
//! A process is started by the thread that gives it its orders, and not handed to another: on Linux it ends with the thread that
//! started it.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use sigproof_harness::forked::worker::{Event, Order, VERB};
use sigproof_inspect::process::{self, Group, own_command, pause};
use sigproof_inspect::refusal::Refusal;
use sigproof_report::Run;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_step::engine::Probe;

use crate::trouble::Trouble;

/// How soon an interruption is noticed.
const PERIOD: Duration = Duration::from_millis(50);

/// How long a process that has said its last may take to end; and the signal that ended it, to reach us, too.
const GRACE: Duration = Duration::from_secs(1);

/// The answer to an order.
pub enum Answer {
    /// The engines were tried.
    Probed(Vec<Probe>),
    /// A window is done.
    Done(Box<Run>),
    /// The order cannot be carried out.
    Refused(String),
    /// The process died of it.
    Died {
        /// How it ended.
        sentence: String,
        /// What it wrote to its standard error.
        words: String,
        /// Whether something outside of it ended it: SIGKILL, SIGTERM, or want of memory.
        outside: bool,
    },
    /// The user wants an end.
    Stopped,
}

/// A process that sweeps.
pub struct Sweeper {
    group: Group,
    orders: ChildStdin,
    events: Receiver<String>,
}

impl Sweeper {
    /// Starts one, the `number`-th of those that work side by side: each has a processor of its own.
    pub fn start(number: usize) -> Result<Self, Trouble> {
        let [number, parent] = [number.to_string(), std::process::id().to_string()];
        let command = own_command().map_err(io::Error::from);
        let started = command.and_then(|mut command| Self::start_as(command.args([VERB, &number, &parent])));
        started.map_err(|error| Trouble::environment(format!("a process that sweeps cannot be started: {error}")))
    }

    fn start_as(command: &mut Command) -> io::Result<Self> {
        let mut group = Group::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let (Some(orders), Some(output)) = group.pipes() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let (sender, events) = channel();
        // It ends with the process, whose end closes the pipe, so it is not joined.
        let reader = thread::Builder::new().name("events".to_owned()).spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        reader.map_err(|error| Refusal::thread(&error))?;
        Ok(Self { group, orders, events })
    }

    /// Whether it can be given an order.
    pub fn lives(&mut self) -> bool {
        matches!(self.group.ended(), Ok(None))
    }

    /// Has it carry out an order. `progress` is told how many boundaries are done, and of how many.
    pub fn carry_out(&mut self, order: &Order, stop: &AtomicBool, mut progress: impl FnMut(usize, usize)) -> Answer {
        let order = serde_json::to_string(order).unwrap_or_default() + "\n";
        if self.orders.write_all(order.as_bytes()).is_err() {
            // A process that the machine refused something may have told so, and ended, before this order.
            let told = self.events.recv_timeout(GRACE).ok();
            return match told.and_then(|line| serde_json::from_str(&line).ok()) {
                Some(Event::Refused(why)) => Answer::Refused(why),
                _ => self.died(stop),
            };
        }
        loop {
            if stop.load(Ordering::Relaxed) {
                self.group.end();
                return Answer::Stopped;
            }
            let line = match self.events.recv_timeout(PERIOD) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return self.died(stop),
            };
            match serde_json::from_str(&line) {
                Ok(Event::Progress { done, known }) => progress(done, known),
                Ok(Event::Probed(probes)) => return Answer::Probed(probes),
                Ok(Event::Done(run)) => return Answer::Done(run),
                Ok(Event::Refused(why)) => return Answer::Refused(why),
                Err(error) => {
                    self.group.end();
                    let sentence = format!("the process that sweeps told nonsense: {error}");
                    return Answer::Died { sentence, words: line, outside: false };
                }
            }
        }
    }

    /// It has said its last: why.
    fn died(&mut self, stop: &AtomicBool) -> Answer {
        await_for(GRACE, || !self.lives());
        let mut killed = false;
        let sentence = match self.group.ended() {
            Ok(Some(status)) => {
                // No window sends itself these signals.
                killed = process::interrupted(status) || status.signal() == Some(9);
                if process::interrupted(status) {
                    await_for(GRACE, || stop.load(Ordering::Relaxed));
                }
                format!("the process that sweeps {}", process::ending(status))
            }
            _ => "the process that sweeps fell silent".to_owned(),
        };
        self.group.end();
        match stop.load(Ordering::Relaxed) {
            true => Answer::Stopped,
            false => {
                let words = self.group.last_words();
                // What the standard library says before it aborts.
                let outside = killed || words.contains("memory allocation of ");
                Answer::Died { sentence, words, outside }
            }
        }
    }
}

/// Waits until it is so, or the time is over.
fn await_for(time: Duration, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() && started.elapsed() < time {
        pause(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::process::CommandExt;

    /// Far beyond what an answer takes; the scripts would sleep for longer.
    const WATCHDOG: Duration = Duration::from_secs(120);

    /// Whether a run is to stop. A thread that the watchdog gave up still has it.
    fn stop() -> &'static AtomicBool {
        Box::leak(Box::default())
    }

    /// A shell cannot take back what it has inherited: under `nohup` or in the background of a script it ignores
    /// some of these signals.
    fn dies_of_signals(command: &mut Command) {
        let reset = || {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                // SAFETY: `signal` is async-signal-safe, and takes a valid signal and a constant.
                unsafe { libc::signal(signal, libc::SIG_DFL) };
            }
            Ok(())
        };
        // SAFETY: the closure calls nothing that is not async-signal-safe.
        unsafe { command.pre_exec(reset) };
    }

    /// What a process answers that is this script.
    fn answer(script: &str, stop: &'static AtomicBool) -> (Answer, Vec<(usize, usize)>, bool) {
        let (tell, told) = channel();
        let its = script.to_owned();
        thread::spawn(move || {
            let mut command = Command::new("sh");
            dies_of_signals(command.args(["-c", &its]));
            let mut sweeper = Sweeper::start_as(&mut command).unwrap();
            let mut seen = Vec::new();
            let answer = sweeper.carry_out(&Order::Probe, stop, |done, known| seen.push((done, known)));
            let _ = tell.send((answer, seen, sweeper.lives()));
        });
        told.recv_timeout(WATCHDOG).unwrap_or_else(|error| panic!("{script}: no answer: {error}"))
    }

    #[test]
    fn events_come_until_the_answer() {
        let script = r#"read order
            echo '{"progress":{"done":1,"known":3}}'; echo '{"progress":{"done":2,"known":3}}'
            echo "{\"refused\":\"$(echo $order | tr -d \\\")\"}"; read next"#;
        let (answer, seen, lives) = answer(script, stop());
        assert!(matches!(answer, Answer::Refused(order) if order == "probe"));
        assert_eq!(seen, [(1, 3), (2, 3)]);
        assert!(lives, "it waits for the next order");
    }

    /// It was refused something before it had an order, and has ended before it was given one.
    #[test]
    fn what_it_told_before_its_first_order_is_the_answer() {
        let script = r#"echo '{"refused":"no leash"}'; exit 1"#;
        let mut sweeper = Sweeper::start_as(Command::new("sh").args(["-c", script])).unwrap();
        await_for(Duration::from_secs(60), || !sweeper.lives());
        assert!(!sweeper.lives(), "the script does not end");
        let answer = sweeper.carry_out(&Order::Probe, &AtomicBool::new(false), |_, _| {});
        assert!(matches!(answer, Answer::Refused(why) if why == "no leash"));
    }

    #[rstest]
    #[case::exits("read order; echo oh >&2; exit 7", "exited with code 7", "oh", false)]
    #[case::killed("read order; kill -9 $$", "was killed by signal 9 (SIGKILL)", "", true)]
    #[case::does_not_listen("exec <&-; exit 3", "exited with code 3", "", false)]
    #[case::told_to_end_by_another("read order; kill -15 $$", "was killed by signal 15 (SIGTERM)", "", true)]
    #[case::interrupted_by_another("read order; kill -2 $$", "was killed by signal 2 (SIGINT)", "", true)]
    #[case::hung_up_by_another("read order; kill -1 $$", "was killed by signal 1 (SIGHUP)", "", true)]
    #[case::silent("read order; exec >&-; sleep 600", "fell silent", "", false)]
    #[case::nonsense("read order; echo gibberish; sleep 600", "told nonsense", "gibberish", false)]
    #[case::by_itself("read order; kill -11 $$", "was killed by signal 11 (SIGSEGV)", "", false)]
    #[case::of_want(
        "read order; echo 'memory allocation of 80 bytes failed' >&2; exit 1",
        "exited with code 1",
        "memory allocation of 80 bytes failed",
        true
    )]
    fn a_death_is_told(#[case] script: &str, #[case] how: &str, #[case] said: &str, #[case] from_outside: bool) {
        let (answer, seen, lives) = answer(script, stop());
        let Answer::Died { sentence, words, outside } = answer else { panic!("{script} is no death") };
        assert!(sentence.contains(how), "{sentence}");
        assert_eq!((words.as_str(), seen.len(), lives, outside), (said, 0, false, from_outside));
    }

    #[rstest]
    #[case::at_work("read order; sleep 600")]
    #[case::hit_by_the_same_signal("read order; kill -15 $$")]
    fn an_interruption_ends_it(#[case] script: &str) {
        let stop = stop();
        let (answer, _, lives) = thread::scope(|scope| {
            // Long enough for the process to die first; were it not, the answer would be the same.
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                stop.store(true, Ordering::Relaxed);
            });
            answer(script, stop)
        });
        assert!(matches!(answer, Answer::Stopped) && !lives);
    }
}
