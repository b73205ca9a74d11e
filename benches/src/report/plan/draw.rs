//! What commands are drawn from.

use crate::random::Random;

/// One command of so many, in the middle, asks for what is impossible.
pub(crate) const IMPOSSIBLE_EVERY: u64 = 20;

/// The random numbers of a command.
pub(crate) fn random_of(seed: u64, number: u64) -> Random {
    // Twice, since neighbours among seeds of Splitmix64 may be neighbours in one sequence.
    let start = Random::new(seed).next().wrapping_add(number);
    Random::new(Random::new(start).next())
}
