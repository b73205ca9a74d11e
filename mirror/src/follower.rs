//! Follows a log: connects, asks how far the mirror is, copies from there on; again from the start
//! when the connection is lost.

use annals_engine::{Annals, CommitDelivery};
use annals_event::{EventId, Position};
use bytes::Bytes;
use futures_util::SinkExt;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_postgres::{
    CopyInSink, Statement,
    types::{ToSql, Type},
};

use crate::{
    connection::{self, Connection, Query},
    copying::{self, Batch, Finished, Numbers},
    error::{ConnectError, Failure, MirrorError},
    meters::Meters,
    rows::{signed, unsigned},
    schema::{self, Role},
    settings::Settings,
};

const LOOK_UP: &str = "SELECT name, number FROM streams WHERE name = ANY ($1)";
const MIRROR_TO: &str = "SELECT mirror_to($1, $2)";

/// So many bytes are handed to the connection at once.
const CHUNK: usize = 256 << 10;

/// Batches that are read ahead.
const AHEAD: usize = 2;

/// How it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    pub(crate) mirrored: Position,
    pub(crate) is_away: bool,
    /// Why it has stopped.
    pub(crate) error: Option<MirrorError>,
}

/// Follows a log.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) annals: Annals,
    pub(crate) log: EventId,
    pub(crate) settings: Settings,
    pub(crate) told: watch::Sender<Status>,
    pub(crate) meters: Meters,
}

/// A batch, or why there are no more.
type Read = Result<Batch, MirrorError>;

impl Follower {
    pub(crate) async fn run(self) {
        let mut attempt = 0;
        loop {
            let before = self.told.borrow().mirrored;
            let Err(error) = self.follow().await;
            if !error.is_passing() {
                tracing::error!(%error, "a mirror has stopped");
                self.told.send_modify(|status| status.error = Some(error));
                return;
            }
            tracing::warn!(%error, "a mirror waits for its server");
            self.told.send_modify(|status| status.is_away = true);
            self.meters.waits();
            self.count_lag();
            attempt = if self.told.borrow().mirrored > before { 0 } else { attempt + 1 };
            sleep(connection::backoff(attempt)).await;
        }
    }

    async fn follow(&self) -> Result<std::convert::Infallible, MirrorError> {
        let mut session = Session::open(self).await?;
        let position = session.position(self).await?;
        let log = self.annals.position();
        if position > log {
            return Err(MirrorError::Ahead { mirrored: position, log });
        }
        self.told.send_modify(|status| {
            status.mirrored = position;
            status.is_away = false;
        });
        let (batches, mut read) = mpsc::channel(AHEAD);
        let reader =
            Reader(tokio::spawn(read_log(self.annals.clone(), self.log, position, batches)));
        while let Some(batch) = read.recv().await {
            let batch = batch?;
            let (after, last) = (batch.after, batch.last);
            session.copy(batch).await?;
            self.told.send_modify(|status| status.mirrored = last);
            self.meters.copied(last.get() - after.get());
            self.count_lag();
        }
        drop(reader);
        Err(MirrorError::Stopped)
    }

    fn count_lag(&self) {
        let mirrored = self.told.borrow().mirrored.get();
        self.meters.lag(self.annals.position().get().saturating_sub(mirrored));
    }
}

