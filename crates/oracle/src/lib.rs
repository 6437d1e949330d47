//! The real Go runtimes, as oracle and as rival.
//!
//! ```text
//!  GOROOT ──► toolchain ──► driver ── go build -overlay ──► program of that runtime
//!                                                               ▲ │
//!  conform: sequences ── ours ──► expected answers      process │ ▼ answers
//!                └──────────────── requests ────────────────────┘   compared word by word
//! ```
//!
//! An overlay adds one file to package runtime, which makes its profiling buffer reachable; a small program
//! around it, the *driver*, does what it is asked to on a pipe. Both are in the folder `go` of this crate,
//! and neither contains anything of Go's.
//!
//! | module | holds |
//! |---|---|
//! | [`toolchain`] | which Go toolchains there are, and what to do if there are none |
//! | [`driver`] | building the driver against one |
//! | [`process`] | a running driver |
//! | [`conform`] | differential tests of the buffer |
//! | [`mod@bench`] | what the benchmarks are asked for and what they tell; they are in `benches/profbuf` |
//! | [`upstream`] | reproducers that run inside the real runtime |

pub mod bench;
pub mod conform;
pub mod driver;
pub mod process;
pub mod toolchain;
pub mod upstream;
