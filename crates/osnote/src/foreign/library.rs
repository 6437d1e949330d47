//! Loading a library, and the checks of what it describes. For child processes.

use core::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::abi::{
    ABI, ALIGN, DIGEST, MOST_WINDOWS, NAME, NO_MALLOC, NOTE, NoteFunction, NoteV1, ONE_INSTANCE, SIZE, TIMED_SLEEP,
    WAKEUP_IN_HANDLER, WINDOWS, WindowV1, WindowsFunction,
};
use super::bad::BadLibrary;

/// What a library says of itself: all that a process needs which does not load it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The file, by its absolute path.
    pub path: PathBuf,
    /// Its note, if it has one.
    pub note: Option<Note>,
    /// The windows that the library exports.
    pub windows: Vec<Window>,
}

/// What a library says of its note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The name that the library gives the note.
    pub name: String,
    /// The `SIGPROOF_*` flags of the note: what it claims.
    pub flags: u32,
    /// The size of an instance.
    pub size: usize,
    /// The alignment of an instance.
    pub align: usize,
    /// Whether it has `destroy`.
    pub destroys: bool,
}

impl Note {
    /// Whether it claims that a signal handler may call its wake-up.
    #[must_use]
    pub const fn claims_safety(&self) -> bool {
        self.flags & WAKEUP_IN_HANDLER != 0
    }

    /// Whether it has a timed sleep.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        self.flags & TIMED_SLEEP != 0
    }

    /// Whether a process can have one instance only.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        self.flags & ONE_INSTANCE != 0
    }
}

/// What a library says of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The name that the library gives the window.
    pub name: String,
    /// The `SIGPROOF_*` flags of the window.
    pub flags: u32,
    /// Whether it has `helper`.
    pub helps: bool,
}

impl Window {
    /// Whether its handler allocates nothing.
    #[must_use]
    pub const fn forbids_allocation(&self) -> bool {
        self.flags & NO_MALLOC != 0
    }

    /// Whether its check gives a digest.
    #[must_use]
    pub const fn has_digest(&self) -> bool {
        self.flags & DIGEST != 0
    }
}

/// A loaded library. It is never unloaded: threads and handlers may be in it until the process ends.
#[derive(Debug)]
pub struct Library {
    /// What it says of itself.
    pub description: Description,
    /// The table of the note, if the library exports one.
    pub note: Option<NoteV1>,
    /// Its windows, in the order of the description.
    pub windows: Vec<WindowV1>,
}

// SAFETY: the structs are copies that nothing writes, and the names that they point to are not read again.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// Loads a library and checks what it describes. Its constructors run in this process.
///
/// # Errors
/// [`BadLibrary`].
pub fn open(path: &Path) -> Result<Library, BadLibrary> {
    super::file::look(path)?;
    let path = path.canonicalize().map_err(|error| unreadable(path, &error))?;
    if cfg!(target_feature = "crt-static") {
        return Err(BadLibrary::Static { path });
    }
    // SAFETY: whatever the constructors do, this process is a child that exists to find out.
    let loaded = unsafe { libloading::Library::new(&path) };
    let loaded = loaded.map_err(|error| BadLibrary::Load { path: path.clone(), why: of_loader(&path, &error) })?;
    // Not unloaded, whatever comes of the checks: a destructor is one more thing that could go wrong.
    let loaded = core::mem::ManuallyDrop::new(loaded);
    // SAFETY: a symbol of this name has this type, by the header.
    let note = unsafe { loaded.get::<NoteFunction>(NOTE) }.ok().map(|symbol| *symbol);
    // SAFETY: as above.
    let windows = unsafe { loaded.get::<WindowsFunction>(WINDOWS) }.ok().map(|symbol| *symbol);
    if note.is_none() && windows.is_none() {
        return Err(BadLibrary::NoSymbol { path });
    }
    let note = note.map(read_note).transpose()?;
    let windows = windows.map(read_windows).transpose()?.unwrap_or_default();
    if note.is_none() && windows.is_empty() {
        return Err(BadLibrary::Empty);
    }
    let (said, note) = note.unzip();
    let (of_windows, windows): (Vec<Window>, Vec<_>) = windows.into_iter().unzip();
    let earlier = |(at, window): &(usize, &Window)| of_windows[..*at].iter().any(|other| other.name == window.name);
    if let Some((_, twice)) = of_windows.iter().enumerate().find(earlier) {
        return Err(BadLibrary::Twice { name: twice.name.clone() });
    }
    Ok(Library { description: Description { path, note: said, windows: of_windows }, note, windows })
}

fn unreadable(path: &Path, error: &std::io::Error) -> BadLibrary {
    BadLibrary::Unreadable { path: path.to_owned(), why: error.to_string() }
}

/// What the loader says, without the path that the sentence names anyway.
fn of_loader(path: &Path, error: &libloading::Error) -> String {
    let said = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    said.replace(&format!("{}: ", path.display()), "")
}

