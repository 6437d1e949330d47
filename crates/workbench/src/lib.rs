//! What a single verb of the command line needs, and needs a library for that is slow to build. Each is a
//! program: cargo builds it when that verb runs it, so that no other verb waits for that.
//!
//! | program | verb | library |
//! |---|---|---|
//! | `sigproof-orderings` | `model --weaken` | `syn` |
//! | `sigproof-chart` | `bench --write` | `plotters` |
//! | `sigproof-conform` | `conform` | `proptest` |
//! | `sigproof-litmus` | `litmus` | `sigproof-explore` |

use sigproof_inspect::process::lines::{Dialect, Orders, Teller};

pub mod chart;
pub mod conform;
pub mod litmus;
pub mod orderings;

/// Answers each order of the parent with one event.
pub fn answer<D, T>(answer: impl Fn(D::Order) -> Result<T, String>)
where
    D: Dialect<Event = Result<T, String>>,
{
    let teller = Teller::<D>::greet(|| ());
    for order in Orders::<D>::of_parent() {
        teller.tell(&order.and_then(&answer));
    }
}
