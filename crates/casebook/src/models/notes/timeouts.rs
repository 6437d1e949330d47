//! Sleeps that give up, that end for nothing, and primitives that are provoked.

use std::sync::Arc;
use std::time::Duration;

use sigproof_osnote::testing::{self, Provocation};
use sigproof_osnote::{Backend, Backends, Note, NoteError, Woken};
use sigproof_shim::os::clock;

use super::cycles::{Payload, make, once, over};
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_report::Outcome;

const TIME: Duration = Duration::from_millis(1);

/// A timed sleep that gives up while it is woken, by another thread or by a handler on its own.
pub(super) fn timeout(notes: Backends) -> Vec<(Setup, Model)> {
    let flavoured = |flavour, by_handler: bool| {
        let can = move |b: &Backend| b.timed_sleep && (!by_handler || b.wakes_from_handler());
        let all = over(notes, move |backend| can(backend).then(|| gives_up(backend, by_handler)));
        all.into_iter().map(move |(setup, model)| (setup.flavour(flavour), model))
    };
    flavoured("thread", false).chain(flavoured("handler", true)).collect()
}

fn gives_up(backend: &'static Backend, by_handler: bool) -> Model {
    let model = Model::new(move || {
        let note = make(backend);
        let payload = Arc::new(Payload::default());
        let wake = once(&note, &payload);
        if by_handler {
            model::handle("waker", model::SIGNAL, &[], wake.clone());
        }
        let waker = model::spawn("other waker", wake);
        let woken = model::interruptible(|| must(note.sleep_timeout(TIME)));
        if woken == Woken::ByWakeup {
            payload.expect(1);
        }
        waker.join();
        if woken == Woken::ByTimeout {
            // The wake-up that was not had has stayed.
            must(note.sleep());
            payload.expect(1);
        }
        note.clear();
        whole_cycle(&note, &payload);
    });
    let model = if by_handler { model } else { model.handlers(0) };
    if by_handler { model.timeouts().depth(2, Some(3)) } else { model.timeouts().depth(1, Some(3)) }
}

/// Nothing was left behind: a sleep ends by its own wake-up, by a thread that is just being started, and not
/// before.
fn whole_cycle(note: &Arc<Box<dyn Note>>, payload: &Arc<Payload>) {
    let waker = model::spawn("second waker", {
        let (note, payload) = (note.clone(), payload.clone());
        move || {
            payload.put(2);
            must(note.wakeup());
        }
    });
    must(note.sleep());
    payload.expect(2);
    note.clear();
    waker.join();
}

/// Two waits end for nothing: a sleep is not over before it is woken, and a timed one not later than it
/// should be.
pub(super) fn spurious(notes: Backends) -> Vec<(Setup, Model)> {
    let untimed = over(notes, |backend| {
        let model = Model::new(move || {
            let note = make(backend);
            let payload = Arc::new(Payload::default());
            let waker = model::spawn("waker", once(&note, &payload));
            model::interruptible(|| must(note.sleep()));
            payload.expect(1);
            note.clear();
            waker.join();
        });
        Some(model.handlers(0).spurious().depth(2, Some(4)))
    });
    // Alone: no thread wakes it.
    let timed = over(notes, |backend| {
        backend.timed_sleep.then(|| {
            let model = Model::new(move || {
                let note = make(backend);
                must(note.wakeup());
                must(note.sleep());
                note.clear();
                let began = clock::now();
                // The checker's clock goes on only where a wait ends by itself; without such a wait the sleep
                // is cut short by its waker.
                let waker = model::spawn("waker", {
                    let note = note.clone();
                    move || must(note.wakeup())
                });
                let woken = model::interruptible(|| must(note.sleep_timeout(TIME)));
                let took = clock::now() - began;
                ensure(took <= TIME, Outcome::Late, || format!("{TIME:?} took {took:?}"));
                let early = woken == Woken::ByTimeout && took < TIME;
                ensure(!early, Outcome::SpuriousWakeup, || format!("timed out after {took:?} of {TIME:?}"));
                waker.join();
                if woken == Woken::ByTimeout {
                    must(note.sleep());
                }
                note.clear();
            });
            model.handlers(0).spurious().timeouts().depth(3, Some(3))
        })
    });
    let name = |flavour, all: Vec<(Setup, Model)>| all.into_iter().map(move |(s, m)| (s.flavour(flavour), m));
    name("untimed", untimed).chain(name("timed", timed)).collect()
}

/// The primitive is provoked in each way that it can be; the wake-up comes from another thread, or from a
/// handler where it may.
pub(super) fn stray(notes: Backends) -> Vec<(Setup, Model)> {
    let flavoured = |flavour, provocation| {
        let all = over(notes, move |backend| Some(provoked(backend, provocation)));
        all.into_iter().map(move |(setup, model)| (setup.flavour(flavour), model))
    };
    flavoured("disturbed", Provocation::SpuriousWake).chain(flavoured("full", Provocation::FullDoorbell)).collect()
}

fn provoked(backend: &'static Backend, provocation: Provocation) -> Model {
    let safe = backend.wakes_from_handler();
    let model = Model::new(move || {
        let note = make(backend);
        let payload = Arc::new(Payload::default());
        let wake = once(&note, &payload);
        if provocation == Provocation::FullDoorbell {
            provoke(&note, provocation);
        }
        if safe {
            model::handle("waker", model::SIGNAL, &[], wake.clone());
        }
        let waker = model::spawn("other waker", {
            let note = note.clone();
            move || {
                if provocation == Provocation::SpuriousWake {
                    provoke(&note, provocation);
                }
                wake();
            }
        });
        model::interruptible(|| must(note.sleep()));
        payload.expect(1);
        waker.join();
        note.clear();
        whole_cycle(&note, &payload);
    });
    let model = if safe { model } else { model.handlers(0) };
    model.depth(1, Some(2))
}

fn provoke(note: &Arc<Box<dyn Note>>, provocation: Provocation) {
    match testing::provoke(&***note, provocation) {
        // Then it is one more wake-up without a provocation.
        Ok(()) | Err(NoteError::Unsupported { .. }) => {}
        Err(error) => must(Err(error)),
    }
}
