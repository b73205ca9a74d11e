//! From an append to the body of a commit. `docs/format.md`, "Commit body".
//!
//! The body says nothing that is only known once the append has its place in the log: positions,
//! versions and time stand in the frame's head. So the body is encoded, and its checksum
//! computed, before any lock is taken.

use std::collections::HashMap;

use crate::{
    append::{Append, InvalidAppend},
    event::NewEvent,
    event_type::{CodecId, EventType, SchemaVersion},
    ordinal::StreamVersion,
    stream_id::StreamId,
    wire::{put_name, put_varint},
};

/// Bits of an event's flag byte.
pub(crate) mod flag {
    /// 16 bytes of id follow.
    pub(crate) const ID: u8 = 1;
    /// Metadata follows.
    pub(crate) const METADATA: u8 = 2;
    /// Tags follow.
    pub(crate) const TAGS: u8 = 4;
    /// Every bit that version 1 of the format knows.
    pub(crate) const KNOWN: u8 = ID | METADATA | TAGS;
}

/// The buffer of an encoder keeps at most this much from one append to the next.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A multiple of this is the length of every body.
pub(crate) const BODY_ALIGN: usize = 8;

/// A stream that a commit writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamUse {
    /// The first event of the append in this stream, from 0: it names the stream.
    pub first_event: usize,
    /// How many events the append has for it.
    pub events: u64,
}

/// Encodes appends into one buffer that is used again and again.
#[derive(Debug, Default)]
pub struct Encoder {
    body: Vec<u8>,
    uses: Vec<StreamUse>,
    /// Per event: which stream of `uses`, which type of `types`.
    numbers: Vec<(u32, u32)>,
    /// Per type: the first event that has it.
    types: Vec<usize>,
}

impl Encoder {
    /// Validates and encodes an append; [`Encoder::body`] and [`Encoder::streams`] have the
    /// result.
    ///
    /// # Errors
    /// The append is invalid.
    pub fn encode(&mut self, append: &Append) -> Result<(), InvalidAppend> {
        append.validate()?;
        self.number(&append.events);
        self.body.clear();
        // One large append must not take memory for ever.
        self.body.shrink_to(KEPT_BYTES_MAX);
        for entry in &self.uses {
            if let Some(event) = append.events.get(entry.first_event) {
                put_name(event.stream.as_str(), &mut self.body);
            }
        }
        put_varint(u32::try_from(self.types.len()).unwrap_or(u32::MAX), &mut self.body);
        for event in self.types.iter().filter_map(|first| append.events.get(*first)) {
            put_name(event.event_type.as_str(), &mut self.body);
            self.body.push(event.codec.0);
            self.body.extend_from_slice(&event.schema_version.0.to_le_bytes());
        }
        for (event, (stream, event_type)) in append.events.iter().zip(&self.numbers) {
            put_event(event, *stream, *event_type, &mut self.body);
        }
        self.body.resize(self.body.len().next_multiple_of(BODY_ALIGN), 0);
        Ok(())
    }

    /// The body of the append encoded last.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The streams it writes to, in the order of the body's streams table.
    pub fn streams(&self) -> &[StreamUse] {
        &self.uses
    }

    /// For each event, in order, which of [`Encoder::streams`] it belongs to.
    pub fn stream_numbers(&self) -> impl Iterator<Item = usize> {
        self.numbers.iter().map(|(stream, _)| usize::try_from(*stream).unwrap_or(usize::MAX))
    }

