//! What the callers of a workload ask for.

use annals::{Annals, Command, Executor};

use crate::{error::BenchError, random::Random};

/// What the callers of a workload ask for.
pub(crate) trait Load: Sync {
    type Request: Command<Rejection: std::fmt::Debug> + Sync;

    /// What must be there before they begin.
    fn prepare(&self, executor: &Executor<Annals>) -> Result<(), BenchError>;

    /// The next thing that caller number `caller` asks for, its `count`th.
    fn next(
        &self,
        random: &mut Random,
        caller: usize,
        count: u64,
    ) -> Result<Self::Request, BenchError>;

    /// Whether the rules held in all that is in the log.
    fn audit(&self, annals: &Annals) -> Result<(), BenchError>;
}
