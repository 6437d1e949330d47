//! One operation of a thread: the event that the graph has for it, or a new one.

use super::{Run, Status, Stop, fiber, limit, with};
use crate::end::{End, Limit};
use crate::graph::{Event, Id, Kind, Op, Until, bits, order};

/// What a thread asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    Load(Access),
    Store {
        loc: u32,
        val: u64,
        ord: u8,
        kernel: bool,
    },
    /// A store that must not race.
    Plain {
        loc: u32,
        val: u64,
    },
    /// The store of a read-modify-write that [`Op::Later`] opened.
    StoreLater {
        loc: u32,
        val: u64,
        ord: u8,
        kernel: bool,
    },
    Fence(u8),
    Choice(u64),
    Spawn(u64),
    Begin(Id),
    End,
    Join {
        key: u64,
        slot: usize,
    },
}

/// A load, or a read-modify-write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access {
    pub(crate) loc: u32,
    pub(crate) op: Op,
    pub(crate) until: Until,
    pub(crate) success: u8,
    pub(crate) fail: u8,
    pub(crate) kernel: bool,
    pub(crate) assumed: bool,
    pub(crate) plain: bool,
}

impl Access {
    pub(crate) fn load(loc: u32, ord: u8) -> Self {
        Self {
            loc,
            op: Op::None,
            until: Until::Any,
            success: ord,
            fail: ord,
            kernel: false,
            assumed: false,
            plain: false,
        }
    }

    pub(crate) fn rmw(loc: u32, op: Op, success: u8, fail: u8) -> Self {
        Self { op, success, fail, ..Self::load(loc, success) }
    }

    pub(crate) fn until(self, until: Until) -> Self {
        Self { until, ..self }
    }

    /// As `until`; the environment has chosen something that needs such a value.
    pub(crate) fn assume(self, until: Until) -> Self {
        Self { until, assumed: true, ..self }
    }

    /// The event of the load.
    pub(super) fn event(self) -> Event {
        let Self { loc, op, until, success, fail, kernel, assumed, plain } = self;
        let opens = op != Op::None;
        Event { kind: Kind::Load, loc, op, until, success, fail, kernel, opens, assumed, plain, ..Event::default() }
    }

    pub(crate) fn kernel(self) -> Self {
        Self { kernel: true, ..self }
    }
}

pub(super) enum Attempt {
    Got(u64),
    Wait,
}

/// Whether the execution is over: destructors act on the last values.
pub(crate) fn is_ended() -> bool {
    with(|run| run.ended)
}

/// Does `request` for the thread that runs; gives the value loaded or chosen.
pub(crate) fn step(request: Request) -> u64 {
    loop {
        match with(|run| run.attempt(request)) {
            Attempt::Got(value) => return value,
            Attempt::Wait => fiber::switch(),
        }
    }
}

/// A load or a whole read-modify-write; gives the value loaded.
pub(crate) fn access(access: Access) -> u64 {
    let old = step(Request::Load(access));
    if let Some(val) = access.op.apply(old) {
        step(Request::StoreLater { loc: access.loc, val, ord: access.success, kernel: access.kernel });
    }
    old
}

/// Ends a read-modify-write that [`Op::Later`] opened.
pub(crate) fn store_later(loc: u32, val: u64, ord: u8, kernel: bool) {
    step(Request::StoreLater { loc, val, ord, kernel });
}

impl Run {
    fn attempt(&mut self, request: Request) -> Attempt {
        if self.ended {
            return Attempt::Got(self.after_the_end(request));
        }
        if self.stop.is_some() {
            return Attempt::Wait;
        }
        let slot = self.current;
        let done = self.fibers[slot].done;
        if self.rules.reorders && !self.keeps_order(request) {
            self.fibers[slot].assumes = true;
            self.fibers[slot].status = Status::Blocked;
            return Attempt::Wait;
        }
        if self.guide.is_some() {
            return self.follow(request, slot, done);
        }
        if done < self.search.graph.threads[slot].events.len() {
            return self.repeat(request, slot, done);
        }
        let waits = match request {
            Request::Join { slot: child, .. } => {
                self.fibers[slot].joins = Some(child);
                self.fibers[child].status != Status::Done
            }
            _ => false,
        };
        if waits || !self.extending {
            self.fibers[slot].status = Status::New;
            return Attempt::Wait;
        }
        self.fibers[slot].joins = None;
        let threads = &self.search.graph.threads;
        let is_full = threads[slot].events.len() >= usize::from(u16::MAX);
        if is_full || threads.iter().map(|thread| thread.events.len()).sum::<usize>() >= self.rules.events {
            self.halt(limit(Limit::Events));
            return Attempt::Wait;
        }
        // A read-modify-write adds two.
        if is_sc(request) && self.search.graph.sc as usize + 2 > order::MOST {
            self.halt(limit(Limit::SeqCst));
            return Attempt::Wait;
        }
        self.fibers[slot].done += 1;
        self.extend(request, slot)
    }

