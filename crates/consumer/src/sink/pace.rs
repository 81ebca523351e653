//! How much goes into one transaction: as much as there is, unless the database was too slow for that a while ago.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A transaction that took no longer leaves room for a larger one.
const QUICK: Duration = Duration::from_secs(2);

/// See the module. Shared by all who write.
#[derive(Debug)]
pub(super) struct Pace(AtomicUsize);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }
}

impl Pace {
    /// The most messages to put into one transaction.
    pub(super) fn messages(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// So many were too many.
    pub(super) fn too_much(&self, messages: usize) {
        self.0.fetch_min((messages / 2).max(1), Ordering::Relaxed);
    }

    /// A transaction is done.
    pub(super) fn written(&self, took: Duration) {
        if took <= QUICK {
            let more = |messages: usize| Some(messages.saturating_mul(2));
            // It always gives a number.
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_halved_and_what_goes_quickly_grows_again() {
        let pace = Pace::default();
        assert_eq!(pace.messages(), usize::MAX);
        pace.too_much(4000);
        pace.too_much(4000);
        assert_eq!(pace.messages(), 2000);
        pace.too_much(1);
        assert_eq!(pace.messages(), 1);
        pace.written(Duration::from_secs(3));
        assert_eq!(pace.messages(), 1);
        pace.written(Duration::from_secs(1));
        assert_eq!(pace.messages(), 2);
        (0..70).for_each(|_| pace.written(Duration::ZERO));
        assert_eq!(pace.messages(), usize::MAX);
    }
}
