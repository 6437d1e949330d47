//! Reads the memory orderings of a workspace for `cargo xtask model --weaken`. It gets an order and tells an
//! event.

use sigproof_harness::model::orderings::Reading;
use sigproof_workbench::{answer, orderings::places};

fn main() {
    answer::<Reading, _>(|workspace| places(&workspace).map_err(|error| error.to_string()));
}
