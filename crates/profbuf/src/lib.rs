//! A lock-free profiling buffer: one writer that may be a signal handler, one reader that is ordinary code.
//!
//! The writer never blocks, allocates, locks, panics or makes a system call of its own; what it cannot store
//! it counts, and the count comes out of the reader as a record in its place in the order. Records come out
//! in the order written, each once.
//!
//! # Shape
//!
//! ```text
//!            r                next                 w
//!            |  returned, not  |      unread       |      free, up to r + length
//!  data  ----+-- yet released -+-------------------+------------------------------   32-bit count of words
//!  tags  ----+-----------------+-------------------+------------------------------   30-bit count of tags
//! ```
//!
//! A record is `2 + H + S` consecutive words: its length, a time stamp, `H` header words, `S` stack words. A
//! record that does not fit before the end of the data ring starts at index 0, and a 0 where its length would
//! have been says so. Each record has a tag, in a ring of its own.
//!
//! | shared word | written by | holds |
//! |---|---|---|
//! | `w` | both, by compare-and-swap; if [`Polled`], the writer, by a store | the counts written; flags READER_SLEEPING and WRITE_EXTRA |
//! | `r` | reader | the counts released |
//! | pending overflow | both, by compare-and-swap | how many records were dropped, and a generation |
//! | overflow time | writer | the time of the first drop |
//! | closed | writer | the end of the file |
//!
//! # Invariants
//!
//! 1. `r <= next <= w <= r + length` for data and for tags, modulo their wrap. Only the writer advances the
//!    counts of `w`, only the reader stores `r`.
//! 2. Words and tag slots in `[r, w)` belong to the reader, the others to the writer. Ownership moves to the
//!    reader with the commit to `w` and back with the store to `r`.
//! 3. A tag slot that belongs to the writer is [`Tag::NONE`].
//! 4. No record is committed while an overflow is pending: the writer first takes the overflow and commits it
//!    as a record.
//! 5. READER_SLEEPING is set only by the reader, in a compare-and-swap from a `w` that holds nothing to read;
//!    WRITE_EXTRA is set only by the writer and cleared only by the reader. So a reader sleeps only if
//!    nothing was published since it looked.
//! 6. Under a sound [`WakePolicy`] whoever clears READER_SLEEPING is the one who wakes the reader, once.
//!
//! # Modes
//!
//! The type of a buffer says how its reader comes to know of something: it is woken as a [`WakePolicy`] says,
//! or it is [`Polled`]. The atomic operations of each call, with a plain load or store where nothing else is
//! said:
//!
//! | operation | reader may sleep | [`Polled`] |
//! |---|---|---|
//! | write, stored | loads of closed, overflow, `w`, `r`; a compare-and-swap on `w` | the same loads; a store to `w` |
//! | write, dropped | as above, but the compare-and-swap sets WRITE_EXTRA; those on the overflow | loads; those on the overflow |
//! | write after drops | a compare-and-swap on the overflow, then two commits | the same, the commits being stores |
//! | close | a store; a compare-and-swap on `w` | a store |
//! | poll | loads; a store to `r` if there is something to release; a compare-and-swap on `w` if WRITE_EXTRA is set | loads; the store to `r` |
//! | poll that finds an overflow | and a compare-and-swap on the overflow, which the writer takes, too | the same |
//! | blocking read | as poll; a compare-and-swap on `w` before each sleep | does not exist |
//!
//! The orderings are argued at each access, with the access that it pairs with.
//!
//! # Limits
//!
//! - A generation is 32 bits: a thread that sleeps between its look at the pending overflow and its
//!   compare-and-swap through exactly 2^32 overflows and then finds the same count would be fooled.
//! - [`Record::overflow`] tells an overflow record by its look; see there what a writer must do to be
//!   unmistakable.
//! - Whether a wake-up may happen in a signal handler is for the [`Wake`] to say, not for this crate.
//!
//! # Use
//!
//! ```
//! use sigproof_profbuf::{Config, EveryRecord, Read, ReadMode, Tag, Wake, Written};
//! # #[derive(Default)] struct Note;
//! # impl Wake for Note {
//! #     type Error = core::convert::Infallible;
//! #     fn clear(&self) {}
//! #     fn sleep(&self) -> Result<(), Self::Error> { Ok(()) }
//! #     fn wakeup(&self) -> Result<(), Self::Error> { Ok(()) }
//! # }
//! let config = Config { header: 1, words: 64, tags: 8 };
//! let (mut writer, mut reader) = sigproof_profbuf::new::<_, EveryRecord>(config, Note::default())?;
//!
//! assert_eq!(writer.write(1_000, Tag(7), &[1], &[0xa, 0xb])?, Written::Stored);
//! writer.close()?;
//!
//! let Read::Records(records) = reader.read(ReadMode::Blocking)? else { panic!("a record was written") };
//! for record in records {
//!     assert_eq!((record.time(), record.tag()), (1_000, Tag(7)));
//!     assert_eq!((record.header(), record.stack()), (&[1][..], &[0xa, 0xb][..]));
//! }
//! assert!(matches!(reader.read(ReadMode::Blocking)?, Read::EndOfFile));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]
#![no_std]

extern crate alloc;

mod config;
mod error;
mod mode;
mod overflow;
mod reader;
mod record;
mod ring;
mod room;
mod shared;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod wake;
mod word;
mod writer;

pub use config::{Config, Counts};
pub use error::{CloseError, ConfigError, Malformed, ReadError, WriteError};
pub use mode::{Mode, NoNote, Polled};
pub use reader::{Read, ReadMode, Reader};
pub use record::{Record, Records, Tag};
pub use wake::{Decision, EveryRecord, HalfFull, KeepsFlag, Wake, WakePolicy};
pub use writer::{Writer, Written};

use sigproof_shim::sync::Arc;

/// The two ends of a buffer.
pub type Ends<W, M> = (Writer<W, M>, Reader<W, M>);

/// Makes a buffer, with both counts at zero, that rings `wake` when policy `P` says so.
///
/// Allocates all that the two handles will ever use.
///
/// # Errors
/// [`ConfigError`] if a ring would be too large, or memory is out.
pub fn new<W: Wake, P: WakePolicy>(config: Config, wake: W) -> Result<Ends<W, P>, ConfigError> {
    ends(config, Counts::default(), wake)
}

/// Makes a buffer, with both counts at zero, whose reader polls. It has no note. Its writer makes no system
/// call and wakes no thread.
///
/// ```
/// use sigproof_profbuf::{Config, Read, Tag};
///
/// let (mut writer, mut reader) = sigproof_profbuf::polled(Config { header: 1, words: 64, tags: 8 })?;
/// assert!(matches!(reader.poll()?, Read::Empty));
/// writer.write(1_000, Tag(7), &[1], &[0xa, 0xb])?;
/// let Read::Records(records) = reader.poll()? else { panic!("a record was written") };
/// assert_eq!(records.map(|record| record.time()).collect::<Vec<_>>(), [1_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`new`].
pub fn polled(config: Config) -> Result<Ends<NoNote, Polled>, ConfigError> {
    ends(config, Counts::default(), NoNote::new())
}

fn ends<W: Wake, M: Mode>(config: Config, counts: Counts, wake: W) -> Result<Ends<W, M>, ConfigError> {
    let shared = Arc::new(shared::Shared::new(config.layout()?, counts, wake)?);
    let reader = Reader::new(Arc::clone(&shared))?;
    Ok((Writer::new(shared), reader))
}
