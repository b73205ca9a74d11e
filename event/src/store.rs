//! What a command executor needs of a store. The engine is one; Postgres is another.

use crate::{
    append::{Append, Committed},
    event::RecordedEvent,
    expected::Conflict,
    ordinal::{Position, StreamVersion},
    stream_id::StreamId,
};

/// A stream to read, after a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFrom {
    /// The stream.
    pub stream: StreamId,
    /// Events up to this version are known already.
    pub after: StreamVersion,
}

/// Several streams as they were at one position of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The position of the last event of the log that the snapshot takes into account.
    pub position: Position,
    /// The version of each stream asked for, in the order asked.
    pub versions: Vec<StreamVersion>,
    /// Their events after the versions given, in the order of the log.
    pub events: Vec<RecordedEvent>,
}

/// Why an append did not happen.
#[derive(Debug)]
pub enum AppendFailure<E> {
    /// Read again and decide again.
    Conflict {
        /// Every stream that was not as expected.
        conflicts: Vec<Conflict>,
        /// The position that the store was at: what the conflicts rest on.
        position: Position,
    },
    /// The store failed, or the append was one that no store can take.
    Store(E),
}

/// A store of events, as a command sees it.
///
/// A store may show commands events that are *sequenced* but not yet durable: a decision made on
/// them is sound, because its own commit lies behind them in the log. What is told to anyone
/// else must wait: [`Store::append`] returns when its commit is durable, and whoever reports a
/// rejection or a conflict calls [`Store::settle`] first.
pub trait Store: Send + Sync {
    /// How it fails.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The streams as they are at one position: at `at`, or at the newest when `None`. Each
    /// stream is to be named once.
    fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> impl Future<Output = Result<Snapshot, Self::Error>> + Send;

    /// Appends, and returns when the commit is durable. A conflict is returned at once; it may
    /// rest on commits that are not durable yet.
    fn append(
        &self,
        append: &Append,
    ) -> impl Future<Output = Result<Committed, AppendFailure<Self::Error>>> + Send;

    /// As [`Store::read`], blocking.
    ///
    /// # Errors
    /// As [`Store::read`].
    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, Self::Error>;

    /// As [`Store::append`], blocking.
    ///
    /// # Errors
    /// As [`Store::append`].
    fn append_blocking(&self, append: &Append) -> Result<Committed, AppendFailure<Self::Error>>;

    /// As [`Store::settle`], blocking.
    ///
    /// # Errors
    /// As [`Store::settle`].
    fn settle_blocking(&self, position: Position) -> Result<(), Self::Error>;

    /// Returns when everything up to `position` is durable.
    fn settle(&self, position: Position) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
