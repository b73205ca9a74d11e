//! The ids table of an image: which event was given which id.
//!
//! Its bytes may be those of a mapped file, which change when the disk or somebody damages them.
//! A wrong place in the log is noticed there; an id that is not found is noticed nowhere. So the
//! table is searched by blocks, and each is checked whenever it is looked into.

use annals_event::EventId;

use crate::places::SegmentPlaces;

/// A row: the id, its position counted from the segment's first.
pub(crate) const ROW_LEN: usize = 20;

/// The rows that are checked together: few enough to be read at once, many enough to keep little
/// in memory.
const BLOCK_LEN: usize = 128 * ROW_LEN;

/// What is kept in memory of an ids table.
#[derive(Debug)]
pub(crate) struct Ids(Vec<Block>);

#[derive(Debug)]
struct Block {
    first: EventId,
    checksum: u32,
}

/// The ids table is not what it was when the image was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed;

impl Ids {
    /// What to keep of a table.
    pub(crate) fn of(table: &[u8]) -> Self {
        let block = |bytes: &[u8]| {
            let first = bytes.first_chunk().copied().unwrap_or_default();
            Block { first: EventId::new(first), checksum: crc32fast::hash(bytes) }
        };
        Self(table.chunks(BLOCK_LEN).map(block).collect())
    }

    /// The position of the event that was given this id, counted from the segment's first.
    pub(crate) fn find(&self, table: &[u8], id: &EventId) -> Result<Option<u32>, Changed> {
        let after = self.0.partition_point(|block| block.first <= *id);
        let Some(index) = after.checked_sub(1) else { return Ok(None) };
        let block = self.0.get(index).zip(table.chunks(BLOCK_LEN).nth(index));
        let bytes = block.filter(|(block, bytes)| block.checksum == crc32fast::hash(bytes));
        let (_, bytes) = bytes.ok_or(Changed)?;
        let (rows, _) = bytes.as_chunks();
        let found = rows.binary_search_by(|row| decode(row).0.cmp(id));
        Ok(found.ok().and_then(|found| rows.get(found)).map(|row| decode(row).1))
    }
}

/// The rows of a table: ids, sorted, with positions counted from the segment's first.
pub(crate) fn rows(table: &[u8]) -> impl Iterator<Item = (EventId, u32)> {
    let (rows, _) = table.as_chunks();
    rows.iter().map(decode)
}

fn decode(row: &[u8; ROW_LEN]) -> (EventId, u32) {
    let [id @ .., a, b, c, d] = *row;
    (EventId::new(id), u32::from_le_bytes([a, b, c, d]))
}

/// The ids table of a segment.
pub(crate) fn encode(segment: &SegmentPlaces) -> Vec<u8> {
    let mut sorted: Vec<_> = segment.ids.iter().collect();
    sorted.sort_unstable();
    let mut table = Vec::with_capacity(sorted.len() * ROW_LEN);
    for (id, position) in sorted {
        table.extend_from_slice(id.as_bytes());
        table.extend_from_slice(&segment.shorten(*position, 0).position.to_le_bytes());
    }
    table
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn id(number: u32) -> EventId {
        let mut id = u128::from(number).to_le_bytes();
        // Ids are in the order of their bytes.
        id.reverse();
        EventId::new(id)
    }

    /// So many rows: the ids 2, 4, 6 and so on, at the positions 0, 1, 2.
    fn table(count: u32) -> Vec<u8> {
        let row = |n: u32| [id(2 * n + 2).as_bytes().as_slice(), &n.to_le_bytes()].concat();
        (0..count).flat_map(row).collect()
    }

    #[test]
    fn every_id_is_found_and_no_other_is() {
        for count in [0, 1, 2, 127, 128, 129, 256, 1000] {
            let table = table(count);
            let ids = Ids::of(&table);
            for number in 0..2 * count + 4 {
                let is_there = number >= 2 && number % 2 == 0 && number <= 2 * count;
                let expected = is_there.then(|| number / 2 - 1);
                assert_eq!(ids.find(&table, &id(number)), Ok(expected), "{number} of {count}");
            }
            assert_eq!(ids.find(&table, &EventId::new([255; 16])), Ok(None));
        }
    }

    /// A bit that flipped in an id after the image was opened led the search astray: that id, or
    /// another, was not found any more, and an append that was repeated was appended twice. Proves G11.
    #[test]
    fn no_id_is_missed_because_of_a_flipped_bit() {
        let mut table = table(300);
        let ids = Ids::of(&table);
        for byte in 0..table.len() {
            table[byte] ^= 1 << (byte % 8);
            for number in 0..300 {
                let is_touched = number / 128 == u32::try_from(byte / BLOCK_LEN).unwrap();
                let expected = if is_touched { Err(Changed) } else { Ok(Some(number)) };
                assert_eq!(ids.find(&table, &id(2 * number + 2)), expected, "byte {byte}");
            }
            table[byte] ^= 1 << (byte % 8);
        }
        // A file that was cut short has no more bytes where they were.
        assert_eq!(ids.find(&table[..BLOCK_LEN], &id(600)), Err(Changed));
    }
}
