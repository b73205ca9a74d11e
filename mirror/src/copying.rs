//! Events of the log as rows of a binary COPY, a batch at a time.
//!
//! The form is that of the documentation of COPY, "Binary Format". Rows are written once, by
//! whoever reads the log; the numbers of their streams are filled in when they are known.

use std::collections::HashMap;

use annals_event::{EventId, Position, RecordedEvent, StreamId};
use bytes::{BufMut, Bytes, BytesMut};
use tokio_postgres::types::Type;

use crate::{
    error::MirrorError,
    json,
    rows::{derived_id, signed},
    types::Time,
};

/// New streams.
pub(crate) const STREAMS: &str = "COPY streams (number, name) FROM STDIN (FORMAT binary)";

/// Events.
pub(crate) const EVENTS: &str = "COPY events (position, stream, version, time, commit_index, codec,
    schema_version, type, id, payload, metadata, tags, json) FROM STDIN (FORMAT binary)";

/// So many columns are copied of an event.
const COLUMNS: i16 = 13;

/// A batch is full with so many events, or so many bytes.
const EVENTS_MAX: usize = 10_000;
const BYTES_MAX: usize = 8 << 20;

/// Streams that are known by number; with more, all are forgotten and looked up again.
const KNOWN_MAX: usize = 500_000;

/// Signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
const NULL: i32 = -1;

/// The only version of `jsonb` on the wire.
const JSONB: u8 = 1;

/// Rows of events.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The position before the first event.
    pub(crate) after: Position,
    /// The position of the last event.
    pub(crate) last: Position,
    rows: BytesMut,
    places: Vec<Place>,
}

/// What is to be found again in a row.
#[derive(Debug)]
pub(crate) struct Place {
    stream: StreamId,
    version: u64,
    position: i64,
    /// Where the number of its stream is.
    stream_at: usize,
    /// Where its JSON begins, with its length.
    json_at: usize,
    end: usize,
}

impl Batch {
    pub(crate) fn after(after: Position) -> Self {
        Self { after, last: after, rows: begun(), places: Vec::new() }
    }

    /// Adds the next event of the log with this id. Its commit begins at `first`.
    pub(crate) fn add(&mut self, log: EventId, first: Position, event: RecordedEvent) {
        self.last = event.position;
        let position = signed(event.position.get());
        let index = event.position.get().saturating_sub(first.get());
        let is_derived = event.id == derived_id(log, event.position);
        let rows = &mut self.rows;
        rows.put_i16(COLUMNS);
        bigint(rows, position);
        let stream_at = rows.len() + 4;
        bigint(rows, 0);
        bigint(rows, signed(event.version.get()));
        bigint(rows, Time(event.time).since_2000());
        rows.put_i32(4);
        rows.put_i32(i32::try_from(index).unwrap_or(i32::MAX));
        rows.put_i32(2);
        rows.put_i16(i16::from(event.codec.0));
        rows.put_i32(4);
        rows.put_i32(i32::from(event.schema_version.0));
        bytes(rows, event.event_type.as_str().as_bytes());
        optional(rows, (!is_derived).then_some(event.id.as_bytes().as_slice()));
        bytes(rows, &event.payload);
        optional(rows, Some(event.metadata.as_slice()).filter(|bytes| !bytes.is_empty()));
        tags(rows, &event.tags);
        let json_at = rows.len();
        match json::text(event.codec, &event.payload) {
            None => rows.put_i32(NULL),
            Some(json) => {
                rows.put_i32(length(json.len() + 1));
                rows.put_u8(JSONB);
                rows.put_slice(json.as_bytes());
            }
        }
        let (stream, version, end) = (event.stream, event.version.get(), rows.len());
        self.places.push(Place { stream, version, position, stream_at, json_at, end });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.places.len() >= EVENTS_MAX || self.rows.len() >= BYTES_MAX
    }

    /// What is sent. The numbers of the streams are to be filled in before.
    pub(crate) fn finish(mut self) -> Finished {
        self.rows.put_i16(TRAILER);
        Finished { rows: self.rows.freeze(), places: self.places }
    }
}

/// Rows that can be sent.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) rows: Bytes,
    places: Vec<Place>,
}

impl Finished {
    /// The JSON of each event that has some, and its number.
    pub(crate) fn json(&self) -> impl Iterator<Item = (usize, &str)> {
        self.places.iter().enumerate().filter_map(|(number, place)| {
            let text = self.rows.get(place.json_at + 5..place.end)?;
            Some((number, str::from_utf8(text).ok()?))
        })
    }

    /// The same rows, without the JSON of these.
    pub(crate) fn without(&self, numbers: &[usize]) -> Bytes {
        let (mut rows, mut from) = (BytesMut::with_capacity(self.rows.len()), 0);
        for number in numbers {
            let Some(place) = self.places.get(*number) else { continue };
            rows.put_slice(self.rows.get(from..place.json_at).unwrap_or_default());
            rows.put_i32(NULL);
            from = place.end;
        }
        rows.put_slice(self.rows.get(from..).unwrap_or_default());
        rows.freeze()
    }
}

/// The numbers of streams in the mirror: the positions of their first events.
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashMap<StreamId, i64>);

