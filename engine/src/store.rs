//! The engine as a store for commands: decisions on sequenced events, answers that wait.

use std::sync::Arc;

use annals_event::{
    Append, AppendFailure, Committed, Position, ReadFrom, Snapshot, Store, StreamQuery,
    StreamVersion,
};

use crate::{
    annals::Annals,
    error::{AppendError, ReadError},
    events::Events,
    inner::Inner,
    sequencer,
    stream_scan::StreamScan,
};

/// How the store fails for a command.
impl Store for Annals {
    type Error = AppendError;

    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        Ok(snapshot(self.inner(), streams, at)?)
    }

    async fn append(&self, append: &Append) -> Result<Committed, AppendFailure<AppendError>> {
        let (outcome, ticket) = sequencer::append(self.inner(), append).split();
        match outcome {
            Ok(committed) => match ticket {
                None => Ok(committed),
                Some(ticket) => match ticket.await {
                    Ok(()) => Ok(committed),
                    Err(failure) => Err(AppendFailure::Store(AppendError::OutcomeUnknown(failure))),
                },
            },
            Err(AppendError::Conflict(conflicts)) => Err(AppendFailure::Conflict {
                conflicts: conflicts.0,
                position: self.inner().sequenced(),
            }),
            Err(error) => Err(AppendFailure::Store(error)),
        }
    }

    async fn settle(&self, position: Position) -> Result<(), AppendError> {
        self.inner().log.reached(position.get()).await.map_err(AppendError::Poisoned)
    }
}

/// Streams as they are at one position, sequenced events included.
fn snapshot(
    inner: &Arc<Inner>,
    streams: &[ReadFrom],
    at: Option<Position>,
) -> Result<Snapshot, ReadError> {
    let position = at.unwrap_or_else(|| inner.sequenced());
    let mut versions = Vec::with_capacity(streams.len());
    let mut events = Vec::new();
    for ReadFrom { stream, after } in streams {
        let number = inner.index.find(stream.as_str());
        let version =
            number.map_or(StreamVersion::ZERO, |number| inner.index.version_at(number, position));
        versions.push(version);
        if version > *after {
            let query = StreamQuery::forward().from(after.next());
            let scan = StreamScan::new(inner, stream, &query, position);
            for event in Events::of_stream(scan, None) {
                events.push(event?);
            }
        }
    }
    events.sort_by_key(|event| event.position);
    Ok(Snapshot { position, versions, events })
}
