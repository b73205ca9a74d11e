//! How thoroughly everything is measured.

use std::time::Duration;

/// How thoroughly everything is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    /// How often each system is measured in each case.
    pub(crate) rounds: u32,
    /// How long callers append, as far as it counts.
    pub(crate) length: Duration,
    /// How many events the logs have that are opened and read: some thousands.
    pub(crate) events: u64,
    /// How long each kind of reading is measured.
    pub(crate) reading: Duration,
}

/// A disk that was just written to gets a moment to itself.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// How long the raw disk is measured, before and after each run.
pub(crate) const YARDSTICK: Duration = Duration::from_millis(80);

impl Plan {
    pub(crate) fn thorough() -> Self {
        Self {
            rounds: 3,
            length: Duration::from_millis(800),
            events: 1_000_000,
            reading: Duration::from_millis(400),
        }
    }

    /// To see that everything works, and orders of magnitude.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            length: Duration::from_millis(150),
            events: 20_000,
            reading: Duration::from_millis(50),
        }
    }

    /// How long callers append before it counts.
    pub(crate) fn warm_up(&self) -> Duration {
        self.length / 4
    }
}
