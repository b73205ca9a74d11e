//! The bytes of a file, in sectors.
//!
//! Invariants: a sector that is missing is all zero; bytes at and beyond `size` are zero.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use crate::num::{to_u64, to_usize};

/// What the medium writes at once, in bytes.
pub(crate) const SECTOR_LEN: usize = 512;
/// The same, for offsets.
pub(crate) const SECTOR_SIZE: u64 = 512;

/// The bytes of one sector.
pub(crate) type Sector = [u8; SECTOR_LEN];

/// The bytes of a file. A clone shares the sectors.
#[derive(Clone, Default)]
pub(crate) struct Content {
    sectors: BTreeMap<u64, Arc<Sector>>,
    size: u64,
}

/// Where one sector and a run of bytes overlap.
pub(crate) struct Overlap {
    /// The number of the sector.
    pub(crate) sector: u64,
    /// The bytes, counted from the start of the sector.
    pub(crate) in_sector: Range<usize>,
    /// The same bytes, counted from the start of the run.
    pub(crate) in_run: Range<usize>,
}

/// The sectors that `len` bytes at `offset` touch.
pub(crate) fn overlaps(offset: u64, len: usize) -> impl Iterator<Item = Overlap> {
    let end = offset.saturating_add(to_u64(len));
    (offset / SECTOR_SIZE..end.div_ceil(SECTOR_SIZE)).map(move |sector| {
        let base = sector * SECTOR_SIZE;
        let (first, last) = (offset.max(base), end.min(base.saturating_add(SECTOR_SIZE)));
        Overlap {
            sector,
            in_sector: to_usize(first - base)..to_usize(last - base),
            in_run: to_usize(first - offset)..to_usize(last - offset),
        }
    })
}

/// Copies `bytes`, which fill the range, into the sector.
pub(crate) fn overlay(sector: &mut Sector, range: Range<usize>, bytes: &[u8]) {
    if let Some(target) = sector.get_mut(range).filter(|target| target.len() == bytes.len()) {
        target.copy_from_slice(bytes);
    }
}

impl Content {
    /// The size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// One sector, by number.
    pub(crate) fn sector(&self, number: u64) -> Sector {
        self.sectors.get(&number).map_or([0; SECTOR_LEN], |sector| **sector)
    }

    /// Replaces one sector. What lies beyond the size must be cut by [`Content::set_size`].
    pub(crate) fn put_sector(&mut self, number: u64, sector: &Sector) {
        if *sector == [0; SECTOR_LEN] {
            self.sectors.remove(&number);
        } else {
            self.sectors.insert(number, Arc::new(*sector));
        }
    }

    /// Copies bytes from `offset` into `out`; returns how many there were.
    pub(crate) fn read_at(&self, offset: u64, out: &mut [u8]) -> usize {
        let len = to_usize(self.size.saturating_sub(offset)).min(out.len());
        for overlap in overlaps(offset, len) {
            let Some(target) = out.get_mut(overlap.in_run) else { continue };
            match self.sectors.get(&overlap.sector).and_then(|from| from.get(overlap.in_sector)) {
                Some(source) => target.copy_from_slice(source),
                None => target.fill(0),
            }
        }
        len
    }

    /// Replaces the bytes at `offset`; grows if they reach beyond the end.
    pub(crate) fn write_at(&mut self, offset: u64, bytes: &[u8]) {
        for overlap in overlaps(offset, bytes.len()) {
            let mut sector = self.sector(overlap.sector);
            overlay(&mut sector, overlap.in_sector, bytes.get(overlap.in_run).unwrap_or_default());
            self.put_sector(overlap.sector, &sector);
        }
        self.size = self.size.max(offset.saturating_add(to_u64(bytes.len())));
    }

    /// Cuts the content, or extends it with zeros.
    pub(crate) fn set_size(&mut self, size: u64) {
        drop(self.sectors.split_off(&size.div_ceil(SECTOR_SIZE)));
        let last = size / SECTOR_SIZE;
        let mut sector = self.sector(last);
        if let Some(beyond) = sector.get_mut(to_usize(size % SECTOR_SIZE)..) {
            beyond.fill(0);
        }
        self.put_sector(last, &sector);
        self.size = size;
    }

    /// All bytes.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; to_usize(self.size)];
        self.read_at(0, &mut bytes);
        bytes
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.write_at(0, bytes);
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_across_sectors_are_read_back() {
        let bytes: Vec<u8> = (0..2000u32).map(|at| at.to_le_bytes()[0] | 1).collect();
        let mut content = Content::default();
        content.write_at(300, &bytes);
        assert_eq!(content.size(), 2300);
        assert_eq!(content.to_vec()[..300], [0; 300]);
        assert_eq!(content.to_vec()[300..], bytes);
        let mut out = [7; 10];
        assert_eq!(content.read_at(2295, &mut out), 5);
        assert_eq!(out[5..], [7; 5]);
        assert_eq!(content.read_at(2300, &mut out), 0);
        assert_eq!(content.read_at(u64::MAX, &mut out), 0);
    }

    #[test]
    fn cut_bytes_come_back_as_zeros() {
        let mut content = Content::from(&[9; 1500][..]);
        content.set_size(700);
        content.set_size(1500);
        assert_eq!(content.to_vec()[..700], [9; 700]);
        assert_eq!(content.to_vec()[700..], [0; 800]);
        content.set_size(512);
        assert_eq!(content.to_vec(), [9; 512]);
    }

    #[test]
    fn zeros_and_holes_take_no_memory() {
        let mut content = Content::default();
        content.write_at(0, &[0; 4096]);
        content.write_at(1 << 40, &[1]);
        assert_eq!(content.size(), (1 << 40) + 1);
        assert_eq!(content.sectors.len(), 1);
        let mut out = [7; 600];
        assert_eq!(content.read_at(1000, &mut out), 600);
        assert_eq!(out, [0; 600]);
    }
}
