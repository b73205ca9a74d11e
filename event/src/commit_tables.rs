//! The tables of a commit: what its events refer to by number.
//!
//! One set of tables serves commit after commit: nothing is allocated for each, and what is the
//! same as before is not read again.

use smallvec::SmallVec;

use crate::{
    event_type::{CodecId, SchemaVersion},
    limits, name,
    ordinal::StreamVersion,
    wire::{Malformed, after, take_array, take_byte, take_name, take_varint},
};

/// The streams and the types of a commit. Most commits have few of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables<'a> {
    pub(crate) streams: SmallVec<[StreamRow<'a>; 4]>,
    pub(crate) types: SmallVec<[TypeRow<'a>; 2]>,
    /// The bytes that `types` was read from.
    types_read: &'a [u8],
    /// The name of a stream that is of interest, and needs no check; empty if there is none.
    known: &'a str,
    /// The number of the stream of that name in this commit.
    pub(crate) known_stream: Option<usize>,
}

/// A row of the streams table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) before: StreamVersion,
    /// Its version after the event that was read last.
    pub(crate) version: StreamVersion,
}

/// A row of the types table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypeRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) codec: CodecId,
    pub(crate) schema_version: SchemaVersion,
}

impl<'a> Tables<'a> {
    /// Tables that look for a stream.
    pub(crate) fn knowing(stream: &'a str) -> Self {
        Self { known: stream, ..Self::default() }
    }

    /// Reads the tables of a body; returns what follows them. `versions`: of the streams before the
    /// commit, 8 bytes each.
    pub(crate) fn read(&mut self, versions: &[u8], body: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let mut bytes = body;
        let (versions, odd) = versions.as_chunks::<8>();
        if !odd.is_empty() || versions.is_empty() {
            return Err(Malformed("it has no streams"));
        }
        self.streams.clear();
        self.known_stream = None;
        for version in versions {
            let before = StreamVersion::new(u64::from_le_bytes(*version));
            let name = if let Some(rest) = after_name(self.known, bytes) {
                (self.known_stream, bytes) = (Some(self.streams.len()), rest);
                self.known
            } else {
                checked_name(&mut bytes)?
            };
            self.streams.push(StreamRow { name, before, version: before });
        }
        self.read_types(&mut bytes)?;
        Ok(bytes)
    }

    fn read_types(&mut self, bytes: &mut &'a [u8]) -> Result<(), Malformed> {
        // Nearly every commit has the types of the one before.
        if !self.types_read.is_empty()
            && let Some(rest) = after(self.types_read, bytes)
        {
            *bytes = rest;
            return Ok(());
        }
        let table = *bytes;
        self.types_read = &[];
        self.types.clear();
        let type_count = take_varint(bytes)?;
        if type_count == 0 || type_count > limits::COMMIT_EVENTS_MAX {
            return Err(Malformed("its number of types is impossible"));
        }
        for _ in 0..type_count {
            let name = checked_name(bytes)?;
            let codec = CodecId(take_byte(bytes)?);
            let schema_version = SchemaVersion(u16::from_le_bytes(take_array(bytes)?));
            self.types.push(TypeRow { name, codec, schema_version });
        }
        self.types_read = table.get(..table.len() - bytes.len()).unwrap_or_default();
        Ok(())
    }

    /// Has every stream at its version before the commit.
    #[inline]
    pub(crate) fn rewind(&mut self) {
        for stream in &mut self.streams {
            stream.version = stream.before;
        }
    }
}

/// What follows the name, if `bytes` begin with it; nothing begins with the empty one.
#[inline]
fn after_name<'a>(name: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = bytes.split_first()?;
    if name.is_empty() || usize::from(*len) != name.len() {
        return None;
    }
    after(name.as_bytes(), rest)
}

/// Takes a name off the front, with a look at its characters.
pub(crate) fn checked_name<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Malformed> {
    let name = take_name(bytes)?;
    name::check(name, "").map_err(|_| Malformed("a name is empty or has a control character"))?;
    Ok(name)
}
