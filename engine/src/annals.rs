//! The store, as its users see it.

use std::sync::Arc;

use annals_event::{
    Append, Direction, Filter, LogQuery, Position, StreamId, StreamQuery, StreamVersion,
};
use annals_wal::{LogStats, ReadMode, SyncPolicy, TornTail};

use crate::{
    error::CloseError, events::Events, inner::Inner, log_scan::LogScan, pending::Pending,
    sequencer, stream_scan::StreamScan, subscription::Subscription,
};

/// An open event store. Clones are handles of the same store; it is usable from any thread and
/// from any async runtime.
///
/// ```
/// use annals_engine::Annals;
/// use annals_event::{Append, ExpectedVersion, NewEvent, StreamId, StreamQuery};
///
/// let annals = Annals::in_memory()?;
/// let account = StreamId::new("account-1")?;
/// let opened = Append::new()
///     .expect(account.clone(), ExpectedVersion::NoStream)
///     .event(NewEvent::new(account.clone(), "Opened", "")?);
/// let committed = annals.append(&opened).wait()?;
/// assert_eq!(committed.first.get(), 1);
/// assert!(annals.append(&opened).wait().is_err(), "it exists now");
/// assert_eq!(annals.read_stream(&account, StreamQuery::forward()).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Annals {
    inner: Arc<Inner>,
    /// Only handles have it: jobs of the helper thread may hold `inner` a little longer.
    _closer: Arc<Closer>,
}

/// Closes the store when its last handle is dropped, before the drop returns: who opens it next
/// finds it unlocked.
#[derive(Debug)]
struct Closer(Arc<Inner>);

impl Drop for Closer {
    fn drop(&mut self) {
        if !self.0.log.is_closed() {
            // Nothing acknowledged depends on it; who wants to know calls `close`.
            drop(self.0.log.close());
        }
    }
}

/// How a store is set, what it did and what it takes; for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The last durable position: also how many events there are.
    pub position: Position,
    /// The last position in order, durable or not.
    pub sequenced: Position,
    /// How many streams have events.
    pub streams: u64,
    /// When appends are acknowledged.
    pub sync_policy: SyncPolicy,
    /// How segments are read.
    pub read_mode: ReadMode,
    /// What the log did and takes.
    pub log: LogStats,
    /// How many events have their places in memory, at eight bytes each.
    pub places_in_memory: u64,
    /// How many segments have their places in an image beside them.
    pub images: u64,
    /// What opening found behind the last whole commit and cut off: never acknowledged.
    pub torn_tail: Option<TornTail>,
    /// Why the store only reads, if so.
    pub poisoned: Option<String>,
}

impl Annals {
    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self { _closer: Arc::new(Closer(inner.clone())), inner }
    }

    /// Appends events, all or none, if every expectation holds. The append has its place when
    /// this returns; it is durable when the [`Pending`] says so.
    ///
    /// The write itself begins at the latest when the `Pending` is waited for, polled or
    /// dropped; many can be on their way at once, and then share a write and a sync. What is on
    /// its way is in memory: whoever appends without waiting decides how much.
    ///
    /// An append whose events have ids is idempotent: appended again, it returns the first
    /// result, whatever is expected. It is the same append if it has the same ids in the same
    /// order, of the same streams and types; payloads are not compared. Anything else that has
    /// one of the ids is refused with [`AppendError::IdInUse`].
    ///
    /// [`AppendError::IdInUse`]: crate::AppendError::IdInUse
    pub fn append(&self, append: &Append) -> Pending {
        sequencer::append(&self.inner, append)
    }

    /// The durable events of a stream. A stream that nobody wrote to has none. Iterate over them, or
    /// borrow them with [`Events::visit`], which copies nothing.
    pub fn read_stream(&self, stream: &StreamId, query: StreamQuery) -> Events {
        let scan = self.inner.index.find(stream.as_str()).map(|number| {
            let newest = self.inner.durable_version(number, self.inner.durable());
            StreamScan::new(&self.inner, (stream, number), &query, newest)
        });
        Events::of_stream(scan, query.limit)
    }

    /// The durable events of the whole log, in its order. Iterate over them, or borrow them with
    /// [`Events::visit`], which copies nothing.
    pub fn read_all(&self, query: LogQuery) -> Events {
        let newest = self.inner.durable();
        let (from, to) = match query.direction {
            Direction::Forward => (query.from.unwrap_or_default(), newest),
            Direction::Backward => (Position::ZERO, query.from.unwrap_or(newest).min(newest)),
        };
        let scan = LogScan::new(&self.inner, query.direction, query.filter, from, to);
        Events::of_log(scan, query.limit)
    }

    /// Every event after a position, then every new one, for ever. [`Position::ZERO`] delivers
    /// from the beginning; a consumer goes on with the last position that it dealt with. Positions
    /// that the log has not reached yet are waited for: a consumer whose log may have been
    /// replaced by an older copy compares with [`Annals::position`] first.
    pub fn subscribe(&self, after: Position) -> Subscription {
        self.subscribe_to(after, Filter::all())
    }

    /// As [`Annals::subscribe`], only for events that pass a filter.
    pub fn subscribe_to(&self, after: Position, filter: Filter) -> Subscription {
        Subscription::new(&self.inner, after, filter)
    }

    /// How many durable events a stream has.
    pub fn stream_version(&self, stream: &StreamId) -> StreamVersion {
        let number = self.inner.index.find(stream.as_str());
        number.map_or(StreamVersion::ZERO, |number| {
            self.inner.durable_version(number, self.inner.durable())
        })
    }

    /// The streams whose name begins with `prefix` and which have durable events, by name, each
    /// with its version.
    pub fn streams(&self, prefix: &str) -> Vec<(StreamId, StreamVersion)> {
        let newest = self.inner.durable();
        let streams = self.inner.index.streams(prefix).into_iter();
        streams
            .map(|(name, number)| (name, self.inner.durable_version(number, newest)))
            .filter(|(_, version)| *version > StreamVersion::ZERO)
            .collect()
    }

    /// The last durable position.
    pub fn position(&self) -> Position {
        self.inner.durable()
    }

    /// How the store is set, what it did and what it takes.
    pub fn stats(&self) -> Stats {
        let (log, index) = (&self.inner.log, self.inner.index.stats());
        Stats {
            position: self.inner.durable(),
            sequenced: self.inner.sequenced(),
            streams: index.streams,
            sync_policy: self.inner.options.sync_policy,
            read_mode: self.inner.options.read_mode,
            log: log.stats(),
            places_in_memory: index.places_in_memory,
            images: index.images,
            torn_tail: log.torn_tail().cloned(),
            poisoned: log.failure().map(|failure| failure.to_string()),
        }
    }

    /// Closes the store for all its handles: writes what is on its way, marks the log's end as
    /// clean, and lets another writer in. Reading goes on; appends are refused. The last handle
    /// that is dropped does the same, but cannot say whether it went well.
    ///
    /// # Errors
    /// [`CloseError`]; what was acknowledged is safe all the same.
    pub fn close(&self) -> Result<(), CloseError> {
        self.inner.log.close().map_err(CloseError)
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}
