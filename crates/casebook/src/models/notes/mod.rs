//! Models of the notes: over every backend that is registered, each as far as it says that it goes.
//!
//! | model | what happens | what must hold |
//! |---|---|---|
//! | `note-cycles` | two threads wake each other in turn, by two notes | each sleep ends, by its own wake-up, and sees what was done before |
//! | `note-clear` | a second wake-up, by whoever finds that the first was cleared | it sees what was done before the clear |
//! | `note-handler` | the wake-up comes from another thread, or from a handler on the sleeper's, whichever is first | the sleep ends, and sees what was done before |
//! | `note-timeout` | a sleep gives up while it is woken | the wake-up is had or stays; nothing is left behind for the next sleeps |
//! | `note-spurious` | sleeps end for nothing | they do not surface, and do not put off the end of a timed one |
//! | `note-stray` | the primitive is provoked: disturbed, or full | the outcome is the same, and no handler leaves `errno` changed |
//! | `note-misuse` | two wakers, or two sleepers | the second is told so, the first does not notice |
//! | `note-leases` | threads get semaphores at the same time, and those of threads that have ended | each has its own, and none is lost |

use super::{Core, Ways};

mod cycles;
mod misuse;
mod timeouts;

pub(super) const ALL: &[Core] = &[
    Core { name: "note-cycles", setups: Ways::Over(cycles::cycles) },
    Core { name: "note-clear", setups: Ways::Over(cycles::clear) },
    Core { name: "note-handler", setups: Ways::Over(cycles::handler) },
    Core { name: "note-timeout", setups: Ways::Over(timeouts::timeout) },
    Core { name: "note-spurious", setups: Ways::Over(timeouts::spurious) },
    Core { name: "note-stray", setups: Ways::Over(timeouts::stray) },
    Core { name: "note-misuse", setups: Ways::Over(misuse::misuse) },
    Core { name: "note-leases", setups: Ways::Alone(misuse::leases) },
];
