//! The engine as a store for commands: decisions on sequenced events, answers that wait.

use std::{
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use annals_event::{
    Append, AppendFailure, Committed, EventId, Position, ReadFrom, Sequenced, Snapshot, Store,
    StreamId, StreamQuery, StreamVersion, Versions,
};
use annals_index::{StreamNumber, VersionAt};
use annals_planted::{Bug, planted};
use annals_wal::Ticket;

use crate::{
    annals::Annals,
    error::{AppendError, Conflicts, ReadError},
    events::Events,
    frames::malformed,
    inner::Inner,
    known, sequencer,
    stream_scan::StreamScan,
};

/// Says when an append of a command is durable.
#[derive(Debug)]
pub struct CommitTicket(Ticket);

impl Future for CommitTicket {
    type Output = Result<(), AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(AppendError::OutcomeUnknown)
    }
}

impl Store for Annals {
    type Error = AppendError;
    type Ticket = CommitTicket;

    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        Ok(snapshot(self.inner(), streams, at)?)
    }

    async fn sequence(
        &self,
        append: &Append,
    ) -> Result<Sequenced<CommitTicket>, AppendFailure<AppendError>> {
        sequence(self.inner(), append)
    }

    async fn settle(&self, position: Position) -> Result<(), AppendError> {
        match ticket_for(self.inner(), position) {
            Some(ticket) => ticket.await.map_err(AppendError::Poisoned),
            None => Ok(()),
        }
    }

    async fn find(&self, id: EventId) -> Result<Option<Committed>, AppendError> {
        known::find(self.inner(), id)
    }

    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        Ok(snapshot(self.inner(), streams, at)?)
    }

    fn sequence_blocking(
        &self,
        append: &Append,
    ) -> Result<Sequenced<CommitTicket>, AppendFailure<AppendError>> {
        sequence(self.inner(), append)
    }

    fn wait(&self, ticket: CommitTicket) -> Result<(), AppendError> {
        ticket.0.wait().map_err(AppendError::OutcomeUnknown)
    }

    fn settle_blocking(&self, position: Position) -> Result<(), AppendError> {
        match ticket_for(self.inner(), position) {
            Some(ticket) => ticket.wait().map_err(AppendError::Poisoned),
            None => Ok(()),
        }
    }

    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, AppendError> {
        known::find(self.inner(), id)
    }

    fn derived_id(&self, position: Position) -> EventId {
        EventId::derived(self.inner().log.id(), position)
    }
}

/// What to wait for until everything up to `position` is durable; `None`: it is.
fn ticket_for(inner: &Inner, position: Position) -> Option<Ticket> {
    // What is decided on is in order already, and this ticket is for everything in order.
    (inner.durable() < position).then(|| inner.log.ticket())
}

/// Puts an append in order; a conflict is returned at once.
fn sequence(
    inner: &Arc<Inner>,
    append: &Append,
) -> Result<Sequenced<CommitTicket>, AppendFailure<AppendError>> {
    match sequencer::append(inner, append).split() {
        Ok(Sequenced { committed, ticket, is_repeat }) => {
            Ok(Sequenced { committed, ticket: CommitTicket(ticket), is_repeat })
        }
        Err(AppendError::Conflict(Conflicts(conflicts))) => {
            Err(AppendFailure::Conflict { conflicts, position: inner.sequenced() })
        }
        Err(error) => Err(AppendFailure::Store(error)),
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
    let mut versions = Versions::with_capacity(streams.len());
    let mut events = Vec::new();
    for ReadFrom { stream, after } in streams {
        let is_moved = planted(Bug::ReadAtManyPositions);
        let position = if is_moved { inner.sequenced() } else { position };
        let Some(number) = inner.index.find(stream.as_str()) else {
            versions.push(StreamVersion::ZERO);
            continue;
        };
        let version = version_at(inner, (stream, number), position)?;
        versions.push(version);
        if version > *after {
            let query = StreamQuery::forward().from(after.next());
            let scan = StreamScan::new(inner, (stream, number), &query, version);
            let mut failed = None;
            Events::of_stream(Some(scan), None).visit(|event| {
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

/// The version that a stream had at a position. What an image says of it is compared with the log:
/// the event of that version does not lie behind the position, and the next one does.
fn version_at(
    inner: &Arc<Inner>,
    (stream, number): (&StreamId, StreamNumber),
    position: Position,
) -> Result<StreamVersion, ReadError> {
    let VersionAt { version, is_certain } = inner.index.version_at(number, position);
    if is_certain || planted(Bug::ImageCountBelieved) {
        return Ok(version);
    }
    let query = StreamQuery::forward().from(version);
    let scan = StreamScan::new(inner, (stream, number), &query, version.next());
    let mut is_right = true;
    Events::of_stream(Some(scan), None).visit(|event| {
        is_right &= (event.version <= version) == (event.position <= position);
        ControlFlow::Continue(())
    })?;
    if is_right {
        return Ok(version);
    }
    Err(ReadError::Unindexed { stream: stream.clone(), version })
}
