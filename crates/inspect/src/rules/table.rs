//! A table of names as text: for each value, the names that have it, separated by blanks.

use std::collections::HashMap;

/// For each value, its names.
pub(crate) type Table<T> = &'static [(T, &'static str)];

/// The value of each name.
pub(crate) type Words<T> = HashMap<&'static str, T>;

/// The table, to be searched.
pub(crate) fn words<T: Copy>(table: Table<T>) -> Words<T> {
    table.iter().flat_map(|(value, names)| names.split_whitespace().map(move |name| (name, *value))).collect()
}

/// Whether a word is in a list, which is a literal with blanks between the words.
macro_rules! listed {
    ($word:expr, $list:literal) => {{
        static LIST: std::sync::OnceLock<std::collections::HashSet<&'static str>> = std::sync::OnceLock::new();
        LIST.get_or_init(|| $list.split_whitespace().collect()).contains($word)
    }};
}
pub(crate) use listed;
