//! JSON.

use annals_event::CodecId;
use serde::{Serialize, de::DeserializeSeed};

use crate::codec::{Codec, CodecError};

const NAME: &str = "json";

/// JSON text: what people can read, and every language. Fields may be added and removed where the
/// type says what is missing (`#[serde(default)]`).
///
/// JSON has no word for some values: `NaN` and infinities are written as `null` and cannot be
/// read again, `Some(None)` comes back as `None`, and a map's keys must be text or numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json;

impl Codec for Json {
    fn id(&self) -> CodecId {
        CodecId::JSON
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, CodecError> {
        serde_json::to_vec(value).map_err(|error| CodecError::write(NAME, &error))
    }

    fn decode_seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
        bytes: &'de [u8],
    ) -> Result<S::Value, CodecError> {
        let mut text = serde_json::Deserializer::from_slice(bytes);
        let value = seed.deserialize(&mut text).map_err(|error| CodecError::read(NAME, &error))?;
        text.end().map_err(|error| CodecError::read(NAME, &error))?;
        Ok(value)
    }
}
