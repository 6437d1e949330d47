//! Who outside the child could wake it: its relatives, and holders of its pipes.
//!
//! Only asked once everything inside sleeps (0.5 to 3 ms over a hundred processes), and only valid while it
//! goes on sleeping: the caller surveys the threads again afterwards, so the child can neither have forked
//! nor opened anything meanwhile.

use super::procfs::{Mapping, maps, numbers, parse_stat};
use super::sleep::Sleep;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::fs;
use std::io::IoSliceMut;
use std::os::unix::fs::MetadataExt;

/// More descriptors in one poll than are looked into.
const POLL_LIMIT: u64 = 64;
/// `struct pollfd`: descriptor (4 bytes), events (2), revents (2).
const POLLFD_BYTES: usize = 8;

/// A kernel object that only its holders can write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// The link text of a pipe without a name: `pipe:[inode]`.
    Pipe(String),
    /// An eventfd's number, as `fdinfo` gives it.
    Event(u64),
    /// Shared memory whose file has no name any more: its device (major, minor) and inode.
    Memory((u32, u32), u64),
}

/// Adds to `channels` what could end `sleep`, or returns false if something outside the child could.
pub(super) fn closed_off(pid: u32, tid: u32, sleep: Sleep, maps: &[Mapping], channels: &mut Vec<Channel>) -> bool {
    match sleep {
        Sleep::Futex { .. } | Sleep::Signal => true,
        Sleep::SharedFutex { address } => match maps.iter().find(|map| (map.start..map.end).contains(&address)) {
            Some(map) if !map.shared => true,
            // Whoever has the name of a file may map it later.
            Some(map) if map.path.ends_with(" (deleted)") && map.inode != 0 => {
                let channel = Channel::Memory(map.device, map.inode);
                if !channels.contains(&channel) {
                    channels.push(channel);
                }
                true
            }
            Some(_) | None => false,
        },
        Sleep::Descriptor { fd } => add_channel(pid, tid, fd, channels),
        Sleep::Poll { address, count } => match polled_descriptors(tid, address, count) {
            Some(descriptors) => descriptors.into_iter().all(|fd| fd < 0 || add_channel(pid, tid, fd, channels)),
            None => false,
        },
    }
}

fn add_channel(pid: u32, tid: u32, fd: i32, channels: &mut Vec<Channel>) -> bool {
    // Standard descriptors belong to whoever started the child, even if they happen to be pipes.
    if fd <= 2 {
        return false;
    }
    let Some(channel) = channel(&format!("/proc/{pid}/task/{tid}"), fd as u32) else { return false };
    if !channels.contains(&channel) {
        channels.push(channel);
    }
    true
}

/// The channel behind descriptor `fd` of the process or thread at `base`, if it is one of the known kinds.
fn channel(base: &str, fd: u32) -> Option<Channel> {
    let link = fs::read_link(format!("{base}/fd/{fd}")).ok()?;
    let link = link.to_str()?;
    if link.starts_with("pipe:[") {
        Some(Channel::Pipe(link.to_owned()))
    } else if link == "anon_inode:[eventfd]" {
        let info = fs::read_to_string(format!("{base}/fdinfo/{fd}")).ok()?;
        let id = info.lines().find_map(|line| line.strip_prefix("eventfd-id:"))?;
        id.trim().parse().ok().map(Channel::Event)
    } else {
        None
    }
}

fn polled_descriptors(tid: u32, address: u64, count: u64) -> Option<Vec<i32>> {
    if count > POLL_LIMIT {
        return None;
    }
    let mut bytes = vec![0; count as usize * POLLFD_BYTES];
    let remote = RemoteIoVec { base: usize::try_from(address).ok()?, len: bytes.len() };
    let length = bytes.len();
    let read = process_vm_readv(Pid::from_raw(tid as i32), &mut [IoSliceMut::new(&mut bytes)], &[remote]).ok()?;
    (read == length).then(|| {
        bytes
            .chunks_exact(POLLFD_BYTES)
            .map(|entry| i32::from_ne_bytes([entry[0], entry[1], entry[2], entry[3]]))
            .collect()
    })
}

/// Whether another process could act on the child: a live descendant or member of its process group (it may
/// signal it, and its end does), or a holder of one of `channels`.
pub(super) fn anyone(pid: u32, channels: &[Channel]) -> bool {
    let mut others = Vec::new();
    if numbers("/proc", &mut others).is_err() {
        return true;
    }
    others.retain(|&other| other != pid);
    relatives(pid, &others) || (!channels.is_empty() && others.iter().any(|&other| holds(other, channels)))
}

fn relatives(pid: u32, others: &[u32]) -> bool {
    let mut family = vec![pid];
    let mut lineage = Vec::new();
    for &other in others {
        // A process that ended since the listing does not count; nor does a zombie, whose SIGCHLD has been
        // sent.
        let Some(stat) = fs::read(format!("/proc/{other}/stat")).ok() else { continue };
        let Some(stat) = parse_stat(&String::from_utf8_lossy(&stat)) else { continue };
        let dead = matches!(stat.state, 'Z' | 'X' | 'x');
        if stat.group == pid && !dead {
            return true;
        }
        lineage.push((other, stat.parent, dead));
    }
    // A dead descendant may have live ones, so the dead stay in the tree; ids are in no useful order after a
    // wrap-around.
    let mut known = 0;
    while known != family.len() {
        known = family.len();
        for &(other, parent, dead) in &lineage {
            if family.contains(&parent) && !family.contains(&other) {
                if !dead {
                    return true;
                }
                family.push(other);
            }
        }
    }
    false
}

fn holds(other: u32, channels: &[Channel]) -> bool {
    let base = format!("/proc/{other}");
    let mut descriptors = Vec::new();
    if numbers(&format!("{base}/fd"), &mut descriptors).is_err() {
        return false;
    }
    let of_memory = |channel: &Channel| matches!(channel, Channel::Memory(..));
    if channels.iter().any(of_memory) && maps(other).iter().any(|map| is_in(map.device, map.inode, channels)) {
        return true;
    }
    descriptors.into_iter().any(|fd| {
        channel(&base, fd).is_some_and(|found| channels.contains(&found))
            || channels.iter().any(of_memory) && opens(&format!("{base}/fd/{fd}"), channels)
    })
}

fn is_in(device: (u32, u32), inode: u64, channels: &[Channel]) -> bool {
    channels.contains(&Channel::Memory(device, inode))
}

/// Whether a descriptor is one of a file of `channels`, which may be mapped through it.
fn opens(descriptor: &str, channels: &[Channel]) -> bool {
    fs::metadata(descriptor).is_ok_and(|file| {
        let device = (libc::major(file.dev()), libc::minor(file.dev()));
        is_in(device, file.ino(), channels)
    })
}
