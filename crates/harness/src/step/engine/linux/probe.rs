//! Whether an engine works here: it is tried, on a window that does next to nothing.

use core::hint::black_box;

use crate::case::{Outcome, Setup};
use crate::step::engine::{Engine, Kind, Shot, Trouble};
use crate::step::{Entry, Window};

/// Why an engine does not work here, and what would help.
pub(in crate::step::engine) fn lacks(kind: Kind) -> Option<String> {
    if cfg!(not(target_arch = "x86_64")) && kind != Kind::SingleStep {
        return Some(format!("engine {kind} needs an x86_64 processor; use --engine {}", Kind::SingleStep));
    }
    let tried = super::open(kind, &nothing()).and_then(|mut engine| attempt(&mut *engine));
    match tried {
        Ok(()) => None,
        Err(error @ Trouble::System { .. }) if kind != Kind::TrapFlag => Some(format!(
            "engine {kind} is refused here ({error}); allow ptrace of one's own children: in a container by \
             --cap-add=SYS_PTRACE or another seccomp profile, else by `sysctl kernel.yama.ptrace_scope=1`; or use --engine {}",
            Kind::TrapFlag
        )),
        Err(error) => Some(format!("engine {kind} does not work here: {error}; try another one with --engine")),
    }
}

fn attempt(engine: &mut dyn Engine) -> Result<(), Trouble> {
    let recorded = engine.record()?;
    let at = recorded.path.len() / 2;
    let ended = engine.inject(Shot { path: &recorded.path, at, second: None, explain: false })?;
    match (recorded.path.len(), ended.outcome) {
        (2.., Outcome::Delivered) => Ok(()),
        (boundaries, outcome) => {
            Err(Trouble::Astray(format!("of {boundaries} boundaries, one in the middle gave: {outcome}")))
        }
    }
}

/// A window of a few instructions.
fn nothing() -> Entry {
    let window = Window::new("nothing", |stage| {
        stage.handler(|_| Ok(()))?;
        while stage.another()? {
            stage.window(|| {
                for n in 0..4_u64 {
                    black_box(n);
                }
            });
        }
        Ok(())
    });
    Entry { name: "probe", setup: Setup::fixed(), window }
}
