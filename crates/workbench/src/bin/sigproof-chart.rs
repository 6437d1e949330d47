//! Draws charts for `cargo xtask bench --write`. It gets an order and tells an event.

use sigproof_oracle::bench::Drawing;
use sigproof_workbench::{answer, chart::svg};

fn main() {
    answer::<Drawing, _>(|lines| svg(&lines).map_err(|error| error.to_string()));
}
