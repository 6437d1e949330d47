//! stub
use super::step::{Convention, Step};
pub(crate) const CONVENTION: Convention = Convention {
    arguments: &[0, 1, 2, 3, 4, 5],
    result: 0,
    lost: &[],
    stack: 31,
    kernel: (8, &[0, 1, 2, 3, 4, 5]),
    sigaction: 134,
};
pub(crate) fn decode(_code: &[u8], _at: u64, _step: &mut Step) -> bool {
    false
}
