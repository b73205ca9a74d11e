//! How long a group takes, which says whether it is worth to sleep meanwhile.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use crate::environment::Environment;

/// A group that ends sooner costs less than to put a thread to sleep and to wake it, 5 to 10
/// microseconds. Only where a sync needs no device: memory, and what is as fast.
const QUICK_NANOS: i64 = 8_000;

/// How many more groups a caller writes for others, where they are quick, before it goes its way.
pub(crate) const TURNS: u32 = 8;

/// How often a caller looks, where groups are quick, before it lets other threads run: they may
/// be the ones that it waits for.
pub(crate) const SPINS: u32 = 50;

/// How often it does so before it sleeps.
pub(crate) const YIELDS: u32 = 3;

/// One group of so many is timed: looking at the clock takes time, too.
const TIMED: u64 = 16;

/// A group that takes longer counts as this long: it is forgotten as soon.
const SLOW_MICROS: i64 = 1_000;

/// How long groups take, from their write to their being durable: a moving average. A hint only,
/// so that it may be looked at without order.
#[derive(Debug)]
pub(crate) struct Pace(AtomicI64);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicI64::new(SLOW_MICROS * 1_000))
    }
}

impl Pace {
    pub(crate) fn is_quick(&self) -> bool {
        self.0.load(Relaxed) < QUICK_NANOS
    }

    /// Writes a group, and looks how long that takes, if it is its turn. A clock that is set back
    /// meanwhile says nothing.
    pub(crate) fn timed<T>(
        &self,
        environment: &dyn Environment,
        group: u64,
        write: impl FnOnce() -> T,
    ) -> T {
        if !group.is_multiple_of(TIMED) {
            return write();
        }
        let began = environment.now_micros();
        let written = write();
        let took = environment.now_micros().saturating_sub(began);
        if took >= 0 {
            self.note(took);
        }
        written
    }

    /// A group took so long.
    pub(crate) fn note(&self, micros: i64) {
        let mean = self.0.load(Relaxed);
        let nanos = micros.min(SLOW_MICROS) * 1_000;
        self.0.store(mean + (nanos - mean) / 8, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// A clock that goes on as far as the test says whenever somebody looks at it.
    #[derive(Debug)]
    struct Clock {
        now: AtomicI64,
        step: i64,
    }

    impl Environment for Clock {
        fn now_micros(&self) -> i64 {
            self.now.fetch_add(self.step, Relaxed)
        }
        fn random(&self) -> io::Result<u128> {
            Ok(4)
        }
    }

    #[test]
    fn one_group_of_sixteen_is_timed_by_a_clock_that_goes_on() {
        let nanos = SLOW_MICROS * 1_000;
        // The others take nothing of the mean; a clock that goes back none of it either.
        for (step, mean) in [(0, nanos - nanos / 8), (-5, nanos)] {
            let (pace, clock) = (Pace::default(), Clock { now: AtomicI64::new(100), step });
            let written: Vec<u64> = (1..31).map(|n| pace.timed(&clock, n, || n)).collect();
            assert_eq!(written, (1..31).collect::<Vec<_>>());
            assert_eq!(clock.now.load(Relaxed), 100 + 2 * step, "looked at twice");
            assert_eq!(pace.0.load(Relaxed), mean);
        }
    }

    #[test]
    fn is_quick_after_some_quick_groups_until_a_slow_one() {
        let pace = Pace::default();
        assert!(!pace.is_quick());
        (0..100).for_each(|_| pace.note(2));
        assert!(pace.is_quick());
        pace.note(100);
        assert!(!pace.is_quick());
        assert!(!Pace(AtomicI64::new(QUICK_NANOS)).is_quick());
    }
}
