//! A stream's part of a state as bytes that outlive the process.
//!
//! A snapshot names the last event that it has in it: its version, position, id and time. It is
//! believed only after that very event was read from the log. So it need not be told when a log
//! lost events that were never durable, was restored from an older copy, or is another one.

use annals_event::{CodecId, EventId, Position, StreamId, StreamVersion, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    codec::{Codec, CodecError},
    per_stream::{AnyPart, Mark, Part, StreamState},
};

/// That the parts of a state are saved now and then, to be loaded by later processes.
///
/// Works on an executor with [`Executor::with_snapshots`], for [`Caching::per_stream`].
///
/// [`Executor::with_snapshots`]: crate::Executor::with_snapshots
/// [`Caching::per_stream`]: crate::Caching::per_stream
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshots {
    pub(crate) name: &'static str,
    pub(crate) schema: u32,
    pub(crate) every: u64,
}

impl Snapshots {
    /// A snapshot every 1,000 events of a stream. `name` tells apart the states that are folded
    /// from the same streams; `schema` is to be changed with the type of the state, with what
    /// its `evolve` does, or with the upcasting of its events: snapshots of others are ignored.
    pub fn new(name: &'static str, schema: u32) -> Self {
        Self { name, schema, every: 1_000 }
    }

    /// Every so many events of a stream; at least one.
    #[must_use]
    pub fn every(mut self, events: u64) -> Self {
        self.every = events.max(1);
        self
    }
}

/// How parts of one type become bytes and come back.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) snapshots: Snapshots,
    codec: CodecId,
    write: fn(&AnyPart) -> Option<Result<Written, CodecError>>,
    read: fn(&StreamId, Mark, &[u8]) -> Result<AnyPart, CodecError>,
}

/// A part as its codec writes it.
pub(crate) struct Written {
    pub(crate) mark: Mark,
    /// How much memory it takes, for the cache.
    pub(crate) in_memory: usize,
    pub(crate) state: Vec<u8>,
}

const MAGIC: [u8; 8] = *b"ANSNAP01";
const DIGEST_LEN: usize = 16;

impl Form {
    pub(crate) fn new<P, K>(snapshots: Snapshots) -> Self
    where
        P: StreamState + Serialize + DeserializeOwned,
        K: Codec + Default,
    {
        Self {
            snapshots,
            codec: K::default().id(),
            write: |part| {
                let part = part.downcast_ref::<Part<P>>()?;
                let state = K::default().encode(&part.state);
                let (mark, in_memory) = (part.last, part.state.bytes());
                Some(state.map(|state| Written { mark, in_memory, state }))
            },
            read: |stream, mark, bytes| {
                let state: P = K::default().decode(bytes)?;
                Ok(Box::new(Part::loaded(stream.clone(), state, mark)))
            },
        }
    }

    /// A part as its codec writes it; `None` if it is none of this form.
    pub(crate) fn write(&self, part: &AnyPart) -> Option<Result<Written, CodecError>> {
        (self.write)(part)
    }

    /// Under which key snapshots of a stream are kept.
    pub(crate) fn key(&self, stream: &StreamId) -> String {
        let mut hash = Sha256::new();
        hash.update(b"annals snapshot, version 1:");
        hash.update(length(self.snapshots.name));
        hash.update(self.snapshots.name);
        hash.update(stream.as_str());
        let digest =
            hash.finalize().iter().take(16).fold(0, |all, byte| all << 8 | u128::from(*byte));
        format!("{digest:032x}")
    }

    /// The bytes of a snapshot.
    pub(crate) fn encode(&self, stream: &StreamId, written: &Written) -> Vec<u8> {
        let Mark { version, position, id, time } = written.mark;
        let mut bytes = Vec::with_capacity(128 + written.state.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.snapshots.schema.to_le_bytes());
        bytes.push(self.codec.0);
        bytes.extend_from_slice(&version.get().to_le_bytes());
        bytes.extend_from_slice(&position.get().to_le_bytes());
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&time.0.to_le_bytes());
        for text in [self.snapshots.name, stream.as_str()] {
            bytes.extend_from_slice(&length(text));
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&written.state);
        let digest = digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }

    /// The part of a snapshot, and the event that is to be read before it is believed.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn decode(
        &self,
        stream: &StreamId,
        bytes: &[u8],
    ) -> Result<(AnyPart, Mark), Unusable> {
        let (body, found) = bytes.split_last_chunk::<DIGEST_LEN>().ok_or(Unusable::Damaged)?;
        let mut rest = Bytes(body);
        if rest.take()? != MAGIC || digest(body) != *found {
            return Err(Unusable::Damaged);
        }
        let schema = u32::from_le_bytes(rest.take()?);
        let [codec] = rest.take()?;
        if (schema, codec) != (self.snapshots.schema, self.codec.0) {
            return Err(Unusable::OtherSchema);
        }
        let mark = Mark {
            version: StreamVersion::new(u64::from_le_bytes(rest.take()?)),
            position: Position::new(u64::from_le_bytes(rest.take()?)),
            id: EventId::new(rest.take()?),
            time: Timestamp(i64::from_le_bytes(rest.take()?)),
        };
        let is_of = rest.text()? == self.snapshots.name.as_bytes()
            && rest.text()? == stream.as_str().as_bytes();
        if !is_of || mark.version == StreamVersion::ZERO {
            return Err(Unusable::Damaged);
        }
        let part = (self.read)(stream, mark, rest.0).map_err(Unusable::Undecoded)?;
        Ok((part, mark))
    }
}

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it is damaged, or no snapshot")]
    Damaged,
    #[error("it has another schema or codec")]
    OtherSchema,
    #[error(transparent)]
    Undecoded(CodecError),
    #[error("it panics when it is read: {0}")]
    Panics(String),
    #[error("it cannot be loaded: {0}")]
    Unread(std::io::Error),
}

