//! The library of this process: announced by its description, and loaded when its first function is needed.
//!
//! A command works with one library. The process that the user starts knows the description alone; its
//! children are told the description and load the file.

use std::sync::OnceLock;

use super::bad::BadLibrary;
use super::library::{self, Description, Library};

static DESCRIBED: OnceLock<Description> = OnceLock::new();
static LOADED: OnceLock<Result<Library, BadLibrary>> = OnceLock::new();

/// Says which library it is. The first call counts.
pub fn announce(description: Description) -> &'static Description {
    DESCRIBED.get_or_init(|| description)
}

/// What the library says of itself, if there is one.
#[must_use]
pub fn described() -> Option<&'static Description> {
    DESCRIBED.get()
}

/// The library, loaded: its constructors have run in this process. Only a child process calls it.
///
/// # Errors
/// None was announced, it cannot be loaded, or it is another one by now.
pub fn loaded() -> Result<&'static Library, &'static BadLibrary> {
    let load = || {
        let expected = described().ok_or(BadLibrary::Empty)?;
        let library = library::open(&expected.path)?;
        if library.description != *expected {
            let what = "it describes itself in another way".to_owned();
            return Err(BadLibrary::Changed { path: expected.path.clone(), what });
        }
        Ok(library)
    };
    LOADED.get_or_init(load).as_ref()
}
