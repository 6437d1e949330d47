//! Who can end a wait: the process itself alone, a time limit, certain other processes, or anybody.

use super::holders::{Held, Holders, object};
use super::socket::{self, Peer};
use super::target::{named, network};
use super::wait::{Does, Wait};
use crate::hang::procfs::{self, Mapping, numbers, parse_stat};
use std::fs;
use std::io;

/// glibc's own signals, which only its own timers and threads use: bits of 32 and 33.
const INTERNAL: u64 = 0b11 << 31;
/// How deep epoll instances are looked into, which may hold each other.
const NESTING: usize = 4;

/// Who can end a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ender {
    /// The thread runs, or waits for the kernel alone: it ends by itself.
    Itself(String),
    /// Only a thread of the process itself.
    Inside,
    /// Time passes.
    Time(String),
    /// Only one of these processes, or the process itself; and why.
    Processes(Vec<u32>, String),
    /// Something outside that cannot be looked into: a client, a signal, a terminal.
    Outside(String),
    /// It cannot be told.
    Unknown(String),
}

/// A process whose waits are looked at, and what they are looked up in.
pub(super) struct World<'a> {
    pub pid: u32,
    pub maps: &'a [Mapping],
    pub holders: &'a Holders,
}

impl World<'_> {
    /// What a thread does, in words, and who can end that.
    pub(super) fn judge(&self, tid: u32, wait: &Wait) -> (String, Ender) {
        match wait {
            Wait::Runs => ("runs".to_owned(), Ender::Itself("it runs".to_owned())),
            Wait::Ended => ("has ended".to_owned(), Ender::Inside),
            Wait::Kernel => ("waits in the kernel, for a page".to_owned(), Ender::Itself("the kernel".to_owned())),
            Wait::Futex { address, shared, lock } => {
                let does = if *lock { "waits for a lock" } else { "waits on a futex" };
                (format!("{does} at {address:#x}"), if *shared { self.shared(*address) } else { Ender::Inside })
            }
            Wait::Timed(call) => (format!("waits in {call} with a time limit"), Ender::Time((*call).to_owned())),
            Wait::Signal(call) => (format!("waits in {call}"), self.signal()),
            Wait::SignalOf(set) if set & !INTERNAL == 0 => {
                let armed = !super::timers::listed(self.pid).is_empty();
                let ender = if armed { Ender::Time("a timer".to_owned()) } else { Ender::Inside };
                ("waits for the C library's timers".to_owned(), ender)
            }
            Wait::SignalOf(_) => ("waits in sigwait".to_owned(), self.signal()),
            Wait::Descriptor { call, fd, does } => {
                let (what, ender) = self.descriptor(*fd, *does, NESTING);
                (format!("waits in {call} on {what}"), ender)
            }
            Wait::Descriptors { call, fds } => {
                let judged: Vec<_> = fds.iter().map(|(fd, does)| self.descriptor(*fd, *does, NESTING)).collect();
                let what: Vec<_> = judged.iter().take(4).map(|(what, _)| what.as_str()).collect();
                let more = if judged.len() > 4 { format!(" and {} more", judged.len() - 4) } else { String::new() };
                let text = format!("waits in {call} on {}{more}", what.join(", "));
                (text, any_of(judged.into_iter().map(|(_, ender)| ender)))
            }
            Wait::Epoll(fd) => {
                let (what, ender) = self.epoll(*fd, NESTING);
                (format!("waits in epoll_wait on {what}"), ender)
            }
            Wait::Child(which) => self.child(*which),
            Wait::Vfork => self.child(None),
            Wait::FileLock(fd) => self.file_lock(tid, *fd),
            Wait::Open(path) => (format!("opens {path}"), self.opened(path)),
            Wait::Call(name) => {
                let text = format!("{name}, which is not looked into");
                (format!("waits in {name}"), Ender::Unknown(text))
            }
        }
    }

    /// Opening a named pipe waits for who opens its other end; opening anything else ends by itself.
    fn opened(&self, path: &str) -> Ender {
        use std::os::unix::fs::FileTypeExt;
        let start = if path.starts_with('/') { "root" } else { "cwd" };
        match fs::metadata(format!("/proc/{}/{start}/{path}", self.pid)) {
            Ok(file) if file.file_type().is_fifo() => {
                Ender::Outside("a process that opens the other end of the named pipe".to_owned())
            }
            _ => Ender::Unknown(format!("the opening of {path}")),
        }
    }

    fn signal(&self) -> Ender {
        Ender::Outside("a signal from outside, or of a timer".to_owned())
    }

    /// Memory that others may have as well.
    fn shared(&self, address: u64) -> Ender {
        let Some(map) = self.maps.iter().find(|map| (map.start..map.end).contains(&address)) else {
            return Ender::Unknown("a futex in memory that is not mapped".to_owned());
        };
        if !map.shared {
            return Ender::Inside;
        }
        let mut pids = Vec::new();
        let _ = numbers("/proc", &mut pids);
        let same = |other: &Mapping| other.shared && (other.device, other.inode) == (map.device, map.inode);
        pids.retain(|pid| *pid != self.pid && procfs::maps(*pid).iter().any(same));
        match pids.len() {
            // Whoever maps the file later could write to it: a file with a name is open to all.
            0 => Ender::Inside,
            _ => {
                let names: Vec<_> = pids.iter().take(3).map(|pid| named(*pid)).collect();
                let why = format!("{}, which has the same memory", names.join(", "));
                Ender::Processes(pids, why)
            }
        }
    }

    /// What a descriptor is, and who can end a wait on it.
    fn descriptor(&self, fd: i32, does: Does, nesting: usize) -> (String, Ender) {
        let Some(object) = object(self.pid, fd) else {
            return (format!("descriptor {fd}"), Ender::Unknown(format!("descriptor {fd}, which cannot be read")));
        };
        let kind = object.split(':').next().unwrap_or_default();
        match kind {
            "pipe" => (format!("pipe {fd}"), self.pipe(&object, does)),
            "eventfd" => (format!("eventfd {fd}"), self.held(&object, |_| true, "which holds the eventfd too")),
            "socket" => self.socket(fd, &object),
            "anon_inode" => self.anonymous(fd, &object, nesting),
            _ if object.starts_with("/dev/pts/") || object == "/dev/tty" || object.starts_with("/dev/console") => {
                (format!("the terminal {object}"), Ender::Outside("input at the terminal".to_owned()))
            }
            _ if !self.holders.of(&object).is_empty() => {
                let why = format!("a process that opens the named pipe {object}");
                (format!("the named pipe {object}"), Ender::Outside(why))
            }
            _ => (format!("{object} ({fd})"), Ender::Outside(format!("the file or device {object}"))),
        }
    }

    fn pipe(&self, object: &str, does: Does) -> Ender {
        let other_end = |held: &Held| if does == Does::Write { held.reads } else { held.writes };
        self.held(object, other_end, "which holds the other end of the pipe")
    }

    /// Holders of an object but for the process itself.
    fn held(&self, object: &str, counts: impl Fn(&Held) -> bool, which: &str) -> Ender {
        let all: Vec<&Held> = self.holders.of(object).iter().filter(|held| counts(held)).collect();
        // A process that has started this explanation waits for it, and would not otherwise.
        let counted = |pid: &u32| *pid != self.pid && *pid != std::process::id();
        let mut others: Vec<u32> = all.iter().map(|held| held.pid).filter(counted).collect();
        others.dedup();
        if all.is_empty() && self.holders.some_hidden {
            // Without a holder of the other end the wait would have ended.
            return Ender::Outside("a process that may not be looked at, which holds the other end".to_owned());
        }
        if others.is_empty() {
            return Ender::Inside;
        }
        let names: Vec<_> = others.iter().take(3).map(|pid| named(*pid)).collect();
        Ender::Processes(others, format!("{}, {which}", names.join(", ")))
    }

    fn socket(&self, fd: i32, object: &str) -> (String, Ender) {
        let what = format!("socket {fd}");
        let inode = object.trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap_or_default();
        let ours = network(self.pid) == network(std::process::id());
        let ender = match socket::peer(self.pid, inode, ours) {
            Peer::Clients(at) => Ender::Outside(format!("a client, at {at}")),
            Peer::Anybody(at) => Ender::Outside(format!("whoever sends to {at}")),
            Peer::Far(to) => Ender::Outside(format!("its peer, {to}")),
            Peer::Socket(other) => {
                // Both ends may be inside: each must be closed off.
                let other = format!("socket:[{other}]");
                match (self.holders.of(&other).is_empty(), self.holders.some_hidden) {
                    (true, true) => Ender::Outside("a process that may not be looked at, its peer".to_owned()),
                    (true, false) => Ender::Unknown("a socket whose peer no process holds".to_owned()),
                    _ => self.held(&other, |_| true, "which holds the other end of the socket"),
                }
            }
            Peer::Unknown => Ender::Unknown(format!("socket {fd}, whose peer is not known")),
        };
        (what, ender)
    }

    fn anonymous(&self, fd: i32, object: &str, nesting: usize) -> (String, Ender) {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", self.pid)).unwrap_or_default();
        let field = |key: &str| info.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::trim);
        match object.trim_start_matches("anon_inode:").trim_matches(['[', ']']) {
            "timerfd" => {
                // `it_value: (0, 0)` is one that is not armed.
                let armed = field("it_value:").is_none_or(|value| value != "(0, 0)");
                let ender = if armed { Ender::Time("a timerfd".to_owned()) } else { Ender::Inside };
                (format!("timerfd {fd}"), ender)
            }
            "signalfd" => (format!("signalfd {fd}"), self.signal()),
            "inotify" => (format!("inotify {fd}"), Ender::Outside("a change of a file".to_owned())),
            "fanotify" => (format!("fanotify {fd}"), Ender::Outside("a change of a file".to_owned())),
            "eventpoll" if nesting > 0 => self.epoll(fd, nesting - 1),
            "pidfd" => {
                let other = field("Pid:").and_then(|pid| pid.parse::<u32>().ok());
                let ender = match other {
                    Some(other) => Ender::Processes(vec![other], format!("the end of {}", named(other))),
                    None => Ender::Unknown(format!("pidfd {fd}")),
                };
                (format!("pidfd {fd}"), ender)
            }
            other => (format!("{other} {fd}"), Ender::Unknown(format!("{other} {fd}, which is not looked into"))),
        }
    }

    /// The descriptors that an epoll instance watches: lines `tfd: 5 events: 1b ...` of its `fdinfo`.
    fn epoll(&self, fd: i32, nesting: usize) -> (String, Ender) {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", self.pid)).unwrap_or_default();
        let watched = info.lines().filter_map(|line| {
            let mut words = line.strip_prefix("tfd:")?.split_whitespace();
            let fd: i32 = words.next()?.parse().ok()?;
            let events = u32::from_str_radix(words.nth(1)?, 16).ok()?;
            Some((fd, if events & libc::EPOLLIN as u32 != 0 { Does::Read } else { Does::Write }))
        });
        let judged: Vec<_> = watched.map(|(fd, does)| self.descriptor(fd, does, nesting)).collect();
        let what: Vec<_> = judged.iter().take(4).map(|(what, _)| what.as_str()).collect();
        let what = if what.is_empty() { "no descriptor".to_owned() } else { what.join(", ") };
        (what, any_of(judged.into_iter().map(|(_, ender)| ender)))
    }

    fn child(&self, which: Option<u32>) -> (String, Ender) {
        let alive = children(self.pid);
        let mut waited: Vec<u32> = match which {
            Some(pid) => vec![pid],
            None => alive,
        };
        let all = waited.len();
        waited.retain(|pid| *pid != std::process::id());
        if waited.is_empty() && all > 0 {
            return ("waits for this explanation".to_owned(), Ender::Inside);
        }
        let names: Vec<_> = waited.iter().take(3).map(|pid| named(*pid)).collect();
        match waited.len() {
            0 => ("waits for a child".to_owned(), Ender::Unknown("a child that is not shown".to_owned())),
            1 => (
                format!("waits for its child, {}", names[0]),
                Ender::Processes(waited, format!("its child, {}", names[0])),
            ),
            n => {
                let text = format!("one of its {n} children: {}", names.join(", "));
                (format!("waits for {text}"), Ender::Processes(waited, text))
            }
        }
    }

    fn file_lock(&self, tid: u32, fd: i32) -> (String, Ender) {
        let path = fs::read_link(format!("/proc/{}/fd/{fd}", self.pid)).map(|path| path.display().to_string());
        let path = path.unwrap_or_else(|_| format!("descriptor {fd}"));
        let text = format!("waits for the lock of file {path}");
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let ender = match lock_holder(&locks, &[self.pid, tid]) {
            Some(pid) if pid == self.pid => Ender::Inside,
            Some(pid) if fs::exists(format!("/proc/{pid}")).unwrap_or(false) => {
                Ender::Processes(vec![pid], format!("{}, which holds the lock of the file", named(pid)))
            }
            Some(pid) => {
                Ender::Unknown(format!("the holder of the lock of {path}: process {pid} took it and has ended"))
            }
            None => Ender::Unknown(format!("the holder of the lock of {path}, which /proc/locks does not name")),
        };
        (text, ender)
    }
}

