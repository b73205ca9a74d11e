//! The question, and who answers it.

use crate::bug::Bug;

/// Whether a bug is planted: never.
#[cfg(not(feature = "planted"))]
#[inline]
#[must_use]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// Whether a bug is planted: if the environment names it.
///
/// # Panics
/// When the environment names a bug that there is not.
#[cfg(feature = "planted")]
#[must_use]
#[expect(clippy::panic, reason = "a bug that is not planted would look like one that is caught")]
pub fn planted(bug: Bug) -> bool {
    use std::{env, sync::OnceLock};

    static PLANTED: OnceLock<Option<Bug>> = OnceLock::new();
    let find = || {
        let name = env::var("ANNALS_PLANTED").ok()?;
        let found = Bug::ALL.iter().copied().find(|bug| bug.name() == name);
        Some(found.unwrap_or_else(|| panic!("ANNALS_PLANTED={name}: there is no such bug")))
    };
    *PLANTED.get_or_init(find) == Some(bug)
}
