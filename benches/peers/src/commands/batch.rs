//! Appends of many events, through the store's own append.
//!
//! A command that emits them would have EventCore read all its streams from their beginning each
//! time, although their versions are known.

use annals_bench::report::plan::{Batch, BatchAppend};
use eventcore::{CommandError, Event, StreamId};
use eventcore_types::{EventStore, EventStoreError, StreamVersion, StreamWrites};

use super::kept::{Kept, id};
use crate::{system::Failure, systems::Happened};

impl Kept for Happened {
    fn evolve(&self, value: u64) -> Option<u64> {
        Some(Batch::evolve(value, self.payload.as_bytes()))
    }
}

/// Makes an append.
pub(crate) async fn append<S: EventStore>(
    store: &S,
    append: BatchAppend,
) -> Result<(), CommandError> {
    let writes = writes(append).map_err(|error| error.to_string())?;
    match store.append_events(writes).await {
        Ok(_) => Ok(()),
        Err(EventStoreError::VersionConflict { .. }) => Err(CommandError::ConcurrencyError(0)),
        Err(error) => Err(CommandError::EventStoreError(error)),
    }
}

fn writes(append: BatchAppend) -> Result<StreamWrites, Failure> {
    let version = usize::try_from(append.version)?;
    let streams = append.streams.into_iter().map(id).collect::<Result<Vec<_>, Failure>>()?;
    let events = append.events.into_iter().map(|(index, payload)| {
        let stream = streams.get(index).ok_or("an event has no stream")?.clone();
        Ok(Happened { stream, payload })
    });
    let events = events.collect::<Result<Vec<_>, Failure>>()?;
    all_at(&streams, version, events)
}

/// Events of these streams, all expected at one version.
pub(crate) fn all_at<E: Event>(
    streams: &[StreamId],
    version: usize,
    events: Vec<E>,
) -> Result<StreamWrites, Failure> {
    let register = |writes: StreamWrites, stream: &StreamId| {
        writes.register_stream(stream.clone(), StreamVersion::new(version))
    };
    let writes = streams.iter().try_fold(StreamWrites::new(), register)?;
    Ok(events.into_iter().try_fold(writes, StreamWrites::append)?)
}
