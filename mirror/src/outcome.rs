//! What a call of `append` came to.

use std::collections::HashMap;

use annals_event::{
    Append, AppendFailure, Committed, Conflict, EventId, Position, StreamVersion, Timestamp,
    Versions,
};
use tokio_postgres::Row;

use crate::{
    batch::{self, Batch},
    error::StoreError,
    rows::{derived_id, get, unsigned},
    types::{Time, Uuid},
};

/// From the event f with index 0 to before the next of those.
macro_rules! commit {
    () => {
        "SELECT e.position, e.version, e.time, e.type, e.id, s.name, e.token
        FROM events f
        JOIN events e ON e.position >= f.position - f.commit_index AND e.position < coalesce(
            (SELECT n.position FROM events n WHERE n.position > f.position AND n.commit_index = 0
            ORDER BY n.position LIMIT 1), 9223372036854775807)
        JOIN streams s ON s.number = e.stream
        WHERE "
    };
}

/// The commit that has the event at a position, in its order.
pub(crate) const FIND_AT: &str = concat!(commit!(), "f.position = $1 ORDER BY e.position");

/// The commit that has the event with an id, in its order.
pub(crate) const FIND_ID: &str = concat!(commit!(), "f.id = $1 ORDER BY e.position");

/// What came of an append.
///
/// Whether it was appended before is said as well.
pub(crate) type Answer = Result<(Committed, bool), AppendFailure<StoreError>>;

/// What the server says of a call.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The last position before the call.
    before: Position,
    /// The last position so far.
    last: Position,
    time: Timestamp,
    versions_before: Vec<StreamVersion>,
    versions: Vec<StreamVersion>,
    states: Vec<i64>,
}

impl Reply {
    pub(crate) fn of(rows: &[Row]) -> Result<Self, StoreError> {
        let Some(row) = rows.first() else { return Err(StoreError::Closed) };
        let before = Position::new(unsigned(get(row, 0)?));
        let Time(time) = get(row, 1)?;
        let versions: Option<Vec<i64>> = get(row, 2)?;
        let versions = versions.unwrap_or_default().into_iter();
        let versions: Vec<_> = versions.map(|v| StreamVersion::new(unsigned(v))).collect();
        let states = get(row, 3)?;
        Ok(Self { before, last: before, time, versions_before: versions.clone(), versions, states })
    }

    /// The position of an event with an id or the token of append number `number`.
    pub(crate) fn known(&self, number: usize) -> Option<i64> {
        self.states.get(number).copied().filter(|state| *state > 0)
    }

    /// What came of an append of which nothing was there before. To be asked in their order.
    pub(crate) fn answer(&mut self, batch: &Batch<'_>, append: &Append, number: usize) -> Answer {
        if self.states.get(number) == Some(&0) {
            let first = self.last.next();
            self.last = batch::after(self.last, append.events.len());
            let versions = batch::advance(batch, append, &mut self.versions);
            return Ok((Committed { first, last: self.last, time: self.time, versions }, false));
        }
        let mut conflicts: Vec<Conflict> = Vec::new();
        for (stream, expected) in &append.expectations {
            let number = batch.number_of(stream.as_str());
            let actual = number.and_then(|number| self.versions_before.get(number));
            let actual = actual.copied().unwrap_or_default();
            // The same stream twice says the same twice.
            let is_told = |told: &Conflict| told.stream == *stream;
            if number.is_some() && !expected.holds(actual) && !conflicts.iter().any(is_told) {
                conflicts.push(Conflict { stream: stream.clone(), expected: *expected, actual });
            }
        }
        Err(AppendFailure::Conflict { conflicts, position: self.before })
    }
}

/// The commit in rows; `None` if there are none.
pub(crate) fn commit(log: EventId, rows: &[Row]) -> Result<Option<Found>, StoreError> {
    let mut found = Found { committed: None, token: None, events: Vec::new() };
    let (mut versions, mut numbers) = (Versions::new(), HashMap::new());
    for row in rows {
        let position = Position::new(unsigned(get(row, 0)?));
        let version = StreamVersion::new(unsigned(get(row, 1)?));
        let Time(time) = get(row, 2)?;
        let id: Option<Uuid> = get(row, 4)?;
        let stream: String = get(row, 5)?;
        let number = *numbers.entry(stream.clone()).or_insert(versions.len());
        match versions.get_mut(number) {
            Some(last) => *last = version,
            None => versions.push(version),
        }
        let id = id.map_or_else(|| derived_id(log, position), EventId::from);
        found.events.push(FoundEvent { position, event_type: get(row, 3)?, id, stream });
        if found.committed.is_none() {
            found.token = get(row, 6)?;
        }
        let committed = found.committed.get_or_insert_with(|| Committed {
            first: position,
            last: position,
            time,
            versions: Versions::new(),
        });
        committed.last = position;
    }
    match &mut found.committed {
        Some(committed) => committed.versions = versions,
        None => return Ok(None),
    }
    Ok(Some(found))
}

/// A commit that is there.
pub(crate) struct Found {
    /// `Some`, once it has events.
    pub(crate) committed: Option<Committed>,
    token: Option<Uuid>,
    events: Vec<FoundEvent>,
}

/// An event of it, as far as it tells which append it is of.
struct FoundEvent {
    position: Position,
    event_type: String,
    id: EventId,
    stream: String,
}

impl Found {
    /// As the answer to an append, of which the event at `position` is there already.
    pub(crate) fn answer(self, append: &Append, token: Uuid, position: Position) -> Answer {
        if self.token == Some(token) {
            let closed = AppendFailure::Store(StoreError::Closed);
            return self.committed.map(|committed| (committed, false)).ok_or(closed);
        }
        let is_same = self.events.len() == append.events.len()
            && self.events.iter().zip(&append.events).all(|(found, new)| {
                new.id == Some(found.id)
                    && new.stream.as_str() == found.stream
                    && new.event_type.as_str() == found.event_type
            });
        match self.committed {
            Some(committed) if is_same => Ok((committed, true)),
            _ => {
                let at = self.events.iter().find(|event| event.position == position);
                let id = at.map_or(EventId::new([0; 16]), |event| event.id);
                Err(AppendFailure::Store(StoreError::IdInUse { id, position }))
            }
        }
    }
}
