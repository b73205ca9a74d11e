//! A typed event as it lies in the log.

use annals_event::{EventId, Position, StreamId, StreamVersion, Timestamp};

/// A typed event as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded<E> {
    /// What happened.
    pub event: E,
    /// Its stream.
    pub stream: StreamId,
    /// The version of the stream after it.
    pub version: StreamVersion,
    /// Its position in the log.
    pub position: Position,
    /// When its commit was put in order.
    pub time: Timestamp,
    /// Its identity, given or derived.
    pub id: EventId,
    /// What goes along with it.
    pub metadata: Vec<u8>,
}
