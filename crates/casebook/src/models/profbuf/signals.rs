//! Writers that are signal handlers. That no two of them write at a time is their own affair: here by a lock
//! at which a handler goes away, or by blocking the signal.

use sigproof_osnote::cpuprof::{SignalLock, TrySpin};
use sigproof_profbuf::{Counts, EveryRecord, HalfFull, ReadMode, WakePolicy};
use sigproof_shim::os::sigmask;
use sigproof_shim::sync::Arc;

use super::script::{EVERY, Given, HALF, Sequence, WritingEnd, both, buffer};
use sigproof_harness::model::{self, Model, must};
use sigproof_harness::setup::Setup;
use sigproof_report::Mode;

/// A writer that several may use, one at a time.
struct Shared<P: WakePolicy> {
    lock: TrySpin,
    writer: WritingEnd<P>,
    given: Given,
}

impl<P: WakePolicy> Shared<P> {
    fn new(writer: WritingEnd<P>) -> Arc<Self> {
        Arc::new(Self { lock: must(TrySpin::new(model::SIGNAL)), writer, given: Given::default() })
    }

    fn write(&self) {
        // SAFETY: alone, behind the lock.
        self.lock.lock(|| unsafe { self.given.write(&self.writer, 3) });
    }

    fn write_in_handler(&self) {
        // SAFETY: in the handler of the lock's signal; alone, behind the lock.
        unsafe { self.lock.enter(|| self.given.write(&self.writer, 3)) };
    }

    fn close(&self) {
        // SAFETY: alone, behind the lock. In a model with a handler that comes later the file may be closed:
        // see `handler`.
        must(self.lock.lock(|| unsafe { self.writer.close_shared() }));
    }
}

/// The reader is interrupted by a writer; another thread writes, too, and closes.
pub(super) fn handler() -> Vec<(Setup, Model)> {
    fn model<P: WakePolicy>(mode: ReadMode) -> Model {
        Model::new(move || {
            let ((writer, mut reader), _) = buffer::<P>(4, 2, Counts::default());
            let shared = Shared::new(writer);
            model::handle("writer", model::SIGNAL, &[], {
                let shared = Arc::clone(&shared);
                move || shared.write_in_handler()
            });
            let thread = model::spawn("other writer", {
                let shared = Arc::clone(&shared);
                move || {
                    shared.write();
                    shared.write();
                }
            });
            let mut sequence = Sequence::new();
            model::interruptible(|| match mode {
                // What the thread writes wakes the reader, or a drop does, at the latest.
                ReadMode::Blocking => while_woken(&mut sequence, &mut reader),
                ReadMode::NonBlocking => {
                    for _ in 0..2 {
                        sequence.read(&mut reader, mode);
                    }
                }
            });
            thread.join();
            shared.close();
            sequence.close(&mut reader, shared.given.count());
        })
        .depth(1, Some(1))
    }
    both(model::<EveryRecord>, model::<HalfFull>)
}

/// Reads until both records of the other thread have come out or were counted: none of these sleeps is for
/// ever. Three words of four are more than half.
fn while_woken<P: WakePolicy>(sequence: &mut Sequence, reader: &mut super::script::ReadingEnd<P>) {
    while sequence.count() < 2 {
        sequence.read(reader, ReadMode::Blocking);
    }
}

/// The writing thread is interrupted by a writer, but for where it writes itself.
pub(super) fn writer_interrupted() -> Vec<(Setup, Model)> {
    fn model<P: WakePolicy>() -> Model {
        Model::new(|| {
            let ((writer, mut reader), _) = buffer::<P>(4, 2, Counts::default());
            let (writer, given) = (Arc::new(writer), Given::default());
            model::handle("writer", model::SIGNAL, &[], {
                let (writer, given) = (Arc::clone(&writer), given.clone());
                move || {
                    // SAFETY: only the thread that is interrupted writes, and not while it lets itself be.
                    let _ = unsafe { given.write(&writer, 3) };
                }
            });
            let thread = model::spawn("reader", move || {
                let mut sequence = Sequence::new();
                while sequence.read(&mut reader, ReadMode::Blocking) {}
                (sequence, reader)
            });
            model::interruptible(|| {
                let _mask = must(sigmask::block(model::SIGNAL));
                // SAFETY: the handler's signal is blocked.
                unsafe { given.write(&writer, 3) };
            });
            // SAFETY: no handler runs any more.
            must(unsafe { writer.close_shared() });
            let (sequence, mut reader) = thread.join();
            sequence.close(&mut reader, given.count());
        })
        .depth(1, Some(1))
    }
    let setup = |flavour| Setup::fixed().mode(Mode::Blocking).flavour(flavour);
    vec![(setup(EVERY), model::<EveryRecord>()), (setup(HALF), model::<HalfFull>())]
}
