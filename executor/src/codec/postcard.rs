//! postcard 1.

use annals_event::CodecId;
use serde::{Serialize, de::DeserializeSeed};

use crate::codec::{Codec, CodecError};

const NAME: &str = "postcard";

/// postcard 1: as small as bincode, with a written specification. Fields are told apart by their
/// order alone, so any change of a type's fields is a new schema version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Postcard;

impl Codec for Postcard {
    fn id(&self) -> CodecId {
        CodecId::POSTCARD
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, CodecError> {
        postcard::to_stdvec(value).map_err(|error| CodecError::write(NAME, &error))
    }

    fn decode_seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
        bytes: &'de [u8],
    ) -> Result<S::Value, CodecError> {
        let mut rest = postcard::Deserializer::from_bytes(bytes);
        let value = seed.deserialize(&mut rest).map_err(|error| CodecError::read(NAME, &error))?;
        let left = rest.finalize().map_err(|error| CodecError::read(NAME, &error))?;
        CodecError::unless_left_over(NAME, value, left.len())
    }
}
