//! The choices of one execution, as text, and which texts can be read back.

use alloc::string::String;

/// The choices of one execution, in a text without blanks; fit for [`replay`](super::replay) under the same
/// plan by the same build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices(pub String);

impl Choices {
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
    fn no_more_branches_than_an_execution_can_have() {
        assert!(readable("A2", 4) && !readable("A2", 3));
        assert!(readable("aaaa", 4) && !readable("aaaaa", 4));
        assert!(!readable("a99999999999999999999999999", usize::MAX - 1));
    }
}
