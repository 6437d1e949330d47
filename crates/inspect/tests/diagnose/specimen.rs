//! A specimen process and the page shared with it. Dropping it kills and reaps the whole process group.

use sigproof_inspect::hang::{Look, Stuck, Watch, calibrated};
use sigproof_shim::native::atomic::{AtomicU64, Ordering};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_micros(300);
/// A safety net for a broken watch, not an expectation.
const GIVE_UP: Duration = Duration::from_secs(60);

pub struct Specimen {
    child: Child,
    page: memmap2::MmapMut,
    _file: tempfile::NamedTempFile,
    pub watch: Watch,
}

impl Specimen {
    pub fn start(name: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(4096).unwrap();
        // SAFETY: specimen and test touch the page through atomics only, and no process shortens the file.
        let page = unsafe { memmap2::MmapMut::map_mut(file.as_file()) }.unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_hang-specimens"))
            .arg(name)
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let watch = Watch::new(child.id()).spin_limit(calibrated());
        Self { child, page, _file: file, watch }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn word(&self, n: usize) -> &AtomicU64 {
        assert!(n < 2);
        // SAFETY: within the page, aligned, and only ever used atomically.
        unsafe { &*self.page.as_ptr().cast::<AtomicU64>().add(n) }
    }

    /// One look, as a supervisor takes it: progress and timers first.
    pub fn look(&mut self) -> Look {
        let armed = self.word(1).load(Ordering::SeqCst);
        let progress = self.word(0).load(Ordering::SeqCst);
        self.watch.look(progress, armed == 0)
    }

    /// Looks until the watch says something.
    pub fn decide(&mut self) -> Look {
        let begun = Instant::now();
        loop {
            let look = self.look();
            if look != Look::Running {
                return look;
            }
            assert!(begun.elapsed() < GIVE_UP, "no verdict:\n{}", self.describe());
            sleep(PAUSE);
        }
    }

    pub fn decide_stuck(&mut self) -> Stuck {
        match self.decide() {
            Look::Stuck(stuck) => stuck,
            other => panic!("{other:?}\n{}", self.describe()),
        }
    }

    /// Takes `count` looks, which must all be `Running`. Every other look comes at once, the rest after a
    /// pause.
    pub fn must_run_for(&mut self, count: usize) {
        for n in 0..count {
            let look = self.look();
            assert_eq!(look, Look::Running, "look {n}:\n{}", self.describe());
            if n % 2 == 0 {
                sleep(PAUSE);
            }
        }
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: no memory is involved; the child is ours and not yet reaped.
        assert_eq!(unsafe { libc::kill(self.pid() as i32, signal) }, 0);
    }

    /// The letter of the first thread.
    pub fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        stat[stat.rfind(')').unwrap() + 2..].chars().next().unwrap()
    }

    /// Waits until the first thread is in one of these states.
    pub fn await_state(&self, states: &str) {
        let begun = Instant::now();
        while !states.contains(self.state()) {
            assert!(begun.elapsed() < GIVE_UP, "never in one of {states}:\n{}", self.describe());
            sleep(PAUSE);
        }
    }

    fn describe(&self) -> String {
        let pid = self.pid();
        let mut text = String::new();
        for entry in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            for name in ["comm", "syscall", "schedstat"] {
                text += std::fs::read_to_string(entry.path().join(name)).unwrap_or_default().trim();
                text += " | ";
            }
            text += "\n";
        }
        text
    }
}

impl Drop for Specimen {
    fn drop(&mut self) {
        // SAFETY: no memory is involved; the group was made for the child, which is not yet reaped.
        unsafe { libc::kill(-(self.pid() as i32), libc::SIGKILL) };
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
