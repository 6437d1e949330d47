//! The way to a pass, and why there is none.

use std::time::{Duration, Instant};

use super::Sweep;
use crate::Trouble;
use crate::linux::before::{failed, signal_name};
use crate::linux::live::{Arrival, Live};
use crate::linux::waits::{Action, is_untimed};

/// How long the passes may take that go by before the first one is swept.
const SETTLING: Duration = Duration::from_millis(250);

/// Starts of a program that gets signals of its own, of which one has to come to the pass.
const OWN_TRIES: u32 = 8;

impl<'a> Sweep<'a> {
    /// Until when a start is waited for: what is left of `--time`, and when that is over as long as a pass
    /// may take.
    fn until(&self) -> Instant {
        self.deadline.max(Instant::now() + self.request.timeout)
    }

    pub(super) fn start(&mut self) -> Result<Arrival<'a>, Trouble> {
        self.starts += 1;
        let mut arrival = Live::start(self.request, self.window, self.signal, self.until(), self.stop)?;
        if let Arrival::At(live) = &mut arrival {
            // A stop where SIGTRAP is blocked makes the kernel reset the program's handler of it.
            live.errno = self.errno_at.filter(|_| !live.catches_traps);
            (live.awaits, live.idles) = (self.awaits, self.idles);
        }
        Ok(arrival)
    }

    /// The program at the first pass that is swept; why it never comes there, else.
    pub(super) fn first_arrival(&mut self) -> Result<Box<Live<'a>>, Trouble> {
        if self.request.own
            && let Some(live) = self.bring(self.first)?
        {
            return Ok(live);
        }
        let live = match self.start()? {
            Arrival::At(live) => live,
            never => return Err(self.never(never)),
        };
        if live.syscall_at == 0 {
            return Err(Trouble::Lacks("the program has no system call instruction to be borrowed".to_owned()));
        }
        let mut live = live;
        let begun = Instant::now();
        let mut comes = true;
        // Each start of the program takes this way again.
        while comes && live.pass < self.first && (self.request.from.is_some() || begun.elapsed() < SETTLING) {
            comes = live.go_to_pass(live.pass + 1, self.deadline)?;
        }
        let passes = u32::try_from(live.pass.max(1)).unwrap_or(u32::MAX);
        self.pace = self.pace.max(begun.elapsed() / passes).min(self.request.timeout);
        if live.pass == self.first && comes {
            return Ok(live);
        }
        let calls = match live.pass + 1 {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            calls => format!("{calls} times"),
        };
        if self.request.from.is_some() {
            return Err(Trouble::Inconclusive(format!(
                "{} is called {calls} with a handler of {} installed; --from asks for a later call",
                self.window,
                signal_name(self.signal)
            )));
        }
        // Few passes, or slow ones: the middle one.
        self.first = live.pass / 2;
        self.idles = !comes && live.sleeps_in(live.tid).is_some_and(is_untimed);
        self.notes.push(match comes {
            true => format!("the function is called about every {:.0?}; call {} is swept first", self.pace, self.first),
            false if self.first == 0 => format!("the function is called {calls} only; its first call is swept"),
            false => format!("the function is called {calls} only; call {} is swept first", self.first),
        });
        drop(live);
        let first = self.first;
        self.bring(first)?.ok_or_else(|| {
            Trouble::Inconclusive("the program does not take the same way twice: the call was not met again".to_owned())
        })
    }

    /// Why the program never comes to a pass.
    pub(super) fn never(&self, arrival: Arrival<'a>) -> Trouble {
        let Arrival::Never { function, called, handled, nearest, has_library, ended, became_another, has_forked } =
            arrival
        else {
            return Trouble::Inconclusive(String::new());
        };
        let window = self.window;
        let name = signal_name(self.signal);
        let how = match ended {
            Some(status) => {
                let line = self.last_line.filter(|_| !status.success());
                format!("it ended ({})", failed(status, line))
            }
            None => format!("{:?} were over", self.request.time),
        };
        let another = match (became_another, has_forked) {
            (true, _) => "; it has become another program (exec): name that one",
            (false, true) => {
                "; it has started other processes, which are not looked at: name their program, or have it run in one process"
            }
            (false, false) => "",
        };
        match function {
            None if !has_library => Trouble::Inconclusive(format!(
                "{} is never loaded: {how}{another}; `ldd PROGRAM` shows what is",
                window.library.as_deref().unwrap_or_default()
            )),
            None => {
                let near =
                    if nearest.is_empty() { String::new() } else { format!("; nearest: {}", nearest.join(", ")) };
                Trouble::Usage(format!(
                    "no function {window} in the program or its libraries{near}; perhaps it is inlined or stripped: \
                     OBJECT+0xOFFSET names it by its place"
                ))
            }
            Some(_) if called.is_none() => Trouble::Uncalled(format!(
                "no thread called {window} before {how}{another}; --time gives it longer, --thread any lets another thread \
                 call it"
            )),
            Some(_) => {
                let what = match called {
                    Some(Action::Ignored) => "it is ignored",
                    _ => "its default action is in place",
                };
                let others: Vec<_> = (1..=31).filter(|n| handled >> (n - 1) & 1 != 0).map(signal_name).collect();
                let others = match others.is_empty() {
                    true => "it handles no signal".to_owned(),
                    false => format!("it handles {}", others.join(", ")),
                };
                let trouble = if self.request.skips { Trouble::Inconclusive } else { Trouble::Lacks };
                trouble(format!(
                    "no handler of {name} was installed when {window} was called, until {how}: {what}, so there is nothing \
                     to sweep; {others}"
                ))
            }
        }
    }

    /// A program at the entry of this pass; `None` if it does not come there.
    pub(super) fn bring(&mut self, pass: u64) -> Result<Option<Box<Live<'a>>>, Trouble> {
        if !self.request.own {
            let Arrival::At(mut live) = self.start()? else { return Ok(None) };
            let deadline = self.until();
            return Ok(live.go_to_pass(pass, deadline)?.then_some(live));
        }
        // Its own signal may come in the wrong moment on the way, too.
        for number in 0..OWN_TRIES {
            if number > 0 && Instant::now() > self.deadline {
                break;
            }
            if let Arrival::At(mut live) = self.start()?
                && live.go_to_pass(pass, Instant::now() + self.request.timeout)?
            {
                return Ok(Some(live));
            }
        }
        Ok(None)
    }
}
