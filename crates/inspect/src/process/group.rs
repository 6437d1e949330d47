//! The one runner: a child in a process group of its own. The group is gone for good when the value is
//! dropped.
//!
//! | step | what |
//! |---|---|
//! | start | a new process group, the streams of [`Streams`], an entry on the list of living groups |
//! | look | `waitid` with `WNOWAIT`: the leader stays a zombie, and its number stays its own |
//! | end | `killpg` with SIGKILL, then the entry is removed, then the leader is reaped |
//!
//! Every wait here ends. Where the machine refuses to kill or to wait, other calls are tried, and the refusal
//! is kept ([`Group::trouble`]): a process may then be left behind.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use super::living::{Place, Starting};
use super::streams::{Input, Streams};
use super::system::{self, pause};
use crate::refusal::Refusal;

/// How much of a child's standard error [`Group::last_words`] returns, in bytes.
const LAST_WORDS: u64 = 4096;

/// How long a process that was killed may take to end. It takes microseconds, unless the kernel holds it in a
/// call or does not kill it.
const DEATH: Duration = Duration::from_secs(10);

/// The pauses between two looks at a process that was killed: the first one, and the longest one.
const LOOKS: (Duration, Duration) = (Duration::from_micros(20), Duration::from_millis(1));

/// The pause between two looks at a process that is awaited.
const LOOK: Duration = Duration::from_millis(2);

/// How long a command that an interruption asks to end may take, before it is killed.
pub const GRACE: Duration = Duration::from_secs(2);

/// A child and what it has started.
#[derive(Debug)]
pub struct Group {
    process: Child,
    status: Option<ExitStatus>,
    words: Option<File>,
    /// Closed after the child has ended.
    leash: Option<OwnedFd>,
    place: Place,
    trouble: Option<Refusal>,
}

