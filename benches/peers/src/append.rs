//! What a workload asks of a system, and how its events are told apart when they are read back.

use std::collections::HashMap;

use annals_bench::{PAYLOAD_BYTES, Random, Shape};

/// A stream. Its name says the same as its number: a system takes what suits it better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    /// From 1 on.
    pub(crate) number: u32,
    pub(crate) name: String,
}

impl Stream {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, name: format!("stream-{number:06}") }
    }
}

/// A stream of an append.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) stream: Stream,
    /// How many events it must have, exactly.
    pub(crate) version: u64,
}

/// An event of an append.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Index of the stream among the append's targets.
    pub(crate) target: usize,
    /// The first one of a stream has 1.
    pub(crate) version: u64,
    pub(crate) payload: Payload,
}

pub(crate) type Payload = [u8; PAYLOAD_BYTES];

/// Events that are appended all or not at all, and only if every stream has its version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Append {
    pub(crate) targets: Vec<Target>,
    /// Over the targets in turn.
    pub(crate) events: Vec<Event>,
}

/// A stream that had not its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Index of the stream among the append's targets.
    pub(crate) target: usize,
    pub(crate) actual: u64,
}

impl Append {
    /// To empty streams.
    pub(crate) fn new(shape: &Shape, streams: Vec<Stream>, random: &mut Random) -> Self {
        let event = |index: usize| Event {
            target: index % streams.len().max(1),
            version: 0,
            payload: payload(random),
        };
        let events = (0..shape.events).map(event).collect();
        let target = |stream| Target { stream, version: 0 };
        let mut append = Self { targets: streams.into_iter().map(target).collect(), events };
        append.renew();
        append
    }

    /// It was appended: next time its streams have that many events more.
    pub(crate) fn acknowledge(&mut self) {
        for event in &self.events {
            if let Some(target) = self.targets.get_mut(event.target) {
                target.version = event.version;
            }
        }
        self.renew();
    }

    /// It conflicted: next time it expects what there is.
    pub(crate) fn correct(&mut self, conflicts: &[Conflict]) {
        for conflict in conflicts {
            if let Some(target) = self.targets.get_mut(conflict.target) {
                target.version = conflict.actual;
            }
        }
        self.renew();
    }

    /// The events of one of its streams.
    pub(crate) fn events_of(&self, target: usize) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.target == target)
    }

    /// The stream of an event.
    pub(crate) fn stream_of(&self, event: &Event) -> Option<&Stream> {
        self.targets.get(event.target).map(|target| &target.stream)
    }

    fn renew(&mut self) {
        let mut versions: Vec<u64> = self.targets.iter().map(|target| target.version).collect();
        for event in &mut self.events {
            let version = versions.get_mut(event.target);
            let Some((version, target)) = version.zip(self.targets.get(event.target)) else {
                continue;
            };
            *version += 1;
            event.version = *version;
            stamp(&mut event.payload, target.stream.number, *version);
        }
    }
}

/// Letters and digits that nothing compresses: some systems keep text, some compress.
fn payload(random: &mut Random) -> Payload {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    [(); PAYLOAD_BYTES].map(|()| {
        let index = random.below(annals_bench::wide(LETTERS.len()));
        usize::try_from(index).ok().and_then(|index| LETTERS.get(index)).copied().unwrap_or(b'-')
    })
}

const STREAM_DIGITS: usize = 8;
const STAMP_BYTES: usize = STREAM_DIGITS + 16;

/// Which event it is, in hexadecimal digits at the beginning of its payload.
fn stamp(payload: &mut Payload, stream: u32, version: u64) {
    let digits = (u128::from(stream) << 64) | u128::from(version);
    for (index, byte) in payload.iter_mut().take(STAMP_BYTES).rev().enumerate() {
        let digit = (digits >> (4 * index)) & 0xF;
        *byte = u8::try_from(digit).map_or(b'-', |digit| match digit {
            0..10 => b'0' + digit,
            _ => b'a' - 10 + digit,
        });
    }
}

/// Which event has this payload: its stream's number and its version. `None`: it is none of ours.
pub(crate) fn stamped(payload: &[u8]) -> Option<(u32, u64)> {
    let text = std::str::from_utf8(payload).ok().filter(|text| text.len() == PAYLOAD_BYTES)?;
    let (stream, rest) = text.split_at_checked(STREAM_DIGITS)?;
    let (version, _) = rest.split_at_checked(STAMP_BYTES - STREAM_DIGITS)?;
    let stream = u32::from_str_radix(stream, 16).ok()?;
    Some((stream, u64::from_str_radix(version, 16).ok()?))
}

/// How many events each stream has, by its number.
pub(crate) type Written = HashMap<u32, u64>;

#[cfg(test)]
mod tests {
    use annals_bench::BATCH;

    use super::*;

    #[test]
    fn an_append_follows_its_streams() {
        let streams = (1..=5).map(Stream::new).collect();
        let mut append = Append::new(&BATCH, streams, &mut Random::new(1));
        append.acknowledge();
        append.correct(&[Conflict { target: 3, actual: 70 }]);
        let versions: Vec<u64> = append.targets.iter().map(|target| target.version).collect();
        assert_eq!(versions, [20, 20, 20, 70, 20]);
        assert_eq!(append.events.len(), 100);
        for event in &append.events {
            let stream = append.stream_of(event).unwrap().number;
            assert_eq!(stamped(&event.payload), Some((stream, event.version)));
        }
        assert_eq!(append.events_of(3).map(|event| event.version).max(), Some(90));
    }

    #[test]
    fn what_was_never_stamped_is_nobodys() {
        assert_eq!(stamped(b"short"), None);
        assert_eq!(stamped(&[b'x'; PAYLOAD_BYTES]), None);
        let mut random = Random::new(1);
        assert_ne!(payload(&mut random), payload(&mut random));
    }
}
