//! The engine as a store for commands: decisions on sequenced events, answers that wait.

use std::{ops::ControlFlow, sync::Arc};

use annals_event::{
    Append, AppendFailure, Committed, Position, ReadFrom, Snapshot, Store, StreamQuery,
    StreamVersion,
};
use annals_wal::{Failure, Ticket};

use crate::{
    annals::Annals,
    error::{AppendError, Conflicts, ReadError},
    events::{Events, malformed},
    inner::Inner,
    sequencer,
    stream_scan::StreamScan,
};

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
        let (committed, ticket) = sequence(self.inner(), append)?;
        durable(committed, ticket.await)
    }

    async fn settle(&self, position: Position) -> Result<(), AppendError> {
        self.inner().log.reached(position.get()).await.map_err(AppendError::Poisoned)
    }

    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        Ok(snapshot(self.inner(), streams, at)?)
    }

    fn append_blocking(&self, append: &Append) -> Result<Committed, AppendFailure<AppendError>> {
        let (committed, ticket) = sequence(self.inner(), append)?;
        durable(committed, ticket.wait())
    }

    fn settle_blocking(&self, position: Position) -> Result<(), AppendError> {
        self.inner().log.wait(position.get()).map_err(AppendError::Poisoned)
    }
}

/// Puts an append in order; a conflict is returned at once.
fn sequence(
    inner: &Arc<Inner>,
    append: &Append,
) -> Result<(Committed, Ticket), AppendFailure<AppendError>> {
    match sequencer::append(inner, append).split() {
        Ok(sequenced) => Ok(sequenced),
        Err(AppendError::Conflict(Conflicts(conflicts))) => {
            Err(AppendFailure::Conflict { conflicts, position: inner.sequenced() })
        }
        Err(error) => Err(AppendFailure::Store(error)),
    }
}

/// What is told of a commit after waiting for it.
fn durable(
    committed: Committed,
    waited: Result<(), Failure>,
) -> Result<Committed, AppendFailure<AppendError>> {
    match waited {
        Ok(()) => Ok(committed),
        Err(failure) => Err(AppendFailure::Store(AppendError::OutcomeUnknown(failure))),
    }
}

/// Streams as they are at one position, sequenced events included.
fn snapshot(
    inner: &Arc<Inner>,
    streams: &[ReadFrom],
    at: Option<Position>,
) -> Result<Snapshot, ReadError> {
    let newest = inner.sequenced();
    let position = at.map_or(newest, |at| at.min(newest));
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
            let mut failed = None;
            Events::of_stream(scan, None).visit(|event| {
                match event.to_owned_in(stream.clone()) {
                    Ok(event) => events.push(event),
                    Err(source) => failed = Some(malformed(event.position, source)),
                }
                if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
    }
    events.sort_by_key(|event| event.position);
    Ok(Snapshot { position, versions, events })
}
