//! An event borrowed from the log.

use crate::{
    event::{RecordedEvent, Timestamp},
    event_id::EventId,
    event_type::{CodecId, EventType, SchemaVersion},
    ordinal::{Position, StreamVersion},
    stream_id::StreamId,
    wire::{Malformed, take_name},
};

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
    /// As they lie in the log, known to be names.
    pub(crate) tags: &'a [u8],
}

impl<'a> EventView<'a> {
    /// Its tags, in order.
    pub fn tags(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut bytes = self.tags;
        std::iter::from_fn(move || take_name(&mut bytes).ok())
    }

    /// An event that owns its bytes.
    ///
    /// # Errors
    /// Never for a view that came from a commit, whose names were checked.
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
