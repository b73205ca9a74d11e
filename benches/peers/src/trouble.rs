//! What a system did that it must not do.

use std::fmt;

use crate::system::Failure;

/// What a system did that it must not do. The others are measured nevertheless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It failed: what it said.
    Failed(String),
    /// Its log does not hold what was acknowledged.
    Lost(String),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let mut text = failure.to_string();
        let mut source = failure.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        Self::Failed(text)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) => write!(f, "failed: {text}"),
            Self::Lost(text) => write!(f, "lost: {text}"),
        }
    }
}

/// Does something in a thread of its own, since others' code may panic.
pub(crate) fn guarded<T: Send>(
    act: impl FnOnce() -> Result<T, Trouble> + Send,
) -> Result<T, Trouble> {
    let panicked = || Trouble::Failed("it panicked".to_owned());
    std::thread::scope(|scope| scope.spawn(act).join().unwrap_or_else(|_| Err(panicked())))
}
