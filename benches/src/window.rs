//! The time that counts.

use std::time::{Duration, Instant};

/// The time that counts: after the warm-up, for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    from: Instant,
    to: Instant,
}

impl Window {
    pub(crate) fn new(warm_up: Duration, length: Duration) -> Self {
        let from = Instant::now() + warm_up;
        Self { from, to: from + length }
    }

    pub(crate) fn has(&self, moment: Instant) -> bool {
        (self.from..self.to).contains(&moment)
    }

    pub(crate) fn is_over(&self, moment: Instant) -> bool {
        moment >= self.to
    }

    pub(crate) fn seconds(&self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }
}
