//! The clock is passed in: nothing below the command line asks the machine what time it is.

use crate::UtcMicros;

/// Where a run takes "now" from.
pub trait Clock: Send + Sync {
    /// The current instant, UTC.
    fn now(&self) -> UtcMicros;
}

/// A clock that stands still: `--now`, tests and replays.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub UtcMicros);

impl Clock for FixedClock {
    fn now(&self) -> UtcMicros {
        self.0
    }
}

/// The machine's clock. Only the command line and the serving edges may build one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock as a time; ids only take their order from it"
    )]
    fn now(&self) -> UtcMicros {
        UtcMicros::new(chrono::Utc::now().timestamp_micros())
    }
}