impl Numbers {
    /// The names that must be looked up before a batch can be numbered.
    pub(crate) fn unknown<'c>(&mut self, batch: &'c Batch) -> Vec<&'c str> {
        if self.0.len() > KNOWN_MAX {
            self.0.clear();
        }
        for place in batch.places.iter().filter(|place| place.version == 1) {
            self.0.insert(place.stream.clone(), place.position);
        }
        let streams = batch.places.iter().map(|place| &place.stream);
        let unknown = streams.filter(|stream| !self.0.contains_key(*stream));
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

    /// Fills in the numbers of a batch's streams, and returns the rows of those that are new, if
    /// there are any.
    pub(crate) fn number(&self, batch: &mut Batch) -> Result<Option<Bytes>, MirrorError> {
        let Batch { rows, places, .. } = batch;
        let mut new = begun();
        let is_new = places.iter().any(|place| place.version == 1);
        for Place { stream, version, position, stream_at, .. } in places {
            let Some(number) = self.0.get(stream) else {
                let position = Position::new(crate::rows::unsigned(*position));
                return Err(MirrorError::Torn { stream: stream.clone(), position });
            };
            if let Some(mut place) = rows.get_mut(*stream_at..*stream_at + 8) {
                place.put_i64(*number);
            }
            if *version == 1 {
                new.put_i16(2);
                bigint(&mut new, *number);
                bytes(&mut new, stream.as_str().as_bytes());
            }
        }
        new.put_i16(TRAILER);
        Ok(is_new.then(|| new.freeze()))
    }
}

fn begun() -> BytesMut {
    BytesMut::from(HEADER)
}

fn bigint(rows: &mut BytesMut, number: i64) {
    rows.put_i32(8);
    rows.put_i64(number);
}

fn bytes(rows: &mut BytesMut, bytes: &[u8]) {
    rows.put_i32(length(bytes.len()));
    rows.put_slice(bytes);
}

fn optional(rows: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        Some(some) => bytes(rows, some),
        None => rows.put_i32(NULL),
    }
}

/// An array of text, or NULL for none.
fn tags(rows: &mut BytesMut, tags: &[String]) {
    if tags.is_empty() {
        return rows.put_i32(NULL);
    }
    let elements: usize = tags.iter().map(|tag| 4 + tag.len()).sum();
    rows.put_i32(length(20 + elements));
    // One dimension, no NULL in it, of text, so many, counted from 1.
    rows.put_i32(1);
    rows.put_i32(0);
    rows.put_u32(Type::TEXT.oid());
    rows.put_i32(length(tags.len()));
    rows.put_i32(1);
    for tag in tags {
        bytes(rows, tag.as_bytes());
    }
}

/// No event is as long as 2 GiB.
fn length(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use annals_event::{CodecId, EventType, SchemaVersion, StreamVersion, Timestamp};
    use bytes::Buf;

    use super::*;

    const LOG: EventId = EventId::new([9; 16]);

    fn event(stream: &str, position: u64, version: u64) -> RecordedEvent {
        RecordedEvent {
            stream: StreamId::new(stream).unwrap(),
            version: StreamVersion::new(version),
            position: Position::new(position),
            time: Timestamp(0),
            id: EventId::new([0; 16]),
            event_type: EventType::new("Happened").unwrap(),
            codec: CodecId::JSON,
            schema_version: SchemaVersion::FIRST,
            payload: position.to_string().into_bytes(),
            metadata: vec![],
            tags: vec![],
        }
    }

    fn batch(events: &[(&str, u64, u64)]) -> Batch {
        let mut batch = Batch::after(Position::new(4));
        for (stream, position, version) in events {
            batch.add(LOG, Position::new(5), event(stream, *position, *version));
        }
        batch
    }

    /// The numbers of the streams in the rows.
    fn numbered(batch: &Batch) -> Vec<i64> {
        let number = |place: &Place| (&batch.rows[place.stream_at..]).get_i64();
        batch.places.iter().map(number).collect()
    }

    #[test]
    fn streams_are_numbered_by_their_first_event() {
        let mut batch = batch(&[("new", 5, 1), ("old", 6, 3), ("new", 7, 2)]);
        let mut numbers = Numbers::default();
        assert_eq!(numbers.unknown(&batch), ["old"]);
        let error = numbers.number(&mut batch).unwrap_err();
        assert!(matches!(error, MirrorError::Torn { position, .. } if position.get() == 6));
        numbers.learn("old", 2);
        let new = numbers.number(&mut batch).unwrap().unwrap();
        assert_eq!(numbered(&batch), [5, 2, 5]);
        assert_eq!(
            &new[HEADER.len()..],
            b"\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x05\0\0\0\x03new\xff\xff"
        );
        let mut again = self::batch(&[("new", 8, 3)]);
        assert!(numbers.unknown(&again).is_empty());
        assert_eq!(numbers.number(&mut again).unwrap(), None);
    }

    #[test]
    fn json_can_be_left_out_of_some() {
        let finished = batch(&[("a", 5, 1), ("a", 6, 2), ("a", 7, 3)]).finish();
        let json: Vec<_> = finished.json().collect();
        assert_eq!(json, [(0, "5"), (1, "6"), (2, "7")]);
        assert_eq!(finished.without(&[]), finished.rows);
        let left = finished.without(&[1]);
        assert_eq!(left.len(), finished.rows.len() - 2);
        let [first, second, third] = &finished.places[..] else { panic!() };
        let (before, behind) = (first.end..second.json_at, second.end..third.end);
        let expected =
            [&finished.rows[before], b"\xff\xff\xff\xff", &finished.rows[behind]].concat();
        assert_eq!(left[first.end..left.len() - 2], expected);
    }
}
