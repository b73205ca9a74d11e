//! One file below its names: what is durable, and what was written since.
//!
//! Invariants: `current` is `durable` with all of `unsynced` written over it, in order; abandoned
//! writes stand before the others, because a failed sync abandons all there are.

use std::{collections::BTreeMap, mem, ops::Range};

use crate::{
    content::{Content, SECTOR_SIZE, Sector, overlaps, overlay},
    num::{to_u64, to_usize},
};

/// What a crash leaves in new bytes whose size survived and whose content did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fill {
    /// Zeros.
    #[default]
    Zeros,
    /// Something old from another file: no byte of it is zero.
    Stale,
}

/// Picks one of so many options; 0 is what is durable, the last one what was done last.
pub(crate) type Choose<'a> = &'a mut dyn FnMut(usize) -> usize;

/// One file.
#[derive(Default)]
pub(crate) struct Inode {
    current: Content,
    durable: Content,
    unsynced: Vec<Write>,
}

/// Bytes that no returned sync covers.
struct Write {
    offset: u64,
    bytes: Vec<u8>,
    /// A sync failed after it: the page is marked clean, so that no later sync writes it.
    abandoned: bool,
}

/// The bytes of one write in one sector, and where.
type Piece<'a> = (Range<usize>, &'a [u8]);

impl Write {
    fn end(&self) -> u64 {
        self.offset.saturating_add(to_u64(self.bytes.len()))
    }

    /// What `newer` did not write over: something before it, something behind it.
    fn outside(&self, newer: &Self) -> impl Iterator<Item = Self> {
        let len = self.bytes.len();
        let before = to_usize(newer.offset.saturating_sub(self.offset)).min(len);
        let behind = to_usize(newer.end().saturating_sub(self.offset)).min(len);
        let part = |start: usize, end: usize| Self {
            offset: self.offset.saturating_add(to_u64(start)),
            bytes: self.bytes.get(start..end).unwrap_or_default().to_vec(),
            abandoned: self.abandoned,
        };
        [part(0, before), part(behind, len)].into_iter().filter(|part| !part.bytes.is_empty())
    }
}

impl From<Content> for Inode {
    /// A file that is durable as it is.
    fn from(content: Content) -> Self {
        Self { current: content.clone(), durable: content, unsynced: Vec::new() }
    }
}

impl Inode {
    /// What a reader sees.
    pub(crate) fn content(&self) -> &Content {
        &self.current
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.current.write_at(offset, bytes);
        self.unsynced.push(Write { offset, bytes: bytes.to_vec(), abandoned: false });
    }

    /// Makes durable what was written, except for what a failed sync abandoned.
    pub(crate) fn sync(&mut self) {
        let unsynced = mem::take(&mut self.unsynced).into_iter();
        let (mut abandoned, written): (Vec<_>, Vec<_>) = unsynced.partition(|w| w.abandoned);
        for write in &written {
            self.durable.write_at(write.offset, &write.bytes);
            abandoned = abandoned.iter().flat_map(|old| old.outside(write)).collect();
        }
        self.unsynced = abandoned;
    }

    /// What Linux does when a sync fails: the bytes stay readable, and no later sync knows of
    /// them.
    pub(crate) fn abandon(&mut self) {
        for write in &mut self.unsynced {
            write.abandoned = true;
        }
    }

    /// The content after a crash: each sector, and the size, is as `choose` says.
    pub(crate) fn crashed(&self, fill: Fill, choose: Choose<'_>) -> Content {
        let mut content = self.durable.clone();
        let sizes = self.sizes();
        let size = sizes.get(choose(sizes.len())).copied().unwrap_or(content.size());
        for (number, pieces) in self.touched() {
            let versions = self.versions(number, pieces, fill);
            if let Some(version) = versions.get(choose(versions.len())) {
                content.put_sector(number, version);
            }
        }
        content.set_size(size);
        content
    }

    /// The durable size, and each larger one since.
    fn sizes(&self) -> Vec<u64> {
        let mut size = self.durable.size();
        let mut sizes = vec![size];
        for write in &self.unsynced {
            if write.end() > size {
                size = write.end();
                sizes.push(size);
            }
        }
        sizes
    }

