//! The disk behind its lock: names, numbered calls, and what goes wrong with them.

use std::io;

use crate::{
    fault::{ENOSPC, Faults},
    names::Names,
    trace::Trace,
};

/// Everything that the clones and files of one disk share.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) names: Names,
    pub(crate) faults: Faults,
    pub(crate) trace: Trace,
    /// How many calls there were; the number of the one that holds the lock.
    pub(crate) calls: u64,
    /// How many bytes all files together may have.
    pub(crate) capacity: Option<u64>,
    /// Whether there is a writer.
    pub(crate) locked: bool,
}

impl State {
    /// Numbers a call. Fails if that is what the call was told to do.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.calls += 1;
        self.faults.error(self.calls).map_or(Ok(()), Err)
    }

    /// Ends a call: records what it was.
    pub(crate) fn end(&mut self, line: impl FnOnce() -> String) {
        let number = self.calls;
        self.trace.add(|| format!("{number} {}", line()));
    }

    /// How many of `len` bytes this write writes.
    pub(crate) fn limit_write(&mut self, len: usize) -> usize {
        self.faults.short_write(self.calls).map_or(len, |limit| limit.min(len))
    }

    /// Whether this sync only pretends.
    pub(crate) fn lies(&mut self) -> bool {
        self.faults.lying_sync(self.calls)
    }

    /// Fails if the files must not grow by so many bytes.
    pub(crate) fn reserve(&self, growth: u64) -> io::Result<()> {
        let Some(capacity) = self.capacity.filter(|_| growth > 0) else { return Ok(()) };
        if self.names.total_size().saturating_add(growth) > capacity {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        Ok(())
    }
}
