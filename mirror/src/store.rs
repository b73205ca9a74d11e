//! The store, as its users see it.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use annals_event::{
    Append, AppendFailure, Committed, EventId, Position, ReadFrom, Sequenced, Snapshot, Store,
};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    abandoned::{Abandoned, Waiting},
    appending::{self, Appender, Tokens},
    connection::{self, Connection},
    error::{ConnectError, StoreError},
    lane::Lane,
    reading::{self, Reader},
    rows,
    runtime::Runtime,
    schema::{self, Role},
    settings::Settings,
    subscription::{self, Feed, Subscription},
    types::Uuid,
};

/// Threads that drive the connections.
const THREADS: usize = 1;

/// A store over Postgres alone. Clones are handles of the same connections; it is usable from any
/// thread and from any async runtime.
///
/// An append is one round trip, as is a read of all streams of a command. What callers ask for
/// while a call is on its way goes with the next one. An append is acknowledged when the server has
/// committed it, so what is read is always durable.
///
/// An append whose connection is lost on its way is sent again with the word by which the server
/// knows it, if it happened: it happens once.
///
/// ```no_run
/// use annals_postgres::{PostgresStore, Role, Settings, init};
///
/// let settings = Settings::parse("postgresql://shop@localhost/shop")?;
/// init(&settings, Role::Store)?;
/// let store = PostgresStore::open(settings)?;
/// # Ok::<(), annals_postgres::ConnectError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PostgresStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Arc<Settings>,
    log: EventId,
    appends: mpsc::UnboundedSender<appending::Job>,
    reads: mpsc::UnboundedSender<reading::Job>,
    abandoned: Arc<Abandoned>,
    runtime: Runtime,
}

impl PostgresStore {
    /// Connects, and prepares all connections.
    ///
    /// # Errors
    /// [`ConnectError`]: no connection, or the schema is not that of a store; [`init`] makes one.
    ///
    /// [`init`]: crate::init
    pub fn open(settings: Settings) -> Result<Self, ConnectError> {
        let runtime = Runtime::new(THREADS)?;
        let settings = Arc::new(settings);
        let (appender, readers) = runtime.run(lanes(settings.clone()))?;
        let log = appender.log;
        let (appends, jobs) = mpsc::unbounded_channel();
        runtime.spawn(appender.run(jobs));
        let (reads, jobs) = mpsc::unbounded_channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for reader in readers {
            runtime.spawn(reader.run(jobs.clone()));
        }
        let abandoned = Arc::default();
        Ok(Self(Arc::new(Inner { settings, log, appends, reads, abandoned, runtime })))
    }

    /// Every event after a position, then every new one, for ever. Uses a connection of its own,
    /// which ends with the subscription.
    pub fn subscribe(&self, after: Position) -> Subscription {
        let (deliveries, delivered) = mpsc::channel(subscription::AHEAD);
        let settings = self.0.settings.clone();
        self.0.runtime.spawn(Feed { settings, log: self.0.log, after, deliveries }.run());
        Subscription::new(delivered)
    }
}

/// All connections, ready to be used.
async fn lanes(settings: Arc<Settings>) -> Result<(Appender, Vec<Reader>), ConnectError> {
    let first = Connection::open(&settings, None).await?;
    let log = schema::look(&first, &settings, Role::Store).await?.log;
    let refused = |error| connection::refused(&settings, error);
    let random = first.client.query_typed_one("SELECT gen_random_uuid()", &[]).await;
    let random: Uuid = random.map_err(refused)?.try_get(0).map_err(refused)?;
    let gathered_max = settings.gathered_max;
    let lane = Lane::open(&settings, appending::TEXTS).await?;
    let appender = Appender { lane, log, gathered_max, tokens: Tokens::new(random) };
    let mut readers = Vec::new();
    for _ in 0..settings.readers {
        let lane = Lane::open(&settings, reading::TEXTS).await?;
        readers.push(Reader { lane, log, gathered_max });
    }
    Ok((appender, readers))
}

impl Store for PostgresStore {
    type Error = StoreError;
    type Ticket = Ready<Result<(), StoreError>>;

    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, StoreError> {
        self.0.abandoned.end().await;
        let (answer, answered) = oneshot::channel();
        let job = reading::Job::Read(reading::Read { streams: streams.to_vec(), at, answer });
        self.0.reads.send(job).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn sequence(
        &self,
        append: &Append,
    ) -> Result<Sequenced<Self::Ticket>, AppendFailure<StoreError>> {
        append.validate().map_err(|error| AppendFailure::Store(error.into()))?;
        let (answer, answered) = oneshot::channel();
        let job = appending::Job { append: append.clone(), answer };
        self.0.appends.send(job).map_err(|_| AppendFailure::Store(StoreError::Closed))?;
        let answer = Waiting::new(answered, self.0.abandoned.clone()).answer().await;
        let (committed, is_repeat) = answer?;
        Ok(Sequenced { committed, ticket: ready(Ok(())), is_repeat })
    }

    async fn settle(&self, _: Position) -> Result<(), StoreError> {
        // What can be read is durable.
        Ok(())
    }

    async fn find(&self, id: EventId) -> Result<Option<Committed>, StoreError> {
        self.0.abandoned.end().await;
        let (answer, answered) = oneshot::channel();
        self.0.reads.send(reading::Job::Find(id, answer)).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, StoreError> {
        pollster::block_on(self.find(id))
    }

    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, StoreError> {
        pollster::block_on(self.read(streams, at))
    }

    fn sequence_blocking(
        &self,
        append: &Append,
    ) -> Result<Sequenced<Self::Ticket>, AppendFailure<StoreError>> {
        pollster::block_on(self.sequence(append))
    }

    fn wait(&self, ticket: Self::Ticket) -> Result<(), StoreError> {
        ticket.into_inner()
    }

    fn settle_blocking(&self, _: Position) -> Result<(), StoreError> {
        Ok(())
    }

    fn derived_id(&self, position: Position) -> EventId {
        rows::derived_id(self.0.log, position)
    }
}
