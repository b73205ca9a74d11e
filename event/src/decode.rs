//! From the body of a commit to views of its events. `docs/format.md`, "Commit body".
//!
//! The bytes come from disk and may be anything: nothing here panics, and nothing is allocated
//! by a length that was read.

use smallvec::SmallVec;

use crate::{
    encode::{BODY_ALIGN, flag},
    event::{RecordedEvent, Timestamp},
    event_id::EventId,
    event_type::{CodecId, EventType, SchemaVersion},
    limits, name,
    ordinal::{Position, StreamVersion},
    stream_id::StreamId,
    wire::{Malformed, take, take_array, take_byte, take_name, take_varint},
};

/// What the frame's head says of a commit.
#[derive(Debug, Clone, Copy)]
pub struct CommitHead<'a> {
    /// The log's id.
    pub log_id: u128,
    /// The position of the first event.
    pub first: Position,
    /// How many events.
    pub events: u32,
    /// When it was put in order.
    pub time: Timestamp,
    /// The version of each stream before it: 8 bytes each, little-endian.
    pub versions: &'a [u8],
}

/// The body of a commit with its tables read.
#[derive(Debug, Clone)]
pub struct CommitView<'a> {
    head: CommitHead<'a>,
    tables: Tables<'a>,
    events: &'a [u8],
}

/// What the events of a commit refer to by number. Most commits have one or two streams and
/// types: these are kept without allocation.
#[derive(Debug, Clone)]
struct Tables<'a> {
    /// Each stream with its version so far.
    streams: SmallVec<[(&'a str, StreamVersion); 2]>,
    types: SmallVec<[TypeView<'a>; 2]>,
}

#[derive(Debug, Clone, Copy)]
struct TypeView<'a> {
    name: &'a str,
    codec: CodecId,
    schema_version: SchemaVersion,
}

/// An event in the log, borrowed from it.
#[derive(Debug, Clone, Copy)]
pub struct EventView<'a> {
    /// Its stream.
    pub stream: &'a str,
    /// The version of the stream after it.
    pub version: StreamVersion,
    /// Its position in the log.
    pub position: Position,
    /// When its commit was put in order.
    pub time: Timestamp,
    /// Its identity, given or derived.
    pub id: EventId,
    /// Whether the caller gave `id`.
    pub id_given: bool,
    /// Its type.
    pub event_type: &'a str,
    /// Which codec wrote `payload`.
    pub codec: CodecId,
    /// Which shape of its type `payload` has.
    pub schema_version: SchemaVersion,
    /// What happened.
    pub payload: &'a [u8],
    /// What goes along with it.
    pub metadata: &'a [u8],
    /// The number of its stream in the commit's streams table.
    pub stream_number: usize,
    tags: &'a [u8],
}

impl<'a> CommitView<'a> {
    /// Reads the tables of a body.
    ///
    /// # Errors
    /// The bytes are not the body of a commit with this head.
    pub fn parse(head: CommitHead<'a>, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut bytes = body;
        let (versions, odd) = head.versions.as_chunks::<8>();
        if !odd.is_empty() || versions.is_empty() {
            return Err(Malformed("it has no streams"));
        }
        // Who reads it backward holds all its events at once.
        if usize::try_from(head.events).is_ok_and(|events| events > limits::COMMIT_EVENTS_MAX) {
            return Err(Malformed("its number of events is impossible"));
        }
        let mut streams = SmallVec::new();
        for version in versions {
            let version = StreamVersion::new(u64::from_le_bytes(*version));
            streams.push((checked_name(&mut bytes)?, version));
        }
        let type_count = take_varint(&mut bytes)?;
        if type_count == 0 || type_count > limits::COMMIT_EVENTS_MAX {
            return Err(Malformed("its number of types is impossible"));
        }
        let mut types = SmallVec::new();
        for _ in 0..type_count {
            let name = checked_name(&mut bytes)?;
            let codec = CodecId(take_byte(&mut bytes)?);
            let schema_version = SchemaVersion(u16::from_le_bytes(take_array(&mut bytes)?));
            types.push(TypeView { name, codec, schema_version });
        }
        Ok(Self { head, tables: Tables { streams, types }, events: bytes })
    }

    /// The streams it writes to, each with its version before the commit.
    pub fn streams(&self) -> &[(&'a str, StreamVersion)] {
        &self.tables.streams
    }

    /// What the frame's head says.
    pub fn head(&self) -> CommitHead<'a> {
        self.head
    }

    /// Its events, in order. Ends after the first error.
    pub fn into_events(self) -> Events<'a> {
        Events { tables: self.tables, bytes: self.events, head: self.head, done: 0 }
    }
}

