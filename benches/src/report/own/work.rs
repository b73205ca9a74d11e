//! What callers carry out, one by one.

use std::sync::atomic::{AtomicU64, Ordering};

use annals::Committed;

use crate::error::BenchError;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    Accepted {
        events: u64,
    },
    Rejected,
    /// After so many attempts, since others came in between each time.
    GivenUp,
    Failed(String),
}

/// How many events a commit has.
pub(crate) fn events_of(committed: &Committed) -> u64 {
    committed.last.get() - committed.first.get() + 1
}

/// What callers carry out, by number.
pub(crate) trait Work: Send + Sync + 'static {
    fn carry_out(&self, number: u64) -> impl Future<Output = Result<Settled, BenchError>> + Send;

    fn carry_out_blocking(&self, number: u64) -> Result<Settled, BenchError>;
}

/// Which numbers callers get.
#[derive(Debug)]
pub(crate) enum Numbers {
    /// Whoever is free takes the next one.
    Shared { next: AtomicU64, count: u64 },
    /// Each caller has its own, in turn: what follows another must not overtake it.
    Own { callers: u64, count: u64 },
}

impl Numbers {
    pub(crate) fn shared(count: u64) -> Self {
        Self::Shared { next: AtomicU64::new(0), count }
    }

    /// The next one of a caller, which had `taken` before.
    pub(crate) fn next(&self, caller: u64, taken: u64) -> Option<u64> {
        let (number, count) = match self {
            // Just a counter: nothing else is ordered by it.
            Self::Shared { next, count } => (next.fetch_add(1, Ordering::Relaxed), count),
            Self::Own { callers, count } => (caller + taken * callers, count),
        };
        (number < *count).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_given_out_once() {
        for numbers in [Numbers::shared(10), Numbers::Own { callers: 3, count: 10 }] {
            let mut given = Vec::new();
            for caller in 0..3 {
                given.extend((0..).map_while(|taken| numbers.next(caller, taken)));
            }
            given.sort_unstable();
            assert_eq!(given, (0..10).collect::<Vec<_>>(), "{numbers:?}");
        }
    }
}