    /// The sectors that are not durable, with what was written to them, oldest first.
    fn touched(&self) -> BTreeMap<u64, Vec<Piece<'_>>> {
        let mut touched: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for write in &self.unsynced {
            for overlap in overlaps(write.offset, write.bytes.len()) {
                let bytes = write.bytes.get(overlap.in_run).unwrap_or_default();
                touched.entry(overlap.sector).or_default().push((overlap.in_sector, bytes));
            }
        }
        touched
    }

    /// What a sector may hold: the durable bytes, or those after each write.
    fn versions(&self, number: u64, pieces: Vec<Piece<'_>>, fill: Fill) -> Vec<Sector> {
        let mut sector = self.durable.sector(number);
        let mut versions = vec![sector];
        for (range, bytes) in pieces {
            overlay(&mut sector, range, bytes);
            versions.push(sector);
        }
        if let (Fill::Stale, Some(durable)) = (fill, versions.first_mut()) {
            fill_stale(number, self.durable.size(), durable);
        }
        versions.dedup();
        versions
    }
}

/// Fills a sector with stale bytes from `size` on.
fn fill_stale(number: u64, size: u64, sector: &mut Sector) {
    let base = number * SECTOR_SIZE;
    let old = to_usize(size.saturating_sub(base));
    for (position, byte) in (base..).zip(sector).skip(old) {
        let [.., noise] = position.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        *byte = noise | 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: fn(usize) -> usize = |_| 0;
    const EVERYTHING: fn(usize) -> usize = |options| options - 1;

    fn crashed(inode: &Inode, fill: Fill, mut choose: impl FnMut(usize) -> usize) -> Vec<u8> {
        inode.crashed(fill, &mut choose).to_vec()
    }

    #[test]
    fn an_unsynced_write_is_lost_or_kept() {
        let mut inode = Inode::from(Content::from(&b"old"[..]));
        inode.write(3, b" new");
        assert_eq!(inode.content().to_vec(), b"old new");
        assert_eq!(crashed(&inode, Fill::Zeros, NOTHING), b"old");
        assert_eq!(crashed(&inode, Fill::Zeros, EVERYTHING), b"old new");
        inode.sync();
        assert_eq!(crashed(&inode, Fill::Zeros, NOTHING), b"old new");
    }

    #[test]
    fn a_sector_holds_the_content_after_any_write() {
        let mut inode = Inode::from(Content::from(&b"...."[..]));
        inode.write(0, b"a");
        inode.write(1, b"b");
        inode.write(1, b"c");
        let state = |version| crashed(&inode, Fill::Zeros, |options| version * (options / 4));
        assert_eq!([state(0), state(1), state(2), state(3)], [b"....", b"a...", b"ab..", b"ac.."]);
    }

    #[test]
    fn writing_what_is_there_leaves_nothing_to_choose() {
        let mut inode = Inode::from(Content::from(&[0; 2000][..]));
        inode.write(100, &[0; 1000]);
        crashed(&inode, Fill::Zeros, |options| {
            assert_eq!(options, 1);
            0
        });
    }

    #[test]
    fn a_size_without_its_data_reads_as_zeros_or_stale_bytes() {
        let mut inode = Inode::from(Content::from(&[1; 600][..]));
        inode.write(600, &[2; 600]);
        let only_size = |fill| {
            let mut first = true;
            crashed(&inode, fill, |options| if mem::take(&mut first) { options - 1 } else { 0 })
        };
        assert_eq!(only_size(Fill::Zeros), [[1; 600], [0; 600]].concat());
        let stale = only_size(Fill::Stale);
        assert_eq!(stale[..600], [1; 600]);
        assert!(stale.len() == 1200 && stale.iter().all(|byte| *byte != 0));
        assert_ne!(stale[600..], [2; 600]);
    }

    #[test]
    fn data_without_its_size_is_gone() {
        let mut inode = Inode::default();
        inode.write(0, &[2; 600]);
        let mut first = true;
        let choose = |options| if mem::take(&mut first) { 0 } else { options - 1 };
        assert_eq!(crashed(&inode, Fill::Zeros, choose), b"");
    }

    #[test]
    fn a_failed_sync_abandons_bytes_until_they_are_written_again() {
        let mut inode = Inode::from(Content::from(&[0; 9][..]));
        inode.write(0, b"abcdefghi");
        inode.abandon();
        inode.write(3, b"DEF");
        inode.sync();
        assert_eq!(inode.content().to_vec(), b"abcDEFghi");
        assert_eq!(crashed(&inode, Fill::Zeros, NOTHING), b"\0\0\0DEF\0\0\0");
        assert_eq!(crashed(&inode, Fill::Zeros, EVERYTHING), b"abcDEFghi");
        inode.write(0, b"ABC");
        inode.write(6, b"GHI");
        inode.sync();
        assert_eq!(crashed(&inode, Fill::Zeros, NOTHING), b"ABCDEFGHI");
        assert!(inode.unsynced.is_empty());
    }
}
