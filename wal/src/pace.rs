//! How long a group takes, which says whether it is worth to sleep meanwhile.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// A group that ends sooner costs less than to put a thread to sleep and to wake it, 5 to 10
/// microseconds. Only where a sync needs no device: memory, and what is as fast.
const QUICK_NANOS: i64 = 8_000;

/// One group of so many is timed: looking at the clock takes time, too.
const TIMED: u64 = 16;

/// How long groups take, from their write to their being durable: a moving average. A hint only,
/// so that it may be looked at without order.
#[derive(Debug)]
pub(crate) struct Pace(AtomicI64);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicI64::new(i64::from(u32::MAX)))
    }
}

impl Pace {
    pub(crate) fn is_quick(&self) -> bool {
        self.0.load(Relaxed) < QUICK_NANOS
    }

    /// Whether this group is to be timed.
    pub(crate) const fn is_timed(group: u64) -> bool {
        group.is_multiple_of(TIMED)
    }

    /// A group took so long. A clock that was set back says nothing.
    pub(crate) fn note(&self, micros: i64) {
        let mean = self.0.load(Relaxed);
        // A sync of a second is forgotten as soon as one of a millisecond.
        let nanos = micros.clamp(0, 1_000) * 1_000;
        self.0.store(mean.min(1_000_000) + (nanos - mean.min(1_000_000)) / 8, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_quick_after_some_quick_groups_until_a_slow_one() {
        let pace = Pace::default();
        assert!(!pace.is_quick());
        (0..100).for_each(|_| pace.note(2));
        assert!(pace.is_quick());
        pace.note(100);
        assert!(!pace.is_quick());
    }
}
