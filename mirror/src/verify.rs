//! Compares a log with its mirror, range by range, and names the first difference.

use std::collections::VecDeque;

use annals_engine::{Annals, CommitDelivery, Subscription};
use annals_event::{EventId, LogQuery, Position, RecordedEvent};
use tokio_postgres::{
    Row,
    types::{FromSqlOwned, ToSql, Type},
};

use crate::{
    connection::Connection,
    digest,
    error::{Failure, MirrorError},
    follower,
    mirror::Mirror,
    rows::{self, signed, unsigned},
    runtime::Runtime,
    schema::{self, Role},
    settings::Settings,
};

/// So many events are compared by one digest.
const RANGE: u64 = 10_000;

const ROW: &str = "SELECT e.position, e.version, e.time, e.type, e.codec, e.schema_version,
    e.payload, e.metadata, e.tags, e.id, s.name, e.commit_index
    FROM events e LEFT JOIN streams s ON s.number = e.stream WHERE e.position = $1";

/// The first difference between a log and its mirror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event at position {position} {what}")]
pub struct Difference {
    /// The first event that differs.
    pub position: Position,
    /// How: which column, or that it is missing, or that the log has none there.
    pub what: String,
}

/// Compares what the mirror says it has with the log. `tell` is called with how many events are
/// compared. The column `json`, which is made from the payload for readers, is not compared.
///
/// # Errors
/// [`MirrorError`]: they could not be compared. A difference is a result.
pub fn verify(
    annals: &Annals,
    settings: &Settings,
    mut tell: impl FnMut(Position) + Send + 'static,
) -> Result<Result<Position, Difference>, MirrorError> {
    let (annals, settings) = (annals.clone(), settings.clone());
    Runtime::new(1)?.run(async move {
        let connection = Connection::open(&settings, None).await?;
        let log = Mirror::log_id(&annals);
        schema::look(&connection, &settings, Role::Mirror { log }).await?;
        let end = follower::position(&connection, &settings).await?;
        let newest = annals.position();
        if end > newest {
            return Err(MirrorError::Ahead { mirrored: end, log: newest });
        }
        let rows = connection.client.query_typed("SELECT commits_after FROM mirrored", &[]).await;
        let rows = rows.map_err(|error| refused(Position::ZERO, error.into()))?;
        let commits_after = Position::new(unsigned(one(Position::ZERO, &rows)?));
        let subscription = annals.subscribe(Position::ZERO);
        let mut hashes = Hashes { subscription, log, commits_after, ahead: VecDeque::new() };
        let verifier = Verifier { annals, connection };
        let mut after = Position::ZERO;
        while after < end {
            let last = after.plus(RANGE).min(end);
            let hashes = hashes.next(last.get() - after.get()).await?;
            if let Some(difference) = verifier.compare(after, last, hashes).await? {
                return Ok(Err(difference));
            }
            tell(last);
            after = last;
        }
        // What lies behind the end is no copy of anything.
        Ok(match verifier.first_behind(end).await? {
            None => Ok(end),
            Some(position) => {
                let what = "is in the mirror, which should end before it".to_owned();
                Err(Difference { position, what })
            }
        })
    })
}

/// The digests of the log's events, in order.
struct Hashes {
    subscription: Subscription,
    log: EventId,
    /// Behind this position a mirror knows commits.
    commits_after: Position,
    ahead: VecDeque<Hash>,
}

/// The digest of an event, and its place in its commit, as far as the mirror is to know it.
type Hash = ([u8; 32], Option<i32>);

impl Hashes {
    /// The next ones, of events that are durable.
    async fn next(&mut self, count: u64) -> Result<Vec<Hash>, MirrorError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        while self.ahead.len() < count {
            let delivery = self.subscription.next_commit().await?;
            let CommitDelivery::Commit { events, .. } = delivery else { continue };
            for (index, event) in (0..).zip(&events) {
                let index = (event.position > self.commits_after).then_some(index);
                self.ahead.push_back((digest::of(self.log, index, event), index));
            }
        }
        Ok(self.ahead.drain(..count).collect())
    }
}

struct Verifier {
    annals: Annals,
    connection: Connection,
}

