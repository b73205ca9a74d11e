//! Typed events to events of the log, and back.

use annals_event::{CodecId, EventType, InvalidName, NewEvent, RecordedEvent, StreamId};

use crate::{
    codec::{Codec, CodecError},
    event::Event,
    recorded::Recorded,
};

/// How typed events become payloads and come back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Payloads<K> {
    codec: K,
}

/// A typed event cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The name of its type is no valid name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The codec cannot write it.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// An event of the log cannot be read as a typed one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Another codec wrote it.
    #[error("codec {} wrote it, and codec {} reads here", found.0, known.0)]
    UnknownCodec {
        /// The codec that wrote it.
        found: CodecId,
        /// The codec that reads.
        known: CodecId,
    },
    /// It was stored as an event of one type and reads as one of another.
    #[error("it was stored as {stored} and reads as {read}; has the type changed?")]
    WrongType {
        /// What the log says.
        stored: EventType,
        /// What it reads as.
        read: &'static str,
    },
    /// The codec cannot read it.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl<K: Codec> Payloads<K> {
    /// Written and read with a codec.
    pub fn new(codec: K) -> Self {
        Self { codec }
    }

    /// The event to append for a typed one.
    ///
    /// # Errors
    /// [`EncodeError`]: its type's name is no valid name, or the codec cannot write it.
    pub fn encode<E: Event>(&self, stream: StreamId, event: &E) -> Result<NewEvent, EncodeError> {
        let event_type = EventType::new(event.event_type())?;
        let payload = self.codec.encode(event)?;
        let new = NewEvent::typed(stream, event_type, payload);
        Ok(new.with_codec(self.codec.id(), event.schema_version()))
    }

    /// The typed event of one of the log; `None` if it is to be skipped.
    ///
    /// # Errors
    /// [`DecodeError`]: it is no event of this Rust type.
    pub fn decode<E: Event>(
        &self,
        event: RecordedEvent,
    ) -> Result<Option<Recorded<E>>, DecodeError> {
        if event.codec != self.codec.id() {
            return Err(DecodeError::UnknownCodec { found: event.codec, known: self.codec.id() });
        }
        let typed: E = self.codec.decode(&event.payload)?;
        if typed.event_type() != event.event_type.as_str() {
            let read = typed.event_type();
            return Err(DecodeError::WrongType { stored: event.event_type, read });
        }
        Ok(Some(Recorded {
            event: typed,
            stream: event.stream,
            version: event.version,
            position: event.position,
            time: event.time,
            id: event.id,
            metadata: event.metadata,
        }))
    }
}
