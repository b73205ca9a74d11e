//! An event before it is in the log, and after.

use crate::{
    event_id::EventId,
    event_type::{CodecId, EventType, SchemaVersion},
    name::InvalidName,
    ordinal::{Position, StreamVersion},
    stream_id::StreamId,
};

/// An event to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its stream.
    pub stream: StreamId,
    /// Its type.
    pub event_type: EventType,
    /// Which codec wrote `payload`; [`CodecId::RAW`] unless said.
    pub codec: CodecId,
    /// Which shape of its type `payload` has; 1 unless said.
    pub schema_version: SchemaVersion,
    /// What happened; the store never looks inside.
    pub payload: Vec<u8>,
    /// What goes along with it (who, why); the store never looks inside.
    pub metadata: Vec<u8>,
    /// Labels, at most 64 of 1 to 255 bytes each.
    pub tags: Vec<String>,
    /// Its identity, for idempotent appends; `None` derives one from its position.
    pub id: Option<EventId>,
}

impl NewEvent {
    /// An event of a type with a payload.
    ///
    /// # Errors
    /// [`InvalidName`]: the type is no valid name.
    pub fn new(
        stream: StreamId,
        event_type: &'static str,
        payload: impl Into<Vec<u8>>,
    ) -> Result<Self, InvalidName> {
        Ok(Self::typed(stream, EventType::new(event_type)?, payload))
    }

    /// An event of a type that is known to be a valid name.
    pub fn typed(stream: StreamId, event_type: EventType, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            stream,
            event_type,
            codec: CodecId::RAW,
            schema_version: SchemaVersion::FIRST,
            payload: payload.into(),
            metadata: Vec::new(),
            tags: Vec::new(),
            id: None,
        }
    }

    /// With an identity, so that appending it twice appends it once.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// With metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// With the codec that wrote the payload, and the shape it has.
    #[must_use]
    pub fn with_codec(mut self, codec: CodecId, schema_version: SchemaVersion) -> Self {
        self.codec = codec;
        self.schema_version = schema_version;
        self
    }

    /// With one more tag.
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Payload, metadata and tags together, in bytes.
    pub(crate) fn content_bytes(&self) -> usize {
        let tags: usize = self.tags.iter().map(String::len).sum();
        self.payload.len() + self.metadata.len() + tags
    }
}

/// Microseconds since 1970-01-01T00:00:00Z. For people: order is by [`Position`], and a clock
/// that is set back makes a later event carry an earlier time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// An event as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its stream.
    pub stream: StreamId,
    /// The version of the stream after it.
    pub version: StreamVersion,
    /// Its position in the log.
    pub position: Position,
    /// When it was appended, just before it was put in order.
    pub time: Timestamp,
    /// Its identity, given or derived.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Which codec wrote `payload`.
    pub codec: CodecId,
    /// Which shape of its type `payload` has.
    pub schema_version: SchemaVersion,
    /// What happened.
    pub payload: Vec<u8>,
    /// What goes along with it.
    pub metadata: Vec<u8>,
    /// Labels.
    pub tags: Vec<String>,
}
