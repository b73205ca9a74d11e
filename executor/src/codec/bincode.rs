//! bincode 2.

/// bincode 2 with its standard configuration, through serde: small and fast. Fields are told apart
/// by their order alone, so any change of a type's fields is a new schema version.
///
/// Works with the feature `bincode`, which is on by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bincode;

#[cfg(feature = "bincode")]
mod implementation {
    use annals_event::{CodecId, limits::EVENT_BYTES_MAX};
    use bincode::config;
    use serde::{Serialize, de::DeserializeSeed};

    use crate::codec::{Codec, CodecError, bincode::Bincode};

    const NAME: &str = "bincode";

    impl Codec for Bincode {
        fn id(&self) -> CodecId {
            CodecId::BINCODE
        }

        fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, CodecError> {
            bincode::serde::encode_to_vec(value, config::standard())
                .map_err(|error| CodecError::write(NAME, &error))
        }

        fn decode_seed<'de, S: DeserializeSeed<'de>>(
            &self,
            seed: S,
            bytes: &'de [u8],
        ) -> Result<S::Value, CodecError> {
            // A length that was read must not make it allocate more than an event can have.
            let limited = config::standard().with_limit::<EVENT_BYTES_MAX>();
            let (value, read) = bincode::serde::seed_decode_from_slice(seed, bytes, limited)
                .map_err(|error| CodecError::read(NAME, &error))?;
            CodecError::unless_left_over(NAME, value, bytes.len() - read)
        }
    }
}
