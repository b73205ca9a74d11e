//! How the store fails, one enum for each operation.

use std::fmt;

use annals_event::{
    Conflict, EventId, InvalidAppend, Malformed, Position, StreamId, StreamVersion,
};
use annals_wal::{Corruption, Failure};

/// Every stream that was not as an append expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, conflict) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{conflict}")?;
        }
        Ok(())
    }
}

/// Why an append was not acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Streams were not as expected; nothing was appended. Read again and decide again.
    #[error("{0}; read again and decide again")]
    Conflict(Conflicts),
    /// No store can take this append; nothing was appended.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
    /// An id of this append names another event already; nothing was appended.
    #[error(
        "the id {id} names the event at position {position} already, which is of a different \
         append; give each event an id of its own"
    )]
    IdInUse {
        /// The id.
        id: EventId,
        /// Where the event is that has it.
        position: Position,
    },
    /// The disk has no room for the next segment; nothing was appended. Make room and append
    /// again: the store goes on.
    #[error("no room for the next segment, nothing was appended: {0}; make room and append again")]
    NoRoom(Failure),
    /// A write or a sync failed while the append was on its way: it may be in the log or not.
    /// Open the store again to know; an append with event ids can then simply be repeated.
    #[error("the outcome of the append is unknown: {0}; open the store again and look")]
    OutcomeUnknown(Failure),
    /// A write or a sync failed before: the store only reads. Nothing was appended.
    #[error("the store only reads since a write failed: {0}; open it again")]
    Poisoned(Failure),
    /// The store was closed; nothing was appended.
    #[error("the store is closed; open it again to append")]
    Closed,
    /// What an id of this append names could not be read; nothing was appended.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why events could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused.
    #[error(transparent)]
    Io(Failure),
    /// Bytes in the log are not what was written.
    #[error("{0}; see the damage with `log-dump verify`, and restore the directory from a copy")]
    Corrupt(Corruption),
    /// A commit's checksums are right and its bytes are no commit.
    #[error("position {position}: {source}")]
    Malformed {
        /// The position of the commit's first event.
        position: Position,
        /// What is wrong.
        source: Malformed,
    },
    /// The index image of a segment leads to the wrong place.
    #[error(
        "the index image {file} does not lead to position {position}; \
         delete it and open the store again: it is made anew"
    )]
    WrongImage {
        /// The image's file.
        file: String,
        /// The position that was looked for; the segment's first, where an id was.
        position: Position,
    },
    /// No index image leads to an event of a stream: one was damaged since the store was opened.
    #[error(
        "no index image leads to version {version} of stream {stream}; \
         open the store again: an image that is damaged is made anew"
    )]
    Unindexed {
        /// The stream.
        stream: StreamId,
        /// The version that was looked for.
        version: StreamVersion,
    },
    /// A subscription outlived its store: it was closed, and everything was delivered.
    #[error("the store is closed, and everything in it was delivered")]
    Closed,
    /// A subscription outlived its store: a write failed, and everything durable was delivered.
    #[error("no more events will come since a write failed: {0}; open the store again")]
    Poisoned(Failure),
}

impl From<annals_wal::ReadError> for ReadError {
    fn from(error: annals_wal::ReadError) -> Self {
        match error {
            annals_wal::ReadError::Corrupt(corruption) => Self::Corrupt(corruption),
            annals_wal::ReadError::Io(failure) => Self::Io(failure),
            other => Self::Io(Failure {
                action: "read",
                file: String::new(),
                source: std::sync::Arc::new(std::io::Error::other(other.to_string())),
            }),
        }
    }
}

/// Why a store could not be closed cleanly. Everything acknowledged is safe all the same.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store did not close cleanly: {0}; what was acknowledged is safe")]
pub struct CloseError(#[from] pub Failure);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use annals_event::ExpectedVersion;

    use super::*;

    #[test]
    fn a_conflict_says_what_every_stream_was_and_what_to_do() {
        let conflict = |name, actual| Conflict {
            stream: StreamId::new(name).unwrap(),
            expected: ExpectedVersion::Exactly(StreamVersion::new(1)),
            actual: StreamVersion::new(actual),
        };
        let conflicts = Conflicts(vec![conflict("a", 2), conflict("b", 0)]);
        let said = AppendError::Conflict(conflicts).to_string();
        let expected = "stream a was expected to have version 1 and is at version 2; \
                        stream b was expected to have version 1 and is at version 0; \
                        read again and decide again";
        assert_eq!(said, expected);
    }
}
