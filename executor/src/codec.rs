//! Between typed values and payload bytes.

pub(crate) mod bincode;
pub(crate) mod enabled;
#[cfg(feature = "json")]
pub(crate) mod json;
#[cfg(feature = "msgpack")]
pub(crate) mod message_pack;
#[cfg(feature = "postcard")]
pub(crate) mod postcard;

use std::{fmt, marker::PhantomData};

use annals_event::CodecId;
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed},
};

/// A value could not be written, or bytes could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The codec cannot write a value like this one.
    #[error("{codec} cannot write it: {message}")]
    Write {
        /// The codec's name.
        codec: &'static str,
        /// What it says.
        message: String,
    },
    /// The bytes are no such value.
    #[error("{codec} cannot read it: {message}")]
    Read {
        /// The codec's name.
        codec: &'static str,
        /// What it says.
        message: String,
    },
    /// The bytes begin with such a value, and go on.
    #[error("{codec} read it and {bytes} bytes are left over; has the type lost a field?")]
    LeftOver {
        /// The codec's name.
        codec: &'static str,
        /// How many bytes follow.
        bytes: usize,
    },
}

impl CodecError {
    /// What a codec's library says when it writes.
    pub fn write(codec: &'static str, error: &impl fmt::Display) -> Self {
        Self::Write { codec, message: error.to_string() }
    }

    /// What a codec's library says when it reads.
    pub fn read(codec: &'static str, error: &impl fmt::Display) -> Self {
        Self::Read { codec, message: error.to_string() }
    }

    /// The value, if no bytes are left over behind it.
    ///
    /// # Errors
    /// [`CodecError::LeftOver`]
    pub fn unless_left_over<T>(codec: &'static str, value: T, bytes: usize) -> Result<T, Self> {
        if bytes == 0 { Ok(value) } else { Err(Self::LeftOver { codec, bytes }) }
    }
}

/// Writes and reads values with serde. The log records which codec wrote each event.
///
/// Bytes that come from elsewhere are errors, not panics: lengths in them are not believed. Two
/// things are the type's own: with a codec that does not describe itself (bincode, postcard)
/// a type that contains itself is read as deep as the bytes say, and a `Vec` of things that take
/// no bytes, such as `()`, is as long as they say.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no codec",
    note = "the codecs of Annals stand behind its features `bincode`, `json`, `msgpack` and `postcard`"
)]
pub trait Codec: Send + Sync {
    /// Which codec this is: what the log records. 128 to 255 are the user's.
    fn id(&self) -> CodecId;

    /// The bytes of a value.
    ///
    /// # Errors
    /// The value cannot be written in this codec.
    fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, CodecError>;

    /// What a seed makes of bytes, all of which must belong to it. To take other memory than they
    /// have a right to is an error, too.
    ///
    /// # Errors
    /// The bytes are no such value.
    fn decode_seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
        bytes: &'de [u8],
    ) -> Result<S::Value, CodecError>;

    /// The value of bytes, all of which must belong to it.
    ///
    /// # Errors
    /// The bytes are no such value.
    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        self.decode_seed(PhantomData::<T>, bytes)
    }
}

impl<K: Codec> Codec for &K {
    fn id(&self) -> CodecId {
        (**self).id()
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, CodecError> {
        (**self).encode(value)
    }

    fn decode_seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
        bytes: &'de [u8],
    ) -> Result<S::Value, CodecError> {
        (**self).decode_seed(seed, bytes)
    }
}
