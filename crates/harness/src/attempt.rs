//! What a case is given for one attempt.

use sigproof_inspect::refusal::Refusal;
use sigproof_shim::native::atomic::Ordering;

use crate::inject::{self, Delivery, Injector};
use crate::page::Page;

/// How a worker ends that could not understand its order.
pub const EXIT_ORDER: u8 = 64;

/// What a case gets for one attempt.
#[derive(Debug)]
pub struct Attempt {
    /// The page shared with the parent.
    pub page: &'static Page,
    /// How many rounds to run.
    pub rounds: u64,
    /// The seed of everything random.
    pub seed: u64,
    pub(crate) delivery: Delivery,
}

impl Attempt {
    /// Makes the calling thread the target of signals that run `body`.
    ///
    /// # Errors
    /// As [`Injector::new`].
    pub fn injector(&self, body: impl Fn() -> Result<(), inject::Fault> + Sync + 'static) -> Result<Injector, Refusal> {
        Injector::new(self.page, self.delivery, self.seed, Box::leak(Box::new(body)))
    }

    /// Installs `body` as the handler of signals that the case raises itself.
    ///
    /// # Errors
    /// As [`inject::install`].
    pub fn handler(&self, body: impl Fn() -> Result<(), inject::Fault> + Sync + 'static) -> Result<(), Refusal> {
        inject::install(self.page, Box::leak(Box::new(body)))
    }

    /// The rounds, until they are done or the parent wants an end.
    pub fn rounds(&self) -> impl Iterator<Item = u64> + use<> {
        let page = self.page;
        (0..self.rounds).take_while(|_| !page.stopping())
    }

    /// Shows the parent that something moved.
    pub fn tick(&self) {
        self.page.ticks.fetch_add(1, Ordering::Relaxed);
    }
}