    fn repeat(&mut self, request: Request, slot: usize, done: usize) -> Attempt {
        let graph = &self.search.graph;
        let event = &graph.threads[slot].events[done];
        let is_opaque = matches!(event.kind, Kind::Load | Kind::Store) && graph.locations[event.loc as usize].is_opaque;
        let is_same = match request {
            Request::Load(access) => {
                event.kind == Kind::Load
                    && event.loc == access.loc
                    && (is_opaque || (event.op == access.op && event.until == access.until))
            }
            Request::Store { loc, val, .. } | Request::StoreLater { loc, val, .. } | Request::Plain { loc, val } => {
                event.kind == Kind::Store && event.loc == loc && (event.val == val || is_opaque)
            }
            Request::Fence(ord) => event.kind == Kind::Fence && event.ord == ord,
            Request::Choice(count) => event.kind == Kind::Choice && event.val < count,
            Request::Spawn(key) => event.kind == Kind::Spawn && event.val == key,
            Request::Begin(_) => event.kind == Kind::Begin,
            Request::End => event.kind == Kind::End,
            Request::Join { key, .. } => event.kind == Kind::Join && event.val == key,
        };
        if !is_same {
            return self.unrepeatable(format!(
                "thread {slot} does {} instead of {}",
                request.name(),
                event_name(event)
            ));
        }
        let ready = match request {
            Request::Load(_) => event.src == Id::INIT || self.has_done(event.src),
            Request::Join { slot: child, .. } => {
                self.fibers.get(child).is_some_and(|child| child.coroutine.is_none() && child.status == Status::Done)
            }
            _ => true,
        };
        if !ready {
            return Attempt::Wait;
        }
        if is_opaque {
            self.refresh(request, Id { thread: slot as u8, index: done as u16 });
            if self.stop.is_some() {
                return Attempt::Wait;
            }
        }
        let Event { blocked, val, .. } = self.search.graph.threads[slot].events[done];
        self.fibers[slot].done += 1;
        if blocked {
            self.fibers[slot].status = Status::Blocked;
            return Attempt::Wait;
        }
        Attempt::Got(val)
    }

    /// The addresses of this run take the place of those of the one before.
    fn refresh(&mut self, request: Request, id: Id) {
        let mut event = *self.search.graph.event(id);
        match request {
            Request::Load(access) => {
                event.val = self.search.graph.written(event.loc, event.src);
                event.op = access.op;
                let new = if event.blocked { None } else { access.op.apply(event.val) };
                if new.is_some() != event.new.is_some() {
                    let text = "two addresses are equal in one run and not in another".to_owned();
                    self.halt(Stop::At(End::Unrepeatable(text)));
                    return;
                }
                event.new = new;
            }
            Request::Store { val, .. } | Request::StoreLater { val, .. } => event.val = val,
            _ => {}
        }
        *self.search.graph.event_mut(id) = event;
    }

    /// Ends the run: the program does something else than before.
    fn unrepeatable(&mut self, text: String) -> Attempt {
        self.halt(Stop::At(End::Unrepeatable(text)));
        Attempt::Wait
    }

    fn has_done(&self, id: Id) -> bool {
        self.fibers.get(usize::from(id.thread)).is_some_and(|fiber| fiber.done > usize::from(id.index))
    }

