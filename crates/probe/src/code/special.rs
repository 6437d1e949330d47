//! Functions of the C library that the reading has to understand: they never return, fill memory, build sets
//! of signals, or decide whether a handler can run.

use super::value::{Atom, State, Value};

/// What a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    NeverReturns,
    /// `memset` and its like: destination, byte, length.
    Fills,
    /// `bzero`: destination, length.
    Clears,
    /// `memcpy`: destination, source, length.
    Copies,
    EmptySet,
    FullSet,
    AddToSet,
    RemoveFromSet,
    /// `sigprocmask`: how, set, old set.
    Masks,
    /// `signal`: signal, handler.
    Signal,
    /// `sigaction`: signal, action, old action.
    Action,
    /// `sighold` and `sigrelse`: signal.
    Hold,
    Release,
}

/// All signals.
pub(crate) const ALL: u64 = u64::MAX;

/// What the function of this name does.
pub(crate) fn of(symbol: &str) -> Option<Special> {
    Some(match symbol {
        "exit"
        | "_exit"
        | "_Exit"
        | "quick_exit"
        | "abort"
        | "longjmp"
        | "siglongjmp"
        | "_longjmp"
        | "__longjmp_chk"
        | "__stack_chk_fail"
        | "__assert_fail"
        | "__assert_perror_fail"
        | "__assert"
        | "__fortify_fail"
        | "__chk_fail"
        | "__libc_start_main"
        | "pthread_exit"
        | "_Unwind_Resume"
        | "__cxa_throw"
        | "__cxa_rethrow"
        | "__libc_fatal"
        | "err"
        | "errx"
        | "verr"
        | "verrx"
        | "_ZSt9terminatev" => Special::NeverReturns,
        _ if symbol.starts_with("_ZSt") && symbol.contains("__throw_") => Special::NeverReturns,
        "memset" | "__memset_chk" => Special::Fills,
        "bzero" | "explicit_bzero" | "__explicit_bzero_chk" => Special::Clears,
        "memcpy" | "memmove" | "__memcpy_chk" | "__memmove_chk" => Special::Copies,
        "sigemptyset" => Special::EmptySet,
        "sigfillset" => Special::FullSet,
        "sigaddset" => Special::AddToSet,
        "sigdelset" => Special::RemoveFromSet,
        "sigprocmask" | "pthread_sigmask" | "__sigprocmask" => Special::Masks,
        "signal" | "bsd_signal" | "sysv_signal" | "__sysv_signal" | "__bsd_signal" | "ssignal" | "sigset" => {
            Special::Signal
        }
        "sigaction" | "__sigaction" | "__libc_sigaction" => Special::Action,
        "sighold" => Special::Hold,
        "sigrelse" => Special::Release,
        _ => return None,
    })
}

/// The bit of a signal, or all for one that is not known.
fn bit(signal: &Value) -> Option<u64> {
    signal.as_number().filter(|signal| (1..=64).contains(signal)).map(|signal| 1 << (signal - 1))
}

/// Whether the handler is one that runs no code of the program.
fn is_none(handler: &Value) -> Option<bool> {
    match handler {
        Value::Any => None,
        other => Some(other.atoms().iter().all(|atom| matches!(atom, Atom::Number(0 | 1)))),
    }
}

fn stack(value: &Value) -> Option<i64> {
    if let Some(Atom::Stack(at)) = value.only() { Some(at) } else { None }
}

/// Changes the state as the function does.
pub(crate) fn apply(special: Special, arguments: &[Value], state: &mut State) {
    let argument = |number: usize| arguments.get(number).unwrap_or(&Value::Any);
    match special {
        Special::NeverReturns => {}
        Special::Fills => fill(state, argument(0), argument(1), argument(2)),
        Special::Clears => fill(state, argument(0), &Value::number(0), argument(1)),
        Special::Copies => {
            let (Some(to), length) = (stack(argument(0)), argument(2).as_number().unwrap_or(152).min(4096)) else {
                return;
            };
            let words: Vec<Value> = match stack(argument(1)) {
                Some(from) => (0..length.cast_signed() / 8).map(|n| state.slot(from + 8 * n, 8)).collect(),
                None => Vec::new(),
            };
            state.forget(to, length.cast_signed());
            for (n, value) in words.into_iter().enumerate() {
                state.store(to + 8 * n as i64, 8, value);
            }
        }
        Special::EmptySet => set(state, argument(0), |_| 0),
        Special::FullSet => set(state, argument(0), |_| ALL),
        Special::AddToSet => set(state, argument(0), |known| known | bit(argument(1)).unwrap_or(0)),
        Special::RemoveFromSet => set(state, argument(0), |known| known & !bit(argument(1)).unwrap_or(ALL)),
        Special::Masks => {
            // No set: the mask is only asked for. One that is not on the stack was filled elsewhere: it is
            // taken to hold what it is used for.
            if argument(1).as_number() == Some(0) {
                return;
            }
            let known = stack(argument(1)).and_then(|at| state.sets.get(&at).copied());
            let elsewhere = stack(argument(1)).is_none().then_some(ALL);
            match argument(0).as_number() {
                Some(0) => state.masks.shut(known.or(elsewhere).unwrap_or(0)),
                Some(1) => state.masks.open(known.unwrap_or(ALL)),
                _ => match known {
                    Some(signals) => {
                        state.masks.open(!signals);
                        state.masks.shut(signals);
                    }
                    // The mask of before is put back.
                    None => {
                        state.masks.open(state.masks.shut);
                        state.masks.keep = u64::MAX;
                    }
                },
            }
            if let Some(old) = stack(argument(2)) {
                state.sets.remove(&old);
            }
        }
        Special::Signal => decide(state, argument(0), is_none(argument(1))),
        Special::Action => {
            if argument(1).as_number() != Some(0) {
                let handler = stack(argument(1)).map_or(Value::Any, |at| state.slot(at, 8));
                decide(state, argument(0), is_none(&handler));
            }
            if let Some(old) = stack(argument(2)) {
                state.forget(old, 152);
                state.store(old, 8, Value::Is(Atom::Old));
            }
        }
        Special::Hold => state.masks.shut(bit(argument(0)).unwrap_or(0)),
        Special::Release => state.masks.open(bit(argument(0)).unwrap_or(ALL)),
    }
}

/// The action of a signal is set.
fn decide(state: &mut State, signal: &Value, none: Option<bool>) {
    match (bit(signal), none) {
        (Some(signal), Some(true)) => state.masks.shut(signal),
        (None, Some(true)) => {}
        (signal, _) => state.masks.open(signal.unwrap_or(ALL)),
    }
}

fn set(state: &mut State, at: &Value, change: impl Fn(u64) -> u64) {
    if let Some(at) = stack(at) {
        let known = state.sets.get(&at).copied().unwrap_or(0);
        state.sets.insert(at, change(known));
    }
}

fn fill(state: &mut State, to: &Value, byte: &Value, length: &Value) {
    let Some(to) = stack(to) else { return };
    let length = length.as_number().unwrap_or(152).min(4096).cast_signed();
    state.forget(to, length);
    if byte.as_number() == Some(0) {
        (0..length / 8).for_each(|n| state.store(to + 8 * n, 8, Value::number(0)));
    }
}
