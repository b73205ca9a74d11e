//! How a store is to be opened.

use std::sync::Arc;

use annals_wal::{Environment, LogOptions, ReadMode, SyncPolicy, Threads};

/// How a store is to be opened.
///
/// ```
/// use annals_engine::{Options, SyncPolicy};
///
/// let dir = tempfile::tempdir()?;
/// let annals = Options::new().sync_policy(SyncPolicy::Never).open(dir.path())?;
/// annals.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Options {
    log: LogOptions,
}

impl Options {
    /// The defaults: durable when acknowledged, segments of 64 MiB, mapped reading.
    pub fn new() -> Self {
        Self::default()
    }

    /// The size of a segment in bytes, 8 KiB to 16 GiB; 64 MiB unless said. The first segments
    /// of a log are smaller, so that a small log takes little room.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.log.segment_bytes = bytes;
        self
    }

    /// When appends are acknowledged; [`SyncPolicy::Always`] unless said.
    #[must_use]
    pub fn sync_policy(mut self, policy: SyncPolicy) -> Self {
        self.log.sync_policy = policy;
        self
    }

    /// How segments are read; [`ReadMode::Map`] unless said.
    #[must_use]
    pub fn read_mode(mut self, mode: ReadMode) -> Self {
        self.log.read_mode = mode;
        self
    }

    /// Who does the work that no caller waits for; helper threads unless said.
    #[must_use]
    pub fn threads(mut self, threads: Threads) -> Self {
        self.log.threads = threads;
        self
    }

    /// Where time and randomness come from; the system unless said.
    #[must_use]
    pub fn environment(mut self, environment: Arc<dyn Environment>) -> Self {
        self.log.environment = environment;
        self
    }

    /// As the log takes them.
    pub(crate) fn into_log(self) -> LogOptions {
        self.log
    }
}
