//! Between lengths in memory and offsets in files. `annals-wal` asserts that both have 64 bits.

/// A length in memory as an offset.
pub(crate) fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// An offset as a length in memory.
pub(crate) fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
