//! How thoroughly everything is measured.

use std::time::Duration;

/// How thoroughly everything is measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Plan {
    /// How long each run counts.
    pub(crate) seconds: f64,
    /// How often each case is run.
    pub(crate) runs: u32,
    /// Only cases whose names have this in them.
    pub(crate) only: String,
    /// How many events the logs have that are read.
    pub(crate) read_events: u64,
    /// How many single events are read at random.
    pub(crate) random_reads: u64,
    /// How many events the logs have that are opened.
    pub(crate) opened_events: Vec<u64>,
    /// How many events the logs have whose bytes are counted.
    pub(crate) sized_events: u64,
}

/// What is in memory stays there: no longer than this.
const SECONDS_IN_MEMORY_MAX: f64 = 3.0;

impl Plan {
    pub(crate) fn thorough() -> Self {
        Self {
            seconds: 2.0,
            runs: 5,
            only: String::new(),
            read_events: 2_000_000,
            random_reads: 100_000,
            opened_events: vec![10_000, 100_000, 1_000_000, 10_000_000],
            sized_events: 1_000_000,
        }
    }

    /// A few minutes in all: to see that everything works, and orders of magnitude.
    pub(crate) fn quick() -> Self {
        Self {
            seconds: 0.4,
            runs: 3,
            only: String::new(),
            read_events: 300_000,
            random_reads: 20_000,
            opened_events: vec![10_000, 100_000, 1_000_000],
            sized_events: 200_000,
        }
    }

    /// Whether a case is wanted.
    pub(crate) fn has(&self, case: &impl ToString) -> bool {
        case.to_string().contains(&self.only)
    }

    /// How long a run counts.
    pub(crate) fn length(&self, is_in_memory: bool) -> Duration {
        let max = if is_in_memory { SECONDS_IN_MEMORY_MAX } else { f64::MAX };
        Duration::from_secs_f64(self.seconds.min(max))
    }

    /// How long callers run before it counts.
    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64((self.seconds / 4.0).clamp(0.1, 1.0))
    }

    /// How long the raw disk is measured before and after a run.
    pub(crate) fn yardstick(&self) -> Duration {
        Duration::from_secs_f64((self.seconds / 8.0).clamp(0.08, 0.5))
    }
}
