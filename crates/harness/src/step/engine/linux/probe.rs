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
    let path = engine.record()?.path;
    let boundaries = path.len();
    if boundaries < 2 {
        return Err(Trouble::Astray(format!("it recorded a path with too few boundaries ({boundaries})")));
    }
    match engine.inject(Shot { path: &path, at: boundaries / 2, second: None, explain: false })?.outcome {
        Outcome::Delivered => Ok(()),
        outcome => Err(Trouble::Astray(format!("of {boundaries} boundaries, one in the middle gave: {outcome}"))),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Boundary;
    use crate::step::engine::{Ended, Recorded};

    /// An engine that records no boundary, and that must not be asked for one.
    struct Blind;

    impl Engine for Blind {
        fn record(&mut self) -> Result<Recorded, Trouble> {
            let ended = Ended { outcome: Outcome::Delivered, detail: String::new(), finding: None };
            Ok(Recorded { path: Vec::new(), ended })
        }

        fn record_handler(&mut self, _path: &[Boundary], _at: usize) -> Result<Vec<Boundary>, Trouble> {
            unreachable!("the probe looks into no handler")
        }

        fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
            panic!("boundary {} of an empty path", shot.at)
        }
    }

    #[test]
    fn an_empty_path_is_refused_before_it_is_used() {
        let refused = attempt(&mut Blind).unwrap_err();
        assert_eq!(refused.to_string(), "it recorded a path with too few boundaries (0)");
    }
}
