//! How a typed event is not written, or not read.

use std::fmt;

use annals_event::{CodecId, InvalidName, SchemaVersion};

use crate::codec::{CodecError, enabled};

/// A typed event cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The name of its type is no valid name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// `Event::schema` does not know the type that `Event::event_type` names.
    #[error(
        "its type {event_type} is none that `Event::schema` knows, so it could not be read again; \
         derive `Event`, or have both agree"
    )]
    UnknownType {
        /// What the event calls itself.
        event_type: &'static str,
    },
    /// serde writes it as another variant than the one that will be read.
    #[error(
        "serde writes events of type {event_type} as variant {variant} (number {index}), and \
         would read another one; derive `Event`, or name the variant in `Event::schema`"
    )]
    OtherVariant {
        /// What the event calls itself.
        event_type: &'static str,
        /// What serde calls its variant.
        variant: &'static str,
        /// The number of the variant, from 0.
        index: u32,
    },
    /// The codec cannot write it.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// An event of the log cannot be read as a typed one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The Rust type has no event of this type.
    #[error(
        "nothing reads events of type {event_type} here; add it to the Rust type, or skip unknown \
         events"
    )]
    UnknownType {
        /// What the log says.
        event_type: String,
    },
    /// A newer program wrote it.
    #[error(
        "it is {event_type} in version {}, and this program knows versions up to {}: a newer \
         program wrote it", found.0, known.0
    )]
    NewerSchema {
        /// Its type.
        event_type: String,
        /// The version that the log says.
        found: SchemaVersion,
        /// The version that this program writes.
        known: SchemaVersion,
    },
    /// Nothing turns events of this older version into newer ones.
    #[error(
        "it is {event_type} in version {}, and nothing makes version {} of it; name a function \
         in `#[event(upcast({} = ...))]`", found.0, known.0, found.0
    )]
    NoUpcast {
        /// Its type.
        event_type: String,
        /// The version that the log says.
        found: SchemaVersion,
        /// The version that this program writes.
        known: SchemaVersion,
    },
    /// The function for this older version refused it.
    #[error("it is {event_type} in version {}, and could not be made newer: {message}", found.0)]
    Upcast {
        /// Its type.
        event_type: String,
        /// The version that the log says.
        found: SchemaVersion,
        /// What the function says.
        message: String,
    },
    /// A codec wrote it that this program does not have.
    #[error("{}", Missing(*codec))]
    UnknownCodec {
        /// The codec that wrote it.
        codec: CodecId,
    },
    /// It was stored as an event of one type and reads as one of another.
    #[error("it was stored as {stored} and reads as {read}; has the Rust type changed?")]
    WrongType {
        /// What the log says.
        stored: String,
        /// What it reads as.
        read: &'static str,
    },
    /// The codec cannot read it.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What to do about a codec that is not there.
struct Missing(CodecId);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == CodecId::RAW {
            return f.write_str("it was appended as raw bytes, without a codec; read it untyped");
        }
        match enabled::feature(self.0) {
            Some(feature) => write!(f, "{feature} wrote it; enable the feature `{feature}`"),
            None => write!(f, "codec {} wrote it; have the program read with it", self.0.0),
        }
    }
}
