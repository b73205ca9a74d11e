//! What goes along with an event: why it happened, who had a part in it.
//!
//! The bytes, which `docs/format.md` describes as well: a version, which is 1; a byte of flags;
//! then what the flags say, in their order. Lengths and counts are LEB128 as everywhere.
//!
//! | flag | field | bytes |
//! |---|---|---|
//! | 1 | correlation | 16 |
//! | 2 | causation | 16 |
//! | 4 | actor | length, UTF-8 |
//! | 8 | time | 8, little-endian microseconds since 1970 |
//! | 16 | pairs | count, then each key and value as length, UTF-8 |

use crate::{
    event::Timestamp,
    event_id::EventId,
    wire::{Malformed, put_varint, take, take_array, take_byte, take_varint},
};

/// What goes along with an event, besides what happened. All of it is optional, and none of it
/// means anything to the store.
///
/// ```
/// use annals_event::{EventId, Metadata};
///
/// let request = EventId::new(*b"a request's uuid");
/// let metadata = Metadata::new().correlation(request).actor("alice").with("ip", "192.0.2.1");
/// assert_eq!(Metadata::decode(&metadata.encode()), Ok(metadata));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// What all events share that come from the same beginning: a request, a process.
    pub correlation: Option<EventId>,
    /// The event, or the request, that this one follows from.
    pub causation: Option<EventId>,
    /// Who had it done.
    pub actor: Option<String>,
    /// When it happened, as its source says. When it was appended the log records by itself.
    pub time: Option<Timestamp>,
    /// Anything else, in order.
    pub pairs: Vec<(String, String)>,
}

const VERSION: u8 = 1;
const CORRELATION: u8 = 1;
const CAUSATION: u8 = 2;
const ACTOR: u8 = 4;
const TIME: u8 = 8;
const PAIRS: u8 = 16;

impl Metadata {
    /// Nothing, to add to.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the id that everything shares that comes from the same beginning.
    #[must_use]
    pub fn correlation(mut self, id: EventId) -> Self {
        self.correlation = Some(id);
        self
    }

    /// With the id of what this follows from.
    #[must_use]
    pub fn causation(mut self, id: EventId) -> Self {
        self.causation = Some(id);
        self
    }

    /// With who had it done.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// With when it happened, as its source says.
    #[must_use]
    pub fn time(mut self, time: Timestamp) -> Self {
        self.time = Some(time);
        self
    }

    /// With one more pair.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.pairs.push((key.into(), value.into()));
        self
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// As an event's metadata bytes; nothing becomes no bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Self { correlation, causation, actor, time, pairs } = self;
        let flag = |is_there: bool, flag| if is_there { flag } else { 0 };
        let flags = flag(correlation.is_some(), CORRELATION)
            | flag(causation.is_some(), CAUSATION)
            | flag(actor.is_some(), ACTOR)
            | flag(time.is_some(), TIME)
            | flag(!pairs.is_empty(), PAIRS);
        if flags == 0 {
            return Vec::new();
        }
        let mut bytes = vec![VERSION, flags];
        for id in [correlation, causation].into_iter().flatten() {
            bytes.extend_from_slice(id.as_bytes());
        }
        if let Some(actor) = actor {
            put_text(actor, &mut bytes);
        }
        if let Some(time) = time {
            bytes.extend_from_slice(&time.0.to_le_bytes());
        }
        if !pairs.is_empty() {
            put_varint(u32::try_from(pairs.len()).unwrap_or(u32::MAX), &mut bytes);
        }
        for (key, value) in pairs {
            put_text(key, &mut bytes);
            put_text(value, &mut bytes);
        }
        bytes
    }

    /// From an event's metadata bytes.
    ///
    /// # Errors
    /// [`Malformed`]: somebody wrote something else there, or a newer version did.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = &mut bytes;
        let mut metadata = Self::default();
        if bytes.is_empty() {
            return Ok(metadata);
        }
        if take_byte(bytes)? != VERSION {
            return Err(Malformed("its metadata is not in the form of version 1"));
        }
        let flags = take_byte(bytes)?;
        if flags & !(CORRELATION | CAUSATION | ACTOR | TIME | PAIRS) != 0 || flags == 0 {
            return Err(Malformed("its metadata has flags that are not known"));
        }
        if flags & CORRELATION != 0 {
            metadata.correlation = Some(EventId::new(take_array(bytes)?));
        }
        if flags & CAUSATION != 0 {
            metadata.causation = Some(EventId::new(take_array(bytes)?));
        }
        if flags & ACTOR != 0 {
            metadata.actor = Some(take_text(bytes)?);
        }
        if flags & TIME != 0 {
            metadata.time = Some(Timestamp(i64::from_le_bytes(take_array(bytes)?)));
        }
        if flags & PAIRS != 0 {
            // No room is made for a count that was only read.
            for _ in 0..take_varint(bytes)? {
                metadata.pairs.push((take_text(bytes)?, take_text(bytes)?));
            }
        }
        let is_all = bytes.is_empty();
        if is_all { Ok(metadata) } else { Err(Malformed("its metadata has bytes left over")) }
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    // Longer texts than an event may have are refused with the event.
    put_varint(u32::try_from(text.len()).unwrap_or(u32::MAX), out);
    out.extend_from_slice(text.as_bytes());
}

fn take_text(bytes: &mut &[u8]) -> Result<String, Malformed> {
    let len = take_varint(bytes)?;
    let text = str::from_utf8(take(bytes, len)?);
    text.map(str::to_owned).map_err(|_| Malformed("its metadata has a text that is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Metadata {
        Metadata::new()
            .correlation(EventId::new([1; 16]))
            .causation(EventId::new([2; 16]))
            .actor("alice")
            .time(Timestamp(-2))
            .with("ip", "::1")
            .with("", "é")
    }

    /// What is written once is read for ever.
    #[test]
    fn the_bytes_stay_as_they_are() {
        let mut expected = vec![1, 31];
        expected.extend([1; 16]);
        expected.extend([2; 16]);
        expected.extend(b"\x05alice");
        expected.extend([0xFE, 255, 255, 255, 255, 255, 255, 255]);
        expected.extend("\x02\x02ip\x03::1\x00\x02é".as_bytes());
        assert_eq!(full().encode(), expected);
        assert_eq!(Metadata::new().actor("bob").encode(), b"\x01\x04\x03bob");
    }

    #[test]
    fn every_part_comes_back() {
        let parts = [
            Metadata::new(),
            Metadata::new().correlation(EventId::new([7; 16])),
            Metadata::new().causation(EventId::new([7; 16])),
            Metadata::new().actor(""),
            Metadata::new().time(Timestamp(i64::MAX)),
            Metadata::new().with("key", "x".repeat(1000)),
            full(),
        ];
        for metadata in parts {
            assert_eq!(Metadata::decode(&metadata.encode()), Ok(metadata));
        }
        assert_eq!(Metadata::new().encode(), [], "nothing takes no room");
        assert_eq!((full().get("ip"), full().get("no")), (Some("::1"), None));
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        let bytes = full().encode();
        for len in 1..bytes.len() {
            assert!(Metadata::decode(&bytes[..len]).is_err(), "{len}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Metadata::decode(&longer).is_err());
        for foreign in [&b"{\"ip\": 1}"[..], &[2, 0], &[1, 0], &[1, 32], &[1, 4, 1, 0xFF]] {
            assert!(Metadata::decode(foreign).is_err(), "{foreign:?}");
        }
        // A count that was read makes nobody allocate.
        assert!(Metadata::decode(&[1, 16, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]).is_err());
    }
}
