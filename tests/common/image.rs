//! Where things lie in an index image, by `docs/format.md`.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::ops::Range;

/// The number of four bytes there.
pub(crate) fn number(image: &[u8], at: usize) -> usize {
    usize::try_from(u32::from_le_bytes(image[at..at + 4].try_into().unwrap())).unwrap()
}

/// The ids table, behind the header, the rows of the streams and their names.
pub(crate) fn ids(image: &[u8]) -> Range<usize> {
    let start = 96 + 40 * number(image, 56) + number(image, 60);
    start..start + 20 * number(image, 68)
}

/// Where the places begin, those of the first stream first.
pub(crate) fn places(image: &[u8]) -> usize {
    ids(image).end
}
