//! Tests of the simulated kernel and of the explorer. For the builds with models only:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --profile loom --target-dir target/loom -p sigproof-shim --test model
//! RUSTFLAGS="--cfg sigproof_graph" cargo test --profile graph --target-dir target/graph -p sigproof-shim \
//!     --test model
//! ```
//!
//! Every test explores a small body exhaustively and compares the exact set of outcomes, so that it fails if
//! the explorer misses an outcome and if it invents one. Beside these are controls: bodies that are wrong on
//! purpose, whose failure the explorer must find and must name correctly.
//!
//! | module | tests |
//! |---|---|
//! | `memory` | atomics, orderings, statics |
//! | `cells` | data races on cells and marks |
//! | `mutexes`, `condvars`, `rwlocks` | the locks and the condition variable |
//! | `publishing` | objects that one thread makes and another uses |
//! | `futexes`, `semaphores` | futex and semaphore |
//! | `pipes`, `counters`, `table` | descriptors: pipe, event counter, the table and fork |
//! | `signals`, `masks` | delivery, nesting, signal stack; blocked signals |
//! | `errnos` | `errno` of each thread, and handlers that spoil it |
//! | `times` | clock, time-outs, spurious ends |
//! | `environment` | searches in which the environment chooses |
//! | `explorer` | limits, failures, counts, replays |

#![cfg(any(loom, sigproof_graph))]

mod cells;
mod condvars;
mod counters;
#[cfg(not(loom))]
mod environment;
mod errnos;
mod explorer;
mod futexes;
mod masks;
mod memory;
mod mutexes;
mod pipes;
mod publishing;
mod rwlocks;
mod semaphores;
mod signals;
mod support;
mod table;
mod times;
