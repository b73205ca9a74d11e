//! Where a frame begins.

/// The place of a frame: it stays the same for the life of the log. Ordered as the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The number of the segment, from 1.
    pub segment: u64,
    /// The offset in its file, in bytes; a multiple of 8.
    pub offset: u64,
}
