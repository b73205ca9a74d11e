//! A panic below is a failure like any other.

use std::{io, sync::Arc};

use annals_planted::{Bug, planted};
use annals_sync::Mutex;

use crate::{error::Failure, storage::Directory, tail::Tail, watermark::Watermark};

/// Ends everything. Under the tail's lock: a frame that goes to its file at once is seen before that,
/// or refused after it.
pub(crate) fn fail(tail: &Mutex<Tail>, watermark: &Watermark, failure: Failure) {
    let tail = (!planted(Bug::FailsBesideTheTail)).then(|| tail.lock());
    watermark.fail(failure);
    drop(tail);
}

/// A panic before a group is published must not leave its waiters waiting, nor one in a sync leave
/// unknown what it did: this poisons the log unless it is done.
pub(crate) struct PoisonUnlessDone<'a> {
    tail: &'a Mutex<Tail>,
    watermark: &'a Watermark,
    directory: &'a dyn Directory,
    /// Not asked of the thread: it may be panicking already for a reason of its own.
    pub(crate) is_done: bool,
}

impl<'a> PoisonUnlessDone<'a> {
    pub(crate) fn new(
        tail: &'a Mutex<Tail>,
        watermark: &'a Watermark,
        directory: &'a dyn Directory,
    ) -> Self {
        Self { tail, watermark, directory, is_done: false }
    }
}

impl Drop for PoisonUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.is_done && !planted(Bug::PanicIgnored) {
            let source = Arc::new(io::Error::other("a panic in the writer"));
            let file = self.directory.display("");
            fail(self.tail, self.watermark, Failure { action: "write to", file, source });
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
