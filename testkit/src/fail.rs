//! How a test fails.

use std::fmt;

/// Fails the test that called.
#[track_caller]
#[expect(clippy::panic, reason = "that is how a test fails")]
pub(crate) fn fail(message: impl fmt::Display) -> ! {
    panic!("{message}")
}

/// The value, or a failed test that says what could not be done.
#[track_caller]
pub(crate) fn or_fail<T, E: fmt::Display>(what: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(format_args!("{what}: {error}")),
    }
}
