//! Each engine delivers its signals where it says: a window of ten instructions, whose handler says which of
//! them it has interrupted.

use sigproof_step::engine::Kind;

use crate::sweeps::{number, swept_one, text};

/// Instructions of `selftest-step-places`.
const PLACES: usize = 10;

/// Boundary k is at label k, the first and the last one included, and the signal that is sent at boundary k
/// interrupts the instruction of label k.
pub fn each_boundary_is_where_it_is_told(engine: Kind) {
    let (ran, run) = swept_one(&["step", "selftest-step-places", "--engine", engine.as_str()]);
    assert_eq!((ran.code, text(&run, "engine")), (Some(0), engine.as_str()), "{}{run:#}", ran.stderr);
    if engine == Kind::Undo {
        assert_eq!(number(&run["undo"], "boundaries"), PLACES as u64, "{run:#}");
    }
    assert_eq!((number(&run, "boundaries"), number(&run, "injected")), (PLACES as u64, PLACES as u64), "{run:#}");
    let ranges = run["ranges"].as_array().unwrap();
    let told: Vec<_> = ranges
        .iter()
        .map(|range| {
            let (first, last) = (&range["first"], &range["last"]);
            assert_eq!(first, last, "neighbours have different outcomes: {range:#}");
            (number(first, "k"), text(first, "place").to_owned(), text(range, "detail").to_owned())
        })
        .collect();
    let wanted: Vec<_> = (0..PLACES)
        .map(|k| (k as u64, format!("sigproof_place_{k}+0x0"), format!("the signal interrupted sigproof_place_{k}")))
        .collect();
    assert_eq!(told, wanted);
    // One boundary alone, which is another way to the same place.
    for k in [0, PLACES - 1] {
        let at = k.to_string();
        let (_, one) = swept_one(&["step", "selftest-step-places", "--engine", engine.as_str(), "--k", &at]);
        let said = text(&one["diagnosis"], "sentence");
        assert_eq!(said, format!("the signal interrupted sigproof_place_{k}"), "{one:#}");
    }
}