fn read_note(function: NoteFunction) -> Result<(Note, NoteV1), BadLibrary> {
    // SAFETY: the header's type; it has no precondition.
    let table = unsafe { function() };
    if table.is_null() {
        return Err(BadLibrary::Null { function: NOTE.to_owned() });
    }
    // Only the number first: an unknown version may be shorter than ours.
    // SAFETY: not null; the header says that it is such a struct, which begins with its number.
    let abi = unsafe { table.cast::<u32>().read_unaligned() };
    let what = || "the note".to_owned();
    if abi != ABI {
        return Err(BadLibrary::Abi { what: what(), found: abi });
    }
    // SAFETY: as above, and the version is ours.
    let note = unsafe { table.read_unaligned() };
    let unknown = note.flags & !(WAKEUP_IN_HANDLER | TIMED_SLEEP | ONE_INSTANCE);
    if unknown != 0 {
        return Err(BadLibrary::Flags { what: what(), unknown });
    }
    let name = read_name("the note", note.name)?;
    if !(1..=SIZE).contains(&note.size) {
        return Err(BadLibrary::Size { size: note.size });
    }
    if !note.align.is_power_of_two() || note.align > ALIGN {
        return Err(BadLibrary::Align { align: note.align });
    }
    let named = format!("note '{name}'");
    let there = [
        ("init", note.init.is_some()),
        ("clear", note.clear.is_some()),
        ("sleep", note.sleep.is_some()),
        ("wakeup", note.wakeup.is_some()),
    ];
    missing(&named, &there)?;
    if note.flags & TIMED_SLEEP != 0 && note.sleep_timeout.is_none() {
        return Err(BadLibrary::NoTimedSleep);
    }
    let said = Note { name, flags: note.flags, size: note.size, align: note.align, destroys: note.destroy.is_some() };
    Ok((said, note))
}

fn read_windows(function: WindowsFunction) -> Result<Vec<(Window, WindowV1)>, BadLibrary> {
    // SAFETY: the header's type; it has no precondition.
    let array = unsafe { function() };
    if array.is_null() {
        return Err(BadLibrary::Null { function: WINDOWS.to_owned() });
    }
    let mut found = Vec::new();
    for at in 0..=MOST_WINDOWS {
        // SAFETY: the header says that the array goes on up to its null.
        let table = unsafe { array.add(at).read_unaligned() };
        if table.is_null() {
            return Ok(found);
        }
        found.push(read_window(at, table)?);
    }
    Err(BadLibrary::Endless)
}

fn read_window(at: usize, table: *const WindowV1) -> Result<(Window, WindowV1), BadLibrary> {
    let numbered = format!("window {at}");
    // SAFETY: not null; the header says that it is such a struct, which begins with its number.
    let abi = unsafe { table.cast::<u32>().read_unaligned() };
    if abi != ABI {
        return Err(BadLibrary::Abi { what: numbered, found: abi });
    }
    // SAFETY: as above, and the version is ours.
    let window = unsafe { table.read_unaligned() };
    let unknown = window.flags & !(NO_MALLOC | DIGEST);
    if unknown != 0 {
        return Err(BadLibrary::Flags { what: numbered, unknown });
    }
    let name = read_name(&numbered, window.name)?;
    let there = [
        ("make", window.make.is_some()),
        ("window", window.window.is_some()),
        ("handler", window.handler.is_some()),
        ("check", window.check.is_some()),
    ];
    missing(&format!("window '{name}'"), &there)?;
    Ok((Window { name, flags: window.flags, helps: window.helper.is_some() }, window))
}

fn missing(what: &str, there: &[(&str, bool)]) -> Result<(), BadLibrary> {
    let absent = there.iter().find(|(_, is_there)| !is_there);
    absent.map_or(Ok(()), |(function, _)| {
        Err(BadLibrary::NullFunction { what: what.to_owned(), function: (*function).to_owned() })
    })
}

fn read_name(what: &str, name: *const c_char) -> Result<String, BadLibrary> {
    let bad = |found: String| BadLibrary::Name { what: what.to_owned(), found };
    if name.is_null() {
        return Err(bad("null".to_owned()));
    }
    let mut bytes = Vec::new();
    for at in 0..=NAME {
        // SAFETY: the header says that it is a C string; this reads no further than its null.
        match unsafe { name.cast::<u8>().add(at).read() } {
            0 => break,
            byte => bytes.push(byte),
        }
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    match bytes.len() {
        0 => Err(bad("an empty text".to_owned())),
        length if length > NAME => Err(bad("a longer text".to_owned())),
        _ if !bytes.iter().all(plain) => Err(bad(format!("'{}'", String::from_utf8_lossy(&bytes).escape_default()))),
        _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// A sentence of a library: bytes up to the first null, without what a terminal would obey.
#[must_use]
pub fn text_of(bytes: &[u8]) -> String {
    let text = CStr::from_bytes_until_nul(bytes).map_or(bytes, CStr::to_bytes);
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    unsafe extern "C" fn null() -> *const NoteV1 {
        core::ptr::null()
    }

    #[test]
    fn a_null_note_is_an_error() {
        assert_eq!(read_note(null).unwrap_err(), BadLibrary::Null { function: NOTE.to_owned() });
    }

    #[rstest]
    #[case::plain(c"Mine-2", Ok("Mine-2"))]
    #[case::empty(c"", Err("an empty text"))]
    #[case::space(c"a b", Err("'a b'"))]
    #[case::slash(c"a/b", Err("'a/b'"))]
    #[case::long(c"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", Err("a longer text"))]
    fn names(#[case] name: &CStr, #[case] expected: Result<&str, &str>) {
        let read = read_name("it", name.as_ptr());
        let read = read.as_deref().map_err(|error| match error {
            BadLibrary::Name { found, .. } => found.as_str(),
            _ => "another error",
        });
        assert_eq!(read, expected);
        assert!(matches!(read_name("it", core::ptr::null()), Err(BadLibrary::Name { .. })));
    }

    #[test]
    fn a_sentence_is_harmless() {
        assert_eq!(text_of(b"two\x1b[2J words\nand\0rest"), "two [2J words and");
        assert_eq!(text_of(b"no end"), "no end");
        assert_eq!(text_of(b"\0"), "");
    }
}
