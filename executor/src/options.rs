//! What an executor is given besides its store.

use std::sync::Arc;

use crate::timer::{SystemTimer, Timer};

/// What an executor is given besides its store and how events are written.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    pub(crate) cache_bytes: u64,
    pub(crate) timer: Arc<dyn Timer>,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, timer: Arc::new(SystemTimer) }
    }
}

impl ExecutorOptions {
    /// The defaults: 64 MiB of kept state, the system's time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps at most so many bytes of state, as the states tell; 0 keeps nothing.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Takes the time from elsewhere: from an async runtime, or from a simulation.
    #[must_use]
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = timer;
        self
    }
}