/// The holder of a lock that one of `waiters` waits for: a line `1: FLOCK ADVISORY WRITE 12 fe:00:7 0 EOF`,
/// and below it each waiter, `1: -> FLOCK ADVISORY WRITE 13 fe:00:7 0 EOF`.
fn lock_holder(locks: &str, waiters: &[u32]) -> Option<u32> {
    let mut holder = None;
    for line in locks.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let waits = words.get(1) == Some(&"->");
        let pid = words.get(if waits { 5 } else { 4 }).and_then(|pid| pid.parse::<u32>().ok());
        if !waits {
            holder = pid;
        } else if pid.is_some_and(|pid| waiters.contains(&pid)) {
            return holder.filter(|pid| *pid != 0);
        }
    }
    None
}

/// The live children of a process.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let mut pids = Vec::new();
    let _: io::Result<()> = numbers("/proc", &mut pids);
    pids.retain(|other| {
        let stat = fs::read(format!("/proc/{other}/stat")).ok();
        let stat = stat.and_then(|stat| parse_stat(&String::from_utf8_lossy(&stat)));
        stat.is_some_and(|stat| stat.parent == pid && !matches!(stat.state, 'Z' | 'X'))
    });
    pids
}

/// Any of several can end the wait: the one that is most certain to be no hang decides.
fn any_of(enders: impl Iterator<Item = Ender>) -> Ender {
    let mut all = Ender::Inside;
    for ender in enders {
        all = match (all, ender) {
            (Ender::Processes(mut pids, why), Ender::Processes(more, _)) => {
                pids.extend(more);
                pids.sort_unstable();
                pids.dedup();
                Ender::Processes(pids, why)
            }
            (all, ender) if rank(&ender) > rank(&all) => ender,
            (all, _) => all,
        };
    }
    all
}

fn rank(ender: &Ender) -> u8 {
    match ender {
        Ender::Inside => 0,
        Ender::Processes(..) => 1,
        Ender::Unknown(_) => 2,
        Ender::Time(_) => 3,
        Ender::Outside(_) => 4,
        Ender::Itself(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_file_lock_stands_above_its_waiters() {
        let locks = "1: POSIX  ADVISORY  READ 5 fe:00:9 128 128\n\
                     2: FLOCK  ADVISORY  WRITE 12 fe:00:7 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 13 fe:00:7 0 EOF\n";
        assert_eq!(lock_holder(locks, &[13]), Some(12));
        assert_eq!(lock_holder(locks, &[14]), None);
    }

    #[test]
    fn one_way_out_is_enough() {
        let outside = || Ender::Outside("a client".to_owned());
        assert_eq!(any_of([Ender::Inside, outside()].into_iter()), outside());
        let of = |pid| Ender::Processes(vec![pid], String::new());
        assert_eq!(any_of([of(3), Ender::Inside, of(2)].into_iter()), Ender::Processes(vec![2, 3], String::new()));
        assert_eq!(any_of(std::iter::empty()), Ender::Inside);
    }
}
