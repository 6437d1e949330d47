//! The choices of one execution, as text, and which texts can be read back.

use alloc::string::String;

/// The choices of one execution, in a text without blanks; fit for [`replay`](super::replay) under the same
/// plan, or for [`repeat`](super::repeat) under the same environment, by the same build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices(pub String);

impl Choices {
    /// Whether the text looks like an execution graph, of at most so many events. The explorer says what the
    /// letters mean.
    #[must_use]
    pub fn is_graph(&self, most: usize) -> bool {
        let threads = self.0.split('-').map(|thread| {
            let steps = thread.strip_prefix('T')?.trim_start_matches(|c: char| c.is_ascii_digit());
            let (_, steps) = steps.split_once('.')?;
            let mut events = 0_usize;
            let mut rest = steps.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').bytes().peekable();
            while let Some(letter) = rest.next() {
                let mut count = None;
                while let Some(digit) = rest.next_if(u8::is_ascii_digit) {
                    let digit = usize::from(digit - b'0');
                    count = Some(count.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit));
                }
                events = events.saturating_add(match letter {
                    b'i' | b'n' | b'z' | b'o' => count.unwrap_or(1),
                    b'a'..=b'h' | b'm' | b'k' if count.is_some() => 1,
                    _ => return None,
                });
            }
            Some(events)
        });
        threads.sum::<Option<usize>>().is_some_and(|events| events <= most)
    }

    /// Whether the text can be read, and has no more than `most` branches. The `path` of the simulated kernel
    /// says what the letters mean.
    #[must_use]
    pub fn readable(&self, most: usize) -> bool {
        let mut rest = self.0.bytes().peekable();
        let mut branches = 0_usize;
        while let Some(letter) = rest.next() {
            let each = match letter {
                b'A'..=b'E' => 2,
                b'a'..=b'e' | b'p'..=b'v' | b'y' | b'n' | b'z' => 1,
                _ => return false,
            };
            let mut count = None;
            while let Some(digit) = rest.next_if(u8::is_ascii_digit) {
                count = Some(count.unwrap_or(0_usize).saturating_mul(10).saturating_add(usize::from(digit - b'0')));
            }
            branches = branches.saturating_add(count.unwrap_or(1).saturating_mul(each));
            if branches > most {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(text: &str, most: usize) -> bool {
        Choices(text.into()).readable(most)
    }

    #[test]
    fn letters_and_counts() {
        for text in ["", "A", "A6aqA4aqbz", "pv3yn"] {
            assert!(readable(text, 100), "{text}");
        }
        for text in ["f", "9A", "a b", "ä", "A6aqzz@", "x"] {
            assert!(!readable(text, 100), "{text}");
        }
    }

    #[test]
    fn graphs() {
        let is_graph = |text: &str, most| Choices(text.into()).is_graph(most);
        assert!(is_graph("T.", 0) && is_graph("T.oi2b3-T1.om4nz-T1.2.k1", 9));
        assert!(!is_graph("T.oi2b3-T1.om4nz-T1.2.k1", 8));
        for text in ["", "A6aqA4aqbz", "T", "T.x", "T.a", "T.-", "T.o9999999999999999999999", "T.oä"] {
            assert!(!is_graph(text, 100), "{text}");
        }
    }

    #[test]
    fn no_more_branches_than_an_execution_can_have() {
        assert!(readable("A2", 4) && !readable("A2", 3));
        assert!(readable("aaaa", 4) && !readable("aaaaa", 4));
        assert!(!readable("a99999999999999999999999999", usize::MAX - 1));
    }
}
