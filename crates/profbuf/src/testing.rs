//! Hooks for tests, models and reproducers. No client of a buffer needs them, so they are in no public
//! document.
//!
//! | hook | what it does |
//! |---|---|
//! | [`new_at`], [`polled_at`] | a buffer as it is after many words: counts just below their wrap show in a moment what else takes days |
//! | [`preset_lost`] | a buffer that has dropped many records: its count is near its top |
//! | [`free_tags_are_empty`] | whether invariant 3 of the crate holds |

use crate::config::{Config, Counts};
use crate::error::ConfigError;
use crate::mode::{Mode, NoNote, Polled};
use crate::record::Tag;
use crate::wake::{Wake, WakePolicy};
use crate::writer::Writer;
use crate::{Ends, ends};

/// Like [`new`](crate::new), with the counts (2^32 words, 2^30 tags until they wrap) starting at `counts`.
///
/// # Errors
/// As [`new`](crate::new).
pub fn new_at<W: Wake, P: WakePolicy>(config: Config, counts: Counts, wake: W) -> Result<Ends<W, P>, ConfigError> {
    ends(config, counts, wake)
}

/// Like [`polled`](crate::polled), with the counts starting at `counts`.
///
/// # Errors
/// As [`polled`](crate::polled).
pub fn polled_at(config: Config, counts: Counts) -> Result<Ends<NoNote, Polled>, ConfigError> {
    ends(config, counts, NoNote::new())
}

/// Makes an unused buffer one that has dropped `count` records, the first of them at `time`. No effect on a
/// buffer with a pending overflow.
pub fn preset_lost<W: Wake, M: Mode>(writer: &mut Writer<W, M>, count: u32, time: i64) {
    let overflow = writer.shared.overflow();
    if !overflow.look().pending() {
        overflow.preset(count, time);
    }
}

/// Whether each free tag slot holds [`Tag::NONE`] (invariant 3 of the crate).
pub fn free_tags_are_empty<W: Wake, M: Mode>(writer: &mut Writer<W, M>) -> bool {
    let shared = &*writer.shared;
    let mut slot = shared.position();
    let used = usize::try_from(slot.ahead_of(shared.released()).1).unwrap_or(usize::MAX);
    (used..shared.layout.tags).all(|_| {
        // SAFETY: the slot is not in `[r, w)`, so it is the writer's (invariant 2 of the crate), and `&mut`
        // is that.
        let tag = unsafe { shared.tags.get(slot.tags()) };
        slot = slot.advanced(0, 1);
        tag == Tag::NONE
    })
}