impl Group {
    /// Starts a child with these streams. Its environment, arguments and folder are those of `command`.
    ///
    /// # Errors
    /// There is no such program, or the system refuses a process, a descriptor, memory or a temporary file.
    pub fn start(command: &mut Command, streams: Streams) -> io::Result<Self> {
        let is_tied = matches!(streams.input, Input::Leash);
        let made = streams.make()?;
        command.stdin(made.input).stdout(made.output).stderr(made.errors).process_group(0);
        // Until the group has its place.
        let _starting = Starting::begin();
        let mut process = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => error,
            _ => Refusal::new("a child process (clone, execve)", &error).into(),
        })?;
        let place = Place::take(process.id().cast_signed());
        let leash = if is_tied { process.stdin.take().map(OwnedFd::from) } else { made.leash };
        Ok(Self { process, status: None, words: made.words, leash, place, trouble: None })
    }

    /// What the machine refused when the process was to be ended.
    pub fn trouble(&self) -> Option<&Refusal> {
        self.trouble.as_ref()
    }

    /// Its process id, which is the number of its group.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The ends of its pipes, if it has any. A second call returns none.
    pub fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>) {
        (self.process.stdin.take(), self.process.stdout.take())
    }

    /// Its status, if it has ended by itself. What it has started is then killed.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() && self.is_zombie()? {
            self.end();
            if let (None, Some(refusal)) = (self.status, &self.trouble) {
                return Err(refusal.clone().into());
            }
        }
        Ok(self.status)
    }

    /// Whether a signal has stopped it since the last question.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn has_stopped(&self) -> io::Result<bool> {
        Ok(self.waitid(libc::WSTOPPED | libc::WNOHANG)?.is_some())
    }

    /// Whether it has ended and is not reaped yet.
    fn is_zombie(&self) -> io::Result<bool> {
        // WNOWAIT leaves the child to `end`.
        Ok(self.waitid(libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)?.is_some())
    }

    fn waitid(&self, flags: libc::c_int) -> io::Result<Option<libc::siginfo_t>> {
        // SAFETY: zeroed siginfo is valid and a live local.
        let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
        // SAFETY: as above.
        let result = unsafe { libc::waitid(libc::P_PID, self.process.id() as libc::id_t, &raw mut info, flags) };
        if result != 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(None) } else { Err(error) };
        }
        // SAFETY: waitid succeeded and filled it in, or left it zeroed where no child has ended.
        Ok((unsafe { info.si_pid() } != 0).then_some(info))
    }

    /// Waits for its end, at most so long.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn wait(&mut self, time: Duration) -> io::Result<Option<ExitStatus>> {
        let started = Instant::now();
        loop {
            let ended = self.ended()?;
            if ended.is_some() || started.elapsed() >= time {
                return Ok(ended);
            }
            pause(LOOK);
        }
    }

    /// Waits for its end, or until `stop` is set: then [`Group::stop`] ends it, and the result is `None`.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn wait_unless(&mut self, stop: &AtomicBool, grace: Duration) -> io::Result<Option<ExitStatus>> {
        loop {
            if stop.load(Ordering::Relaxed) {
                self.stop(grace);
                return Ok(None);
            }
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            pause(LOOK);
        }
    }

    /// Asks it and what it has started to end (SIGTERM), waits for its end for so long, and ends what is
    /// left.
    pub fn stop(&mut self, grace: Duration) {
        // A leader that is not reaped keeps its number. A group that has ended gets no signal.
        if self.status.is_none() && self.trouble.is_none() {
            let _ = killpg(self.leader(), Signal::SIGTERM);
            let _ = self.wait(grace);
        }
        self.end();
    }

    /// What it wrote to its standard error, if that is kept. Of a long text, the beginning and the end.
    pub fn last_words(&self) -> String {
        let length = self.words.as_ref().and_then(|file| Some(file.metadata().ok()?.len())).unwrap_or(0);
        if length <= LAST_WORDS {
            return self.words(LAST_WORDS);
        }
        let half = LAST_WORDS / 2;
        let (beginning, end) = (self.read(0, half), self.read(length - half, half));
        format!("{beginning}\n[{} bytes are left out]\n{end}", length - 2 * half)
    }

    /// The beginning of what it wrote to its standard error, at most so many bytes.
    pub fn words(&self, most: u64) -> String {
        self.read(0, most)
    }

    fn read(&self, from: u64, most: u64) -> String {
        let Some(mut file) = self.words.as_ref() else { return String::new() };
        let mut text = Vec::new();
        let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(most).read_to_end(&mut text));
        match read {
            Ok(_) => String::from_utf8_lossy(&text).trim_end().to_owned(),
            Err(error) => format!("(its standard error cannot be read: {error})"),
        }
    }

    /// Kills it and what it has started, and reaps it. Returns in any case; see [`Group::trouble`].
    pub fn end(&mut self) {
        if self.status.is_some() || self.trouble.is_some() {
            return;
        }
        // The number of the group stays taken until its leader is reaped, below. ESRCH: every process of the
        // group has ended.
        if let Err(errno) = killpg(self.leader(), Signal::SIGKILL)
            && errno != Errno::ESRCH
        {
            self.kill_otherwise(errno);
        }
        self.place.leave();
        let started = Instant::now();
        let mut wait = LOOKS.0;
        loop {
            match self.reap() {
                Ok(Some(status)) => {
                    self.status = Some(status);
                    self.leash = None;
                    return;
                }
                Ok(None) if started.elapsed() < DEATH => pause(wait),
                Ok(None) => {
                    let left = format!("process {} was killed and has not ended in {DEATH:?}", self.process.id());
                    self.trouble.get_or_insert(Refusal::of(left, 0));
                    return;
                }
                Err(error) => {
                    self.trouble.get_or_insert(Refusal::new("waitid and wait4", &error));
                    return;
                }
            }
            wait = (wait * 2).min(LOOKS.1);
        }
    }

    fn leader(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }

    /// The group could not be killed: the process alone, by other calls.
    fn kill_otherwise(&mut self, errno: Errno) {
        if !system::REFUSES_A_ZOMBIE_S_GROUP || !self.is_zombie().unwrap_or(false) {
            self.trouble = Some(Refusal::of("kill", errno as i32));
        }
        if system::kill_by_descriptor(self.process.id()).is_ok() {
            return;
        }
        // Fails where `kill` is what is refused.
        let _ = self.process.kill();
    }

    /// Its status, if it has ended, by either of the two calls.
    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait().or_else(|_| {
            let Some(info) = self.waitid(libc::WEXITED | libc::WNOHANG)? else { return Ok(None) };
            // SAFETY: `waitid` filled it in for a child that has ended.
            let status = unsafe { info.si_status() };
            Ok(Some(ExitStatus::from_raw(if info.si_code == libc::CLD_EXITED { status << 8 } else { status })))
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Errors, Output, shell};

    /// Waits until a process is gone or a zombie: whoever adopts it may take its time.
    fn assert_dies(pid: i32) {
        let begun = Instant::now();
        // SAFETY: signal 0 only asks whether the process is there.
        while unsafe { libc::kill(pid, 0) } == 0 {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{pid} lives on");
            pause(LOOK);
        }
    }

    /// The number that a shell tells on its standard output.
    fn told(group: &mut Group) -> i32 {
        let mut line = String::new();
        let (_, output) = group.pipes();
        io::BufRead::read_line(&mut io::BufReader::new(output.unwrap()), &mut line).unwrap();
        line.trim().parse().unwrap()
    }

    fn piped() -> Streams {
        Streams { output: Output::Pipe, ..Streams::default() }
    }

    #[test]
    fn the_end_of_a_leader_ends_what_it_has_started() {
        let mut group = Group::start(&mut shell("sleep 600 & echo $!"), piped()).unwrap();
        let grandchild = told(&mut group);
        assert_eq!(group.wait(Duration::from_secs(60)).unwrap().unwrap().code(), Some(0));
        assert_dies(grandchild);
    }

    #[test]
    fn a_stop_asks_first_and_then_kills_leader_and_group() {
        let polite = "trap 'exit 7' TERM; sleep 600 & echo $!; wait";
        let deaf = "trap '' TERM INT HUP; (trap '' TERM; exec sleep 600) & echo $!; wait; sleep 600";
        for (script, grace, code) in [(polite, 60, Some(7)), (deaf, 0, None)] {
            let mut group = Group::start(&mut shell(script), piped()).unwrap();
            let grandchild = told(&mut group);
            group.stop(Duration::from_secs(grace));
            assert_eq!(group.ended().unwrap().unwrap().code(), code, "{script}");
            assert_dies(grandchild);
        }
    }

    #[test]
    fn a_flag_ends_a_wait() {
        let mut group = Group::start(&mut shell("exec sleep 600"), Streams::default()).unwrap();
        let stopped = group.wait_unless(&AtomicBool::new(true), Duration::from_secs(60)).unwrap();
        assert!(stopped.is_none());
        assert_eq!(group.ended().unwrap().unwrap().signal(), Some(libc::SIGTERM));
    }

    /// The child reads until the group lets go, which is when the group is dropped, or this process dies.
    #[test]
    fn a_leash_is_held_as_long_as_the_child_lives() {
        let streams = Streams { input: Input::Leash, ..Streams::default() };
        let mut group = Group::start(&mut shell("read line"), streams).unwrap();
        assert!(group.pipes().0.is_none() && group.leash.is_some());
        assert!(group.wait(Duration::from_millis(50)).unwrap().is_none(), "its input is at an end");
        group.leash = None;
        assert!(group.wait(Duration::from_secs(60)).unwrap().is_some(), "its input is not at an end");
    }

    #[test]
    fn last_words_are_the_beginning_and_the_end() {
        let script =
            "echo first >&2; i=0; while [ $i -lt 2000 ]; do echo 12345678 >&2; i=$((i+1)); done; echo last >&2";
        let mut group = Group::start(&mut shell(script), Streams::default()).unwrap();
        group.wait(Duration::from_secs(60)).unwrap();
        let words = group.last_words();
        assert!(words.starts_with("first\n") && words.ends_with("\nlast"), "{words}");
        assert!(words.contains("bytes are left out") && words.len() < 5000, "{words}");
        let streams = Streams { errors: Errors::Nothing, ..Streams::default() };
        let mut silent = Group::start(&mut shell("echo it >&2"), streams).unwrap();
        silent.wait(Duration::from_secs(60)).unwrap();
        assert_eq!(silent.last_words(), "");
    }
}
