//! The time that counts.

use std::time::{Duration, Instant};

/// The time that counts: after the warm-up, for a while.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    from: Instant,
    to: Instant,
}

impl Window {
    /// Begins with the warm-up, now.
    pub fn new(warm_up: Duration, length: Duration) -> Self {
        let from = Instant::now() + warm_up;
        Self { from, to: from + length }
    }

    /// Whether the moment counts.
    pub fn has(&self, moment: Instant) -> bool {
        (self.from..self.to).contains(&moment)
    }

    /// Whether the moment is after it.
    pub fn is_over(&self, moment: Instant) -> bool {
        moment >= self.to
    }

    /// How long it is.
    pub fn seconds(&self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }
}
