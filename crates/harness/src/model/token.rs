//! The text that names one execution: model, plan and choices, `LABEL@PLAN@CHOICES@CHECK`, without a
//! character that a shell minds.
//!
//! The plan is `s6h0` for handler 0 at point 6, `t1` for the time-out of timed wait 1, `u2` for wait 2 that
//! ends for nothing, joined by `+`; `none` if nothing happens. For an execution graph it is `e1`, with the
//! most perturbations of an execution, with `t` if waits may time out and `u` if they may end for nothing:
//! the graph says what happens where. The choices are the engine's own, and fit the source that made them:
//! another one may have other operations. The check is a checksum of what is before
//! it: it refuses a token that was copied in part or changed.

use std::fmt;
use std::str::FromStr;

use sigproof_shim::model::{Choices, Engine, Environment, Limits, Plan};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which model: [`Entry::label`](super::Entry::label).
    pub label: String,
    /// What happens to it.
    pub perturbed: Perturbed,
    /// Which way it goes.
    pub choices: Choices,
}

/// What happens to an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Perturbed {
    /// A plan: loom explores each by itself.
    Plan(Plan),
    /// What the environment may do: the choices say what it does.
    By(Environment),
}

impl Token {
    /// The engine that repeats it.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.perturbed {
            Perturbed::Plan(_) => Engine::Loom,
            Perturbed::By(_) => Engine::Graph,
        }
    }
}

/// A text that is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a replay token: {0}; a token is MODEL@PLAN@CHOICES@CHECK, as a counterexample prints it")]
pub struct BadToken(&'static str);

/// What happens, in a token and in tables.
pub fn perturbed_text(perturbed: &Perturbed) -> String {
    match perturbed {
        Perturbed::Plan(plan) => plan_text(plan),
        Perturbed::By(Environment { most, timeouts, spurious }) => {
            format!("e{most}{}{}", if *timeouts { "t" } else { "" }, if *spurious { "u" } else { "" })
        }
    }
}

fn plan_text(plan: &Plan) -> String {
    let signals = plan.signals.iter().map(|(point, handler)| format!("s{point}h{handler}"));
    let timeouts = plan.timeouts.iter().map(|n| format!("t{n}"));
    let spurious = plan.spurious.iter().map(|n| format!("u{n}"));
    let parts: Vec<_> = signals.chain(timeouts).chain(spurious).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join("+") }
}

pub(super) fn parse_perturbed(text: &str) -> Option<Perturbed> {
    let Some(rest) = text.strip_prefix('e') else { return parse_plan(text).map(Perturbed::Plan) };
    let (rest, spurious) = rest.strip_suffix('u').map_or((rest, false), |rest| (rest, true));
    let (rest, timeouts) = rest.strip_suffix('t').map_or((rest, false), |rest| (rest, true));
    Some(Perturbed::By(Environment { most: rest.parse().ok()?, timeouts, spurious }))
}

fn parse_plan(text: &str) -> Option<Plan> {
    let mut plan = Plan::default();
    if text == "none" {
        return Some(plan);
    }
    for part in text.split('+') {
        let (kind, rest) = part.split_at_checked(1)?;
        match kind {
            "s" => {
                let (point, handler) = rest.split_once('h')?;
                plan.signals.push((point.parse().ok()?, handler.parse().ok()?));
            }
            "t" => plan.timeouts.push(rest.parse().ok()?),
            "u" => plan.spurious.push(rest.parse().ok()?),
            _ => return None,
        }
    }
    Some(plan)
}

/// The text with its check behind it.
pub fn with_check(text: &str) -> String {
    format!("{text}@{}", check(text))
}

