//! What a caller holds until its frame is durable.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{commit::Shared, error::Failure};

/// Wait on it, or await it. Dropping it is fine: the frame is written all the same.
#[derive(Debug)]
#[must_use = "the frame is durable only when the ticket says so"]
pub struct Ticket(Option<InGroup>);

/// The frame ends with its group.
#[derive(Debug)]
struct InGroup {
    shared: Arc<Shared>,
    group: u64,
}

impl Ticket {
    pub(crate) fn new(shared: Arc<Shared>, group: u64) -> Self {
        Self(Some(InGroup { shared, group }))
    }

    /// Of a frame that nobody needs to wait for.
    pub(crate) fn ended() -> Self {
        Self(None)
    }

    /// Blocks until the frame is durable. Where nobody else is at it, the caller's own thread
    /// writes and syncs: no hop to another thread.
    ///
    /// # Errors
    /// A write or a sync failed: whether the frame is durable is unknown.
    pub fn wait(self) -> Result<(), Failure> {
        let Some(InGroup { shared, group }) = &self.0 else { return Ok(()) };
        shared.watermark.wait(*group, || shared.lead_or_linger(*group))
    }
}

impl Future for Ticket {
    type Output = Result<(), Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(InGroup { shared, group }) = &self.0 else { return Poll::Ready(Ok(())) };
        if let Some(outcome) = shared.watermark.outcome(*group) {
            return Poll::Ready(outcome);
        }
        if let Some(outcome) = shared.watermark.register(*group, context.waker()) {
            return Poll::Ready(outcome);
        }
        shared.flush_soon();
        Poll::Pending
    }
}

impl Drop for InGroup {
    fn drop(&mut self) {
        if self.shared.watermark.outcome(self.group).is_none() {
            self.shared.flush_soon();
        }
    }
}
