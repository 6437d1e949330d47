//! Who makes an object must publish it to those who use it.

use std::sync::Arc;

use sigproof_shim::atomic::{AtomicPtr, AtomicU32, Ordering};
use sigproof_shim::model::{self, End, Engine, FailureKind, Plan};
use sigproof_shim::os::sem::Semaphore;

use crate::support::explored;

/// A thread makes an object and stores its address; the main thread uses it if it finds it.
fn published<T: 'static>(make: fn() -> T, use_it: fn(&T), store: Ordering, load: Ordering) -> End {
    let body = move || {
        let place = Arc::new(AtomicPtr::new(core::ptr::null_mut()));
        let maker = model::spawn("maker", {
            let place = Arc::clone(&place);
            move || place.store(Box::into_raw(Box::new(make())), store)
        });
        let found = place.load(load);
        // SAFETY: the address is that of a box, which is taken back below, after this.
        if let Some(object) = unsafe { found.as_ref() } {
            use_it(object);
        }
        maker.join();
        // SAFETY: the box that the maker has stored; the maker has ended.
        drop(unsafe { Box::from_raw(place.load(Ordering::Acquire)) });
    };
    explored(&Plan::default(), body).0.end
}

fn atomic(store: Ordering, load: Ordering) -> End {
    published(|| AtomicU32::new(7), |word| assert_eq!(word.load(Ordering::Relaxed), 7), store, load)
}

fn semaphore(store: Ordering, load: Ordering) -> End {
    published(|| Semaphore::new().unwrap(), |semaphore| semaphore.post().unwrap(), store, load)
}

#[test]
fn an_atomic_that_is_not_published_is_a_race() {
    check(atomic);
}

#[test]
fn a_semaphore_that_is_not_published_is_a_race() {
    check(semaphore);
}

fn check(explore: fn(Ordering, Ordering) -> End) {
    let good = explore(Ordering::Release, Ordering::Acquire);
    assert!(matches!(good, End::Exhausted), "{good:?}");
    for (store, load) in [(Ordering::Relaxed, Ordering::Acquire), (Ordering::Release, Ordering::Relaxed)] {
        match explore(store, load) {
            End::Failed(failure) if Engine::own() == Some(Engine::Graph) => {
                assert_eq!(failure.kind, FailureKind::Race, "{failure:?}");
                assert!(failure.message.contains("without knowing that it is made"), "{failure:?}");
            }
            // Loom panics.
            End::Failed(_) => {}
            end => panic!("{store:?} {load:?}: {end:?}"),
        }
    }
}
