//! One line of progress that is written over again and again, on a terminal alone.

use crate::output::Out;

#[derive(Default)]
pub struct Line {
    shown: bool,
}

impl Line {
    /// Shows this text in the place of the one before.
    pub fn tell(&mut self, text: &str) {
        if Out::Stderr.is_terminal() {
            let width = usize::from(Out::Stderr.width().unwrap_or(80)).saturating_sub(1);
            let text: String = text.chars().take(width).collect();
            let _ = Out::Stderr.say(&format!("\r\x1b[2K{text}"));
            self.shown = true;
        }
    }

    /// Leaves nothing of it.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = Out::Stderr.say("\r\x1b[2K");
        }
    }
}
