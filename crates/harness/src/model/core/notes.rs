//! Models of the notes.

use super::Core;
pub(super) const ALL: &[Core] = &[];
