//! Simulated time and randomness.

use std::{io, sync::Arc};

use annals_wal::Environment;
use parking_lot::Mutex;

use crate::random::Random;

/// 2020-01-01T00:00:00Z, in microseconds.
const START: i64 = 1_577_836_800_000_000;

/// A clock that starts at 2020-01-01T00:00:00Z and goes on by a microsecond whenever it is
/// asked, and randomness from a seed. Clones are the same clock and the same randomness.
#[derive(Debug, Clone)]
pub struct SimEnvironment(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    now_micros: i64,
    random: Random,
}

impl SimEnvironment {
    /// An environment; the seed is for the randomness only.
    pub fn new(seed: u64) -> Self {
        let state = State { now_micros: START, random: Random::new(seed) };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Sets the clock forward, or back if `micros` is negative.
    pub fn advance(&self, micros: i64) {
        let mut state = self.0.lock();
        state.now_micros = state.now_micros.saturating_add(micros);
    }
}

impl Environment for SimEnvironment {
    fn now_micros(&self) -> i64 {
        let mut state = self.0.lock();
        let now = state.now_micros;
        state.now_micros = now.saturating_add(1);
        now
    }

    fn random(&self) -> io::Result<u128> {
        let mut state = self.0.lock();
        let (high, low) = (state.random.bits(), state.random.bits());
        Ok(u128::from(high) << 64 | u128::from(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_by_one_and_can_be_set() {
        let environment = SimEnvironment::new(0);
        let clone = environment.clone();
        assert_eq!(environment.now_micros(), START);
        assert_eq!(clone.now_micros(), START + 1);
        environment.advance(-1000);
        assert_eq!(clone.now_micros(), START - 998);
    }

    #[test]
    fn randomness_follows_the_seed() {
        let numbers = |seed| {
            let environment = SimEnvironment::new(seed);
            [environment.random().unwrap(), environment.random().unwrap()]
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        assert_ne!(numbers(1)[0], numbers(1)[1]);
    }
}
