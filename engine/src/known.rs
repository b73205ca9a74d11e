//! Appends whose events' ids are in the log already.

use annals_event::{Append, Committed, EventId, EventView, Position, Timestamp, Versions};
use annals_index::{Identified, WrongIds};
use annals_planted::{Bug, planted};

use crate::{
    encoding,
    error::{AppendError, ReadError},
    images,
    inner::Inner,
    pending::Pending,
};

/// An id, and the event that was given it, as the index says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    id: EventId,
    event: Identified,
}

/// An event that has one of the append's ids.
pub(crate) fn find_any(inner: &Inner, append: &Append) -> Result<Option<Known>, ReadError> {
    // Validation saw to it that all events have ids or none.
    let has_ids = append.events.first().is_some_and(|event| event.id.is_some());
    if !has_ids || planted(Bug::IdsIgnored) {
        return Ok(None);
    }
    let mut ids = append.events.iter().filter_map(|event| event.id);
    ids.find_map(|id| known(inner, id).transpose()).transpose()
}

fn known(inner: &Inner, id: EventId) -> Result<Option<Known>, ReadError> {
    match inner.index.find_id(&id) {
        Ok(found) => Ok(found.map(|event| Known { id, event })),
        Err(WrongIds { segment_first }) => Err(images::wrong(inner, segment_first, segment_first)),
    }
}

/// The commit that has the event which was given this id.
pub(crate) fn find(inner: &Inner, id: EventId) -> Result<Option<Committed>, AppendError> {
    known(inner, id)?.map(|known| commit_of(inner, &known, |_| {})).transpose()
}

/// The first result of an append whose ids are known; an error, if they name other events.
pub(crate) fn repeat(inner: &Inner, append: &Append, known: &Known) -> Pending {
    // Everything in order so far, thus also the first append, when this ticket says so.
    let ticket = inner.log.ticket();
    Pending::repeated(first_result(inner, append, known), ticket)
}

fn first_result(inner: &Inner, append: &Append, known: &Known) -> Result<Committed, AppendError> {
    let (mut count, mut is_same) = (0, true);
    let committed = commit_of(inner, known, |event| {
        is_same &= append.events.get(count).is_some_and(|new| {
            new.id == Some(event.id)
                && new.stream.as_str() == event.stream
                && new.event_type.as_str() == event.event_type
        });
        count += 1;
    })?;
    if is_same && count == append.events.len() {
        return Ok(committed);
    }
    Err(AppendError::IdInUse { id: known.id, position: known.event.position })
}

/// The commit that has an event of which the id is known; its events are shown in order.
fn commit_of(
    inner: &Inner,
    Known { id, event: known }: &Known,
    mut visit: impl FnMut(&EventView<'_>),
) -> Result<Committed, AppendError> {
    let Identified { position, segment_first } = *known;
    let is_astray = || images::wrong(inner, segment_first, position);
    if position > inner.sequenced() {
        return Err(is_astray().into());
    }
    let mut reader = inner.log.reader(annals_wal::Pattern::Probe);
    let address = reader.seek(position.get()).map_err(ReadError::from)?;
    let frame = reader.frame(address).map_err(ReadError::from)?;
    let first = Position::new(frame.head.first_record);
    let malformed = |source| ReadError::Malformed { position: first, source };
    let mut commit = encoding::view(inner.log.id(), &frame).map_err(malformed)?;
    let mut is_found = false;
    let mut versions: Versions = commit.streams().map(|(_, before)| before).collect();
    for event in commit.events() {
        let event = event.map_err(malformed)?;
        if let Some(version) = versions.get_mut(event.stream_number) {
            *version = event.version;
        }
        is_found |= (event.position, event.id) == (position, *id);
        visit(&event);
    }
    if !is_found {
        return Err(is_astray().into());
    }
    let last = first.plus(u64::from(frame.head.record_count) - 1);
    Ok(Committed { first, last, time: Timestamp(frame.head.time), versions })
}
