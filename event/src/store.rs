//! What a command executor needs of a store. The engine is one; Postgres is another.

use crate::{
    append::{Append, Committed, Versions},
    event::RecordedEvent,
    event_id::EventId,
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
    pub versions: Versions,
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

/// An append that has its place: later reads for decisions see it, and it happens if anything
/// that follows it does.
#[derive(Debug)]
pub struct Sequenced<T> {
    /// Where it is.
    pub committed: Committed,
    /// Says when it is durable.
    pub ticket: T,
    /// Whether it was appended before: its events' ids were known, and this is the first result.
    pub is_repeat: bool,
}

/// A store of events, as a command sees it.
///
/// A store may show commands events that are *sequenced* but not yet durable: a decision made on
/// them is sound, because its own commit lies behind them in the log. What is told to anyone
/// else must wait: whoever reports a commit waits for its ticket, and whoever reports a rejection
/// or a conflict calls [`Store::settle`] first.
pub trait Store: Send + Sync {
    /// How it fails.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Ready when a sequenced append is durable; an error if that is not known. Dropping it does
    /// not undo the append.
    type Ticket: Future<Output = Result<(), Self::Error>> + Send;

    /// The streams as they are at one position: at `at`, or at the newest when `None`. Each
    /// stream is to be named once.
    fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> impl Future<Output = Result<Snapshot, Self::Error>> + Send;

    /// Appends, and returns as soon as the append has its place, which may be before it is
    /// durable. A conflict is returned at once; it may rest on commits that are not durable yet.
    ///
    /// Dropped before it is ready, it appended wholly or not at all.
    fn sequence(
        &self,
        append: &Append,
    ) -> impl Future<Output = Result<Sequenced<Self::Ticket>, AppendFailure<Self::Error>>> + Send;

    /// Returns when everything up to `position` is durable.
    fn settle(&self, position: Position) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The commit that has an event with this id, if there is one, durable or not: when it is,
    /// [`Store::settle`] says.
    fn find(
        &self,
        id: EventId,
    ) -> impl Future<Output = Result<Option<Committed>, Self::Error>> + Send;

    /// As [`Store::read`], blocking.
    ///
    /// # Errors
    /// As [`Store::read`].
    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, Self::Error>;

    /// As [`Store::sequence`], blocking.
    ///
    /// # Errors
    /// As [`Store::sequence`].
    fn sequence_blocking(
        &self,
        append: &Append,
    ) -> Result<Sequenced<Self::Ticket>, AppendFailure<Self::Error>>;

    /// Blocks until a sequenced append is durable.
    ///
    /// # Errors
    /// As awaiting the ticket.
    fn wait(&self, ticket: Self::Ticket) -> Result<(), Self::Error>;

    /// As [`Store::settle`], blocking.
    ///
    /// # Errors
    /// As [`Store::settle`].
    fn settle_blocking(&self, position: Position) -> Result<(), Self::Error>;

    /// As [`Store::find`], blocking.
    ///
    /// # Errors
    /// As [`Store::find`].
    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, Self::Error>;

    /// The id of the event at `position`, if it was given none.
    fn derived_id(&self, position: Position) -> EventId;

    /// Appends, and returns when the commit is durable. A conflict is returned at once, as by
    /// [`Store::sequence`].
    fn append(
        &self,
        append: &Append,
    ) -> impl Future<Output = Result<Committed, AppendFailure<Self::Error>>> + Send {
        async {
            let Sequenced { committed, ticket, .. } = self.sequence(append).await?;
            ticket.await.map_err(AppendFailure::Store)?;
            Ok(committed)
        }
    }

    /// As [`Store::append`], blocking.
    ///
    /// # Errors
    /// As [`Store::append`].
    fn append_blocking(&self, append: &Append) -> Result<Committed, AppendFailure<Self::Error>> {
        let Sequenced { committed, ticket, .. } = self.sequence_blocking(append)?;
        self.wait(ticket).map_err(AppendFailure::Store)?;
        Ok(committed)
    }
}
