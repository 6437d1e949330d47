//! The casebook: the historical bugs, rebuilt broken and fixed. The only crate that knows them.
//!
//! | module | holds |
//! |---|---|
//! | `cases` | one file and one line a case; the hidden ones test the harness itself |
//! | `models` | models of the core, to which no historical bug belongs |
//! | `windows` | windows of the core |
//! | `records` | numbered, checksummed records and their accounts |

use sigproof_harness::Registry;
use sigproof_osnote::Backends;

mod cases;
mod models;
mod records;
mod windows;

/// Everything that a command can choose from.
pub static REGISTRY: Registry =
    Registry::new(cases::ALL, Backends::BUILT_IN).with_models(models::entries).with_windows(windows::entries);
