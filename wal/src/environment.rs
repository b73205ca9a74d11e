//! Time, randomness and threads: what the simulator owns instead of the system.

use std::{
    fmt::Debug,
    io,
    time::{SystemTime, UNIX_EPOCH},
};

/// The clock and the source of randomness.
pub trait Environment: Debug + Send + Sync {
    /// Microseconds since 1970-01-01T00:00:00Z.
    fn now_micros(&self) -> i64;

    /// 128 random bits.
    ///
    /// # Errors
    /// As the system says.
    fn random(&self) -> io::Result<u128>;
}

/// The system's clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    fn now_micros(&self) -> i64 {
        let micros =
            |duration: std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        }
    }

    fn random(&self) -> io::Result<u128> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(u128::from_le_bytes(bytes))
    }
}

/// Who does the work that no caller waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Threads {
    /// Three helper threads per log: one writes groups for callers that do not block, one prepares
    /// segments, one does what the log's owner wants.
    #[default]
    Background,
    /// The caller, at once: nothing runs concurrently unless callers do. For simulations, where
    /// the same calls must give the same trace.
    Inline,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two logs with one id would take each other's segments for their own.
    #[test]
    fn random_numbers_differ() {
        let number = || SystemEnvironment.random().unwrap();
        assert_ne!(number(), number());
    }
}