/// FNV-1a, 32 bits.
fn check(text: &str) -> String {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("{:08x}", text.bytes().fold(0x811c_9dc5, step))
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_check(&format!("{}@{}@{}", self.label, perturbed_text(&self.perturbed), self.choices.0)))
    }
}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let (Some((rest, found)), 3) = (text.rsplit_once('@'), text.matches('@').count()) else {
            return Err(BadToken("it has not four parts"));
        };
        if found != check(rest) {
            return Err(BadToken("its check does not fit: a part of it is missing, added or changed"));
        }
        let mut parts = rest.split('@');
        let (Some(label), Some(plan), Some(choices)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadToken("it has not four parts"));
        };
        let perturbed = parse_perturbed(plan).ok_or(BadToken("its plan makes no sense"))?;
        if label.is_empty() {
            return Err(BadToken("it names no model"));
        }
        let choices = Choices(choices.to_owned());
        let most = Limits::default().branches;
        let is_readable = match perturbed {
            Perturbed::Plan(_) => choices.readable(most),
            Perturbed::By(_) => choices.is_graph(2 * most),
        };
        if !is_readable {
            return Err(BadToken("its choices cannot be read, or are more than an execution can have"));
        }
        Ok(Self { label: label.to_owned(), perturbed, choices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Plan::default(), "none")]
    #[case(Plan { signals: vec![(6, 0), (6, 1)], timeouts: vec![0], spurious: vec![2, 10] }, "s6h0+s6h1+t0+u2+u10")]
    fn there_and_back(#[case] plan: Plan, #[case] text: &str) {
        assert_eq!(plan_text(&plan), text);
        let (perturbed, choices) = (Perturbed::Plan(plan), Choices("A3bqz".to_owned()));
        let token = Token { label: "a-case/broken/sema".to_owned(), perturbed, choices };
        assert_eq!(token.to_string().parse(), Ok(token));
    }

    #[rstest]
    #[case(Environment { most: 0, timeouts: false, spurious: false }, "e0")]
    #[case(Environment { most: 12, timeouts: true, spurious: true }, "e12tu")]
    #[case(Environment { most: 1, timeouts: false, spurious: true }, "e1u")]
    fn the_token_of_a_graph(#[case] environment: Environment, #[case] text: &str) {
        let perturbed = Perturbed::By(environment);
        assert_eq!(perturbed_text(&perturbed), text);
        let choices = Choices("T.oi2b3-T1.om4nz".to_owned());
        let token = Token { label: "a-case/broken/sema".to_owned(), perturbed, choices };
        assert_eq!(token.engine(), Engine::Graph);
        assert_eq!(token.to_string().parse(), Ok(token));
        assert!(with_check(&format!("a@{text}@A3bqz")).parse::<Token>().is_err(), "the choices of loom");
        assert!(with_check("a@none@T.oi2b3").parse::<Token>().is_err(), "a graph under a plan");
    }

    #[rstest]
    #[case("a@none@A@b")]
    fn parts_and_check(#[case] text: &str) {
        assert!(text.parse::<Token>().is_err(), "{text}");
    }

    #[test]
    fn a_changed_token_is_none() {
        let token = with_check("a-case/broken/sema@s1h0@A6aqbz");
        assert!(token.parse::<Token>().is_ok(), "{token}");
        let junk = ["zzzz", "0", "A", "@"].map(|junk| format!("{token}{junk}"));
        let within = [token.replace("A6", "A7"), token.replace("s1", "s2"), token.replace("aqbz", "aqbzzzz")];
        let cut = token[..token.len() - 1].to_owned();
        for text in junk.into_iter().chain(within).chain([cut]) {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }

    #[rstest]
    #[case("")]
    #[case("a@none")]
    #[case("a@none@ffffffff")]
    #[case("a@none@999A")]
    #[case("a@none@a99999")]
    #[case("a@none@A@b")]
    #[case("a@x1@A")]
    #[case("a@s1@A")]
    #[case("@none@A")]
    #[case("a@none@A b")]
    #[case("a@s99999999999h0@A")]
    fn nonsense(#[case] text: &str) {
        assert!(with_check(text).parse::<Token>().is_err(), "{text}");
    }

    #[rstest]
    #[case("a/broken@sleep@k1@o+0x1@s+0x1#1")]
    #[case("a/broken@sleep@k1:asleep@o+0x1@#1")]
    fn the_token_of_a_boundary_is_no_token_of_an_execution(#[case] text: &str) {
        assert!(sigproof_step::token::Token::looks_like(text) && text.parse::<Token>().is_err());
    }
}
