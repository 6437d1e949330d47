//! What a stack does not show: by the numbers of its frames, and by its end.

use crate::rules::frames;
use crate::stacks::dump::{Tool, Trace};

/// What the numbers of the frames tell: gaps, and whether the stack reaches its root.
pub fn numbers(trace: &mut Trace) {
    for (at, pair) in trace.frames.windows(2).enumerate() {
        let (Some(one), Some(next)) = (pair[0].number, pair[1].number) else { continue };
        if next > one + 1 {
            if !trace.gaps.contains(&at) {
                trace.gaps.push(at);
            }
            trace.missing.push(match next - one {
                2 => format!("frame {} is not shown", one + 1),
                _ => format!("frames {} to {} are not shown", one + 1, next - 1),
            });
        }
    }
    if let Some(first) = trace.frames.first().and_then(|frame| frame.number).filter(|first| *first > 0) {
        let innermost_one = matches!(trace.tool, Some(Tool::Rust | Tool::Other)) && first == 1;
        if !innermost_one {
            trace.missing.push(format!("the frames before frame {first} are not shown"));
        }
    }
    let unnumbered_gaps =
        trace.gaps.iter().filter(|at| trace.frames.get(**at).is_some_and(|frame| frame.number.is_none())).count();
    if unnumbered_gaps > 0 {
        trace.missing.push("frames are left out".to_owned());
    }
    let complete = trace.frames.iter().rev().take(4).any(|frame| frames::is_root(&frame.name));
    if !complete && !trace.frames.is_empty() && !trace.history {
        let last = trace.frames.last().and_then(|frame| frame.number);
        trace.missing.push(match last {
            Some(last) => format!("the frames after frame {last}: the stack ends before its root"),
            None => "the outermost frames: the stack ends before its root".to_owned(),
        });
    }
}
