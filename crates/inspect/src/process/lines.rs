//! The one protocol of children that get orders and tell events: lines of JSON on their standard input and
//! output.
//!
//! | line | way | form |
//! |---|---|---|
//! | greeting | child to parent, once, first | `{"hello":{"speaks":"step","version":1}}` |
//! | order | parent to child | a [`Dialect::Order`] |
//! | event | child to parent | a [`Dialect::Event`] |
//!
//! The end of its standard input tells a child that there are no more orders; its parent may be gone. What a
//! child writes to its standard error is kept.
//!
//! | a child | its parent gets |
//! |---|---|
//! | greets with another dialect or version, or with something else | [`How::Stranger`] |
//! | writes a line that is no event | [`How::Junk`] |
//! | writes more than [`LONGEST`] bytes without the end of a line | [`How::TooLong`] |
//! | ends | [`How::Ended`], with its status and the last lines of its standard error |
//! | closes its standard output and lives on | [`How::Hushed`] |
//! | closes its standard input and says nothing | [`How::Deaf`] |
//!
//! A rest without the end of a line is no line: its child has died while it wrote.
//!
//! Two children of this project answer by other means. A stress worker writes to a shared page, for its
//! signal handlers may not write lines. A driver of `conform` exchanges binary frames, several million a
//! second.

use std::io::{self, BufRead, Read};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

mod child;
mod parent;

pub use child::{Orders, Teller};
pub use parent::{Broken, How, Talk};

/// The most bytes of a line. The longest that is told is the run of a window with its map: some hundred
/// kilobytes.
pub const LONGEST: usize = 64 << 20;

/// What one kind of child is told and tells.
pub trait Dialect {
    /// The name of the program, for messages.
    const NAME: &'static str;
    /// Changed with every change that an older program would misunderstand.
    const VERSION: u32;
    /// What the parent writes.
    type Order: Serialize + DeserializeOwned;
    /// What the child writes.
    type Event: Serialize + DeserializeOwned;
}

/// The first line of a child.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum First {
    Hello { speaks: String, version: u32 },
}

impl First {
    fn of<D: Dialect>() -> Self {
        Self::Hello { speaks: D::NAME.to_owned(), version: D::VERSION }
    }
}

/// What comes of reading a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// A line, without its end.
    Whole(String),
    /// The stream has ended.
    End,
    /// There was no end of a line within [`LONGEST`] bytes.
    TooLong,
}

/// Reads a line of at most `longest` bytes.
fn read_line(from: &mut impl BufRead, longest: usize) -> io::Result<Line> {
    let mut bytes = Vec::new();
    from.take(longest as u64 + 1).read_until(b'\n', &mut bytes)?;
    Ok(match bytes.pop() {
        Some(b'\n') => Line::Whole(String::from_utf8_lossy(&bytes).into_owned()),
        Some(_) if bytes.len() >= longest => Line::TooLong,
        Some(_) | None => Line::End,
    })
}

#[cfg(test)]
mod tests;
