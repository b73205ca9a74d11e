//! What the report asks of every backend: the same commands, and how the streams must end.
//!
//! Commands come from a seed and their number alone, so that any caller can take the next one. The
//! order in which they are carried out changes neither what is accepted nor how streams end: there
//! is so much money and so much stock at first that only what asks for more than ever was is
//! rejected. Therefore [`EndState`]s of all backends can be required to be equal.

mod asked;
mod batch;
mod end_state;
mod financial;
mod orders;
mod workload;

pub use asked::{Asked, Kind};
pub use batch::{Batch, BatchAppend};
pub use end_state::{EndState, Ending};
pub use financial::{Financial, Payment};
pub use orders::{Order, Orders};
pub use workload::Workload;

use crate::random::Random;

/// One command of so many, in the middle, asks for what is impossible.
const IMPOSSIBLE_EVERY: u64 = 20;

/// The random numbers of a command.
fn random_of(seed: u64, number: u64) -> Random {
    // Twice, since neighbours among seeds of Splitmix64 may be neighbours in one sequence.
    let start = Random::new(seed).next().wrapping_add(number);
    Random::new(Random::new(start).next())
}
