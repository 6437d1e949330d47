//! Execution graphs: the events of each thread, the write that each load reads from, and the order of the
//! writes of each location.
//!
//! | relation | stored as |
//! |---|---|
//! | sb, sequenced before | the order of [`Thread::events`] |
//! | rf, reads from | [`Event::src`] of a load |
//! | mo, modification order | [`Location::order`]; the initial value stands before its first write |
//! | hb, happens before | [`Event::hb`]: how many events of each thread come before, the event included |
//! | sb ∪ rf, and spawn and join | [`Event::porf`], in the same form |
//!
//! Invariants. (1) A graph holds, with an event, all events that precede it in sb ∪ rf. (2) The write of a
//! read-modify-write directly follows the write that its load reads from. (3) hb, reads and mo are coherent.

mod event;
pub mod order;
pub mod queue;

pub use event::{Clock, Event, Id, Kind, Op, THREADS, Until, bits};

/// One thread of an execution.
#[derive(Debug, Default)]
pub struct Thread {
    /// Its place among the threads: that of its parent, and a byte for its number among the parent's
    /// children.
    pub key: u64,
    /// How many locations it made.
    pub locations: u16,
    /// Its events, in program order.
    pub events: Vec<Event>,
}

/// One atomic location.
#[derive(Debug, Default)]
pub struct Location {
    /// The slot of the thread that made it, and its number among the locations that this thread made.
    pub name: (u8, u16),
    /// The value before the first write.
    pub init: u64,
    /// Its writes, in modification order.
    pub order: Vec<Id>,
    /// Its loads, in no order.
    pub reads: Vec<Id>,
    /// Whether its values are addresses: they may differ from run to run.
    pub is_opaque: bool,
    /// Whether the program made it as an atomic, and no object of this crate.
    pub is_word: bool,
}

/// An execution graph.
#[derive(Debug, Default)]
pub struct Graph {
    /// The threads, by slot.
    pub threads: Vec<Thread>,
    /// The locations.
    pub locations: Vec<Location>,
    /// How many events were ever added: the next stamp.
    pub stamp: u32,
    /// How many events are sequentially consistent.
    pub sc: u32,
}

macro_rules! copy_into {
    ($type:ty { $($plain:ident),* ; $($vector:ident),* }) => {
        impl Clone for $type {
            fn clone(&self) -> Self {
                Self { $($plain: self.$plain,)* $($vector: self.$vector.clone(),)* }
            }
            fn clone_from(&mut self, from: &Self) {
                $(self.$plain = from.$plain;)*
                $(self.$vector.clone_from(&from.$vector);)*
            }
        }
    };
}
copy_into!(Thread { key, locations; events });
copy_into!(Location { name, init, is_opaque, is_word; order, reads });
copy_into!(Graph { stamp, sc; threads, locations });

impl Graph {
    /// The event `id`, which is not the initial write.
    pub fn event(&self, id: Id) -> &Event {
        &self.threads[usize::from(id.thread)].events[usize::from(id.index)]
    }

    /// The event `id`, to change.
    pub fn event_mut(&mut self, id: Id) -> &mut Event {
        &mut self.threads[usize::from(id.thread)].events[usize::from(id.index)]
    }

    /// The slot of the thread with `key`; a new one if there is none yet.
    pub fn slot(&mut self, key: u64) -> usize {
        self.threads.iter().position(|thread| thread.key == key).unwrap_or_else(|| {
            assert!(self.threads.len() < THREADS, "explore: a program may have {THREADS} threads at most");
            self.threads.push(Thread { key, ..Thread::default() });
            self.threads.len() - 1
        })
    }

    /// Whether there is a slot for the thread with `key`.
    pub fn has_room(&self, key: u64) -> bool {
        self.threads.len() < THREADS || self.threads.iter().any(|thread| thread.key == key)
    }

