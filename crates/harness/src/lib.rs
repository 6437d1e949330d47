//! Cases, their verdicts, and the machinery that runs them with real signals.
//!
//! ```text
//!  xtask ──► stress ──► supervise ──► [child process] worker ──► case ──► inject ──► osnote, profbuf
//!               │           │                            │
//!               │           ├──► hang       is it stuck?  └──► page   shared with the parent
//!               │           └──► diagnose   why, and where
//!               └──► sigproof-report
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`case`], [`setup`] | what a case is; one way to run it, and what must happen then |
//! | [`attempt`], [`failure`] | what a case is given for one attempt; how an attempt ends badly |
//! | [`registry`] | cases, models and windows that a command can choose from |
//! | [`inject`] | the signals: who is hit, when, and what the hit interrupted |
//! | [`page`] | the page that a child shares with its parent |
//! | [`worker`] | the child's side of one attempt |
//! | [`supervise`] | the parent's side of one attempt |
//! | [`stress`] | attempts, budgets and verdicts |
//! | [`model`] | all executions and deliveries, under a model checker |
//! | [`forked`] | windows of cases, swept by `sigproof-step` |
//! | [`notes`] | what is tested of any note |
//! | [`validate`] | the note and the windows of a shared library, under the same techniques |

pub mod attempt;
pub mod case;
pub mod failure;
pub mod forked;
pub mod inject;
pub mod model;
pub mod notes;
pub mod page;
pub mod registry;
pub mod setup;
pub mod stress;
pub mod supervise;
pub mod validate;
pub mod worker;

pub use case::Case;
pub use failure::Failure;
pub use registry::Registry;
pub use setup::Setup;