    pub(super) fn extend(&mut self, request: Request, slot: usize) -> Attempt {
        let search = &mut self.search;
        match request {
            Request::Load(access) => {
                let event = access.event();
                let id = search.load(slot, event);
                let event = search.graph.event(id);
                if event.blocked {
                    self.fibers[slot].status = Status::Blocked;
                    return Attempt::Wait;
                }
                return Attempt::Got(event.val);
            }
            Request::Store { loc, val, ord, kernel } | Request::StoreLater { loc, val, ord, kernel } => {
                let is_later = matches!(request, Request::StoreLater { .. });
                let load = if is_later { open_load(self, slot) } else { None };
                if is_later && load.is_none() {
                    return self.unrepeatable(format!("thread {slot} does {} without its load", request.name()));
                }
                let event = Event { kind: Kind::Store, loc, val, ord, kernel, ..Event::default() };
                if !self.search.store(slot, event, load) {
                    self.halt(Stop::Discard);
                    return Attempt::Wait;
                }
            }
            Request::Plain { loc, val } => {
                let event = Event { kind: Kind::Store, loc, val, plain: true, ..Event::default() };
                if !self.search.store(slot, event, None) {
                    self.halt(Stop::Discard);
                    return Attempt::Wait;
                }
            }
            Request::Fence(ord) => {
                if !search.fence(slot, ord) {
                    self.halt(Stop::Discard);
                    return Attempt::Wait;
                }
            }
            Request::Choice(count) => {
                search.choice(slot, count);
            }
            Request::End => {
                search.graph.append(slot, Event { kind: Kind::End, ..Event::default() });
            }
            Request::Spawn(key) => {
                search.graph.append(slot, Event { kind: Kind::Spawn, val: key, ..Event::default() });
            }
            Request::Begin(spawn) => {
                let id = search.graph.append(slot, Event::default());
                let parent = *search.graph.event(spawn);
                search.graph.after(id, &parent);
            }
            Request::Join { key, slot: child } => {
                let id = search.graph.append(slot, Event { kind: Kind::Join, val: key, ..Event::default() });
                let last = *search.graph.threads[child].events.last().expect("a thread has a begin");
                search.graph.after(id, &last);
            }
        }
        Attempt::Got(0)
    }

    /// What an operation does after the execution: it acts on the last values.
    fn after_the_end(&mut self, request: Request) -> u64 {
        let value = |run: &Self, loc: u32| {
            let changed = run.last.iter().rev().find(|(other, _)| *other == loc);
            changed.map_or_else(|| run.search.graph.last_value(loc), |&(_, value)| value)
        };
        match request {
            Request::Load(access) => value(self, access.loc),
            Request::Store { loc, val, .. } | Request::StoreLater { loc, val, .. } | Request::Plain { loc, val } => {
                self.last.push((loc, val));
                0
            }
            _ => 0,
        }
    }
}

impl Request {
    fn name(self) -> &'static str {
        match self {
            Self::Load(access) if access.op == Op::None => "a load",
            Self::Load(_) => "a read-modify-write",
            Self::Store { .. } | Self::Plain { .. } | Self::StoreLater { .. } => "a store",
            Self::Fence(_) => "a fence",
            Self::Choice(_) => "a choice",
            Self::Spawn(_) => "the start of a thread",
            Self::Begin(_) => "its begin",
            Self::End => "its end",
            Self::Join { .. } => "a join",
        }
    }
}

fn event_name(event: &Event) -> &'static str {
    match event.kind {
        Kind::Load if event.op == Op::None => "another load",
        Kind::Load => "another read-modify-write",
        Kind::Store => "another store",
        Kind::Fence => "another fence",
        Kind::Choice => "another choice",
        Kind::Spawn => "the start of another thread",
        Kind::Begin => "its begin",
        Kind::End => "its end",
        Kind::Join => "another join",
    }
}

fn is_sc(request: Request) -> bool {
    let ord = match request {
        Request::Load(access) => access.success | access.fail,
        Request::Store { ord, .. } | Request::StoreLater { ord, .. } | Request::Fence(ord) => ord,
        _ => 0,
    };
    ord & bits::SC != 0
}

/// The load of the read-modify-write whose store comes next; none if the program is not what it was.
pub(super) fn open_load(run: &Run, slot: usize) -> Option<Id> {
    let events = &run.search.graph.threads[slot].events;
    let index = events.iter().rposition(|event| event.opens)?;
    Some(Id { thread: slot as u8, index: index as u16 })
}