    /// The location `name`; a new one if there is none yet. Its initial value is that of this execution. A
    /// location that is there is probably at `guess`. Each thread makes its locations in the order of their
    /// numbers.
    pub fn location(&mut self, name: (u8, u16), init: u64, guess: u32) -> u32 {
        let made = &mut self.threads[usize::from(name.0)].locations;
        let is_new = name.1 >= *made;
        *made = (*made).max(name.1.saturating_add(1));
        let is_guess = self.locations.get(guess as usize).is_some_and(|location| location.name == name);
        let found = || self.locations.iter().position(|location| location.name == name);
        let index = match (is_new, is_guess) {
            (true, _) => None,
            (false, true) => Some(guess as usize),
            (false, false) => found(),
        };
        let index = index.unwrap_or_else(|| {
            self.locations.push(Location { name, ..Location::default() });
            self.locations.len() - 1
        });
        self.locations[index].init = init;
        u32::try_from(index).expect("fewer than 2^32 locations")
    }

    /// The value that the write `id` of `location` wrote.
    pub fn written(&self, location: u32, id: Id) -> u64 {
        if id == Id::INIT { self.locations[location as usize].init } else { self.event(id).val }
    }

    /// The write at `place` of a modification order; place 0 is the initial value.
    pub fn write_at(&self, location: u32, place: usize) -> Id {
        if place == 0 { Id::INIT } else { self.locations[location as usize].order[place - 1] }
    }

    /// The place of the write `id`.
    pub fn place(&self, location: u32, id: Id) -> usize {
        if id == Id::INIT {
            return 0;
        }
        let order = &self.locations[location as usize].order;
        1 + order.iter().rposition(|&write| write == id).expect("a write is in its modification order")
    }

    /// The last value of a location.
    pub fn last_value(&self, location: u32) -> u64 {
        let last = self.locations[location as usize].order.last().copied();
        self.written(location, last.unwrap_or(Id::INIT))
    }

    /// The oldest write that an access with the view `view` may read, or may directly follow.
    pub fn bound(&self, location: u32, view: &Clock) -> usize {
        let Location { order, reads, .. } = &self.locations[location as usize];
        let mut bound = order.iter().rposition(|&write| view.has(write)).map_or(0, |index| index + 1);
        for &read in reads {
            if view.has(read) {
                bound = bound.max(self.place(location, self.event(read).src));
            }
        }
        bound
    }

    /// Whether a write that is no part of a read-modify-write, or whose load reads the write at `place`, may
    /// follow it.
    pub fn may_follow(&self, location: u32, place: usize) -> bool {
        let next = self.locations[location as usize].order.get(place);
        next.is_none_or(|&next| !self.event(next).excl)
    }

    /// Appends an event to the thread in `slot`; its clocks are those of the event before it. Stores get
    /// their order by [`Graph::insert`], loads their source by [`Graph::read_from`].
    pub fn append(&mut self, slot: usize, mut event: Event) -> Id {
        let events = &mut self.threads[slot].events;
        let index = u16::try_from(events.len()).expect("fewer than 2^16 events in a thread");
        if let Some(last) = events.last() {
            event.inherit(last);
        }
        let id = Id { thread: u8::try_from(slot).expect("fewer than 2^8 threads"), index };
        event.stamp = self.stamp;
        self.stamp += 1;
        self.sc += u32::from(event.ord & bits::SC != 0);
        event.hb.set(slot, index + 1);
        event.porf.set(slot, index + 1);
        if event.kind == Kind::Load {
            self.locations[event.loc as usize].reads.push(id);
        }
        self.threads[slot].events.push(event);
        id
    }

    /// Removes the last event of a thread, which nothing follows.
    pub fn pop(&mut self, slot: usize) {
        let event = self.threads[slot].events.pop().expect("an event to remove");
        self.sc -= u32::from(event.ord & bits::SC != 0);
        if event.kind == Kind::Load {
            self.locations[event.loc as usize].reads.pop();
        }
        self.stamp = event.stamp;
    }

    /// Lets the last event `id` of a thread, a load, read from `source`; sets value and clocks.
    pub fn read_from(&mut self, id: Id, source: Id) {
        let slot = usize::from(id.thread);
        let index = usize::from(id.index);
        let mut event = self.threads[slot].events[index];
        let (before, empty) = (index.checked_sub(1).map(|index| self.threads[slot].events[index]), Event::default());
        event.inherit(before.as_ref().unwrap_or(&empty));
        event.hb.set(slot, id.index + 1);
        event.porf.set(slot, id.index + 1);
        event.src = source;
        event.val = self.written(event.loc, source);
        event.blocked = !event.until.met(event.val);
        event.new = if event.blocked { None } else { event.op.apply(event.val) };
        let succeeds = !event.blocked && (event.new.is_some() || matches!(event.op, Op::None | Op::Later));
        self.sc -= u32::from(event.ord & bits::SC != 0);
        event.ord = if succeeds { event.success } else { event.fail };
        self.sc += u32::from(event.ord & bits::SC != 0);
        if source != Id::INIT {
            let write = self.event(source);
            event.porf.join(&write.porf);
            if event.kernel {
                event.kernel_view.join(&write.msg);
            } else {
                event.acquirable.join(&write.msg);
                if event.ord & bits::ACQ != 0 {
                    event.hb.join(&write.msg);
                }
            }
        }
        self.threads[slot].events[index] = event;
    }

