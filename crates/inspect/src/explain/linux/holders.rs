//! Who holds which descriptor, on this machine: one pass over `/proc/*/fd`.

use crate::hang::procfs;
use std::collections::HashMap;
use std::fs;

/// Holders of pipes, sockets and eventfds.
#[derive(Debug, Default)]
pub(super) struct Holders {
    by_object: HashMap<String, Vec<Held>>,
    /// Whether there are processes whose descriptors may not be listed.
    pub some_hidden: bool,
}

/// One descriptor of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub pid: u32,
    pub reads: bool,
    pub writes: bool,
}

impl Holders {
    /// Those of this moment.
    pub(super) fn now() -> Self {
        let mut this = Self::default();
        let mut pids = Vec::new();
        if procfs::numbers("/proc", &mut pids).is_err() {
            this.some_hidden = true;
        }
        for pid in pids {
            let mut fds = Vec::new();
            if procfs::numbers(&format!("/proc/{pid}/fd"), &mut fds).is_err() {
                // A process that ended meanwhile hides nothing.
                this.some_hidden |= fs::exists(format!("/proc/{pid}")).unwrap_or(true);
                continue;
            }
            for fd in fds {
                let Some(object) = object(pid, fd as i32) else { continue };
                let counted = ["pipe:", "socket:", "eventfd:", "/"].iter().any(|kind| object.starts_with(kind));
                // Files only if they are named pipes: the others are many.
                if !counted || object.starts_with('/') && !is_named_pipe(pid, fd) {
                    continue;
                }
                let (reads, writes) = access(pid, fd);
                this.by_object.entry(object).or_default().push(Held { pid, reads, writes });
            }
        }
        this
    }

    /// The holders of an object, as [`object`] names it.
    pub(super) fn of(&self, object: &str) -> &[Held] {
        self.by_object.get(object).map_or(&[], Vec::as_slice)
    }
}

fn is_named_pipe(pid: u32, fd: u32) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Whether a descriptor was opened to read, and to write.
fn access(pid: u32, fd: u32) -> (bool, bool) {
    let flags = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).ok().and_then(|info| {
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        i32::from_str_radix(flags.trim(), 8).ok()
    });
    match flags.map(|flags| flags & libc::O_ACCMODE) {
        Some(libc::O_RDONLY) => (true, false),
        Some(libc::O_WRONLY) => (false, true),
        _ => (true, true),
    }
}

/// What a descriptor is: the link of `/proc`, and for an eventfd its number.
pub(super) fn object(pid: u32, fd: i32) -> Option<String> {
    let link = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?.to_string_lossy().into_owned();
    if link != "anon_inode:[eventfd]" {
        return Some(link);
    }
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
    let id = info.lines().find_map(|line| line.strip_prefix("eventfd-id:")).map(str::trim).unwrap_or("?");
    Some(format!("eventfd:{id}"))
}
