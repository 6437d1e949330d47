//! Processes that sweep: each carries out one order after another, and is gone when the value is dropped.
//!
//! The thread that starts a process gives it its orders: on Linux the process ends with that thread.

use std::io;
use std::ops::ControlFlow;
use std::process::Command;

use sigproof_harness::forked::worker::{Event, Order, Stepping, VERB};
use sigproof_harness::validate;
use sigproof_inspect::process::lines::{Broken, How, Talk};
use sigproof_inspect::process::own_command;
use sigproof_report::Run;
use sigproof_shim::native::atomic::AtomicBool;
use sigproof_step::engine::Probe;

use crate::trouble::Trouble;

/// The answer to an order.
pub enum Answer {
    /// The engines were tried.
    Probed(Vec<Probe>),
    /// A window is done.
    Done(Box<Run>),
    /// The order cannot be carried out.
    Refused(String),
    /// The process died of it, or broke the protocol.
    Died {
        /// What it did.
        sentence: String,
        /// What it wrote to its standard error, or the line that is no event.
        words: String,
        /// Whether somebody else ended it: a user, a service manager, or the kernel for want of memory.
        outside: bool,
    },
    /// The user wants an end.
    Stopped,
}

/// A process that sweeps.
pub struct Sweeper(Talk<Stepping>);

impl Sweeper {
    /// Starts one, the `number`-th of those that work side by side: each has a processor of its own.
    pub fn start(number: usize) -> Result<Self, Trouble> {
        let [number, parent] = [number.to_string(), std::process::id().to_string()];
        let command = own_command().map_err(io::Error::from);
        let started = command.and_then(|mut command| {
            validate::hand_down(&mut command);
            Self::start_as(command.args([VERB, &number, &parent]))
        });
        started.map_err(|error| Trouble::environment(format!("a process that sweeps cannot be started: {error}")))
    }

    fn start_as(command: &mut Command) -> io::Result<Self> {
        Talk::start("the process that sweeps", command).map(Self)
    }

    /// Whether it can be given an order.
    pub fn lives(&mut self) -> bool {
        self.0.lives()
    }

    /// Has it carry out an order. `progress` gets the number of boundaries that are done, and of all.
    pub fn carry_out(&mut self, order: &Order, stop: &AtomicBool, mut progress: impl FnMut(usize, usize)) -> Answer {
        self.0.order(order);
        let told = self.0.until(stop, |event| {
            ControlFlow::Break(match event {
                Event::Progress { done, known } => {
                    progress(done, known);
                    return ControlFlow::Continue(());
                }
                Event::Probed(probes) => Answer::Probed(probes),
                Event::Done(run) => Answer::Done(run),
                Event::Refused(why) => Answer::Refused(why),
            })
        });
        match told {
            Ok(answer) => answer.unwrap_or(Answer::Stopped),
            Err(broken) => died(broken),
        }
    }
}

fn died(broken: Broken) -> Answer {
    let outside = broken.is_from_outside();
    let Broken { child, how, words } = broken;
    match how {
        How::Junk { line, error } => {
            let sentence = format!("{child} wrote a line that is no event: {error}");
            Answer::Died { sentence, words: line, outside }
        }
        how => Answer::Died { sentence: format!("{child} {how}"), words, outside },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_shim::native::atomic::Ordering;
    use std::os::unix::process::CommandExt;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::{Duration, Instant};

    /// The greeting, which every process that sweeps begins with.
    const HELLO: &str = r#"echo '{"hello":{"speaks":"step","version":1}}'"#;

    /// Far beyond what an answer takes; the scripts would sleep for longer.
    const WATCHDOG: Duration = Duration::from_secs(120);

    /// Whether a run is to stop. A thread that the watchdog gave up still has it.
    fn stop() -> &'static AtomicBool {
        Box::leak(Box::default())
    }

    /// A shell cannot take back what it has inherited: under `nohup` or in the background of a script it
    /// ignores some of these signals.
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
        let its = format!("{HELLO}; {script}");
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
        let script = format!(r#"{HELLO}; echo '{{"refused":"no leash"}}'; exit 1"#);
        let mut sweeper = Sweeper::start_as(Command::new("sh").args(["-c", &script])).unwrap();
        let begun = Instant::now();
        while sweeper.lives() {
            assert!(begun.elapsed() < WATCHDOG, "the script does not end");
        }
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
    #[case::silent("read order; exec >&-; sleep 600", "closed its standard output", "", false)]
    #[case::nonsense("read order; echo gibberish; sleep 600", "no event", "gibberish", false)]
    #[case::of_processor_time("read order; kill -24 $$", "was killed by signal 24 (SIGXCPU)", "", true)]
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
