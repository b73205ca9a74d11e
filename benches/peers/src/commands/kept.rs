//! What the events of all workloads have in common.

use eventcore::{Event, StreamId};

use crate::system::Failure;

/// An event that says what becomes of its stream's value.
pub(crate) trait Kept: Event + Sync {
    /// The value with this event; `None`: that must never be.
    fn evolve(&self, value: u64) -> Option<u64>;
}

/// The name of a stream.
pub(crate) fn id(stream: String) -> Result<StreamId, Failure> {
    Ok(StreamId::try_new(stream)?)
}
