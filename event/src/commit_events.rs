//! The events of a commit, as they lie in its body.

use crate::{
    commit_head::CommitHead,
    commit_tables::{StreamRow, Tables, TypeRow, checked_name},
    encode::{BODY_ALIGN, flag},
    event_id::EventId,
    event_view::EventView,
    limits,
    wire::{Malformed, take, take_array, take_byte, take_varint},
};

/// The events of a commit, in order or backward.
#[derive(Debug)]
pub struct Events<'c, 'a> {
    streams: &'c mut [StreamRow<'a>],
    types: &'c [TypeRow<'a>],
    bytes: &'a [u8],
    head: &'c CommitHead<'a>,
    /// The index of the next event in its commit, in order.
    next: u32,
    /// Backward: where the events begin that are still to come.
    starts: Option<&'c [usize]>,
}

impl<'c, 'a> Events<'c, 'a> {
    /// The events in `bytes`. The streams are at their versions before the commit.
    #[inline]
    pub(crate) fn forward(
        tables: &'c mut Tables<'a>,
        head: &'c CommitHead<'a>,
        bytes: &'a [u8],
    ) -> Self {
        let Tables { streams, types, .. } = tables;
        Self { streams, types, bytes, head, next: 0, starts: None }
    }

    /// The events in `bytes`, each of which begins at one of `starts`, the last one first. The
    /// streams are at their versions after the commit.
    #[inline]
    pub(crate) fn backward(
        tables: &'c mut Tables<'a>,
        head: &'c CommitHead<'a>,
        bytes: &'a [u8],
        starts: &'c [usize],
    ) -> Self {
        let Tables { streams, types, .. } = tables;
        Self { streams, types, bytes, head, next: 0, starts: Some(starts) }
    }

    /// Notes where each event begins, and has every stream at its version after the commit.
    pub(crate) fn walk(mut self, starts: &mut Vec<usize>) -> Result<(), Malformed> {
        let all = self.bytes.len();
        for _ in 0..self.head.events {
            starts.push(all - self.bytes.len());
            let (event, rest) = Parts::take(self.bytes)?;
            let (stream, _) = find(self.streams, self.types, &event)?;
            stream.version = stream.version.next();
            self.bytes = rest;
        }
        self.check_end()
    }

    #[inline]
    fn is_done(&self) -> bool {
        match self.starts {
            None => self.next == self.head.events,
            Some(starts) => starts.is_empty(),
        }
    }

    #[expect(clippy::inline_always, reason = "copying views costs more than decoding them")]
    #[inline(always)]
    fn take_next(&mut self) -> Result<EventView<'a>, Malformed> {
        let (bytes, index) = match self.starts.as_mut() {
            None => (self.bytes, self.next),
            Some(starts) => {
                let (start, before) = starts.split_last().unwrap_or((&0, &[]));
                *starts = before;
                let bytes = self.bytes.get(*start..).unwrap_or_default();
                (bytes, u32::try_from(before.len()).unwrap_or(u32::MAX))
            }
        };
        let (event, rest) = Parts::take(bytes)?;
        let (stream, kind) = find(self.streams, self.types, &event)?;
        // A stream's version is that after the event before; backward, after the one to come.
        let version = match self.starts {
            None => stream.version.next(),
            Some(_) => stream.version,
        };
        stream.version = version;
        let view = event.view(self.head, index, stream, kind);
        if self.starts.is_some() {
            stream.version = version.previous();
            return Ok(view);
        }
        self.next += 1;
        self.bytes = rest;
        if self.is_done() {
            self.check_end()?;
        }
        Ok(view)
    }

    /// After the last event: nothing but less than eight zero bytes.
    #[inline]
    fn check_end(&self) -> Result<(), Malformed> {
        if self.bytes.len() >= BODY_ALIGN || self.bytes.iter().fold(0, |all, byte| all | byte) != 0
        {
            return Err(Malformed("it has more bytes than its events"));
        }
        Ok(())
    }
}

/// The stream and the type of an event.
#[inline]
fn find<'c, 'a>(
    streams: &'c mut [StreamRow<'a>],
    types: &'c [TypeRow<'a>],
    event: &Parts<'a>,
) -> Result<(&'c mut StreamRow<'a>, TypeRow<'a>), Malformed> {
    let stream = streams.get_mut(event.stream_number);
    let kind = types.get(event.type_number);
    let stream = stream.ok_or(Malformed("an event has no stream"))?;
    Ok((stream, *kind.ok_or(Malformed("an event has no type"))?))
}

