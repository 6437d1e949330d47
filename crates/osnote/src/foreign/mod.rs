//! Notes and windows of a shared library, over the C ABI of `include/sigproof.h`.
//!
//! | module | holds |
//! |---|---|
//! | [`abi`] | the declarations of the header, and what its flags mean |
//! | [`bad`] | why a library cannot be tested, with the remedy |
//! | [`current`] | the library of this process |
//! | [`file`](mod@file) | what a file says of itself, before it is loaded |
//! | [`library`] | loading, and the checks of what the library describes |
//! | [`instance`] | the memory of one note, between pages that cannot be accessed |
//! | [`note`] | a note of the library as a [`Note`](crate::Note) |
//! | [`window`] | the calls of a window |
//!
//! Only a child process loads a library: [`library::open`] runs the library's constructors, and nothing here
//! limits what those do. The process that reads a [`Description`] has not loaded it.

pub mod abi;
pub mod bad;
pub mod current;
pub mod file;
pub mod instance;
pub mod library;
pub mod note;
pub mod window;

pub use bad::BadLibrary;
pub use library::{Description, Library};
