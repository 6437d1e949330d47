//! `hang` and `diagnose` against real processes: see `src/bin/hang-specimens` for what they do.

#![cfg(target_os = "linux")]

mod healthy;
mod names;
mod specimen;
mod stuck;
