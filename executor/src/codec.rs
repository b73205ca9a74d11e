//! Between typed events and payload bytes.

use annals_event::CodecId;
use serde::{Serialize, de::DeserializeOwned};

/// A payload could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(pub String);

/// Writes and reads payloads. The log records which codec wrote each event.
pub trait Codec: Send + Sync {
    /// Which codec this is.
    fn id(&self) -> CodecId;

    /// The payload of an event.
    ///
    /// # Errors
    /// The event cannot be written in this codec.
    fn encode<E: Serialize>(&self, event: &E) -> Result<Vec<u8>, CodecError>;

    /// The event of a payload, all of whose bytes must belong to it.
    ///
    /// # Errors
    /// The bytes are no such event.
    fn decode<E: DeserializeOwned>(&self, payload: &[u8]) -> Result<E, CodecError>;
}

/// bincode 2 with its standard configuration, through serde: small and fast.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bincode;

impl Codec for Bincode {
    fn id(&self) -> CodecId {
        CodecId::BINCODE
    }

    fn encode<E: Serialize>(&self, event: &E) -> Result<Vec<u8>, CodecError> {
        bincode::serde::encode_to_vec(event, bincode::config::standard())
            .map_err(|error| CodecError(error.to_string()))
    }

    fn decode<E: DeserializeOwned>(&self, payload: &[u8]) -> Result<E, CodecError> {
        // A length that was read must not make it allocate more than an event can have.
        let config =
            bincode::config::standard().with_limit::<{ annals_event::limits::EVENT_BYTES_MAX }>();
        let (event, read) = bincode::serde::decode_from_slice(payload, config)
            .map_err(|error| CodecError(error.to_string()))?;
        if read < payload.len() {
            return Err(CodecError(format!("{} bytes are left over", payload.len() - read)));
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_back_and_nothing_else_is_taken_for_one() {
        let event = (7_u32, "seven".to_owned(), vec![1_u8, 2]);
        let payload = Bincode.encode(&event).unwrap();
        assert_eq!(Bincode.decode::<(u32, String, Vec<u8>)>(&payload), Ok(event));
        let mut longer = payload.clone();
        longer.push(0);
        assert!(Bincode.decode::<(u32, String, Vec<u8>)>(&longer).is_err());
        assert!(Bincode.decode::<(u32, String, Vec<u8>)>(&payload[..3]).is_err());
        assert!(
            Bincode.decode::<Vec<u8>>(&[0xFD, 255, 255, 255, 255, 255, 255, 255, 127]).is_err()
        );
    }
}
