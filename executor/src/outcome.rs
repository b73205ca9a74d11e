//! How a command ends, and what must be durable before that is told.

use annals_event::{Committed, Position, Store};

use crate::{command::Command, error::ExecuteError};

/// A command that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The durable commit; `None` if the command decided that there is nothing to do.
    pub committed: Option<Committed>,
    /// How many attempts it took: one more than it met conflicts.
    pub attempts: u32,
    /// The position at which the decision held.
    pub position: Position,
    /// Whether this is the outcome of an earlier command with the same idempotency key or the
    /// same event ids: nothing was appended this time.
    pub is_repeat: bool,
}

/// How an execution ends, and what to wait for before that is told.
pub(crate) struct Ended<R, S: Store> {
    pub(crate) outcome: Outcome<R, S::Error>,
    pub(crate) rests_on: RestsOn<S::Ticket>,
}

/// What must be durable before an outcome is told.
pub(crate) enum RestsOn<T> {
    Nothing,
    Position(Position),
    Ticket(T),
}

/// How a command does not happen on a store.
pub(crate) type ErrorOf<C, S> = ExecuteError<<C as Command>::Rejection, <S as Store>::Error>;

/// How an execution ends.
pub(crate) type Outcome<R, E> = Result<Executed, ExecuteError<R, E>>;
