//! The place of a report: a file, or what a path names besides.
//!
//! | a path names | it is |
//! |---|---|
//! | a regular file, or nothing yet | replaced whole or not at all: a temporary file beside it is renamed over it |
//! | a link to one of these, the dangling link included | followed: the target is replaced, the link stays |
//! | a device or a pipe | written in place, since a rename would put a file where it was |
//! | a folder, a socket | refused |
//!
//! A pipe is opened without blocking. One that no process reads is refused when the report is written; one
//! whose reader takes nothing for [`PATIENCE`] is given up. It is not opened earlier: its reader would take
//! the close for the end of the report.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{AccessFlags, access};
use tempfile::NamedTempFile;

/// How long a pipe may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The bit of a folder's mode that keeps files from everybody but their owners.
const STICKY: u32 = 0o1000;

/// A place, with links followed.
#[derive(Debug)]
pub(super) enum Place {
    /// A file that is replaced or made.
    File(PathBuf),
    /// A device or a pipe.
    Special(PathBuf),
}

impl Place {
    /// What a path names.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(there) if there.file_type().is_socket() => Err(io::Error::new(ErrorKind::Unsupported, "it is a socket")),
            Ok(there) if there.is_file() => Ok(Self::File(fs::canonicalize(path)?)),
            Ok(_) => Ok(Self::Special(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(path) {
                // A dangling link. A loop of links is another error, so this ends.
                Ok(target) => Self::of(&folder(path).join(target)),
                Err(_) => Self::new_file(path),
            },
            Err(error) => Err(error),
        }
    }

    /// A file that is not there yet.
    fn new_file(path: &Path) -> io::Result<Self> {
        let name = path.file_name().filter(|_| !path.as_os_str().as_bytes().ends_with(b"/"));
        let name = name.ok_or(ErrorKind::IsADirectory)?;
        Ok(Self::File(fs::canonicalize(folder(path))?.join(name)))
    }

    /// Whether it can be written, as far as that can be known.
    pub(super) fn check(&self) -> io::Result<()> {
        match self {
            Self::File(path) => {
                temporary(path)?;
                may_replace(path)
            }
            Self::Special(path) => access(path, AccessFlags::W_OK).map_err(Into::into),
        }
    }

    /// Writes these bytes there.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(path) => replace(path, bytes),
            Self::Special(path) => write_in_place(path, bytes, PATIENCE),
        }
    }
}

/// The folder that a path lies in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file beside this one.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    // 0666, from which the system takes the user's umask: a report is for others to read.
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(".sigproof-report-").permissions(Permissions::from_mode(0o666));
    // In the system's words alone: the error would name the temporary file.
    builder.tempfile_in(folder(path)).map_err(|error| plain(&error))
}

/// The error without the path that `tempfile` puts before it.
fn plain(error: &io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.source()).and_then(|source| source.downcast_ref::<io::Error>());
    match inner.unwrap_or(error).raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

/// Whether a file may be renamed over this one: in a folder such as /tmp only by the owner of either.
fn may_replace(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let around = fs::metadata(folder(path))?;
    // SAFETY: it takes nothing, and cannot fail.
    let us = unsafe { libc::geteuid() };
    match us == 0 || around.mode() & STICKY == 0 || [there.uid(), around.uid()].contains(&us) {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(libc::EPERM)),
    }
}

/// Puts `bytes` at `path`, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = temporary(path)?;
    temporary.as_file_mut().write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes into what is there and is no regular file.
fn write_in_place(path: &Path, bytes: &[u8], patience: Duration) -> io::Result<()> {
    let mut there = match File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
            return Err(io::Error::new(ErrorKind::NotConnected, "no process reads from it; start its reader before"));
        }
        opened => opened?,
    };
    let mut left = bytes;
    while !left.is_empty() {
        match there.write(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => left = &left[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => await_room(&there, patience)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until it takes more.
fn await_room(there: &File, patience: Duration) -> io::Result<()> {
    let mut wanted = [PollFd::new(there.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut wanted, PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX)) {
        Ok(0) => {
            let said = format!("its reader has taken nothing for {patience:?}");
            Err(io::Error::new(ErrorKind::TimedOut, said))
        }
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::thread;

    /// Larger than the pipe's own room.
    const LARGE: usize = 300_000;

    fn pipe_in(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        path
    }

    #[test]
    fn a_dangling_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (real, middle, link) = (folder.path().join("real"), folder.path().join("middle"), folder.path().join("l"));
        symlink("real", &middle).unwrap();
        symlink(&middle, &link).unwrap();
        let place = Place::of(&link).unwrap();
        place.check().unwrap();
        assert!(!real.exists(), "a check leaves nothing");
        place.write(b"text").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(real).unwrap(), b"text");
    }

    #[test]
    fn what_takes_no_report_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("loop", at("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let long = "x".repeat(300);
        for name in ["no/such", "loop", "socket", "new/", "", &long] {
            let checked = Place::of(&at(name)).and_then(|place| place.check());
            assert!(checked.is_err(), "{name}");
        }
        let checked = Place::of(Path::new("/dev/null")).and_then(|place| place.check());
        assert!(checked.is_ok(), "{checked:?}");
    }

    #[test]
    fn a_pipe_without_a_reader_is_refused_and_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(&pipe_in(folder.path())).unwrap();
        place.check().unwrap();
        let error = place.write(b"text").unwrap_err();
        assert!(error.to_string().contains("start its reader"), "{error}");
    }

    #[test]
    fn a_pipe_whose_reader_takes_nothing_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe_in(folder.path());
        let _reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        let error = write_in_place(&path, &[b'x'; LARGE], Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }

    #[test]
    fn a_pipe_with_a_reader_takes_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe_in(folder.path());
        // Opened before the writer, which would find no reader otherwise.
        let mut reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        let reading = thread::spawn(move || {
            let (mut all, mut part) = (Vec::new(), [0; 4096]);
            while all.len() < LARGE {
                match reader.read(&mut part) {
                    Ok(count) => all.extend_from_slice(&part[..count]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
                    Err(error) => panic!("{error}"),
                }
            }
            all
        });
        Place::of(&path).unwrap().write(&[b'x'; LARGE]).unwrap();
        assert_eq!(reading.join().unwrap(), [b'x'; LARGE]);
    }
}
