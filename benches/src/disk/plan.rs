//! How thoroughly the ways to write are measured.

use std::time::Duration;

/// How thoroughly the ways to write are measured.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct DiskPlan {
    /// How long each run counts.
    pub(crate) seconds: f64,
    /// How often each case is run.
    pub(crate) runs: u32,
}

impl DiskPlan {
    pub(crate) fn thorough() -> Self {
        Self { seconds: 1.0, runs: 5 }
    }

    /// To see that everything works, and orders of magnitude.
    pub(crate) fn quick() -> Self {
        Self { seconds: 0.2, runs: 3 }
    }

    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
