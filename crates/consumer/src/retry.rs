//! Waiting between attempts: longer each time, and never in step with another member.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The pauses of one row of failures.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
    /// Failures so far.
    pub(crate) failures: u32,
}

impl Backoff {
    pub(crate) fn new(initial: Duration, max: Duration) -> Self {
        Self {
            next: initial.min(max),
            max,
            failures: 0,
        }
    }

    /// The pause after one more failure: between half and all of what it has come to.
    pub(crate) fn pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let whole = self.next;
        self.next = (whole * 2).min(self.max);
        let half = whole / 2;
        half + half * chance() / 1_000
    }
}

/// 0 to 1,000 by chance; the seed of the standard library's hash maps is chance enough.
fn chance() -> u32 {
    let number = RandomState::new().build_hasher().finish() % 1_001;
    u32::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_differ() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(1_000));
        for whole in [100, 200, 400, 800, 1_000, 1_000, 1_000] {
            let pause = backoff.pause();
            assert!(
                pause >= ms(whole / 2) && pause <= ms(whole),
                "{pause:?} of {whole}"
            );
        }
        assert_eq!(backoff.failures, 7);
        let pauses = || Backoff::new(ms(1_000), ms(1_000)).pause();
        assert!((0..50).any(|_| pauses() != pauses()));
    }
}
