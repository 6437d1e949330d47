//! The project of `examples/rust-crate`, as a test of this workspace: its sources and its tests, unchanged.
//! It is built as a package of its own by `cargo test` in its folder.

extern crate self as rust_crate;

#[path = "../../../examples/rust-crate/src/lib.rs"]
mod project;

pub use project::{Flag, Locked};

#[path = "../../../examples/rust-crate/tests/handlers.rs"]
mod handlers;
