//! MessagePack.

use annals_event::CodecId;
use serde::{Serialize, de::DeserializeSeed};

use crate::codec::{Codec, CodecError};

const NAME: &str = "msgpack";

/// MessagePack with the names of fields: half the size of JSON, and as in JSON fields may be
/// added and removed where the type says what is missing (`#[serde(default)]`).
///
/// As in JSON, `Some(None)` comes back as `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessagePack;

impl Codec for MessagePack {
    fn id(&self) -> CodecId {
        CodecId::MESSAGE_PACK
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, CodecError> {
        rmp_serde::to_vec_named(value).map_err(|error| CodecError::write(NAME, &error))
    }

    fn decode_seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
        bytes: &'de [u8],
    ) -> Result<S::Value, CodecError> {
        let mut rest = rmp_serde::Deserializer::new(bytes);
        let value = seed.deserialize(&mut rest).map_err(|error| CodecError::read(NAME, &error))?;
        CodecError::unless_left_over(NAME, value, rest.get_ref().len())
    }
}
