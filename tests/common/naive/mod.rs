//! A second decoder of the log, written from `docs/format.md` alone and sharing no code with the
//! first: slow, short, and owning what it finds. Where the two differ, one of them, or the
//! document, is wrong.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

mod commit;
mod log;
mod segment;

use annals::RecordedEvent;

pub(crate) use commit::{Event, Head, commit};
pub(crate) use log::{Files, Log, Refusal, log};
pub(crate) use segment::{
    Frame, FrameKind, Frames, Header, HeaderFault, Place, Verdict, crc, frames, header, number,
};

/// An event as the first decoder has it.
pub(crate) fn event(event: &RecordedEvent) -> Event {
    Event {
        stream: event.stream.as_str().to_owned(),
        version: event.version.get(),
        position: event.position.get(),
        time: event.time.0,
        id: *event.id.as_bytes(),
        kind: event.event_type.as_str().to_owned(),
        codec: event.codec.0,
        schema_version: event.schema_version.0,
        metadata: event.metadata.clone(),
        tags: event.tags.clone(),
        payload: event.payload.clone(),
    }
}