impl<'a> Iterator for Events<'_, 'a> {
    type Item = Result<EventView<'a>, Malformed>;

    #[expect(clippy::inline_always, reason = "copying views costs more than decoding them")]
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done() {
            return None;
        }
        let event = self.take_next();
        if event.is_err() {
            self.next = self.head.events;
            self.starts = None;
        }
        Some(event)
    }
}

/// An event as it lies in the body.
struct Parts<'a> {
    stream_number: usize,
    type_number: usize,
    extras: Extras<'a>,
    payload: &'a [u8],
}

impl<'a> Parts<'a> {
    #[expect(clippy::inline_always, reason = "copying views costs more than decoding them")]
    #[inline(always)]
    fn take(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        // Nearly every event: small numbers, and nothing but a payload.
        if let Some(([stream, kind, 0, len], rest)) = bytes.split_first_chunk()
            && (stream | kind | len) < 0x80
            && let Some((payload, rest)) = rest.split_at_checked(usize::from(*len))
        {
            let (stream_number, type_number) = (usize::from(*stream), usize::from(*kind));
            return Ok((Self { stream_number, type_number, extras: Extras::NONE, payload }, rest));
        }
        Self::take_any(bytes)
    }

    #[inline(never)]
    fn take_any(mut bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let bytes = &mut bytes;
        let stream_number = take_varint(bytes)?;
        let type_number = take_varint(bytes)?;
        let flags = take_byte(bytes)?;
        let extras = if flags == 0 { Extras::NONE } else { take_extras(flags, bytes)? };
        let payload_len = take_varint(bytes)?;
        let payload = take(bytes, payload_len)?;
        Ok((Self { stream_number, type_number, extras, payload }, bytes))
    }

    /// The event with this index in its commit.
    #[expect(clippy::inline_always, reason = "copying views costs more than decoding them")]
    #[inline(always)]
    fn view(
        &self,
        head: &CommitHead<'_>,
        index: u32,
        stream: &StreamRow<'a>,
        kind: TypeRow<'a>,
    ) -> EventView<'a> {
        let position = head.first.plus(u64::from(index));
        EventView {
            stream: stream.name,
            version: stream.version,
            position,
            time: head.time,
            id: self.extras.id.unwrap_or_else(|| EventId::derived(head.log_id, position)),
            id_given: self.extras.id.is_some(),
            event_type: kind.name,
            codec: kind.codec,
            schema_version: kind.schema_version,
            payload: self.payload,
            metadata: self.extras.metadata,
            stream_number: self.stream_number,
            tags: self.extras.tags,
        }
    }
}

/// What most events do not have.
struct Extras<'a> {
    id: Option<EventId>,
    metadata: &'a [u8],
    tags: &'a [u8],
}

impl Extras<'_> {
    const NONE: Self = Self { id: None, metadata: &[], tags: &[] };
}

fn take_extras<'a>(flags: u8, bytes: &mut &'a [u8]) -> Result<Extras<'a>, Malformed> {
    if flags & !flag::KNOWN != 0 {
        return Err(Malformed("an event has a flag that this version does not know"));
    }
    let mut extras = Extras::NONE;
    if flags & flag::ID != 0 {
        extras.id = Some(EventId::new(take_array(bytes)?));
    }
    if flags & flag::METADATA != 0 {
        extras.metadata = take_nonempty(bytes)?;
    }
    if flags & flag::TAGS != 0 {
        extras.tags = take_tags(bytes)?;
    }
    Ok(extras)
}

fn take_nonempty<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let len = take_varint(bytes)?;
    if len == 0 {
        return Err(Malformed("metadata is announced and empty"));
    }
    take(bytes, len)
}

/// Takes the tags as they lie, after a look that they are names.
fn take_tags<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let count = take_varint(bytes)?;
    if count == 0 || count > limits::EVENT_TAGS_MAX {
        return Err(Malformed("its number of tags is impossible"));
    }
    let start = *bytes;
    for _ in 0..count {
        checked_name(bytes)?;
    }
    start.get(..start.len() - bytes.len()).ok_or(Malformed("it ends early"))
}
