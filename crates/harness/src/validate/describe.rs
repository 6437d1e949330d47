//! The child that finds out what a library is: it loads the library and writes its description.
//!
//! The answer goes through memory that both sides map, because the library's constructors may close any
//! descriptor. A child that does not answer has crashed, hangs or has left: each is told as what it is.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::FromRawFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};
use serde::{Deserialize, Serialize};
use sigproof_inspect::process::{Errors, Group, Input, Output, Streams, ending, own_command};
use sigproof_inspect::refusal::{Refusal, no_temporary_file, temporary_file};
use sigproof_osnote::foreign::BadLibrary;
use sigproof_osnote::foreign::library::{self, Description};
use sigproof_shim::native::atomic::{AtomicU64, Ordering};

/// The first argument that makes an executable such a child.
pub const VERB: &str = "__library";

/// The room for an answer, its length included.
const ROOM: usize = 1 << 20;

/// How long the constructors of a library may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a library was not described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undescribed {
    /// It cannot be tested.
    #[error("{0}")]
    Bad(BadLibrary),
    /// The machine refused what the child needs.
    #[error("{0}")]
    Refused(Refusal),
    /// The child ended while it loaded the library.
    #[error("{path} does what its contract forbids: it {what} while it is loaded; look at its constructors{words}")]
    Ended {
        path: String,
        /// What it did.
        what: String,
        /// What was written to the standard error, on a line of its own.
        words: String,
    },
}

/// What the library at `path` says of itself, by a child that loads it.
///
/// # Errors
/// [`Undescribed`].
pub fn describe(path: &Path) -> Result<Description, Undescribed> {
    // What the file alone tells needs no child.
    sigproof_osnote::foreign::file::look(path).map_err(Undescribed::Bad)?;
    let answer = Answer::create().map_err(Undescribed::Refused)?;
    let (answer, file) = answer;
    let mut command = own_command().map_err(Undescribed::Refused)?;
    command.arg(VERB).arg(path);
    let streams = Streams { input: Input::File(file), output: Output::AsErrors, errors: Errors::Kept };
    let refused = |call: &'static str| move |error| Undescribed::Refused(Refusal::new(call, &error));
    let mut group = Group::start(&mut command, streams).map_err(refused("a child process (clone, execve)"))?;
    let status = group.wait(PATIENCE).map_err(refused("waitid"))?;
    // Before the end: what the child left running would be of no use.
    let words = group.last_words();
    group.end();
    if let Some(text) = answer.read() {
        return match serde_json::from_str::<Told>(&text) {
            Ok(Told::Described(description)) => Ok(description),
            Ok(Told::Bad(bad)) => Err(Undescribed::Bad(bad)),
            Err(_) => Err(ended(path, "writes over memory of sigproof", &words)),
        };
    }
    Err(match status {
        None => ended(path, "hangs", &words),
        Some(status) => ended(path, &format!("ends the process, which {}", ending(status)), &words),
    })
}

fn ended(path: &Path, what: &str, words: &str) -> Undescribed {
    let words = if words.is_empty() { String::new() } else { format!("\n{words}") };
    Undescribed::Ended { path: path.display().to_string(), what: what.to_owned(), words }
}

/// What the child tells.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Described(Description),
    Bad(BadLibrary),
}

/// The child's whole life: `arguments` are those after [`VERB`].
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(path) = arguments.next() else { return ExitCode::FAILURE };
    // SAFETY: descriptor 0 is open (the parent made it the file of the answer) and is never read otherwise.
    let file = unsafe { File::from_raw_fd(0) };
    let Ok(answer) = Answer::open(&file) else { return ExitCode::FAILURE };
    core::mem::forget(file);
    let told = match library::open(Path::new(&path)) {
        Ok(library) => Told::Described(library.description),
        Err(bad) => Told::Bad(bad),
    };
    match serde_json::to_string(&told) {
        Ok(text) if answer.write(&text) => {}
        _ => return ExitCode::FAILURE,
    }
    // The destructors of the library are not of interest here.
    sigproof_step::leave(0)
}

/// The memory of the answer: its length, and its bytes.
struct Answer(MmapRaw);

impl Answer {
    fn create() -> Result<(Self, File), Refusal> {
        let file = temporary_file()?;
        file.set_len(ROOM as u64).map_err(|error| no_temporary_file(&error))?;
        let map = MmapOptions::new().len(ROOM).map_raw(&file);
        Ok((Self(map.map_err(|error| Refusal::new("a shared mapping (mmap)", &error))?), file))
    }

    fn open(file: &File) -> std::io::Result<Self> {
        if file.metadata()?.len() != ROOM as u64 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        MmapOptions::new().len(ROOM).map_raw(file).map(Self)
    }

    fn length(&self) -> &AtomicU64 {
        // SAFETY: the mapping is page-aligned, longer than the word, mapped while `self` lives, and any bit
        // pattern is a value of an atomic.
        unsafe { &*self.0.as_ptr().cast::<AtomicU64>() }
    }

    fn write(&self, text: &str) -> bool {
        if text.len() > ROOM - size_of::<u64>() {
            return false;
        }
        // SAFETY: the room behind the length holds so many bytes, by the check above.
        unsafe { self.0.as_mut_ptr().add(size_of::<u64>()).copy_from(text.as_ptr(), text.len()) };
        // Release pairs with the acquire of `read`.
        self.length().store(text.len() as u64, Ordering::Release);
        true
    }

    /// The answer, if there is one.
    fn read(&self) -> Option<String> {
        let length = usize::try_from(self.length().load(Ordering::Acquire)).ok()?;
        if length == 0 {
            return None;
        }
        let mut bytes = vec![0; length.min(ROOM - size_of::<u64>())];
        // SAFETY: the room behind the length holds so many bytes, and the child has ended.
        unsafe { bytes.as_mut_ptr().copy_from(self.0.as_ptr().add(size_of::<u64>()), bytes.len()) };
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