    /// Gives every event the numbers of its stream and its type.
    fn number(&mut self, events: &[NewEvent]) {
        self.uses.clear();
        self.types.clear();
        self.numbers.clear();
        let mut streams = Numbering::default();
        let mut types = Numbering::default();
        for (index, event) in events.iter().enumerate() {
            let of = |use_: &StreamUse| events.get(use_.first_event).map(|first| &first.stream);
            let alike = |use_: &StreamUse| of(use_).is_some_and(|s| s.is_same(&event.stream));
            let same = |use_: &StreamUse| of(use_) == Some(&event.stream);
            let stream = streams.find(&self.uses, alike, same, || event.stream.clone());
            let stream = stream.unwrap_or_else(|| {
                self.uses.push(StreamUse { first_event: index, events: 0 });
                self.uses.len() - 1
            });
            if let Some(entry) = self.uses.get_mut(stream) {
                entry.events += 1;
            }
            let same = |first: &usize| events.get(*first).is_some_and(|e| kind(e) == kind(event));
            let event_type = types.find(&self.types, same, same, || {
                (event.event_type.clone(), event.codec, event.schema_version)
            });
            let event_type = event_type.unwrap_or_else(|| {
                self.types.push(index);
                self.types.len() - 1
            });
            let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            self.numbers.push((narrow(stream), narrow(event_type)));
        }
    }
}

/// What the types table tells apart.
fn kind(event: &NewEvent) -> (&EventType, CodecId, SchemaVersion) {
    (&event.event_type, event.codec, event.schema_version)
}

/// Finds the number of a table's row: the last one used first, a few by looking, many by a map.
struct Numbering<K> {
    last: usize,
    map: Option<HashMap<K, usize>>,
}

/// Tables up to this length are searched without a map.
const SEARCHED_ROWS_MAX: usize = 16;

impl<K> Default for Numbering<K> {
    fn default() -> Self {
        Self { last: 0, map: None }
    }
}

impl<K: Eq + std::hash::Hash> Numbering<K> {
    /// The number of the row that is `same`. `None`: the caller adds it as the next row. Rows that
    /// are `alike` are the same, and that is cheaper to see.
    fn find<T>(
        &mut self,
        rows: &[T],
        alike: impl Fn(&T) -> bool,
        same: impl Fn(&T) -> bool,
        key: impl FnOnce() -> K,
    ) -> Option<usize> {
        if rows.get(self.last).is_some_and(&alike) {
            return Some(self.last);
        }
        let early = rows.get(..SEARCHED_ROWS_MAX).unwrap_or(rows);
        let mut found = early.iter().position(alike).or_else(|| early.iter().position(same));
        if found.is_none() && rows.len() >= SEARCHED_ROWS_MAX {
            // Rows beyond the searched ones are all in the map.
            found = match self.map.get_or_insert_default().entry(key()) {
                std::collections::hash_map::Entry::Occupied(entry) => Some(*entry.get()),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert(rows.len());
                    None
                }
            };
        }
        self.last = found.unwrap_or(rows.len());
        found
    }
}

fn put_event(event: &NewEvent, stream: u32, event_type: u32, out: &mut Vec<u8>) {
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut flags = 0;
    if event.id.is_some() {
        flags |= flag::ID;
    }
    if !event.metadata.is_empty() {
        flags |= flag::METADATA;
    }
    if !event.tags.is_empty() {
        flags |= flag::TAGS;
    }
    put_varint(stream, out);
    put_varint(event_type, out);
    out.push(flags);
    if let Some(id) = &event.id {
        out.extend_from_slice(id.as_bytes());
    }
    if !event.metadata.is_empty() {
        put_varint(len(&event.metadata), out);
        out.extend_from_slice(&event.metadata);
    }
    if !event.tags.is_empty() {
        put_varint(u32::try_from(event.tags.len()).unwrap_or(u32::MAX), out);
        event.tags.iter().for_each(|tag| put_name(tag, out));
    }
    put_varint(len(&event.payload), out);
    out.extend_from_slice(&event.payload);
}

impl StreamUse {
    /// The stream's id, in the append that was encoded.
    pub fn stream<'a>(&self, append: &'a Append) -> Option<&'a StreamId> {
        append.events.get(self.first_event).map(|event| &event.stream)
    }

    /// The version of the stream after the commit, if it was `before`.
    #[must_use]
    pub fn version_after(&self, before: StreamVersion) -> StreamVersion {
        before.plus(self.events)
    }
}
