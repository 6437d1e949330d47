//! Events, their names, and vector clocks.

use super::queue;

/// The most threads that a program may have.
pub const THREADS: usize = 8;

/// Bits of [`Event::ord`].
pub mod bits {
    /// Acquires.
    pub const ACQ: u8 = 1;
    /// Releases.
    pub const REL: u8 = 2;
    /// Is sequentially consistent.
    pub const SC: u8 = 4;
}

/// How many events of each thread come before something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock([u16; THREADS]);

impl Clock {
    /// The count of thread `slot`.
    pub fn get(&self, slot: usize) -> u16 {
        self.0[slot]
    }

    /// Sets the count of thread `slot`.
    pub fn set(&mut self, slot: usize, count: u16) {
        self.0[slot] = count;
    }

    /// The larger count for each thread.
    pub fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = (*mine).max(theirs);
        }
    }

    /// Whether the event `id` is among those counted.
    pub fn has(&self, id: Id) -> bool {
        id == Id::INIT || self.0[usize::from(id.thread)] > id.index
    }
}

/// The name of an event: its thread's slot and its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The slot of the thread.
    pub thread: u8,
    /// The index among the thread's events.
    pub index: u16,
}

impl Id {
    /// The write of a location's initial value.
    pub const INIT: Self = Self { thread: u8::MAX, index: 0 };
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// The begin of a thread.
    #[default]
    Begin,
    /// The end of a thread.
    End,
    /// A load, or the load of a read-modify-write.
    Load,
    /// A store, or the store of a read-modify-write.
    Store,
    /// A fence.
    Fence,
    /// A choice of the environment: a signal, a time-out, a spurious failure. 0 is the canonical one.
    Choice,
    /// A thread is started: `val` is its key.
    Spawn,
    /// A thread has been waited for: `val` is its key.
    Join,
}

/// What a read-modify-write does with the value that it loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Op {
    /// Nothing: a load.
    #[default]
    None,
    /// The thread says it later, in a store of its own.
    Later,
    /// Stores the second value if the first was loaded.
    Cas(u64, u64),
    /// Stores a value.
    Swap(u64),
    /// Adds, within the mask.
    Add(u64, u64),
    /// Bitwise and.
    And(u64),
    /// Bitwise or.
    Or(u64),
    /// Bitwise exclusive or.
    Xor(u64),
    /// Subtracts one, unless zero was loaded.
    Take,
    /// Appends a thread to a [`queue`](super::queue).
    Enqueue(u64),
    /// Removes a thread from a queue; stores the same queue if it is not there.
    Leave(u64),
    /// Removes at most so many threads from the front of a queue.
    Dequeue(u64),
}

impl Op {
    /// The value to store, if one is to be stored.
    pub fn apply(self, old: u64) -> Option<u64> {
        match self {
            Self::None | Self::Later => None,
            Self::Cas(expected, new) => (old == expected).then_some(new),
            Self::Swap(new) => Some(new),
            Self::Add(operand, mask) => Some(old.wrapping_add(operand) & mask),
            Self::And(operand) => Some(old & operand),
            Self::Or(operand) => Some(old | operand),
            Self::Xor(operand) => Some(old ^ operand),
            Self::Take => old.checked_sub(1),
            Self::Enqueue(thread) => Some(queue::with_last(old, thread)),
            Self::Leave(thread) => Some(queue::without(old, thread)),
            Self::Dequeue(count) => Some(queue::without_first(old, count)),
        }
    }
}

/// Which values let a load go on. With another value the thread stays blocked in this execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// Every value.
    #[default]
    Any,
    /// This value.
    Is(u64),
    /// A value other than this.
    Not(u64),
    /// At least this value.
    Least(u64),
    /// A value with one of these bits.
    Bits(u64),
}

impl Until {
    /// Whether `value` lets the load go on.
    pub fn met(self, value: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Is(wanted) => value == wanted,
            Self::Not(unwanted) => value != unwanted,
            Self::Least(least) => value >= least,
            Self::Bits(bits) => value & bits != 0,
        }
    }
}

/// One event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Event {
    /// What it is.
    pub kind: Kind,
    /// Its memory order. A load of a compare-and-exchange has that of success or of failure, by its value.
    pub ord: u8,
    /// A load: its memory order if it opens a read-modify-write, or has no operation.
    pub success: u8,
    /// A load: its memory order if its compare-and-exchange fails.
    pub fail: u8,
    /// Whether the simulated kernel does it: it orders the kernel's accesses, not the program's.
    pub kernel: bool,
    /// A store: whether it belongs to a read-modify-write.
    pub excl: bool,
    /// A load: whether it may be the load of a read-modify-write.
    pub opens: bool,
    /// A load: whether the value keeps the thread blocked.
    pub blocked: bool,
    /// A load: whether a blocked end is no end of the program, but a choice of the environment that could not
    /// be.
    pub assumed: bool,
    /// Whether it is a plain access, which must not race.
    pub plain: bool,
    /// Its location.
    pub loc: u32,
    /// The value loaded, stored or chosen.
    pub val: u64,
    /// A load: the value that its read-modify-write stores next.
    pub new: Option<u64>,
    /// A load: the write that it reads from. A store of a read-modify-write: the load.
    pub src: Id,
    /// A load: what is stored next.
    pub op: Op,
    /// A load: the values that let it go on.
    pub until: Until,
    /// When it was added.
    pub stamp: u32,
    /// What happens before it, itself included.
    pub hb: Clock,
    /// What precedes it in sb ∪ rf, itself included.
    pub porf: Clock,
    /// A store: what a load that acquires it learns.
    pub msg: Clock,
    /// What happens before the latest release fence.
    pub released: Clock,
    /// What an acquire fence would learn.
    pub acquirable: Clock,
    /// What the kernel's accesses of this thread know more.
    pub kernel_view: Clock,
}

impl Default for Id {
    fn default() -> Self {
        Self::INIT
    }
}

impl Event {
    /// Takes over the clocks of the event before it in its thread.
    pub fn inherit(&mut self, before: &Self) {
        self.hb = before.hb;
        self.porf = before.porf;
        self.released = before.released;
        self.acquirable = before.acquirable;
        self.kernel_view = before.kernel_view;
    }

    /// What an access may not go behind: hb, and for the kernel what it learnt.
    pub fn view(&self) -> Clock {
        let mut view = self.hb;
        if self.kernel {
            view.join(&self.kernel_view);
        }
        view
    }
}
