//! Where a program reads and writes in its files. A copy has these places in common with it, and moves them.
//!
//! What a copy takes out of a pipe, a socket or an epoll instance cannot be put back.
//!
//! Source: open(2), "Open file descriptions".

use std::fs;

use sigproof_step::traced::remote;

use super::descriptors::numbers;
use super::live::Live;
use crate::Trouble;

/// The offset of each file and folder that the program has open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets(Vec<(u32, u64)>);

impl Offsets {
    /// As they are now.
    pub(crate) fn of(pid: i32) -> Self {
        let has_offset =
            |number: &u32| fs::metadata(format!("/proc/{pid}/fd/{number}")).is_ok_and(|to| to.is_file() || to.is_dir());
        let offset =
            |number: u32| Some((number, offset(&fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?)?));
        Self(numbers(pid).into_iter().filter(has_offset).filter_map(offset).collect())
    }

    /// Lets the program, whose thread is stopped, put them back where they were. Not beside children of the
    /// program: they have its files in common with it, and may have moved an offset themselves.
    pub(crate) fn put_back(&self, live: &Live<'_>) -> Result<(), Trouble> {
        if !live.process.children.is_empty() {
            return Ok(());
        }
        let now = Self::of(live.process.pid);
        for (number, offset) in self.0.iter().filter(|before| !now.0.contains(before)) {
            let arguments = [u64::from(*number), *offset, libc::SEEK_SET as u64, 0, 0];
            remote::call(live.tid, live.syscall_at, libc::SYS_lseek, arguments)?;
        }
        Ok(())
    }
}

/// That in `/proc/PID/fdinfo/NUMBER`.
fn offset(info: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix("pos:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    #[test]
    fn an_offset_is_read() {
        assert_eq!(offset("pos:\t1234\nflags:\t0100000\n"), Some(1234));
        assert_eq!(offset("flags:\t02\n"), None);
    }

    #[test]
    fn files_have_an_offset_and_pipes_have_none() {
        use std::os::fd::AsRawFd;
        let mut file = fs::File::open("/proc/self/exe").unwrap();
        let (pipe, _write) = std::io::pipe().unwrap();
        file.read_exact(&mut [0; 64]).unwrap();
        assert_eq!(file.stream_position().unwrap(), 64);
        let offsets = Offsets::of(std::process::id().cast_signed());
        let of = |number: i32| offsets.0.iter().find(|(one, _)| *one == number.cast_unsigned()).map(|(_, at)| *at);
        assert_eq!((of(file.as_raw_fd()), of(pipe.as_raw_fd())), (Some(64), None));
    }
}
