//! A typed event as it lies in the log.

use annals_event::{EventId, Malformed, Metadata, Position, StreamId, StreamVersion, Timestamp};

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
    /// What goes along with it, as bytes: [`Recorded::read_metadata`] reads what commands write.
    pub metadata: Vec<u8>,
}

impl<E> Recorded<E> {
    /// What goes along with it, if a command wrote it.
    ///
    /// # Errors
    /// [`Malformed`]: somebody else wrote something of their own.
    pub fn read_metadata(&self) -> Result<Metadata, Malformed> {
        Metadata::decode(&self.metadata)
    }
}