/// A task that ends with its owner.
struct Reader(tokio::task::JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads the log from a position on, for ever, and hands on what there is: as much as there is, up
/// to a batch. Commits are not split.
async fn read_log(annals: Annals, log: EventId, after: Position, batches: mpsc::Sender<Read>) {
    let mut subscription = annals.subscribe(after);
    // The subscription reads on when the last handle is closed, until everything was read.
    drop(annals);
    let mut batch = Batch::after(after);
    loop {
        let is_due = match subscription.next_commit().await {
            Ok(CommitDelivery::Commit { first, events }) => {
                for event in events {
                    batch.add(log, first, event);
                }
                batch.is_full()
            }
            Ok(CommitDelivery::CaughtUp(_)) => !batch.is_empty(),
            Err(error) => {
                drop(batches.send(Err(error.into())).await);
                return;
            }
        };
        if is_due {
            let next = Batch::after(batch.last);
            if batches.send(Ok(std::mem::replace(&mut batch, next))).await.is_err() {
                return;
            }
        }
    }
}

/// A connection with what it knows.
struct Session {
    connection: Connection,
    look_up: Query,
    mirror_to: Query,
    streams: Statement,
    events: Statement,
    numbers: Numbers,
}

impl Session {
    async fn open(follower: &Follower) -> Result<Self, ConnectError> {
        let settings = &follower.settings;
        let connection = Connection::open(settings, None).await?;
        schema::look(&connection, settings, Role::Mirror { log: follower.log }).await?;
        let look_up = connection.statement(settings, LOOK_UP, &[Type::TEXT_ARRAY]).await?;
        let types = &[Type::INT8, Type::INT8];
        let mirror_to = connection.statement(settings, MIRROR_TO, types).await?;
        let refused = |error| connection::refused(settings, error);
        let streams = connection.client.prepare(copying::STREAMS).await.map_err(refused)?;
        let events = connection.client.prepare(copying::EVENTS).await.map_err(refused)?;
        Ok(Self { connection, look_up, mirror_to, streams, events, numbers: Numbers::default() })
    }

    async fn position(&self, follower: &Follower) -> Result<Position, ConnectError> {
        position(&self.connection, &follower.settings).await
    }

    /// Copies a batch, once.
    async fn copy(&mut self, mut batch: Batch) -> Result<(), MirrorError> {
        let (after, last) = (batch.after, batch.last);
        let refused = |source| MirrorError::Server { after, source };
        let unknown = self.numbers.unknown(&batch);
        if !unknown.is_empty() {
            let rows = self.connection.query(&self.look_up, &[&unknown]).await.map_err(refused)?;
            for row in &rows {
                let name = row.try_get(0).map_err(|error| refused(error.into()))?;
                let number = row.try_get(1).map_err(|error| refused(error.into()))?;
                self.numbers.learn(name, number);
            }
        }
        let new = self.numbers.number(&mut batch)?;
        let range = [signed(after.get()), signed(last.get())];
        let finished = batch.finish();
        let is_copied = match self.transaction(range, new.clone(), finished.rows.clone()).await {
            // JSON that Postgres cannot hold after all: such numbers, such depths.
            Err(failure) if failure.is_of_data() => {
                self.end("ROLLBACK").await.map_err(refused)?;
                let rows = self.without_json(&finished).await.map_err(refused)?;
                self.transaction(range, new, rows).await.map_err(refused)?
            }
            other => other.map_err(refused)?,
        };
        if is_copied { Ok(()) } else { Err(MirrorError::Moved) }
    }

    /// The position and what lies before it. False: the mirror was not where the range begins.
    async fn transaction(
        &self,
        [after, last]: [i64; 2],
        streams: Option<Bytes>,
        events: Bytes,
    ) -> Result<bool, Failure> {
        self.connection.client.batch_execute("BEGIN").await?;
        let rows = self.connection.query(&self.mirror_to, &[&after, &last]).await?;
        if !rows.first().map_or(Ok(false), |row| row.try_get(0))? {
            self.end("ROLLBACK").await?;
            return Ok(false);
        }
        if let Some(streams) = streams {
            self.send(&self.streams, streams).await?;
        }
        self.send(&self.events, events).await?;
        self.end("COMMIT").await?;
        Ok(true)
    }

    async fn send(&self, statement: &Statement, mut rows: Bytes) -> Result<(), Failure> {
        let sink: CopyInSink<Bytes> = self.connection.client.copy_in(statement).await?;
        let mut sink = std::pin::pin!(sink);
        while !rows.is_empty() {
            let chunk = rows.split_to(CHUNK.min(rows.len()));
            sink.feed(chunk).await?;
        }
        sink.finish().await?;
        Ok(())
    }

    async fn end(&self, how: &str) -> Result<(), Failure> {
        Ok(self.connection.client.batch_execute(how).await?)
    }

    /// The rows, without what the server refuses as JSON.
    async fn without_json(&self, finished: &Finished) -> Result<Bytes, Failure> {
        let mut refused = Vec::new();
        for (number, json) in finished.json() {
            let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&json, Type::TEXT)];
            let probe = self.connection.client.query_typed("SELECT $1::jsonb", &parameters);
            match probe.await.map_err(Failure::from) {
                Ok(_) => {}
                Err(failure) if failure.is_of_data() => refused.push(number),
                Err(failure) => return Err(failure),
            }
        }
        Ok(finished.without(&refused))
    }
}

/// How far the mirror is.
pub(crate) async fn position(
    connection: &Connection,
    settings: &Settings,
) -> Result<Position, ConnectError> {
    let refused = |error| connection::refused(settings, error);
    let row = "SELECT position FROM mirrored";
    let row = connection.client.query_typed_one(row, &[]).await.map_err(refused)?;
    Ok(Position::new(unsigned(row.try_get(0).map_err(refused)?)))
}

impl MirrorError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_passing(),
            Self::Server { source, .. } => source.is_passing(),
            Self::Moved => true,
            _ => false,
        }
    }
}
