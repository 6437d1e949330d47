//! The child's side: orders from the standard input, events to the standard output.

use std::fs::File;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::thread;

use super::{Dialect, First, LONGEST, Line, read_line};
use crate::refusal::Refusal;

/// Writes the events. A parent that does not take them is gone: the process then calls `last`, and ends.
#[derive(Debug)]
pub struct Teller<D> {
    /// A descriptor of its own; `None`: the standard output.
    own: Option<File>,
    last: fn(),
    dialect: PhantomData<fn() -> D>,
}

impl<D: Dialect> Teller<D> {
    /// Greets the parent. Nothing but this may write to the standard output from here on.
    pub fn greet(last: fn()) -> Self {
        Self::greet_on(None, last)
    }

    /// Greets the parent through a descriptor of its own, and joins the standard output to the standard
    /// error: for a program with a library that prints.
    ///
    /// # Errors
    /// The system refuses a descriptor.
    pub fn greet_apart() -> Result<Self, Refusal> {
        let own = io::stdout().as_fd().try_clone_to_owned().map_err(|error| Refusal::new("dup", &error))?;
        // SAFETY: both descriptors are open, and nothing of this process owns the number 1.
        if unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) } == -1 {
            return Err(Refusal::last("dup2"));
        }
        Ok(Self::greet_on(Some(own.into()), || ()))
    }

    fn greet_on(own: Option<File>, last: fn()) -> Self {
        let teller = Self { own, last, dialect: PhantomData };
        teller.write(serde_json::to_string(&First::of::<D>()));
        teller
    }

    /// Writes an event.
    pub fn tell(&self, event: &D::Event) {
        self.write(serde_json::to_string(event));
    }

    /// Writes a line, whole, whichever thread writes another one.
    fn write(&self, line: serde_json::Result<String>) {
        let written = line.map_err(io::Error::other).and_then(|mut line| {
            line.push('\n');
            let mut out = io::stdout().lock();
            match self.own.as_ref() {
                // The lock of the standard output orders these lines as well.
                Some(mut own) => own.write_all(line.as_bytes()),
                None => out.write_all(line.as_bytes()).and_then(|()| out.flush()),
            }
        });
        if let Err(error) = written {
            // The parent may be gone, and its end of this pipe too.
            let _ = writeln!(io::stderr(), "error: the parent does not take an event: {error}");
            (self.last)();
            std::process::exit(1);
        }
    }
}

/// Reads the orders, until there are no more.
#[derive(Debug)]
pub struct Orders<D> {
    /// Whether they could not be read on: there are no more, then.
    broken: bool,
    dialect: PhantomData<fn() -> D>,
}

impl<D: Dialect> Orders<D> {
    /// From the standard input.
    pub fn of_parent() -> Self {
        Self { broken: false, dialect: PhantomData }
    }

    /// Starts a thread that waits for the end of the orders, calls `last`, and ends this process. For a child
    /// that gets no more orders, and must not outlive its parent.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn leash(self, last: fn()) -> Result<(), Refusal> {
        let wait = move || {
            while read_line(&mut io::stdin().lock(), LONGEST).is_ok_and(|line| line != Line::End) {}
            last();
            std::process::exit(1);
        };
        let waiting = thread::Builder::new().name("leash".to_owned()).spawn(wait);
        waiting.map(drop).map_err(|error| Refusal::thread(&error))
    }
}

/// An order, or why a line is none.
impl<D: Dialect> Iterator for Orders<D> {
    type Item = Result<D::Order, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let line = read_line(&mut io::stdin().lock(), LONGEST);
        self.broken = !matches!(line, Ok(Line::Whole(_)));
        match line {
            Ok(Line::Whole(line)) => {
                Some(serde_json::from_str(&line).map_err(|error| format!("a line that is no order: {error}")))
            }
            Ok(Line::TooLong) => Some(Err(format!("an order of more than {} MiB", LONGEST >> 20))),
            Ok(Line::End) => None,
            Err(error) => Some(Err(format!("the orders cannot be read: {error}"))),
        }
    }
}