fn checked_name<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Malformed> {
    let name = take_name(bytes)?;
    name::check(name, "").map_err(|_| Malformed("a name is empty or has a control character"))?;
    Ok(name)
}

/// The events of a commit, in order.
#[derive(Debug, Clone)]
pub struct Events<'a> {
    tables: Tables<'a>,
    bytes: &'a [u8],
    head: CommitHead<'a>,
    done: u32,
}

impl<'a> Events<'a> {
    fn take_event(&mut self) -> Result<EventView<'a>, Malformed> {
        let bytes = &mut self.bytes;
        let stream_number = take_varint(bytes)?;
        let (stream, version) = self
            .tables
            .streams
            .get_mut(stream_number)
            .ok_or(Malformed("an event has no stream"))?;
        let kind =
            self.tables.types.get(take_varint(bytes)?).ok_or(Malformed("an event has no type"))?;
        let flags = take_byte(bytes)?;
        if flags & !flag::KNOWN != 0 {
            return Err(Malformed("an event has a flag that this version does not know"));
        }
        let position = self.head.first.plus(u64::from(self.done));
        let id_given = flags & flag::ID != 0;
        let id = if id_given {
            EventId::new(take_array(bytes)?)
        } else {
            EventId::derived(self.head.log_id, position)
        };
        let metadata =
            if flags & flag::METADATA != 0 { take_nonempty(bytes)? } else { Default::default() };
        let tags = if flags & flag::TAGS != 0 { take_tags(bytes)? } else { Default::default() };
        let payload_len = take_varint(bytes)?;
        let payload = take(bytes, payload_len)?;
        *version = version.next();
        Ok(EventView {
            stream,
            version: *version,
            position,
            time: self.head.time,
            id,
            id_given,
            event_type: kind.name,
            codec: kind.codec,
            schema_version: kind.schema_version,
            payload,
            metadata,
            stream_number,
            tags,
        })
    }

    /// After the last event: nothing but less than eight zero bytes.
    fn check_end(&self) -> Result<(), Malformed> {
        if self.bytes.len() >= BODY_ALIGN || self.bytes.iter().any(|byte| *byte != 0) {
            return Err(Malformed("it has more bytes than its events"));
        }
        Ok(())
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<EventView<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done == self.head.events {
            return None;
        }
        let event = self.take_event();
        self.done += 1;
        let last = self.done == self.head.events;
        let event = if last { event.and_then(|e| self.check_end().map(|()| e)) } else { event };
        if event.is_err() {
            self.done = self.head.events;
        }
        Some(event)
    }
}

fn take_nonempty<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let len = take_varint(bytes)?;
    if len == 0 {
        return Err(Malformed("metadata is announced and empty"));
    }
    take(bytes, len)
}

/// Takes the tags as they lie, after a look that they are names.
fn take_tags<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let count = take_varint(bytes)?;
    if count == 0 || count > limits::EVENT_TAGS_MAX {
        return Err(Malformed("its number of tags is impossible"));
    }
    let start = *bytes;
    for _ in 0..count {
        checked_name(bytes)?;
    }
    start.get(..start.len() - bytes.len()).ok_or(Malformed("it ends early"))
}

impl<'a> EventView<'a> {
    /// Its tags, in order.
    pub fn tags(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut bytes = self.tags;
        // `take_tags` saw that they are names.
        std::iter::from_fn(move || take_name(&mut bytes).ok())
    }

    /// An event that owns its bytes.
    ///
    /// # Errors
    /// Never for a view that came from [`Events`], whose names were checked.
    pub fn to_owned(&self) -> Result<RecordedEvent, Malformed> {
        let stream = StreamId::new(self.stream)
            .map_err(|_| Malformed("a name is empty or has a control character"))?;
        self.to_owned_in(stream)
    }

    /// As [`EventView::to_owned`], when its stream's id is at hand.
    ///
    /// # Errors
    /// As [`EventView::to_owned`].
    pub fn to_owned_in(&self, stream: StreamId) -> Result<RecordedEvent, Malformed> {
        let invalid = |_| Malformed("a name is empty or has a control character");
        Ok(RecordedEvent {
            stream,
            version: self.version,
            position: self.position,
            time: self.time,
            id: self.id,
            event_type: EventType::new(self.event_type.to_owned()).map_err(invalid)?,
            codec: self.codec,
            schema_version: self.schema_version,
            payload: self.payload.to_vec(),
            metadata: self.metadata.to_vec(),
            tags: self.tags().map(str::to_owned).collect(),
        })
    }
}
