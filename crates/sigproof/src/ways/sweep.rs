//! A signal at every instruction.
//!
//! ```text
//! test ──► [child: the test again] ──► [its copy, of one thread] sweep ──► [its children] play
//! ```
//!
//! The copy is made because libtest has a thread beside the test's, and what forks children must have one
//! thread. The run comes back in a file.

use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use sigproof_harness::forked::{self, Entry, Stage, Window};
use sigproof_harness::{Failure, worker};
use sigproof_inspect::process::{Errors, Group, Input, Output, Streams, ending};
use sigproof_report::{Outcome, Run, Verdict};
use sigproof_step::sweep::{By, Which, sweep as by_engine};
use sigproof_step::token::Token;
use sigproof_step::{OnlyThread, Subject, engine, leave};

use crate::named::{Call, Order, Work};
use crate::told;

/// How long a sweep may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Delivers a signal at every instruction of [`Stage::window`], each in an execution of its own, and panics
/// unless every execution ends well.
///
/// `play` makes what it tests, installs the handler with [`Stage::handler`], and runs the window as long as
/// [`Stage::another`] says so. An error that it returns is a bad outcome.
///
/// # Panics
/// An outcome other than `delivered`; a test that was not decided; see also the policy of the
/// [crate](crate).
pub fn sweep(play: impl Fn(&mut Stage) -> Result<(), Failure> + Send + Sync + 'static) {
    carry_out(play, None);
}

/// As [`sweep`], of code in which `outcome` must occur at one boundary at least, and no other bad one.
///
/// # Panics
/// The outcome did not occur, or another one did; see also the policy of the [crate](crate).
pub fn sweep_expecting(outcome: Outcome, play: impl Fn(&mut Stage) -> Result<(), Failure> + Send + Sync + 'static) {
    carry_out(play, Some(outcome));
}

fn carry_out(play: impl Fn(&mut Stage) -> Result<(), Failure> + Send + Sync + 'static, expected: Option<Outcome>) {
    let call = Call::this();
    let entry = Entry {
        name: call.name().leak(),
        hidden: false,
        lacks: None,
        setup: super::setup(expected),
        window: Window::new("window", play),
    };
    match Order::of_parent() {
        // The turn of another call of this test, or of another function.
        Some(order) if order.call != call => {}
        Some(Order { work: Work::Sweep { answer, token }, parent, .. }) => {
            child(&entry, &answer, token.as_deref(), parent)
        }
        Some(_) => {}
        None => match ask(&call, &entry) {
            Ok(run) => told::tell(&call, &run),
            Err(why) => told::skip(&call, &why),
        },
    }
}

/// Has a child sweep. The run, or why there is none because of this machine.
fn ask(call: &Call, entry: &Entry) -> Result<Run, String> {
    let token = std::env::var("SIGPROOF_REPLAY").ok();
    if let Some(text) = &token {
        let parsed: Token = text.parse().unwrap_or_else(|error| panic!("SIGPROOF_REPLAY: {error}"));
        if parsed.label != entry.label() {
            return Err(format!("SIGPROOF_REPLAY names another test: {}", parsed.label));
        }
    }
    let answer = tempfile::NamedTempFile::new().map_err(|error| format!("no temporary file: {error}; set TMPDIR"))?;
    let work = Work::Sweep { answer: answer.path().to_owned(), token };
    let order = Order { call: call.clone(), parent: std::process::id(), work };
    let mut command = call.again().map_err(|refusal| refusal.to_string())?;
    order.give(&mut command);
    let streams = Streams { input: Input::Nothing, output: Output::AsErrors, errors: Errors::Kept };
    let mut group = Group::start(&mut command, streams).map_err(|error| error.to_string())?;
    let status = group.wait(PATIENCE).map_err(|error| error.to_string())?;
    let words = group.last_words();
    group.end();
    let text = std::fs::read_to_string(answer.path()).unwrap_or_default();
    match serde_json::from_str::<Result<Run, String>>(&text) {
        Ok(answer) => answer,
        Err(_) => {
            let how = status.map_or_else(|| format!("did not end in {PATIENCE:?}"), ending);
            panic!("{}: the process that sweeps told nothing: it {how}\n{words}", call.test)
        }
    }
}

/// The child's whole life.
fn child(entry: &Entry, answer: &std::path::Path, token: Option<&str>, parent: u32) -> ! {
    // A child whose parent is gone ends here.
    if worker::tie_to(parent).is_err() {
        leave(4);
    }
    // SAFETY: the copy has this thread alone. The test harness's own thread waits for this one and holds no
    // lock meanwhile; the copy writes a file and leaves.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            let told = swept(entry, token);
            let written = serde_json::to_string(&told).ok().and_then(|text| std::fs::write(answer, text).ok());
            leave(i32::from(written.is_none()))
        }
        Ok(ForkResult::Parent { child }) => loop {
            match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, code)) => leave(code),
                Ok(WaitStatus::Signaled(..)) => leave(sigproof_step::PANICKED),
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(_) => leave(sigproof_step::PANICKED),
            }
        },
        Err(error) => {
            let told: Result<Run, String> = Err(format!("a process cannot be copied (fork): {error}"));
            let _ = std::fs::write(answer, serde_json::to_string(&told).unwrap_or_default());
            leave(0)
        }
    }
}

/// The sweep, by the first engine that works here.
fn swept(entry: &Entry, token: Option<&str>) -> Result<Run, String> {
    let only = OnlyThread::check().map_err(|error| error.to_string())?;
    let _ = engine::settle_down(std::process::id() as usize);
    let probes = forked::engines(only);
    let Some(kind) = probes.iter().find(|probe| probe.lacks.is_none()).map(|probe| probe.engine) else {
        let lacks = probes.first().and_then(|probe| probe.lacks.clone()).unwrap_or_default();
        return Err(format!("no engine works here: {lacks}"));
    };
    let which = match token.map(str::parse) {
        None => Which::All,
        Some(Ok(token)) => Which::Named(token),
        Some(Err(error)) => return Err(error.to_string()),
    };
    by_engine(entry, By { kind, named: false }, &which, &(), only).or_else(|trouble| {
        let run = Subject::run(entry);
        Ok(Run { verdict: Verdict::Inconclusive, reason: Some(trouble.to_string()), ..run })
    })
}
