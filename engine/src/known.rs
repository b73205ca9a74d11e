//! Appends whose events' ids are in the log already.

use annals_event::{Append, Committed, EventId, EventView, Position, Timestamp, Versions};

use annals_planted::{Bug, planted};

use crate::{
    encoding,
    error::{AppendError, ReadError},
    inner::Inner,
    pending::Pending,
};

/// Where an event lies that has one of the append's ids.
pub(crate) fn find_any(inner: &Inner, append: &Append) -> Option<Position> {
    // Validation saw to it that all events have ids or none.
    append.events.first()?.id.filter(|_| !planted(Bug::IdsIgnored))?;
    let mut ids = append.events.iter().filter_map(|event| event.id.as_ref());
    ids.find_map(|id| inner.index.find_id(id))
}

/// The commit that has the event which was given this id.
pub(crate) fn find(inner: &Inner, id: EventId) -> Result<Option<Committed>, AppendError> {
    let position = inner.index.find_id(&id);
    position.map(|position| commit_at(inner, position, |_| {})).transpose()
}

/// The first result of an append whose ids are known; an error, if they name other events.
pub(crate) fn repeat(inner: &Inner, append: &Append, position: Position) -> Pending {
    // Everything in order so far, thus also the first append, when this ticket says so.
    let ticket = inner.log.ticket();
    Pending::repeated(first_result(inner, append, position), ticket)
}

fn first_result(
    inner: &Inner,
    append: &Append,
    position: Position,
) -> Result<Committed, AppendError> {
    let (mut count, mut is_same, mut known) = (0, true, EventId::new([0; 16]));
    let committed = commit_at(inner, position, |event| {
        is_same &= append.events.get(count).is_some_and(|new| {
            new.id == Some(event.id)
                && new.stream.as_str() == event.stream
                && new.event_type.as_str() == event.event_type
        });
        count += 1;
        if event.position == position {
            known = event.id;
        }
    })?;
    if is_same && count == append.events.len() {
        return Ok(committed);
    }
    Err(AppendError::IdInUse { id: known, position })
}

/// The commit that has the event at `position`; its events are shown in order.
fn commit_at(
    inner: &Inner,
    position: Position,
    mut visit: impl FnMut(&EventView<'_>),
) -> Result<Committed, AppendError> {
    let mut reader = inner.log.reader(annals_wal::Pattern::Probe);
    let address = reader.seek(position.get()).map_err(ReadError::from)?;
    let frame = reader.frame(address).map_err(ReadError::from)?;
    let first = Position::new(frame.head.first_record);
    let malformed = |source| ReadError::Malformed { position: first, source };
    let mut commit = encoding::view(inner.log.id(), &frame).map_err(malformed)?;
    let mut versions: Versions = commit.streams().map(|(_, before)| before).collect();
    for event in commit.events() {
        let event = event.map_err(malformed)?;
        if let Some(version) = versions.get_mut(event.stream_number) {
            *version = event.version;
        }
        visit(&event);
    }
    let last = first.plus(u64::from(frame.head.record_count) - 1);
    Ok(Committed { first, last, time: Timestamp(frame.head.time), versions })
}
