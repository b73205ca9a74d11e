//! Why the program stops early.

use std::error::Error;

/// Why the program stops early. Every error becomes a [`Stop::Failure`] with `?`.
#[derive(Debug)]
pub(crate) enum Stop {
    /// git and the log say different things.
    Disagreement(String),
    /// Something is missing, or went wrong.
    Failure(Box<dyn Error + Send + Sync>),
}

impl Stop {
    pub(crate) fn failure(why: impl Into<String>) -> Self {
        Self::Failure(why.into().into())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failure(Box::new(error))
    }
}
