//! Statics of the process and of a thread: each execution has its own.

use core::any::Any;
use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::vec::Vec;

use crate::simulated::world::with;

/// The value of a static: its address is the name.
type Named<N> = (N, Box<dyn Any>);

/// A thread's statics, or that they are gone.
#[derive(Default)]
struct OfThread {
    values: Vec<Named<usize>>,
    has_ended: bool,
}

thread_local! {
    static PROCESS: RefCell<Vec<Named<usize>>> = const { RefCell::new(Vec::new()) };
    /// Whether a static of the process is being made.
    static MAKES: Cell<bool> = const { Cell::new(false) };
    static THREADS: RefCell<Vec<OfThread>> = const { RefCell::new(Vec::new()) };
}

fn find(values: &[Named<usize>], name: usize) -> Option<*const dyn Any> {
    values.iter().find(|(other, _)| *other == name).map(|(_, value)| core::ptr::from_ref(&**value))
}

/// A static of the process.
#[derive(Debug)]
pub struct PerExecution<T: 'static> {
    make: fn() -> T,
}

impl<T: 'static> PerExecution<T> {
    /// One whose value this makes.
    pub const fn new(make: fn() -> T) -> Self {
        Self { make }
    }

    /// The value of this execution.
    pub fn get(&'static self) -> &'static T {
        let name = core::ptr::from_ref(self).addr();
        let known = || PROCESS.with(|values| find(&values.borrow(), name));
        let value = known().unwrap_or_else(|| {
            // Made outside of the borrow: it may ask for others.
            let outer = MAKES.with(|makes| makes.replace(true));
            let value: Box<dyn Any> = Box::new((self.make)());
            MAKES.with(|makes| makes.set(outer));
            PROCESS.with(|values| values.borrow_mut().push((name, value)));
            known().unwrap_or_else(|| unreachable!("it was put there"))
        });
        // SAFETY: the box stays where it is until `end_of_execution`, after which no code of the execution
        // runs: what it holds for 'static is dropped before.
        let value: &'static dyn Any = unsafe { &*value };
        value.downcast_ref().unwrap_or_else(|| unreachable!("a static has one type"))
    }
}

/// A static of a thread.
#[derive(Debug)]
pub struct LocalKey<T: 'static> {
    make: fn() -> T,
}

/// The statics of this thread are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError;

impl<T: 'static> LocalKey<T> {
    /// One whose value this makes.
    pub const fn new(make: fn() -> T) -> Self {
        Self { make }
    }

    /// Runs `f` with the running thread's value.
    ///
    /// # Panics
    /// The thread has ended, or there is none.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.try_with(f).unwrap_or_else(|_| panic!("a static of a thread that has ended"))
    }

    /// Runs `f` with the running thread's value.
    ///
    /// # Errors
    /// The thread has ended, or there is none.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let name = core::ptr::from_ref(self).addr();
        let me = with(|w| w.active).ok_or(AccessError)?;
        let known = || {
            THREADS.with(|threads| {
                let mut threads = threads.borrow_mut();
                if threads.len() <= me {
                    threads.resize_with(me + 1, OfThread::default);
                }
                if threads[me].has_ended { Err(AccessError) } else { Ok(find(&threads[me].values, name)) }
            })
        };
        if known()?.is_none() {
            let value: Box<dyn Any> = Box::new((self.make)());
            THREADS.with(|threads| threads.borrow_mut()[me].values.push((name, value)));
        }
        let value = known()?.ok_or(AccessError)?;
        // SAFETY: the box stays where it is until the end of the thread that runs this.
        let value = unsafe { &*value };
        value.downcast_ref().map(f).ok_or(AccessError)
    }
}

/// Whether a static of the process is being made.
pub(super) fn makes_one() -> bool {
    MAKES.with(Cell::get)
}

/// Drops the running thread's statics, in the order in which they were made.
pub(super) fn end_of_thread() {
    let Some(me) = with(|w| w.active) else { return };
    loop {
        let next = THREADS.with(|threads| {
            let mut threads = threads.borrow_mut();
            let own = threads.get_mut(me)?;
            own.has_ended = true;
            (!own.values.is_empty()).then(|| own.values.remove(0))
        });
        if next.is_none() {
            return;
        }
    }
}

/// Drops all that is left.
pub(super) fn end_of_execution() {
    MAKES.with(|makes| makes.set(false));
    drop(THREADS.with(|threads| core::mem::take(&mut *threads.borrow_mut())));
    drop(PROCESS.with(|values| core::mem::take(&mut *values.borrow_mut())));
}
