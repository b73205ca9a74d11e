//! An append on its way.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use annals_event::Committed;
use annals_wal::Ticket;

use crate::error::AppendError;

/// An append that has its place in the log, or was refused, and waits until that is durable.
/// Wait for it in a thread with [`Pending::wait`], or in a task with `.await`: both cost the
/// same, and no async runtime is needed.
///
/// Dropping it does not undo the append.
#[derive(Debug)]
#[must_use = "the append is durable only when this says so: `.wait()` or `.await` it"]
pub struct Pending {
    /// `None` only after it was handed out.
    outcome: Option<Result<Committed, AppendError>>,
    /// `None`: there is nothing to wait for.
    ticket: Option<Ticket>,
}

impl Pending {
    pub(crate) fn new(outcome: Result<Committed, AppendError>, ticket: Ticket) -> Self {
        Self { outcome: Some(outcome), ticket: Some(ticket) }
    }

    /// Refused whatever the log holds.
    pub(crate) fn refused(error: AppendError) -> Self {
        Self { outcome: Some(Err(error)), ticket: None }
    }

    /// Blocks until the outcome is durable, and returns it.
    ///
    /// # Errors
    /// [`AppendError`]: nothing was appended, except with [`AppendError::OutcomeUnknown`].
    pub fn wait(mut self) -> Result<Committed, AppendError> {
        let waited = self.ticket.take().map_or(Ok(()), Ticket::wait);
        self.finish(waited)
    }

    /// The outcome, before it is durable: for who waits until it is in another way.
    pub(crate) fn split(mut self) -> (Result<Committed, AppendError>, Option<Ticket>) {
        (self.finish(Ok(())), self.ticket.take())
    }

    fn finish(
        &mut self,
        waited: Result<(), annals_wal::Failure>,
    ) -> Result<Committed, AppendError> {
        // A future is not polled again after it was ready.
        let outcome = self.outcome.take().unwrap_or(Err(AppendError::Closed));
        match (outcome, waited) {
            (outcome, Ok(())) => outcome,
            (Ok(_), Err(failure)) => Err(AppendError::OutcomeUnknown(failure)),
            // What it conflicted with may be gone: nothing is known but that nothing was appended.
            (Err(_), Err(failure)) => Err(AppendError::Poisoned(failure)),
        }
    }
}

impl Future for Pending {
    type Output = Result<Committed, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waited = match &mut self.ticket {
            Some(ticket) => ready!(Pin::new(ticket).poll(context)),
            None => Ok(()),
        };
        self.ticket = None;
        Poll::Ready(self.finish(waited))
    }
}
