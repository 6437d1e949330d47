//! Models of the clients of the notes: the queue of signals and the profile log.
//!
//! | model | what happens | what must hold |
//! |---|---|---|
//! | `sigqueue-senders` | two threads send, one signal in common | each is received as often as it was queued; what its sender has written is seen |
//! | `sigqueue-handler` | a handler on the receiver's thread sends, and another thread | the same, over every note |
//! | `sigqueue-nested` | a second handler interrupts the first in the middle of its sending | the same |
//! | `sigqueue-enable` | a signal is enabled while it is being sent | who finds it wanted sees what was set up before |
//! | `sigqueue-idle` | signals are disabled while they wake the receiver | once the queue is idle no thread is inside the note's wake-up |
//! | `sigqueue-disable` | a signal is disabled while it is being sent | once the queue is idle it is not queued any more |
//! | `cpuprof-rate` | handlers add samples while the rate is changed | each sample comes out, is counted as lost, or was refused |
//! | `cpuprof-foreign` | samples of foreign threads are kept, or find no room | the next sample or the switching-off writes them; losses are reported once |
//! | `cpuprof-turns` | two threads switch on, read to the end | one profile at a time; the next comes after the end of the one before |
//! | `cpuprof-dropped` | the reader is dropped while handlers add | the next profile can begin, and has what was not reported |

use super::Core;

mod cpuprof;
mod sigqueue;

pub(super) const ALL: &[Core] = &[
    Core { name: "sigqueue-senders", setups: sigqueue::senders },
    Core { name: "sigqueue-handler", setups: sigqueue::handler },
    Core { name: "sigqueue-nested", setups: sigqueue::nested },
    Core { name: "sigqueue-disable", setups: sigqueue::disable },
    Core { name: "sigqueue-enable", setups: sigqueue::enable },
    Core { name: "sigqueue-idle", setups: sigqueue::idle },
    Core { name: "cpuprof-rate", setups: cpuprof::rate },
    Core { name: "cpuprof-foreign", setups: cpuprof::foreign },
    Core { name: "cpuprof-turns", setups: cpuprof::turns },
    Core { name: "cpuprof-dropped", setups: cpuprof::dropped },
];