    /// Gives a store `id`, the last event of its thread, its clocks. `load` is that of its read-modify-write.
    pub fn release(&mut self, id: Id, load: Option<Id>) {
        let mut event = *self.event(id);
        event.msg = if event.ord & bits::REL != 0 || event.kernel { event.hb } else { event.released };
        if event.kernel {
            event.msg.join(&event.kernel_view);
        }
        if let Some(load) = load {
            event.src = load;
            let source = self.event(load).src;
            if source != Id::INIT {
                let msg = self.event(source).msg;
                event.msg.join(&msg);
            }
        }
        *self.event_mut(id) = event;
    }

    /// Puts the store `id` behind the write at `place`.
    pub fn insert(&mut self, location: u32, place: usize, id: Id) {
        self.locations[location as usize].order.insert(place, id);
    }

    /// The effect of a fence `id` on its clocks.
    pub fn fence(&mut self, id: Id) {
        let event = self.event_mut(id);
        if event.ord & bits::ACQ != 0 {
            event.hb.join(&event.acquirable.clone());
        }
        if event.ord & bits::REL != 0 {
            event.released = event.hb;
        }
    }

    /// Lets the event `id` come after all that `other` has before it: spawn, join.
    pub fn after(&mut self, id: Id, other: &Event) {
        let event = self.event_mut(id);
        event.hb.join(&other.hb);
        event.porf.join(&other.porf);
    }

    /// Keeps the events that were added up to `stamp`, and those in `prefix`.
    pub fn restrict(&mut self, stamp: u32, prefix: &Clock) {
        for (slot, thread) in self.threads.iter_mut().enumerate() {
            let kept = usize::from(prefix.get(slot));
            let late = thread.events.iter().skip(kept).position(|event| event.stamp > stamp);
            if let Some(late) = late {
                for event in thread.events.drain(kept + late..) {
                    self.sc -= u32::from(event.ord & bits::SC != 0);
                }
            }
        }
        let threads = &self.threads;
        let alive = |id: &Id| usize::from(id.index) < threads[usize::from(id.thread)].events.len();
        for location in &mut self.locations {
            location.order.retain(alive);
            location.reads.retain(alive);
        }
    }

    /// Two accesses that conflict, one of them plain, without an order.
    pub fn race(&self) -> Option<String> {
        let accesses = |slot: usize| {
            let events = (0_u16..).zip(&self.threads[slot].events);
            events.filter(|(_, event)| matches!(event.kind, Kind::Load | Kind::Store))
        };
        for a in 0..self.threads.len() {
            for (index, plain) in accesses(a).filter(|(_, event)| event.plain) {
                for b in (0..self.threads.len()).filter(|&b| b != a) {
                    for (other, event) in accesses(b).filter(|(_, event)| event.loc == plain.loc) {
                        let conflict = plain.kind == Kind::Store || event.kind == Kind::Store;
                        if conflict && plain.hb.get(b) <= other && event.hb.get(a) <= index {
                            return Some(format!("a plain access of thread {a} and an access of thread {b}"));
                        }
                    }
                }
            }
        }
        None
    }

    /// The load of a read-modify-write that still lacks its write: the last event of some thread.
    pub fn open(&self) -> Option<usize> {
        self.threads.iter().position(|thread| {
            let last = thread.events.iter().rposition(|event| event.opens || event.excl);
            last.is_some_and(|index| {
                let event = &thread.events[index];
                event.kind == Kind::Load
                    && !event.blocked
                    && (event.op == Op::Later || (index + 1 == thread.events.len() && event.new.is_some()))
            })
        })
    }
}
