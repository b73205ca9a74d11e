//! Events as rows.

use annals_event::{
    CodecId, EventId, EventType, Position, RecordedEvent, SchemaVersion, StreamId, StreamVersion,
};
use tokio_postgres::{Row, types::FromSql};

use crate::{
    error::{Failure, StoreError},
    types::{Time, Uuid},
};

/// The id that an event has which was given none.
pub(crate) fn derived_id(log: EventId, position: Position) -> EventId {
    EventId::derived(u128::from_le_bytes(*log.as_bytes()), position)
}

/// A number of Postgres, which has no unsigned ones.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// As a number of Postgres. What is larger than any is the largest.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A column.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| StoreError::Server(Failure::from(error)))
}

/// The event in a row, whose columns begin with `first`: position, version, time, type, codec,
/// `schema_version`, payload, metadata, tags, id.
pub(crate) fn event(
    row: &Row,
    first: usize,
    stream: StreamId,
    log: EventId,
) -> Result<RecordedEvent, StoreError> {
    let position = Position::new(unsigned(get(row, first)?));
    let damaged = |what: String| StoreError::Damaged { position, what };
    let Time(time) = get(row, first + 2)?;
    let event_type: String = get(row, first + 3)?;
    let codec: i16 = get(row, first + 4)?;
    let schema_version: i32 = get(row, first + 5)?;
    let id: Option<Uuid> = get(row, first + 9)?;
    Ok(RecordedEvent {
        stream,
        version: StreamVersion::new(unsigned(get(row, first + 1)?)),
        position,
        time,
        id: id.map_or_else(|| derived_id(log, position), EventId::from),
        event_type: EventType::new(event_type).map_err(|error| damaged(error.to_string()))?,
        codec: u8::try_from(codec)
            .map(CodecId)
            .map_err(|_| damaged(format!("{codec} is no codec")))?,
        schema_version: u16::try_from(schema_version)
            .map(SchemaVersion)
            .map_err(|_| damaged(format!("{schema_version} is no version of a schema")))?,
        payload: get(row, first + 6)?,
        metadata: get::<Option<Vec<u8>>>(row, first + 7)?.unwrap_or_default(),
        tags: get::<Option<Vec<String>>>(row, first + 8)?.unwrap_or_default(),
    })
}
