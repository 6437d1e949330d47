//! The other end of a socket: from the tables of `/proc/PID/net`, and for a socket of a machine's own
//! (`AF_UNIX`) from the kernel's diagnosis of sockets, which alone knows pairs.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// What a socket waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// It listens: for a client.
    Clients(String),
    /// Anybody may send to it.
    Anybody(String),
    /// The socket with this inode, on this machine.
    Socket(u64),
    /// Another machine, or a socket that is not known.
    Far(String),
    /// Not known.
    Unknown,
}

/// TCP's state of listening, in the tables.
const LISTEN: &str = "0A";
/// linux/sock_diag.h and linux/unix_diag.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;
/// Bytes of a netlink header, and of a unix_diag message.
const HEADER: usize = 16;
const MESSAGE: usize = 16;

/// The other end of the socket with this inode, as process `pid` sees its network. `ours`: it is our network
/// too.
pub(super) fn peer(pid: u32, inode: u64, ours: bool) -> Peer {
    for (file, kind) in [("tcp", "TCP"), ("tcp6", "TCP"), ("udp", "UDP"), ("udp6", "UDP")] {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{file}")).unwrap_or_default();
        if let Some(peer) = in_table(&table, kind, inode) {
            return peer;
        }
    }
    let table = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    let Some(line) = table.lines().find(|line| line.split_whitespace().nth(6) == Some(&*inode.to_string())) else {
        return Peer::Unknown;
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    let path = words.get(7).map_or_else(String::new, |path| format!(" {path}"));
    // The flag of a listening socket is SO_ACCEPTCON.
    if words.get(3).is_some_and(|flags| u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 0x10000 != 0)) {
        return Peer::Clients(format!("the socket{path}"));
    }
    match ours.then(|| unix_peer(inode)) {
        Some(Ok(Some(other))) => Peer::Socket(other),
        // A datagram socket without a peer takes from anybody; a stream without one is not connected any
        // more.
        Some(Ok(None)) => Peer::Anybody(format!("the socket{path}")),
        _ => Peer::Unknown,
    }
}

/// A line of the tables: `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode`.
fn in_table(table: &str, kind: &str, inode: u64) -> Option<Peer> {
    let lines: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let of = |line: &Vec<&str>| line.get(9).and_then(|number| number.parse::<u64>().ok());
    let line = lines.iter().find(|line| of(line) == Some(inode))?;
    let (local, remote, state) = (*line.get(1)?, *line.get(2)?, *line.get(3)?);
    if state == LISTEN && kind == "TCP" {
        return Some(Peer::Clients(format!("TCP port {}", port(local))));
    }
    if remote.rsplit(':').next() == Some("0000") {
        return Some(Peer::Anybody(format!("{kind} port {}", port(local))));
    }
    let other = lines.iter().find(|other| other.get(1) == Some(&remote) && other.get(2) == Some(&local));
    match other.and_then(of).filter(|other| *other != 0) {
        Some(other) => Some(Peer::Socket(other)),
        None => Some(Peer::Far(format!("{kind} {}", address(remote)))),
    }
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok()).unwrap_or_default()
}

/// `127.0.0.1:80` of `0100007F:0050`; of a longer address, its port alone.
fn address(text: &str) -> String {
    let host = text.split(':').next().unwrap_or_default();
    match u32::from_str_radix(host, 16) {
        Ok(bytes) if host.len() == 8 => {
            let [a, b, c, d] = bytes.to_le_bytes();
            format!("{a}.{b}.{c}.{d}:{}", port(text))
        }
        _ => format!("port {}", port(text)),
    }
}

/// The inode of the other end of a unix socket, if it has one.
fn unix_peer(inode: u64) -> io::Result<Option<u64>> {
    let check = |result: i64| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) };
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers.
    let fd = check(i64::from(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) }))?;
    // SAFETY: just made, and owned by this function alone.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    // nlmsghdr, then unix_diag_req: family, protocol, padding, states, inode, what to show, a cookie that
    // fits all.
    let mut request = Vec::new();
    request.extend(40_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    request.extend([0; 8]);
    request.extend([libc::AF_UNIX as u8, 0, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend((inode as u32).to_ne_bytes());
    request.extend(UDIAG_SHOW_PEER.to_ne_bytes());
    request.extend([0xff; 8]);
    let mut answer = [0_u8; 1024];
    // SAFETY: both buffers live through the calls, with their own lengths.
    let length = unsafe {
        check(libc::send(fd.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) as i64)?;
        check(libc::recv(fd.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) as i64)?
    };
    parse_peer(&answer[..length as usize])
}

fn parse_peer(answer: &[u8]) -> io::Result<Option<u64>> {
    let half = |at: usize| answer.get(at..at + 2).map(|bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
    let word = |at: usize| answer.get(at..at + 4).map(|b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    if half(4) != Some(SOCK_DIAG_BY_FAMILY) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut at = HEADER + MESSAGE;
    while let (Some(length), Some(kind)) = (half(at), half(at + 2)) {
        if kind == UNIX_DIAG_PEER {
            return Ok(word(at + 4).map(u64::from).filter(|inode| *inode != 0));
        }
        if length < 4 {
            break;
        }
        at += usize::from(length).next_multiple_of(4);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn inode(socket: &impl AsRawFd) -> u64 {
        fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino()
    }

    #[test]
    fn a_pair_and_a_listener() {
        let (one, other) = UnixStream::pair().unwrap();
        let here = std::process::id();
        assert_eq!(peer(here, inode(&one), true), Peer::Socket(inode(&other)));
        assert_eq!(peer(here, inode(&one), false), Peer::Unknown, "another network has inodes of its own");
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        assert!(matches!(peer(here, inode(&listener), true), Peer::Clients(_)));
    }

    #[test]
    fn sockets_of_the_internet() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let here = std::process::id();
        assert!(matches!(peer(here, inode(&listener), true), Peer::Clients(_)));
        assert_eq!(peer(here, inode(&client), true), Peer::Socket(inode(&server)));
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(matches!(peer(here, inode(&udp), true), Peer::Anybody(_)));
        let far = "  0: 0100007F:1F90 0200A8C0:0050 01 0:0 0:0 0 0 0 77 1";
        assert_eq!(in_table(&format!("head\n{far}"), "TCP", 77), Some(Peer::Far("TCP 192.168.0.2:80".to_owned())));
    }
}
