//! How far a long command is, for whoever waits at a terminal.

use std::io::{self, IsTerminal};

use annals_wal::{Environment, SystemEnvironment};
use indicatif::{ProgressBar, ProgressStyle};

/// A command that takes no longer shows nothing, in microseconds.
const PATIENCE: i64 = 1_000_000;

/// Shows how many bytes are done, once that takes long.
#[derive(Debug)]
pub(crate) struct Progress {
    total: u64,
    /// When to begin; `None` if nobody watches.
    due: Option<i64>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins to count. `total` is in bytes.
    pub(crate) fn new(total: u64) -> Self {
        let due = io::stderr().is_terminal().then(|| SystemEnvironment.now_micros() + PATIENCE);
        Self { total, due, bar: None }
    }

    /// So many bytes are done.
    pub(crate) fn set(&mut self, done: u64) {
        if self.bar.is_none() && self.due.is_some_and(|due| SystemEnvironment.now_micros() > due) {
            let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta}");
            let bar = ProgressBar::new(self.total);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// Does something that may write to the terminal.
    pub(crate) fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(work),
            None => work(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
