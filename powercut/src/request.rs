//! Appends that say which one they are. From its number and shape every byte of it follows, so
//! what was asked can be told apart from anything else that a disk may show.

use annals::{Append, EventId, InvalidName, NewEvent, RecordedEvent, StreamId};
use annals_sim::Random;

use crate::{
    bytes::{Taker, put},
    number::{to_u64, to_usize},
};

/// Bytes of a payload that say which append it is of, and which event of it.
const LABEL: usize = 16;

/// The shortest payload, in bytes.
pub(crate) const PAYLOAD_BYTES_MIN: u64 = 16;

/// An append: its number, and for each event the number of its stream and the length of its
/// payload in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) number: u64,
    pub(crate) events: Vec<(u64, u64)>,
}

impl Request {
    /// The append, every byte of it.
    ///
    /// # Errors
    /// A name is none; that does not happen.
    pub(crate) fn append(&self) -> Result<Append, InvalidName> {
        let events = (0..).zip(&self.events).map(|(index, (stream, len))| {
            let event = NewEvent::new(stream_id(*stream)?, "Happened", self.payload(index, *len))?;
            let mut label = [0; LABEL];
            for (byte, of) in label.iter_mut().zip(self.label(index)) {
                *byte = of;
            }
            Ok(match self.number % 3 {
                1 => event.with_id(EventId::new(label)),
                2 => event.with_metadata(*b"who and why").with_tag("tagged"),
                _ => event,
            })
        });
        Ok(Append::new().events(events.collect::<Result<Vec<_>, InvalidName>>()?))
    }

    fn label(&self, index: u64) -> impl Iterator<Item = u8> {
        self.number.to_le_bytes().into_iter().chain(index.to_le_bytes())
    }

    /// The label, then bytes that belong to this event alone, none of them zero: a missing sector
    /// is seen, and so is one of another event.
    fn payload(&self, index: u64, len: u64) -> Vec<u8> {
        let mut random = Random::new((self.number << 16) ^ index);
        let filler =
            std::iter::repeat_with(|| (random.bits() | 0x0101_0101_0101_0101).to_le_bytes());
        self.label(index).chain(filler.flatten()).take(to_usize(len)).collect()
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put(out, self.number);
        put(out, to_u64(self.events.len()));
        for (stream, len) in &self.events {
            put(out, *stream);
            put(out, *len);
        }
    }

    pub(crate) fn take(taker: &mut Taker<'_>) -> Option<Self> {
        let number = taker.number()?;
        let events = taker.many(|taker| Some((taker.number()?, taker.number()?)))?;
        Some(Self { number, events })
    }
}

fn stream_id(number: u64) -> Result<StreamId, InvalidName> {
    StreamId::new(&format!("stream-{number}"))
}

/// Which append an event says that it is of, and which event of it.
pub(crate) fn label_of(event: &RecordedEvent) -> Option<(u64, u64)> {
    let (number, rest) = event.payload.split_first_chunk()?;
    let index = rest.first_chunk()?;
    Some((u64::from_le_bytes(*number), u64::from_le_bytes(*index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_differs_from_every_other() {
        let request = |number| Request { number, events: vec![(1, 40), (1, 40)] };
        let one = request(1).append().unwrap();
        assert_eq!(one, request(1).append().unwrap());
        let other = request(2).append().unwrap();
        let payloads: Vec<_> = one.events.iter().chain(&other.events).map(|e| &e.payload).collect();
        assert!(payloads.iter().all(|payload| payload.len() == 40));
        assert!(payloads.iter().all(|payload| payload[LABEL..].iter().all(|byte| *byte != 0)));
        for (at, payload) in payloads.iter().enumerate() {
            assert!(!payloads[at + 1..].contains(payload));
        }
    }

    #[test]
    fn a_request_is_kept_and_taken_again() {
        let request = Request { number: 9, events: vec![(1, 40), (2, 16)] };
        let mut bytes = Vec::new();
        request.put(&mut bytes);
        assert_eq!(Request::take(&mut Taker::new(&bytes)), Some(request));
    }
}
