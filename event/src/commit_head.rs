//! What a commit's body does not say.

use crate::{event::Timestamp, ordinal::Position};

/// What the frame's head says of a commit.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommitHead<'a> {
    /// The log's id.
    pub log_id: u128,
    /// The position of the first event.
    pub first: Position,
    /// How many events.
    pub events: u32,
    /// When it was put in order.
    pub time: Timestamp,
    /// The version of each stream before it: 8 bytes each, little-endian.
    pub versions: &'a [u8],
}
