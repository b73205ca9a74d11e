//! A panic below is a failure like any other.

use std::{io, sync::Arc};

use annals_planted::{Bug, planted};

use crate::{commit::Shared, error::Failure, watermark::Watermark};

/// A panic before a group is published must not leave its waiters waiting, nor one in a sync leave
/// unknown what it did: this poisons the log unless it is done.
pub(crate) struct PoisonUnlessDone<'a> {
    shared: &'a Shared,
    /// Not asked of the thread: it may be panicking already for a reason of its own.
    pub(crate) is_done: bool,
}

impl<'a> PoisonUnlessDone<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self { shared, is_done: false }
    }
}

impl Drop for PoisonUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.is_done && !planted(Bug::PanicIgnored) {
            let source = Arc::new(io::Error::other("a panic in the writer"));
            let file = self.shared.directory.display("");
            self.shared.fail(Failure { action: "write to", file, source });
        }
    }
}

/// Wakes everyone after a failure when it is dropped, also after a panic: made before the writer's
/// lock is taken, it is dropped after, and a waker may run anything.
pub(crate) struct WakeAfterFailure<'a>(pub(crate) &'a Watermark);

impl Drop for WakeAfterFailure<'_> {
    fn drop(&mut self) {
        self.0.wake(None);
    }
}
