//! Where the semaphores live: a list that only grows, whose nodes go from thread to thread and are never
//! freed.
//!
//! ```text
//! HEAD -> node -> node -> node -> null        a thread's leases: [kind -> node]
//!         kind, leased?, semaphore
//! ```
//!
//! | state of a node | who may sleep on its semaphore | who may wake it |
//! |---|---|---|
//! | leased | the thread that holds the lease | who finds its address in a note's key |
//! | not leased | no thread | a late waker that is still inside the primitive |
//!
//! Invariants:
//! 1. A node that `HEAD` reaches is never removed, changed (but for `leased`) or freed, so that every address
//!    given out stays valid, and the list has no ABA problem.
//! 2. At most one thread holds a node's lease: it is taken by a compare-and-swap from `false`.
//! 3. A node that is given back has a count of zero: its owner's sleeps have consumed what was added for
//!    them.
//!
//! Orderings: a node is published by the release of the push and read behind the acquire of `HEAD`. Giving
//! back releases what the old owner did; taking acquires it.
//!
//! Limits: not async-signal-safe (thread-local storage, allocation). As many nodes as ever were threads
//! asleep at once, for each kind.

use core::any::{Any, TypeId};
use core::cell::RefCell;
use core::ptr;

use sigproof_shim::atomic::{AtomicBool, AtomicPtr, Ordering};

use super::Semaphore;
use crate::note::NoteError;

struct Node {
    next: *mut Node,
    kind: TypeId,
    leased: AtomicBool,
    semaphore: Box<dyn Any + Send + Sync>,
}

/// A list of nodes; `HEAD` of the drawing.
struct Nodes(AtomicPtr<Node>);

impl Nodes {
    sigproof_shim::const_fn! {
        fn new() -> Self {
            Self(AtomicPtr::new(ptr::null_mut()))
        }
    }
}

impl Drop for Nodes {
    /// Never runs for the list of a process. In a model each execution has a list of its own.
    fn drop(&mut self) {
        // Relaxed: `&mut self` says that no other thread has it any more.
        let mut at = self.0.load(Ordering::Relaxed);
        while !at.is_null() {
            // SAFETY: what the list reaches was made by `Box::into_raw` in `lease`, and is dropped here,
            // once.
            let node = unsafe { Box::from_raw(at) };
            at = node.next;
        }
    }
}

sigproof_shim::process_static! {
    /// The process's nodes.
    fn nodes() -> Nodes = Nodes::new();
}

/// Makes the statics of this module: the first thread of a model calls it before it starts others.
pub(crate) fn prime() {
    nodes();
}

/// One thread's claim to a node; given back when the thread ends.
struct Lease(&'static Node);

impl Drop for Lease {
    fn drop(&mut self) {
        // Release: pairs with the acquire of the next owner's compare-and-swap in `lease`.
        self.0.leased.store(false, Ordering::Release);
    }
}

sigproof_shim::per_thread! {
    /// A handful: one for each kind of semaphore that this thread has slept on.
    static LEASES: RefCell<Vec<Lease>> = const { RefCell::new(Vec::new()) };
}

/// Ends all leases of this thread, which sleeps on none of them.
pub fn give_back() {
    // Fails in a thread that is being torn down: its leases end with it.
    let _ = LEASES.try_with(|leases| leases.borrow_mut().clear());
}

/// The calling thread's semaphore of kind `S`.
pub(super) fn current<S: Semaphore>() -> Result<&'static S, NoteError> {
    let ending = NoteError::Unsupported { what: "a sleep in a thread that is being torn down" };
    LEASES
        .try_with(|leases| {
            let mut leases = leases.borrow_mut();
            let node = match leases.iter().find(|lease| lease.0.kind == TypeId::of::<S>()) {
                Some(lease) => lease.0,
                None => {
                    let lease = lease::<S>()?;
                    let node = lease.0;
                    leases.push(lease);
                    node
                }
            };
            // The kind is the type's own, so that this cannot fail.
            node.semaphore.downcast_ref().ok_or(ending)
        })
        .unwrap_or(Err(ending))
}

/// Takes a node that no thread holds, or makes one.
fn lease<S: Semaphore>() -> Result<Lease, NoteError> {
    // Acquire: pairs with the release of the push below.
    let mut at: *const Node = nodes().0.load(Ordering::Acquire);
    // SAFETY: what HEAD reaches is valid for ever (invariant 1).
    while let Some(node) = unsafe { at.as_ref::<'static>() } {
        if node.kind == TypeId::of::<S>()
            // Acquire: pairs with the release in `Lease::drop`.
            && node.leased.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            return Ok(Lease(node));
        }
        at = node.next;
    }
    let node = Box::into_raw(Box::new(Node {
        next: ptr::null_mut(),
        kind: TypeId::of::<S>(),
        leased: AtomicBool::new(true),
        semaphore: Box::new(S::create()?),
    }));
    // Relaxed: not followed from here. Who reads this node acquires what its `next` leads to as well: the
    // read-modify-write below goes on with the release of the push before it.
    let mut head = nodes().0.load(Ordering::Relaxed);
    loop {
        // SAFETY: not yet published, so this thread's alone.
        unsafe { (*node).next = head };
        // Release: publishes the node to the acquire loads of HEAD.
        match nodes().0.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
            // SAFETY: published and never freed (invariant 1).
            Ok(_) => return Ok(Lease(unsafe { &*node })),
            Err(now) => head = now,
        }
    }
}