impl Verifier {
    async fn compare(
        &self,
        after: Position,
        last: Position,
        hashes: Vec<Hash>,
    ) -> Result<Option<Difference>, MirrorError> {
        let range = [signed(after.get()), signed(last.get())];
        let rows = self.query(after, digest::RANGE, &range).await?;
        let digest: Vec<u8> = one(after, &rows)?;
        if digest == digest::of_range(hashes.iter().map(|(hash, _)| hash)) {
            return Ok(None);
        }
        let rows = self.query(after, digest::EACH, &range).await?;
        let mut expected = (after.get() + 1..).zip(hashes);
        for row in &rows {
            let refused = |error: tokio_postgres::Error| refused(after, error.into());
            let position: i64 = row.try_get(0).map_err(refused)?;
            let found: Vec<u8> = row.try_get(1).map_err(refused)?;
            let Some((number, (hash, index))) = expected.next() else { break };
            let what = if signed(number) != position {
                "is missing in the mirror".to_owned()
            } else if found != hash {
                self.columns(Position::new(number), index).await?
            } else {
                continue;
            };
            return Ok(Some(Difference { position: Position::new(number), what }));
        }
        let what = "is missing in the mirror".to_owned();
        let missing = expected.next().map(|(number, _)| Position::new(number));
        Ok(missing.map(|position| Difference { position, what }))
    }

    /// Which columns of an event differ.
    async fn columns(&self, position: Position, index: Option<i32>) -> Result<String, MirrorError> {
        let query = LogQuery::forward().from(position).limit(1);
        let Some(event) = self.annals.read_all(query).next() else { return Ok("is gone".into()) };
        let event = event?;
        let rows = self.query(position, ROW, &[signed(position.get())]).await?;
        let Some(row) = rows.first() else { return Ok("is missing in the mirror".to_owned()) };
        let name: Option<String> = row.try_get(10).map_err(|e| refused(position, e.into()))?;
        let found: Option<i32> = row.try_get(11).map_err(|e| refused(position, e.into()))?;
        if found != index {
            return Ok("differs in commit_index".to_owned());
        }
        if name.as_deref() != Some(event.stream.as_str()) {
            return Ok(format!(
                "is of stream {} in the log, of {name:?} in the mirror",
                event.stream
            ));
        }
        let log = Mirror::log_id(&self.annals);
        Ok(match rows::event(row, 0, event.stream.clone(), log) {
            Ok(found) => format!("differs in {}", differing(&event, &found).join(", ")),
            Err(error) => format!("is no event in the mirror: {error}"),
        })
    }

    async fn first_behind(&self, end: Position) -> Result<Option<Position>, MirrorError> {
        let text = "SELECT min(position) FROM events WHERE position > $1";
        let rows = self.query(end, text, &[signed(end.get())]).await?;
        let first: Option<i64> = one(end, &rows)?;
        Ok(first.map(|position| Position::new(unsigned(position))))
    }

    async fn query(
        &self,
        after: Position,
        text: &str,
        numbers: &[i64],
    ) -> Result<Vec<Row>, MirrorError> {
        let types = digest::TYPES.iter().cloned();
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = Vec::new();
        for (number, ty) in numbers.iter().zip(types) {
            parameters.push((number, ty));
        }
        let rows = self.connection.client.query_typed(text, &parameters).await;
        rows.map_err(|error| refused(after, error.into()))
    }
}

fn one<T: FromSqlOwned>(after: Position, rows: &[Row]) -> Result<T, MirrorError> {
    let row = rows.first().ok_or(MirrorError::Stopped)?;
    row.try_get(0).map_err(|error| refused(after, error.into()))
}

fn refused(after: Position, source: Failure) -> MirrorError {
    MirrorError::Server { after, source }
}

fn differing(event: &RecordedEvent, found: &RecordedEvent) -> Vec<&'static str> {
    let columns = [
        ("version", event.version == found.version),
        ("time", event.time == found.time),
        ("type", event.event_type == found.event_type),
        ("codec", event.codec == found.codec),
        ("schema_version", event.schema_version == found.schema_version),
        ("payload", event.payload == found.payload),
        ("metadata", event.metadata == found.metadata),
        ("tags", event.tags == found.tags),
        ("id", event.id == found.id),
    ];
    columns.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
}
