//! How a store breaks its word.

use std::fmt::{self, Debug, Display};

/// How a store broke its word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(String);

/// What a check says.
pub type Verdict = Result<(), Violation>;

impl Violation {
    pub(crate) fn new(text: impl Display) -> Self {
        Self(text.to_string())
    }

    /// A call that should have worked and did not.
    pub(crate) fn failed(call: &str, error: &impl Display) -> Self {
        Self(format!("{call} failed: {error}"))
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// # Errors
/// They are not the same.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Verdict {
    if expected == found {
        return Ok(());
    }
    Err(Violation(format!("{what}: expected {expected:?}, found {found:?}")))
}

/// # Errors
/// It does not hold.
pub(crate) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(Violation(otherwise())) }
}
