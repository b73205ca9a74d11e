//! Lengths are `usize`, what is recorded is `u64`.

/// Widens a length.
pub(crate) fn to_u64(number: usize) -> u64 {
    // Only Linux with 64 bits and less is supported.
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Narrows a number that is a length in memory.
pub(crate) fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
