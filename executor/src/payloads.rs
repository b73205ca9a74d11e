//! Typed events to events of the log, and back.

use std::cell::Cell;

use annals_event::{
    CodecId, EventType, EventView, NewEvent, RecordedEvent, SchemaVersion, StreamId,
};

use crate::{
    codec::{Codec, enabled},
    content::{
        Form,
        read::ContentSeed,
        write::{Content, WrittenVariant},
    },
    event::Event,
    event_error::{DecodeError, EncodeError},
    recorded::Recorded,
    upcast::OldEvent,
};

/// How typed events become payloads, and come back: written by one codec, read by the one that
/// the log says, whatever it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Payloads<K> {
    codec: K,
    skips_unknown: bool,
}

/// What the log says of an event.
struct Stored<'a> {
    event_type: &'a str,
    codec: CodecId,
    version: SchemaVersion,
    payload: &'a [u8],
}

impl<K: Codec> Payloads<K> {
    /// Written with a codec; read with it and all others of this build.
    pub fn new(codec: K) -> Self {
        Self { codec, skips_unknown: false }
    }

    /// Skips events of types that the Rust type does not know, instead of refusing them. Events
    /// of known types that cannot be read stay errors.
    #[must_use]
    pub fn skip_unknown(mut self) -> Self {
        self.skips_unknown = true;
        self
    }

    /// The event to append for a typed one.
    ///
    /// # Errors
    /// [`EncodeError`]: its type's name is no valid name, the codec cannot write it, or it could
    /// not be read again.
    pub fn encode<E: Event>(&self, stream: StreamId, event: &E) -> Result<NewEvent, EncodeError> {
        let event_type = event.event_type();
        let schema = E::schema(event_type).ok_or(EncodeError::UnknownType { event_type })?;
        let name = EventType::new(event_type)?;
        let payload = if schema.form == Form::Whole {
            self.codec.encode(event)?
        } else {
            let content = Content::new(event);
            let payload = self.codec.encode(&content)?;
            same_variant(event_type, schema.form, content.variant())?;
            payload
        };
        Ok(NewEvent::typed(stream, name, payload).with_codec(self.codec.id(), schema.version))
    }

    /// The typed event of one of the log; `None` if it is to be skipped.
    ///
    /// # Errors
    /// [`DecodeError`]: it is no event of this Rust type, and not to be skipped.
    pub fn decode<E: Event>(
        &self,
        event: RecordedEvent,
    ) -> Result<Option<Recorded<E>>, DecodeError> {
        let typed = self.read(&Stored {
            event_type: event.event_type.as_str(),
            codec: event.codec,
            version: event.schema_version,
            payload: &event.payload,
        })?;
        Ok(typed.map(|typed| Recorded {
            event: typed,
            stream: event.stream,
            version: event.version,
            position: event.position,
            time: event.time,
            id: event.id,
            metadata: event.metadata,
        }))
    }

    /// As [`Payloads::decode`], of an event that is looked at where it lies.
    ///
    /// # Errors
    /// As [`Payloads::decode`].
    pub fn decode_view<E: Event>(&self, event: &EventView<'_>) -> Result<Option<E>, DecodeError> {
        self.read(&Stored {
            event_type: event.event_type,
            codec: event.codec,
            version: event.schema_version,
            payload: event.payload,
        })
    }

    fn read<E: Event>(&self, stored: &Stored<'_>) -> Result<Option<E>, DecodeError> {
        let event_type = stored.event_type;
        let unknown = || {
            let error = DecodeError::UnknownType { event_type: event_type.to_owned() };
            if self.skips_unknown || E::SKIPS_UNKNOWN { Ok(None) } else { Err(error) }
        };
        let Some(schema) = E::schema(event_type) else { return unknown() };
        if stored.version > schema.version {
            let (found, known) = (stored.version, schema.version);
            return Err(DecodeError::NewerSchema {
                event_type: event_type.to_owned(),
                found,
                known,
            });
        }
        if stored.version < schema.version {
            return self.upcast(stored, schema.version).map(Some);
        }
        let is_unknown = Cell::new(false);
        let seed = ContentSeed::new(event_type, schema.form, &is_unknown);
        let typed = enabled::decode_seed(&self.codec, stored.codec, seed, stored.payload)
            .ok_or(DecodeError::UnknownCodec { codec: stored.codec })?;
        if is_unknown.get() {
            return unknown();
        }
        same_type(typed?, event_type).map(Some)
    }

    fn upcast<E: Event>(
        &self,
        stored: &Stored<'_>,
        newest: SchemaVersion,
    ) -> Result<E, DecodeError> {
        let Stored { event_type, codec, version, payload } = *stored;
        E::upcast(OldEvent { event_type, version, newest, codec, payload, own: &self.codec })
    }
}

/// Whether what was written without its variant's name will be read as that variant.
fn same_variant(
    event_type: &'static str,
    form: Form,
    written: Option<WrittenVariant>,
) -> Result<(), EncodeError> {
    let Some(WrittenVariant { index, name }) = written else { return Ok(()) };
    let is_same = match form {
        Form::Named => name == event_type,
        Form::Variant(expected) => index == expected,
        Form::Whole => true,
    };
    if is_same {
        Ok(())
    } else {
        Err(EncodeError::OtherVariant { event_type, variant: name, index })
    }
}

/// A type that was changed may read what another type wrote.
fn same_type<E: Event>(event: E, stored: &str) -> Result<E, DecodeError> {
    let read = event.event_type();
    if read == stored {
        Ok(event)
    } else {
        Err(DecodeError::WrongType { stored: stored.to_owned(), read })
    }
}
