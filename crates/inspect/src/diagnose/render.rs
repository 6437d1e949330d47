//! The text of a diagnosis: the sentence, then each thread's stack, start-up frames folded, the interrupted
//! part marked.

use super::report::{Diagnosis, Frame, Resource, ResourceKind, ThreadReport};
use std::fmt;

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.kind, self.sentence)?;
        for remark in &self.remarks {
            writeln!(f, "  ({remark})")?;
        }
        for thread in &self.threads {
            thread.fmt(f)?;
        }
        write!(f, "  [registers by {}; {}.{} ms]", self.method, self.micros / 1000, self.micros % 1000 / 100)
    }
}

impl fmt::Display for ThreadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  thread {} \"{}\"", self.tid, self.name)?;
        write!(f, ", {}", self.state)?;
        if let Some(resource) = &self.waits_for {
            write!(f, ", waits for {resource}")?;
        }
        writeln!(f)?;
        let folded = start_up_frames(&self.frames);
        let shown = self.frames.len() - folded;
        for (number, frame) in self.frames[..shown].iter().enumerate() {
            if frame.signal_frame {
                writeln!(f, "      -- signal handler called; interrupted: --")?;
            } else {
                writeln!(f, "    #{number:<2} {frame}")?;
            }
        }
        if folded > 0 {
            writeln!(f, "    ... {folded} start-up {}", if folded == 1 { "frame" } else { "frames" })?;
        }
        if let Some(reason) = &self.cut_short {
            writeln!(f, "    ... cut short: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        match (self.source(), &self.object) {
            (Some(source), _) => write!(f, "  at {source}")?,
            (None, Some(object)) if self.symbol.is_some() => write!(f, "  in {object}")?,
            _ => {}
        }
        if self.inlined {
            f.write_str("  (inlined)")?;
        }
        if self.guessed { f.write_str("  (guessed)") } else { Ok(()) }
    }
}

impl fmt::Display for Resource {
    /// `mutex S.m (0x7f..), owned by thread 12 (inferred: ..)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())?;
        if let Some(owner) = &self.owner {
            write!(f, ", owned by thread {} ({})", owner.tid, owner.known)?;
        }
        Ok(())
    }
}

impl Resource {
    /// `mutex S.m`, or `mutex 0x7f..` where it has no name.
    pub fn label(&self) -> String {
        let kind = self.kind;
        match (&self.name, self.address, self.descriptor) {
            (Some(name), _, None) => format!("{kind} {name}"),
            (Some(name), _, Some(fd)) => format!("{kind} {fd} ({name})"),
            (None, _, Some(fd)) => format!("{kind} {fd}"),
            (None, Some(address), None) if kind == ResourceKind::Descriptor => {
                format!("descriptors polled at {address:#x}")
            }
            (None, Some(address), None) => format!("{kind} {address:#x}"),
            (None, None, None) => kind.to_string(),
        }
    }
}

/// How many frames at the root are start-up: all below the program's own outermost one. None if nothing on
/// the stack is the program's own, and never one that a signal interrupted.
fn start_up_frames(frames: &[Frame]) -> usize {
    let kept = frames.iter().rposition(|frame| frame.is_ours() || frame.signal_frame);
    match kept {
        Some(at) if !frames[at].signal_frame => frames.len() - at - 1,
        _ => 0,
    }
}
