//! All events after a position, then every new one. The server's notifications say when to look;
//! where none comes, a look now and then finds what there is.

use std::sync::{Arc, OnceLock};

use annals_engine::Delivery;
use annals_event::{EventId, Position, RecordedEvent, StreamId};
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};
use tokio_postgres::types::Type;

use crate::{
    connection::{self, Connection, OnNotification, Query},
    error::{Failure, StoreError},
    rows::{self, get, signed, unsigned},
    settings::Settings,
};

const LISTEN: &str = "LISTEN annals";

/// Which of the database's schemas is told of.
const TOLD_OF: &str = "SELECT 'events'::regclass::oid::text";

/// What is there is asked for by position: positions appear in their order, so what lies behind
/// the last one that was seen is new, and nothing will appear before it.
const NEXT: &str = "SELECT e.position, e.version, e.time, e.type, e.codec, e.schema_version,
    e.payload, e.metadata, e.tags, e.id, s.name
    FROM events e JOIN streams s ON s.number = e.stream
    WHERE e.position > $1 ORDER BY e.position LIMIT 1000";

/// As many as a look gets.
const PAGE: usize = 1000;

/// What is read ahead of who receives it.
pub(crate) const AHEAD: usize = 2 * PAGE;

/// Delivers the events of a store in order, for ever. Servers that restart and connections that
/// are lost are waited for; no event is left out or delivered twice.
#[derive(Debug)]
pub struct Subscription(mpsc::Receiver<Result<Delivery, StoreError>>);

impl Subscription {
    pub(crate) fn new(delivered: mpsc::Receiver<Result<Delivery, StoreError>>) -> Self {
        Self(delivered)
    }

    /// The next delivery; waits until there is one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`StoreError`]: the subscription has ended, and why.
    pub async fn next(&mut self) -> Result<Delivery, StoreError> {
        self.0.recv().await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`Subscription::next`], blocking.
    ///
    /// # Errors
    /// As [`Subscription::next`].
    pub fn recv(&mut self) -> Result<Delivery, StoreError> {
        pollster::block_on(self.next())
    }
}

/// Rings when there may be something new, also while nobody waits.
#[derive(Debug, Default)]
struct Bell {
    /// What notifications of the own schema say.
    own: OnceLock<String>,
    rung: Notify,
}

/// Held by a connection.
struct Ringer(Arc<Bell>);

impl Ringer {
    fn heard(&self, payload: &str) {
        if self.0.own.get().is_none_or(|own| own == payload) {
            self.0.rung.notify_one();
        }
    }
}

/// The connection has ended: whoever waits should see it at once.
impl Drop for Ringer {
    fn drop(&mut self) {
        self.0.rung.notify_one();
    }
}

/// Looks for events and hands them on.
pub(crate) struct Feed {
    pub(crate) settings: Arc<Settings>,
    pub(crate) log: EventId,
    pub(crate) after: Position,
    pub(crate) deliveries: mpsc::Sender<Result<Delivery, StoreError>>,
}

impl Feed {
    pub(crate) async fn run(mut self) {
        let mut attempt = 0;
        loop {
            let before = self.after;
            let Err(error) = self.follow().await;
            let is_passing = match &error {
                StoreError::Connect(error) => error.is_passing(),
                StoreError::Server(failure) => failure.is_passing(),
                _ => false,
            };
            if !is_passing || self.deliveries.is_closed() {
                // Nobody may be listening any more.
                drop(self.deliveries.send(Err(error)).await);
                return;
            }
            attempt = if self.after > before { 0 } else { attempt + 1 };
            sleep(connection::backoff(attempt)).await;
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, StoreError> {
        let bell = Arc::new(Bell::default());
        let ringer = Ringer(bell.clone());
        let on_notification: OnNotification = Box::new(move |n| ringer.heard(n.payload()));
        let connection = Connection::open(&self.settings, Some(on_notification)).await?;
        let settings = self.settings.clone();
        let refused = |error| connection::refused(&settings, error);
        connection.client.batch_execute(LISTEN).await.map_err(refused)?;
        let row = connection.client.query_typed_one(TOLD_OF, &[]).await.map_err(refused)?;
        // Heard before it is known whose it is, a notification counts as its own.
        drop(bell.own.set(get(&row, 0)?));
        let next = connection.statement(&self.settings, NEXT, &[Type::INT8]).await?;
        let mut said = None;
        loop {
            while self.look(&connection, &next).await? == PAGE {}
            if said != Some(self.after) {
                said = Some(self.after);
                self.deliver(Delivery::CaughtUp(self.after)).await?;
            }
            // In time or not, it looks again.
            drop(timeout(self.settings.poll_interval, bell.rung.notified()).await);
        }
    }

    /// Delivers what there is, up to a page, and says how much that was.
    async fn look(&mut self, connection: &Connection, next: &Query) -> Result<usize, StoreError> {
        let after = signed(self.after.get());
        let found = connection.query(next, &[&after]).await.map_err(StoreError::Server)?;
        for row in &found {
            let event = self.event(row)?;
            let position = event.position;
            if position != self.after.next() {
                let what = "an event before it is missing".to_owned();
                return Err(StoreError::Damaged { position, what });
            }
            self.deliver(Delivery::Event(event)).await?;
            self.after = position;
        }
        Ok(found.len())
    }

    fn event(&self, row: &tokio_postgres::Row) -> Result<RecordedEvent, StoreError> {
        let name: &str =
            row.try_get(10).map_err(|error| StoreError::Server(Failure::from(error)))?;
        let position = Position::new(unsigned(get(row, 0)?));
        let stream = StreamId::new(name)
            .map_err(|error| StoreError::Damaged { position, what: error.to_string() })?;
        rows::event(row, 0, stream, self.log)
    }

    async fn deliver(&self, delivery: Delivery) -> Result<(), StoreError> {
        self.deliveries.send(Ok(delivery)).await.map_err(|_| StoreError::Closed)
    }
}
