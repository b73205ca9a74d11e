//! How a command does not happen.

use annals_event::{Conflict, Position, StreamId};

use crate::event_error::{DecodeError, EncodeError};

/// Why a command did not happen: `R` is its rejection, `E` the store's error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError<R, E> {
    /// The command's rules do not allow it: an outcome, not a failure. What it was decided on is
    /// durable.
    #[error("rejected")]
    Rejected(R),
    /// Its streams moved under it in every attempt.
    #[error("{attempts} attempts conflicted, the last one with {}", list(.conflicts))]
    Contended {
        /// Every stream that was not as expected in the last attempt.
        conflicts: Vec<Conflict>,
        /// How many attempts were made.
        attempts: u32,
    },
    /// The command does what no command may.
    #[error(transparent)]
    Invalid(#[from] InvalidCommand),
    /// An event that the command reads is not of its event type.
    #[error("the event at position {position} of stream {stream} cannot be read: {source}")]
    Decode {
        /// Its stream.
        stream: StreamId,
        /// Its position.
        position: Position,
        /// Why.
        source: DecodeError,
    },
    /// The command's own code panicked. Nothing was appended, and the store goes on.
    #[error("the command panicked in `{place}`: {message}")]
    Panicked {
        /// In which of its functions.
        place: &'static str,
        /// What it said.
        message: String,
    },
    /// The request's time was over.
    #[error(
        "out of time{}",
        if *.is_outcome_unknown {
            "; the command is on its way, whether it becomes durable is unknown"
        } else {
            " before anything was appended"
        }
    )]
    TimedOut {
        /// Whether the command may have happened, or happen yet. With an idempotency key it can
        /// be sent again.
        is_outcome_unknown: bool,
    },
    /// The store failed.
    #[error(transparent)]
    Store(E),
}

fn list(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A command that does what no command may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCommand {
    /// It declares no stream.
    #[error("the command declares no stream; declare at least one in `streams`")]
    NoStreams,
    /// It discovers more and more streams.
    #[error(
        "the command still discovered new streams after {rounds} rounds; \
         `discover` must come to an end"
    )]
    EndlessDiscovery {
        /// After how many rounds it was stopped.
        rounds: u32,
    },
    /// It emits to a stream that it did not read.
    #[error(
        "the command emits to stream {stream}, which it neither declared nor discovered; \
         name it in `streams` or `discover`"
    )]
    UndeclaredStream {
        /// The stream.
        stream: StreamId,
    },
    /// It gives an event an id, and was sent with a key, from which ids follow.
    #[error(
        "the command gives its events ids and was sent with an idempotency key; \
         leave one of them away"
    )]
    IdAndKey,
    /// An event cannot be written.
    #[error("an event of the command cannot be written: {0}")]
    Encode(#[from] EncodeError),
}
