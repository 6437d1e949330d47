//! Differential tests of the buffer.
