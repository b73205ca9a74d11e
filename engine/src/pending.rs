//! An append on its way.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use annals_event::{Committed, Sequenced};
use annals_planted::{Bug, planted};
use annals_wal::{Failure, Ticket};

use crate::error::AppendError;

/// An append that has its place in the log, or was refused, and waits until that is durable.
/// Wait for it in a thread with [`Pending::wait`], or in a task with `.await`: both cost the
/// same, and no async runtime is needed.
///
/// Dropping it does not undo the append.
#[derive(Debug)]
#[must_use = "the append is durable only when this says so: `.wait()` or `.await` it"]
pub struct Pending(State);

#[derive(Debug)]
enum State {
    /// In order; the outcome holds once the ticket says so.
    Waiting(Result<Committed, AppendError>, Ticket),
    /// Appended before; the first result holds once the ticket says so.
    Repeated(Result<Committed, AppendError>, Ticket),
    /// Refused whatever the log holds.
    Refused(AppendError),
    /// The outcome was handed out.
    Finished,
}

impl Pending {
    pub(crate) fn new(outcome: Result<Committed, AppendError>, ticket: Ticket) -> Self {
        Self(State::Waiting(outcome, ticket))
    }

    pub(crate) fn repeated(first: Result<Committed, AppendError>, ticket: Ticket) -> Self {
        Self(State::Repeated(first, ticket))
    }

    pub(crate) fn refused(error: AppendError) -> Self {
        Self(State::Refused(error))
    }

    /// Blocks until the outcome is durable, and returns it.
    ///
    /// # Errors
    /// [`AppendError`]: nothing was appended, except with [`AppendError::OutcomeUnknown`].
    pub fn wait(self) -> Result<Committed, AppendError> {
        match self.0 {
            State::Waiting(Err(error), _) if planted(Bug::ConflictDoesNotWait) => Err(error),
            State::Waiting(outcome, ticket) | State::Repeated(outcome, ticket) => {
                settle(outcome, ticket.wait())
            }
            State::Refused(error) => Err(error),
            State::Finished => Err(AppendError::Closed),
        }
    }

    /// The outcome before it is durable, for a decision: a refusal at once, a commit with what
    /// to wait for, and whether it is a repetition.
    pub(crate) fn split(self) -> Result<Sequenced<Ticket>, AppendError> {
        let is_repeat = matches!(self.0, State::Repeated(..));
        match self.0 {
            State::Waiting(outcome, ticket) | State::Repeated(outcome, ticket) => {
                outcome.map(|committed| Sequenced { committed, ticket, is_repeat })
            }
            State::Refused(error) => Err(error),
            State::Finished => Err(AppendError::Closed),
        }
    }
}

/// What is told of an outcome after waiting for it.
fn settle(
    outcome: Result<Committed, AppendError>,
    waited: Result<(), Failure>,
) -> Result<Committed, AppendError> {
    match (outcome, waited) {
        (outcome, Ok(())) => outcome,
        (Ok(_), Err(failure)) => Err(AppendError::OutcomeUnknown(failure)),
        // What it conflicted with may be gone: nothing is known but that nothing was appended.
        (Err(_), Err(failure)) => Err(AppendError::Poisoned(failure)),
    }
}

impl Future for Pending {
    type Output = Result<Committed, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waited = match &mut self.0 {
            State::Waiting(_, ticket) | State::Repeated(_, ticket) => {
                ready!(Pin::new(ticket).poll(context))
            }
            State::Refused(_) | State::Finished => Ok(()),
        };
        Poll::Ready(match std::mem::replace(&mut self.0, State::Finished) {
            State::Waiting(outcome, _) | State::Repeated(outcome, _) => settle(outcome, waited),
            State::Refused(error) => Err(error),
            // A future is not polled again after it was ready.
            State::Finished => Err(AppendError::Closed),
        })
    }
}
