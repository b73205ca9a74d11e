//! Events of older versions.

use std::{fmt, marker::PhantomData};

use annals_event::{CodecId, SchemaVersion};
use serde::de::DeserializeOwned;

use crate::{
    codec::{Codec, enabled},
    event_error::DecodeError,
};

/// An event of the log whose schema version is older than the one that is written today.
pub struct OldEvent<'a, K> {
    pub(crate) event_type: &'a str,
    pub(crate) version: SchemaVersion,
    pub(crate) newest: SchemaVersion,
    pub(crate) codec: CodecId,
    pub(crate) payload: &'a [u8],
    pub(crate) own: &'a K,
}

impl<'a, K: Codec> OldEvent<'a, K> {
    /// Its type.
    pub fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// Its version.
    pub fn version(&self) -> SchemaVersion {
        self.version
    }

    /// Reads the payload as a type of that time: the content of the variant as it was then. That
    /// is a struct with its fields; what it held, for a variant of one unnamed field; a tuple, for
    /// more of them; `()`, for none.
    ///
    /// # Errors
    /// The payload is no such value, or no codec of this program wrote it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let value = enabled::decode_seed(self.own, self.codec, PhantomData::<T>, self.payload);
        Ok(value.ok_or(DecodeError::UnknownCodec { codec: self.codec })??)
    }

    /// Reads the payload as the type that `function` takes, and makes an event of it.
    ///
    /// # Errors
    /// As [`OldEvent::read`], or what the function refuses with.
    pub fn with<T, U, E>(self, function: impl FnOnce(T) -> U) -> Result<E, DecodeError>
    where
        T: DeserializeOwned,
        U: Upcasted<E>,
    {
        let old = self.read()?;
        function(old).upcasted().map_err(|message| DecodeError::Upcast {
            event_type: self.event_type.to_owned(),
            found: self.version,
            message,
        })
    }

    /// The error for a version that nothing is known of.
    pub fn not_known(&self) -> DecodeError {
        DecodeError::NoUpcast {
            event_type: self.event_type.to_owned(),
            found: self.version,
            known: self.newest,
        }
    }
}

impl<K> fmt::Debug for OldEvent<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event_type, version, codec, .. } = self;
        f.debug_struct("OldEvent")
            .field("event_type", event_type)
            .field("version", version)
            .field("codec", codec)
            .finish_non_exhaustive()
    }
}

/// What a function for an older version returns: the event, or a `Result` of it.
pub trait Upcasted<T> {
    /// The event.
    ///
    /// # Errors
    /// Why there is none.
    fn upcasted(self) -> Result<T, String>;
}

impl<T> Upcasted<T> for T {
    fn upcasted(self) -> Result<T, String> {
        Ok(self)
    }
}

impl<T, E: fmt::Display> Upcasted<T> for Result<T, E> {
    fn upcasted(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}
