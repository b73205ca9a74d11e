//! What is told of a command in a test.

use std::fmt::{Debug, Write};

use annals_engine::{Annals, AppendError};
use annals_event::{LogQuery, Position, StreamId};
use annals_executor::{Codec, Event, ExecuteError, Payloads};

use crate::fail::or_fail;

/// The typed events of the log after a position.
#[track_caller]
pub(crate) fn since<E: Event, K: Codec>(
    annals: &Annals,
    payloads: &Payloads<K>,
    before: Position,
) -> Vec<(StreamId, E)> {
    let mut events = Vec::new();
    for event in annals.read_all(LogQuery::forward().from(before.next())) {
        let event = or_fail("the events of the command cannot be read", event);
        let decoded = payloads.decode(event);
        let decoded = or_fail("an event of the command does not come back from its codec", decoded);
        events.extend(decoded.map(|recorded| (recorded.stream, recorded.event)));
    }
    events
}

/// What is told of a command that did not happen.
pub(crate) fn why<R: Debug>(error: &ExecuteError<R, AppendError>) -> String {
    match error {
        ExecuteError::Rejected(rejection) => format!("it was rejected with\n{rejection:#?}"),
        error => format!("it failed: {error}"),
    }
}

/// Events for people: a stream and an event after the other.
pub(crate) fn listed<E: Debug>(events: &[(StreamId, E)]) -> String {
    if events.is_empty() {
        return "no events\n".to_owned();
    }
    let mut text = String::new();
    for (stream, event) in events {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{stream}: {event:#?}");
    }
    text
}
