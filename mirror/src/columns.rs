//! Events of the log as columns, a batch at a time.

use std::collections::HashMap;

use annals_event::{EventId, Position, RecordedEvent, StreamId};
use tokio_postgres::types::{ToSql, Type};

use crate::{
    error::MirrorError,
    json,
    rows::{derived_id, signed},
    types::{Time, Uuid},
};

/// A call.
pub(crate) const CALL: &str =
    "SELECT mirror($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

/// What its parameters are.
pub(crate) const TYPES: &[Type] = &[
    Type::INT8,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT2_ARRAY,
    Type::INT4_ARRAY,
    Type::BYTEA_ARRAY,
    Type::BYTEA_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
];

/// A batch is full with so many events, or so many bytes.
const EVENTS_MAX: usize = 4_000;
const BYTES_MAX: usize = 8 << 20;

/// Streams that are known by number; with more, all are forgotten and looked up again.
const KNOWN_MAX: usize = 500_000;

/// Events of the log as columns.
#[derive(Debug)]
pub(crate) struct Columns {
    /// The position before the first event.
    pub(crate) after: Position,
    /// The position of the last event.
    pub(crate) last: Position,
    bytes: usize,
    streams: Vec<StreamId>,
    versions: Vec<i64>,
    positions: Vec<i64>,
    times: Vec<Time>,
    types: Vec<String>,
    codecs: Vec<i16>,
    schemas: Vec<i32>,
    payloads: Vec<Vec<u8>>,
    metadata: Vec<Option<Vec<u8>>>,
    tags: Vec<Option<String>>,
    ids: Vec<Option<Uuid>>,
    pub(crate) json: Vec<Option<String>>,
}

impl Columns {
    pub(crate) fn after(after: Position) -> Self {
        Self {
            after,
            last: after,
            bytes: 0,
            streams: Vec::new(),
            versions: Vec::new(),
            positions: Vec::new(),
            times: Vec::new(),
            types: Vec::new(),
            codecs: Vec::new(),
            schemas: Vec::new(),
            payloads: Vec::new(),
            metadata: Vec::new(),
            tags: Vec::new(),
            ids: Vec::new(),
            json: Vec::new(),
        }
    }

    /// Adds the next event of the log with this id.
    pub(crate) fn add(&mut self, log: EventId, event: RecordedEvent) {
        self.last = event.position;
        let contents = event.payload.len() + event.metadata.len();
        self.bytes += contents + 64;
        self.versions.push(signed(event.version.get()));
        self.positions.push(signed(event.position.get()));
        self.times.push(Time(event.time));
        self.types.push(event.event_type.as_str().to_owned());
        self.codecs.push(i16::from(event.codec.0));
        self.schemas.push(i32::from(event.schema_version.0));
        let json = json::text(event.codec, &event.payload);
        self.bytes += json.as_ref().map_or(0, String::len);
        self.json.push(json);
        self.payloads.push(event.payload);
        self.metadata.push((!event.metadata.is_empty()).then_some(event.metadata));
        self.tags.push((!event.tags.is_empty()).then(|| event.tags.join("\u{1f}")));
        let is_derived = event.id == derived_id(log, event.position);
        self.ids.push((!is_derived).then(|| event.id.into()));
        self.streams.push(event.stream);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.positions.len() >= EVENTS_MAX || self.bytes >= BYTES_MAX
    }

    /// How many events it has.
    pub(crate) fn len(&self) -> usize {
        self.positions.len()
    }
}

/// The numbers of streams in the mirror: the positions of their first events.
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashMap<StreamId, i64>);

/// The streams of a batch by number.
#[derive(Debug)]
pub(crate) struct Numbered {
    /// Of each event.
    events: Vec<i64>,
    new: Vec<i64>,
    new_names: Vec<String>,
}

impl Numbers {
    /// The names that must be looked up before a batch can be numbered.
    pub(crate) fn unknown<'c>(&mut self, columns: &'c Columns) -> Vec<&'c str> {
        if self.0.len() > KNOWN_MAX {
            self.0.clear();
        }
        for ((stream, version), position) in columns.rows() {
            if *version == 1 {
                self.0.insert(stream.clone(), *position);
            }
        }
        let unknown = columns.streams.iter().filter(|stream| !self.0.contains_key(*stream));
        let mut unknown: Vec<&str> = unknown.map(StreamId::as_str).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// What was found.
    pub(crate) fn learn(&mut self, name: &str, number: i64) {
        if let Ok(stream) = StreamId::new(name) {
            self.0.insert(stream, number);
        }
    }

    /// The streams of a batch by number.
    pub(crate) fn number(&self, columns: &Columns) -> Result<Numbered, MirrorError> {
        let mut numbered =
            Numbered { events: Vec::with_capacity(columns.len()), new: vec![], new_names: vec![] };
        for ((stream, version), position) in columns.rows() {
            let Some(number) = self.0.get(stream) else {
                let position = Position::new(crate::rows::unsigned(*position));
                return Err(MirrorError::Torn { stream: stream.clone(), position });
            };
            numbered.events.push(*number);
            if *version == 1 {
                numbered.new.push(*number);
                numbered.new_names.push(stream.as_str().to_owned());
            }
        }
        Ok(numbered)
    }
}

impl Columns {
    fn rows(&self) -> impl Iterator<Item = ((&StreamId, &i64), &i64)> {
        self.streams.iter().zip(&self.versions).zip(&self.positions)
    }

    /// What the call takes.
    pub(crate) fn parameters<'p>(
        &'p self,
        after: &'p i64,
        numbered: &'p Numbered,
    ) -> [&'p (dyn ToSql + Sync); 15] {
        [
            after,
            &numbered.new,
            &numbered.new_names,
            &self.positions,
            &numbered.events,
            &self.versions,
            &self.times,
            &self.types,
            &self.codecs,
            &self.schemas,
            &self.payloads,
            &self.metadata,
            &self.tags,
            &self.ids,
            &self.json,
        ]
    }
}

#[cfg(test)]
mod tests {
    use annals_event::{CodecId, EventType, SchemaVersion, StreamVersion, Timestamp};

    use super::*;

    fn event(stream: &str, position: u64, version: u64) -> RecordedEvent {
        RecordedEvent {
            stream: StreamId::new(stream).unwrap(),
            version: StreamVersion::new(version),
            position: Position::new(position),
            time: Timestamp(0),
            id: EventId::new([0; 16]),
            event_type: EventType::new("Happened").unwrap(),
            codec: CodecId::RAW,
            schema_version: SchemaVersion::FIRST,
            payload: vec![],
            metadata: vec![],
            tags: vec![],
        }
    }

    #[test]
    fn streams_are_numbered_by_their_first_event() {
        let mut columns = Columns::after(Position::new(4));
        for (stream, position, version) in [("new", 5, 1), ("old", 6, 3), ("new", 7, 2)] {
            columns.add(EventId::new([9; 16]), event(stream, position, version));
        }
        let mut numbers = Numbers::default();
        assert_eq!(numbers.unknown(&columns), ["old"]);
        let error = numbers.number(&columns).unwrap_err();
        assert!(matches!(error, MirrorError::Torn { position, .. } if position.get() == 6));
        numbers.learn("old", 2);
        let numbered = numbers.number(&columns).unwrap();
        assert_eq!((numbered.events, numbered.new), (vec![5, 2, 5], vec![5]));
        assert_eq!(numbered.new_names, ["new"]);
    }
}
