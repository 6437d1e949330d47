//! Black-box tests of the command line live in `tests/tests`; this library holds what they share: the real
//! binary, built once, and runs of it that cannot hang the tests.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub mod compile;
pub mod executable;
pub mod interrupt;
#[cfg(target_os = "linux")]
pub mod refuse;
pub mod terminal;

/// How long a run may take before the test gives it up. Far beyond what any takes; only a hang gets there.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// In the environment of a command, and so of what that starts: the process of the tests.
const TESTS_OF: &str = "SIGPROOF_TESTS_OF";

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the member lies in the workspace")
}

/// The command line's executable, as `cargo xtask` builds it.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built("xtask"))
}

/// The executable `sigproof`.
pub fn sigproof() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built("sigproof"))
}

/// Both packages take part in each build: a build of one alone would have other features of what both depend
/// on, and compile all of it once more.
fn built(name: &str) -> PathBuf {
    let build = escargot::CargoBuild::new().package("xtask").arg("--package=sigproof-cli").bin(name);
    let build = build.manifest_path(workspace().join("Cargo.toml")).run();
    build.unwrap_or_else(|error| panic!("{name} does not build: {error}")).path().to_owned()
}

/// A command of `cargo xtask`, in surroundings that are the same everywhere.
pub fn xtask(arguments: &[&str]) -> Command {
    of(binary(), arguments)
}

/// A command of this executable, in the same surroundings.
pub fn of(executable: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(executable);
    command.args(arguments).current_dir(workspace()).stdin(Stdio::null());
    command.env(TESTS_OF, std::process::id().to_string());
    command.env_remove("RUST_BACKTRACE").env_remove("NO_COLOR").env_remove("COLUMNS").env("TERM", "dumb");
    // The tests themselves may run in the background of a script, which has these ignored.
    [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP]
        .iter()
        .for_each(|signal| with_signal(&mut command, *signal, libc::SIG_DFL));
    command
}

/// Has a command begin with this disposition of a signal: `SIG_IGN` or `SIG_DFL`.
pub fn with_signal(command: &mut Command, signal: i32, disposition: libc::sighandler_t) {
    let set = move || {
        // SAFETY: the disposition is no function, and the call is async-signal-safe.
        match unsafe { libc::signal(signal, disposition) } {
            libc::SIG_ERR => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec it makes that one async-signal-safe call, and allocates nothing.
    unsafe { command.pre_exec(set) };
}

/// What a run said, and its exit code.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> Ran {
    let mut command = xtask(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("xtask starts"))
}

/// A run with its JSON on the standard output.
pub fn json(arguments: &[&str]) -> (Ran, serde_json::Value) {
    let ran = run(&[arguments, &["--report", "json=-"]].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    (ran, report)
}

/// Whose turn it is to sweep: a sweep keeps to one processor. A test that fails leaves nothing behind that
/// would matter to the next one.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child that does not outlive its owner, also when a test fails in between.
#[derive(Debug)]
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only for a child that has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for the end of a run, with its output read meanwhile, and gives it up if it hangs.
pub fn finish(child: Child) -> Ran {
    let mut child = Guarded(child);
    let (stdout, stderr) = (child.0.stdout.take().map(read), child.0.stderr.take().map(read));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.0.try_wait().expect("the child is ours to wait for") {
            break status;
        }
        assert!(started.elapsed() < PATIENCE, "no end after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    };
    let text = |reader: Option<JoinHandle<Vec<u8>>>| reader.map(|r| r.join().expect("the reader ends"));
    Output { status, stdout: text(stdout).unwrap_or_default(), stderr: text(stderr).unwrap_or_default() }.into()
}

fn read(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

/// Traces a process from the calling thread, until that thread ends. The process goes on.
///
/// # Errors
/// The system refuses it, or has no such call.
pub fn trace(pid: u32) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
        Ok(nix::sys::ptrace::seize(pid, nix::sys::ptrace::Options::empty())?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        Err(std::io::ErrorKind::Unsupported.into())
    }
}
