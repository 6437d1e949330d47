//! A stateless, optimal model checker for closures with threads, atomics and signal handlers, under the RC11
//! memory model.
//!
//! [`Explorer::run`] runs a program once for each of its *execution graphs*: which store each load reads, in
//! which order the stores of each location stand, where each signal arrives, which time-out expires. It
//! reports every way in which an execution can end, with the number of executions, and one graph of each.
//!
//! ```
//! use sigproof_explore::atomic::{AtomicU32, Ordering};
//! use sigproof_explore::{End, Explorer, signal};
//! use std::rc::Rc;
//!
//! // A handler stores 16 between the load and the compare-and-exchange of the thread that it interrupts.
//! let report = Explorer::new().run(|| {
//!     let x = Rc::new(AtomicU32::new(0));
//!     let other = Rc::clone(&x);
//!     signal::action(1, move || {
//!         other.fetch_add(16, Ordering::Relaxed);
//!     });
//!     signal::allow(1, 1);
//!     let old = x.load(Ordering::Relaxed);
//!     x.compare_exchange(old, 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
//! });
//! assert!(report.is_complete());
//! assert!(report.has(&End::Done(true)) && report.has(&End::Done(false)));
//! ```
//!
//! # The model
//!
//! RC11 (Lahav et al., PLDI 2017) with the release sequences of C++20: only read-modify-writes continue one.
//! Accesses and fences may be sequentially consistent. sb ∪ rf has no cycle, so a load never reads a store
//! that depends on it, and load buffering does not occur. A data race on a [`cell`](cell::Cell) ends the
//! execution.
//!
//! A handler runs on the stack of the thread that it interrupts, and is sequenced there; it may begin before
//! each shared access of the thread, and after the last, as long as [`signal::allow`] permits it and the
//! thread does not mask it. It finds the accesses of its thread in the order of the text; or, with
//! [`Explorer::compiler_reorders`], as the compiler may have reordered those that no
//! [`compiler_fence`](atomic::compiler_fence) keeps in place.
//!
//! A time-out may expire as the environment chooses. A weak compare-and-exchange may fail though the value is
//! the expected one, as often in each thread as [`Explorer::weak_failures`] allows; and a wake-up may be
//! spurious, as often as [`Explorer::spurious`] allows.
//!
//! # Limits
//!
//! | limit | what is beyond it |
//! |---|---|
//! | 8 threads, the first included, in all executions together; started at most 7 deep | [`Limit::Threads`] |
//! | 65,535 events in a thread, and [`Explorer::events`] in an execution: 4,096 | [`Limit::Events`] |
//! | 128 sequentially consistent events in an execution | [`Limit::SeqCst`] |
//! | 65,535 atomics and other objects that one thread makes; a futex or a condition variable is nine | [`Limit::Objects`] |
//! | [`Explorer::turns`] of the loops of a thread that store something: 8 | [`Limit::Turns`] |
//! | [`Explorer::weak_failures`]: 1 in a thread | [`Report::weak_bound_met`] |
//! | [`Explorer::runs`], [`Explorer::time`]: none | [`Report::left`] |
//!
//! What a limit cut off makes [`Report::is_complete`] false, but for the bound of weak failures, which is a
//! part of the environment.
//!
//! A program must be a function of what it reads through this crate: it is run again and again. One that is
//! not ends as [`End::Unrepeatable`], as far as the explorer notices. Everything that threads share must be
//! made within the program, in each run anew.
//!
//! A turn of a spinning loop ends with [`hint::spin_loop`]. A turn that only reads must have no effect beyond
//! its loads: the explorer leaves out that the loop turns again and again. A loop that waits without the hint
//! goes on until [`Limit::Events`].

#![warn(missing_docs)]
#![forbid(unsafe_op_in_unsafe_fn)]

pub mod atomic;
pub mod cell;
mod end;
#[doc(hidden)]
pub mod explain;
mod explorer;
pub mod futex;
#[doc(hidden)]
pub mod graph;
pub mod hint;
pub mod litmus;
mod run;
#[doc(hidden)]
pub mod search;
pub mod signal;
pub mod survey;
pub mod sync;
pub mod system;
pub mod thread;
mod trail;
mod waiting;
mod walk;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use end::{End, Limit};
pub use explorer::{Explorer, Found, Report};
pub use trail::{Trail, is_trail};
pub use waiting::Waiting;
pub use walk::{Walk, Went};
