//! What the log did and takes; for people.

use std::sync::atomic::AtomicU64;

/// How often what happened; for statistics only.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) syncs: AtomicU64,
}

/// What the log did and takes; for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// How many segments there are.
    pub segments: u64,
    /// How many bytes of the segments are used.
    pub bytes_used: u64,
    /// How many bytes the segments have, used or prepared.
    pub bytes_reserved: u64,
    /// How many groups were written since opening.
    pub groups: u64,
    /// How many times a group was synced since opening.
    pub syncs: u64,
    /// Memory that says where frames begin, in bytes.
    pub waypoint_bytes: u64,
}
