//! Random sequences of operations, and many of them compared with real runtimes: what `cargo xtask conform`
//! needs a generator for.
//!
//! | file | holds |
//! |---|---|
//! | [`strategy`] | sequences made at random, and what a shorter one is |
//! | [`compare`] | many sequences, in a pipeline |
//! | [`shrink`] | the shortest sequence that still disagrees |

pub mod compare;
pub mod shrink;
pub mod strategy;
