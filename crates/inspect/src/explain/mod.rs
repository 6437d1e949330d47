//! Why does a process hang? Asked of any process, not only of a child of this one.
//!
//! | answer | meaning |
//! |---|---|
//! | [`Verdict::NotStuck`] | a thread runs, or something outside, or a time limit, can end the wait of one |
//! | [`Verdict::Stuck`] | nothing can move the process, or some of its threads, any more |
//! | [`Verdict::NotEnough`] | the kernel does not show what a verdict needs; what is known is told |
//!
//! # Invariants
//! 1. A process that is not stuck is not stopped, except for one thread that runs while all others sleep for
//!    good. One that is stopped goes on as before: see [stops](self#stops).
//! 2. `Stuck` rests on two surveys between which no thread got a processor, and on every wait being closed
//!    off from outside; or on a cycle whose edges are stored in the locks themselves.
//! 3. Every doubt is an answer of its own, never a guess.
//!
//! # Stops
//! `PTRACE_SEIZE` and `PTRACE_INTERRUPT` send no signal, and a tracer that dies lets go. Calls that fail with
//! `EINTR` after any stop (`epoll_wait`, `sigtimedwait`, `semop`, reads of inotify, sockets with a time
//! limit) are left alone: the stacks of their threads are walked from the stack pointer that `/proc` shows.

mod answer;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod elsewhere;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
mod render;

pub use answer::{Answer, Edge, Evidence, Process, Refused, SignalNote, Since, ThreadNote, Verdict};
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub use elsewhere::{explain, explain_core};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use linux::{explain, explain_core};
pub use render::text;
