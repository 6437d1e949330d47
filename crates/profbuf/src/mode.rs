//! How the reader comes to know that there is something: it is woken as a [`WakePolicy`] says, or it looks
//! now and then: [`Polled`].
//!
//! The type decides, so that what a mode does not need is not even compiled into it: see the table in the
//! crate's documentation.

use core::convert::Infallible;

use crate::wake::{Decision, Wake, WakePolicy};

/// The mode of a buffer: [`Polled`], or any [`WakePolicy`]. There are no others.
pub trait Mode: sealed::Mode {}

impl<P: WakePolicy> Mode for P {}
impl Mode for Polled {}

/// The reader polls; it cannot sleep, so no thread wakes it, and no thread but the writer writes the write
/// word. For a writer that is a signal handler where no note may be woken from one.
#[derive(Clone, Copy, Debug)]
pub enum Polled {}

/// The note of a [`Polled`] buffer. It is never slept on or woken, and cannot be had outside of one.
#[derive(Debug)]
pub struct NoNote(());

impl NoNote {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl Wake for NoNote {
    type Error = Infallible;

    fn clear(&self) {}

    fn sleep(&self) -> Result<(), Infallible> {
        Ok(())
    }

    fn wakeup(&self) -> Result<(), Infallible> {
        Ok(())
    }
}

mod sealed {
    use super::{Decision, Polled, WakePolicy};

    /// What the buffer asks of its mode.
    pub trait Mode: Send + Sync + 'static {
        /// Whether the reader may sleep. If not, neither decision is ever asked for.
        const SLEEPS: bool;

        /// [`WakePolicy::on_commit`].
        fn on_commit(unread: usize, capacity: usize) -> Decision;

        /// [`WakePolicy::on_publish`].
        fn on_publish() -> Decision;
    }

    impl<P: WakePolicy> Mode for P {
        const SLEEPS: bool = true;

        #[inline]
        fn on_commit(unread: usize, capacity: usize) -> Decision {
            P::on_commit(unread, capacity)
        }

        #[inline]
        fn on_publish() -> Decision {
            P::on_publish()
        }
    }

    impl Mode for Polled {
        const SLEEPS: bool = false;

        fn on_commit(_unread: usize, _capacity: usize) -> Decision {
            Decision::KEEP
        }

        fn on_publish() -> Decision {
            Decision::KEEP
        }
    }
}
