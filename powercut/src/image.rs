//! The bytes of a disk: pages of which most are zero. Copies share the pages that they have in
//! common, so that thousands of crash states fit into memory.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
};

use crate::{
    bytes::{Taker, put, put_bytes},
    number::{to_u64, to_usize},
};

/// What is shared between copies, in bytes.
pub(crate) const PAGE_BYTES: usize = 4096;

/// What a disk writes whole or not at all, in bytes.
pub(crate) const SECTOR_BYTES: usize = 512;

struct Page {
    bytes: [u8; PAGE_BYTES],
    digest: OnceLock<u64>,
}

static ZEROES: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

impl Page {
    fn zero() -> Self {
        Self { bytes: ZEROES, digest: OnceLock::new() }
    }

    fn is_zero(&self) -> bool {
        self.bytes == ZEROES
    }

    fn digest(&self, number: u64) -> u64 {
        *self.digest.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            (number, self.bytes).hash(&mut hasher);
            hasher.finish()
        })
    }
}

impl Clone for Page {
    /// A copy is made to be changed: its digest is not known.
    fn clone(&self) -> Self {
        Self { bytes: self.bytes, digest: OnceLock::new() }
    }
}

/// The bytes of a disk. Offsets and sizes are in bytes.
#[derive(Clone, Default)]
pub(crate) struct Image {
    size: u64,
    /// By number; a page that is not there is zero.
    pages: BTreeMap<u64, Arc<Page>>,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes, {} pages)", self.size, self.pages.len())
    }
}

/// The part of a range that lies in one page.
struct Piece {
    page: u64,
    /// Where it begins in the page.
    start: usize,
    len: usize,
}

/// Cuts a range at the borders of pages.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    let page_bytes = to_u64(PAGE_BYTES);
    let mut at = offset;
    let end = offset + to_u64(len);
    std::iter::from_fn(move || {
        let start = to_usize(at % page_bytes);
        let len = (PAGE_BYTES - start).min(to_usize(end - at));
        let piece = Piece { page: at / page_bytes, start, len };
        at += to_u64(len);
        (len > 0).then_some(piece)
    })
}

impl Image {
    /// A disk of zeroes.
    pub(crate) fn new(size: u64) -> Self {
        Self { size, pages: BTreeMap::new() }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Reads as much as there is before the end.
    pub(crate) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let len = len.min(to_usize(self.size.saturating_sub(offset)));
        let mut out = Vec::with_capacity(len);
        for Piece { page, start, len } in pieces(offset, len) {
            let page = self.pages.get(&page).map_or(&ZEROES, |page| &page.bytes);
            out.extend(page.iter().skip(start).take(len));
        }
        out
    }

    /// Writes; what lies behind the end is lost.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let len = bytes.len().min(to_usize(self.size.saturating_sub(offset)));
        let mut rest = bytes;
        for Piece { page, start, len } in pieces(offset, len) {
            let (now, later) = rest.split_at(len);
            rest = later;
            let page = self.pages.entry(page).or_insert_with(|| Arc::new(Page::zero()));
            let page = Arc::make_mut(page);
            page.digest = OnceLock::new();
            if let Some(place) = page.bytes.get_mut(start..start + len) {
                place.copy_from_slice(now);
            }
        }
    }

    /// Writes zeroes.
    pub(crate) fn zero(&mut self, offset: u64, len: u64) {
        let len = to_usize(len.min(self.size.saturating_sub(offset)));
        let touched: Vec<Piece> = pieces(offset, len).collect();
        for Piece { page, start, len } in touched {
            if len == PAGE_BYTES {
                self.pages.remove(&page);
            } else if self.pages.contains_key(&page) {
                self.write(page * to_u64(PAGE_BYTES) + to_u64(start), &vec![0; len]);
            }
        }
    }

    /// The pages that are not zero, by offset; those that follow one another together.
    pub(crate) fn runs(&self) -> Vec<(u64, Vec<u8>)> {
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        for (number, page) in self.pages.iter().filter(|(_, page)| !page.is_zero()) {
            let offset = number * to_u64(PAGE_BYTES);
            match runs.last_mut().filter(|(start, run)| start + to_u64(run.len()) == offset) {
                Some((_, run)) => run.extend(page.bytes),
                None => runs.push((offset, page.bytes.to_vec())),
            }
        }
        runs
    }

    /// The same for images with the same bytes, and as good as never for others.
    pub(crate) fn digest(&self) -> u64 {
        let pages = self.pages.iter().filter(|(_, page)| !page.is_zero());
        pages.fold(self.size, |digest, (number, page)| digest ^ page.digest(*number))
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let runs = self.runs();
        put(out, self.size);
        put(out, to_u64(runs.len()));
        for (offset, bytes) in &runs {
            put(out, *offset);
            put_bytes(out, bytes);
        }
    }

    pub(crate) fn take(taker: &mut Taker<'_>) -> Option<Self> {
        let mut image = Self::new(taker.number()?);
        for _ in 0..taker.number()? {
            let offset = taker.number()?;
            image.write(offset, taker.bytes()?);
        }
        Some(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_copies_go_their_own_ways() {
        let mut image = Image::new(3 * 4096);
        image.write(4000, &[7; 300]);
        let copy = image.clone();
        image.write(4096, b"new");
        assert_eq!(image.read(4094, 6), [7, 7, b'n', b'e', b'w', 7]);
        assert_eq!(copy.read(4094, 6), [7; 6]);
        assert_eq!(image.read(3 * 4096 - 2, 100), [0, 0]);
        image.write(3 * 4096 - 1, &[1, 2]);
        assert_eq!(image.read(3 * 4096 - 2, 100), [0, 1]);
        image.zero(0, 3 * 4096 - 1);
        assert_eq!(image.runs().len(), 1);
        image.zero(3 * 4096 - 1, 100);
        assert!(image.runs().is_empty());
    }

    #[test]
    fn a_digest_tells_contents_apart_and_not_histories() {
        let mut image = Image::new(1 << 20);
        let empty = image.digest();
        image.write(5000, b"a");
        let first = image.digest();
        image.write(5000, b"b");
        assert_ne!(image.digest(), first);
        image.write(5000, b"a");
        assert_eq!(image.digest(), first);
        image.write(5000, b"\0");
        assert_eq!(image.digest(), empty);
        image.write(5000 + 4096, b"a");
        assert_ne!(image.digest(), first, "the same page elsewhere");
    }

    #[test]
    fn an_image_is_kept_and_taken_again() {
        let mut image = Image::new(1 << 20);
        image.write(4096, &[1; 8192]);
        image.write(100_000, b"far");
        let mut bytes = Vec::new();
        image.put(&mut bytes);
        let taken = Image::take(&mut Taker::new(&bytes)).unwrap();
        assert_eq!(taken.digest(), image.digest());
        assert_eq!(taken.runs(), image.runs());
    }
}
