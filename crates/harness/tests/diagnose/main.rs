//! `hang` and `diagnose` against real processes: see `src/bin/hang-specimens` for what they do.

#![cfg(target_os = "linux")]

mod healthy;
mod specimen;
mod stuck;
