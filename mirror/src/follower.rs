//! Follows a log: connects, asks how far the mirror is, copies from there on; again from the start
//! when the connection is lost.

use annals_engine::{Annals, Delivery};
use annals_event::{EventId, Position};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_postgres::types::{ToSql, Type};

use crate::{
    columns::{self, Columns, Numbered, Numbers},
    connection::{self, Connection, Query},
    error::{ConnectError, Failure, MirrorError},
    rows::{signed, unsigned},
    schema::{self, Role},
    settings::Settings,
};

const LOOK_UP: &str = "SELECT name, number FROM streams WHERE name = ANY ($1)";

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
}

/// A batch, or why there are no more.
type Read = Result<Columns, MirrorError>;

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
            let mut batch = batch?;
            session.copy(&mut batch).await?;
            self.told.send_modify(|status| status.mirrored = batch.last);
        }
        drop(reader);
        Err(MirrorError::Stopped)
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
/// to a batch.
async fn read_log(annals: Annals, log: EventId, after: Position, batches: mpsc::Sender<Read>) {
    let mut subscription = annals.subscribe(after);
    // The subscription reads on when the last handle is closed, until everything was read.
    drop(annals);
    let mut columns = Columns::after(after);
    loop {
        let is_due = match subscription.next().await {
            Ok(Delivery::Event(event)) => {
                columns.add(log, event);
                columns.is_full()
            }
            Ok(Delivery::CaughtUp(_)) => !columns.is_empty(),
            Err(error) => {
                drop(batches.send(Err(error.into())).await);
                return;
            }
        };
        if is_due {
            let next = Columns::after(columns.last);
            if batches.send(Ok(std::mem::replace(&mut columns, next))).await.is_err() {
                return;
            }
        }
    }
}

/// A connection with what it knows.
struct Session {
    connection: Connection,
    call: Query,
    look_up: Query,
    numbers: Numbers,
}

impl Session {
    async fn open(follower: &Follower) -> Result<Self, ConnectError> {
        let settings = &follower.settings;
        let connection = Connection::open(settings, None).await?;
        schema::look(&connection, settings, Role::Mirror { log: follower.log }).await?;
        let call = connection.statement(settings, columns::CALL, columns::TYPES).await?;
        let look_up = connection.statement(settings, LOOK_UP, &[Type::TEXT_ARRAY]).await?;
        Ok(Self { connection, call, look_up, numbers: Numbers::default() })
    }

    async fn position(&self, follower: &Follower) -> Result<Position, ConnectError> {
        position(&self.connection, &follower.settings).await
    }

    /// Copies a batch, once.
    async fn copy(&mut self, batch: &mut Columns) -> Result<(), MirrorError> {
        let after = batch.after;
        let refused = |source| MirrorError::Server { after, source };
        let unknown = self.numbers.unknown(batch);
        if !unknown.is_empty() {
            let rows = self.connection.query(&self.look_up, &[&unknown]).await.map_err(refused)?;
            for row in &rows {
                let name = row.try_get(0).map_err(|error| refused(error.into()))?;
                let number = row.try_get(1).map_err(|error| refused(error.into()))?;
                self.numbers.learn(name, number);
            }
        }
        let numbered = self.numbers.number(batch)?;
        let is_copied = match self.call(batch, &numbered).await {
            // JSON that Postgres cannot hold after all: such numbers, such depths.
            Err(failure) if failure.is_of_data() => {
                self.leave_out_json(batch).await.map_err(refused)?;
                self.call(batch, &numbered).await.map_err(refused)?
            }
            other => other.map_err(refused)?,
        };
        if is_copied { Ok(()) } else { Err(MirrorError::Moved) }
    }

    /// Whether the mirror was where the batch begins.
    async fn call(&self, batch: &Columns, numbered: &Numbered) -> Result<bool, Failure> {
        let after = signed(batch.after.get());
        let parameters = batch.parameters(&after, numbered);
        let rows = self.connection.query(&self.call, &parameters).await?;
        rows.first().map_or(Ok(false), |row| row.try_get(0)).map_err(Failure::from)
    }

    /// Leaves out of a batch what the server refuses as JSON.
    async fn leave_out_json(&self, batch: &mut Columns) -> Result<(), Failure> {
        for json in &mut batch.json {
            let Some(text) = json else { continue };
            let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(text, Type::TEXT)];
            let probe = self.connection.client.query_typed("SELECT $1::jsonb", &parameters);
            match probe.await.map_err(Failure::from) {
                Ok(_) => {}
                Err(failure) if failure.is_of_data() => *json = None,
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
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
