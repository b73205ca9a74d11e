//! Keys that make a command happen once, however often it is sent.
//!
//! A key becomes the ids of the command's events, and the store finds ids also after it was
//! opened again. So nothing else is kept, and nothing can get lost between the events and a
//! note that they were appended.

use annals_event::EventId;
use sha2::{Digest, Sha256};

/// Names one command among all that were ever sent to a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey([u8; 16]);

impl IdempotencyKey {
    /// From any bytes: a request's UUID, the id of a message. Keys that are sent to one log must
    /// differ for all commands that are not the same.
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        let mut hash = Sha256::new();
        // So that no other use of the hash has the same ids.
        hash.update(b"annals idempotency key, version 1:");
        hash.update(key);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, of_hash)| *byte = of_hash);
        Self(bytes)
    }

    /// The id of the command's event with this number, from 0.
    pub fn event_id(&self, number: u32) -> EventId {
        let mut bytes = self.0;
        let [.., a, b, c, d] = &mut bytes;
        for (byte, of_number) in [a, b, c, d].into_iter().zip(number.to_le_bytes()) {
            *byte ^= of_number;
        }
        EventId::new(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Ids are in logs: they stay as they are.
    #[test]
    fn ids_stay_as_they_are() {
        let key = IdempotencyKey::new("request-17");
        assert_eq!(key.event_id(0).to_string(), "521b0a24-c814-4e0c-0dd9-a81522f12c35");
        assert_eq!(key.event_id(258).to_string(), "521b0a24-c814-4e0c-0dd9-a81520f02c35");
    }

    #[test]
    fn events_of_all_keys_have_ids_of_their_own() {
        let keys = (0..100).map(|n: u32| IdempotencyKey::new(n.to_string()));
        let ids: HashSet<EventId> =
            keys.flat_map(|key| (0..100).map(move |number| key.event_id(number))).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
