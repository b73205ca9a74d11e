//! Between the widths of numbers in memory and on disk.

const _: () = assert!(usize::BITS == 64, "Annals needs a 64-bit machine: offsets are 64 bits");

/// A length in memory as a number on disk.
#[expect(clippy::as_conversions, reason = "usize has 64 bits, asserted above")]
pub(crate) const fn to_u64(number: usize) -> u64 {
    number as u64
}

/// A number on disk as a length in memory.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "usize has 64 bits, asserted above"
)]
pub(crate) const fn to_usize(number: u64) -> usize {
    number as usize
}
