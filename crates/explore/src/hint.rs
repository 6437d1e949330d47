//! Hints for the exploration.

/// Ends a turn of a loop that waits for another thread or a handler. If the turn only read, the thread goes
/// on in another execution, in which one of its loads reads something newer.
pub fn spin_loop() {
    crate::run::spin_turn();
}

/// Leaves out the executions in which `condition` does not hold here.
pub fn assume(condition: bool) {
    crate::run::assume(condition);
}