fn length(text: &str) -> [u8; 4] {
    u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn digest(bytes: &[u8]) -> [u8; DIGEST_LEN] {
    let mut digest = [0; DIGEST_LEN];
    digest.iter_mut().zip(Sha256::digest(bytes)).for_each(|(byte, of_hash)| *byte = of_hash);
    digest
}

/// Bytes from which some are taken, if there are as many.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unusable> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Unusable::Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn text(&mut self) -> Result<&'a [u8], Unusable> {
        let len = usize::try_from(u32::from_le_bytes(self.take()?));
        let len = len.map_err(|_| Unusable::Damaged)?;
        let (text, rest) = self.0.split_at_checked(len).ok_or(Unusable::Damaged)?;
        self.0 = rest;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{codec::json::Json, codec::postcard::Postcard, recorded::Recorded};

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct State {
        names: Vec<String>,
    }

    impl StreamState for State {
        type Event = ();
        fn evolve(&mut self, _: &Recorded<()>) {}
    }

    fn mark(version: u64) -> Mark {
        Mark {
            version: StreamVersion::new(version),
            position: Position::new(version.saturating_mul(3)),
            id: EventId::new([7; 16]),
            time: Timestamp(-5),
        }
    }

    fn state_of(part: &AnyPart) -> &State {
        &part.downcast_ref::<Part<State>>().unwrap().state
    }

    fn forms() -> [Form; 2] {
        let snapshots = Snapshots::new("state", 3);
        [Form::new::<State, Postcard>(snapshots), Form::new::<State, Json>(snapshots)]
    }

    #[test]
    fn what_is_written_is_read() {
        let stream = StreamId::new("a").unwrap();
        for form in forms() {
            let state = State { names: vec!["x".to_owned(), String::new()] };
            let part: AnyPart = Box::new(Part::loaded(stream.clone(), state, mark(9)));
            let bytes = form.encode(&stream, &form.write(&part).unwrap().unwrap());
            let (read, last) = form.decode(&stream, &bytes).unwrap();
            assert_eq!((state_of(&read), last), (state_of(&part), mark(9)));
            let other = StreamId::new("b").unwrap();
            assert!(matches!(form.decode(&other, &bytes), Err(Unusable::Damaged)));
            assert_ne!(form.key(&stream), form.key(&other));
        }
    }

    /// The table in the document has the bytes that are written, and all before the names.
    #[test]
    fn the_bytes_are_as_documented() {
        let document = include_str!("../../docs/format.md");
        let (_, section) = document.split_once("## Snapshots").unwrap();
        let (section, _) = section.split_once("## Limits").unwrap();
        let rows = section.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, offset, size, field, ..] = cells[..] else { return None };
            Some((offset.parse::<usize>().ok()?, size.parse::<usize>().ok()?, field))
        });
        let stream = StreamId::new("a").unwrap();
        let written = Written { mark: mark(9), in_memory: 0, state: vec![0] };
        let bytes = forms()[0].encode(&stream, &written);
        let mut end = 0;
        for (offset, size, field) in rows {
            assert_eq!(offset, end, "{field}");
            end += size;
            let expected: &[u8] = match field {
                "magic" => b"ANSNAP01",
                "schema" => &3_u32.to_le_bytes(),
                "codec" => &[Postcard.id().0],
                "version" => &9_u64.to_le_bytes(),
                "position" => &27_u64.to_le_bytes(),
                "id" => &[7; 16],
                "time" => &(-5_i64).to_le_bytes(),
                other => panic!("{other} is new"),
            };
            assert_eq!(&bytes[offset..end], expected, "{field}");
        }
        assert_eq!(end, 53);
        assert_eq!(&bytes[end..end + 14], b"\x05\0\0\0state\x01\0\0\0a");
    }

    /// Lengths that were made up, below a digest that is right, take no memory.
    #[test]
    fn a_hostile_state_is_an_error() {
        let stream = StreamId::new("a").unwrap();
        let [form, json] = forms();
        let hostile: [&[u8]; 5] = [
            b"",
            &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            &[1, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, b'x'],
            &[0, 0],
        ];
        for state in hostile {
            let written = Written { mark: mark(u64::MAX), in_memory: 0, state: state.to_vec() };
            let bytes = form.encode(&stream, &written);
            assert!(matches!(form.decode(&stream, &bytes), Err(Unusable::Undecoded(_))));
        }
        let deep = Written { mark: mark(1), in_memory: 0, state: vec![b'['; 1 << 20] };
        let bytes = json.encode(&stream, &deep);
        assert!(matches!(json.decode(&stream, &bytes), Err(Unusable::Undecoded(_))));
        let first = Written { mark: mark(0), in_memory: 0, state: vec![0] };
        let bytes = form.encode(&stream, &first);
        assert!(matches!(form.decode(&stream, &bytes), Err(Unusable::Damaged)), "of no event");
        let bytes = json.encode(&stream, &first);
        assert!(matches!(form.decode(&stream, &bytes), Err(Unusable::OtherSchema)));
    }
}
