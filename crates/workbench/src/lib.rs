//! What a single verb of the command line needs, and needs a library for that is slow to build. Each is a
//! program: cargo builds it when that verb runs it, so that no other verb waits for that.
//!
//! | program | verb | library |
//! |---|---|---|
//! | `sigproof-orderings` | `model --weaken` | `syn` |
//! | `sigproof-chart` | `bench --write` | `plotters` |
//!
//! This package depends on no other one of the workspace: with other features of their dependencies, cargo
//! would build all of them once more. What the programs read and write is JSON, of the types that the verbs
//! have.

pub mod chart;
pub mod orderings;
