//! A file mapped into memory, read-only. The only `unsafe` of Annals.
//!
//! Invariant: bytes below `stable` never change and stay mapped as long as the `Map` lives. The
//! log keeps it: files are append-only and keep their size, and one process writes.

use std::{
    fs::File,
    io,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use memmap2::{MmapOptions, MmapRaw};

/// A read-only mapping of the front of a file, readable as far as its owner says that nothing
/// changes any more.
#[derive(Debug)]
pub struct Map {
    raw: MmapRaw,
    stable: AtomicUsize,
}

impl Map {
    /// Maps the first `len` bytes. None of them can be read yet.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file is shorter, or as the system says.
    pub fn new(file: &File, len: usize) -> io::Result<Self> {
        if file.metadata()?.len() < crate::num::to_u64(len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let raw = MmapOptions::new().len(len).map_raw_read_only(file)?;
        Ok(Self { raw, stable: AtomicUsize::new(0) })
    }

    /// Says that the bytes below `end` will not change any more. Never goes back.
    pub(crate) fn stabilize(&self, end: usize) {
        // Release pairs with the Acquire in `get`: who sees the mark sees the bytes.
        self.stable.fetch_max(end, Ordering::Release);
    }

    /// The bytes of `range`, if they are mapped and will not change any more.
    #[expect(unsafe_code, reason = "the one place that reads mapped memory")]
    pub(crate) fn get(&self, range: Range<usize>) -> Option<&[u8]> {
        let stable = self.stable.load(Ordering::Acquire).min(self.raw.len());
        if range.start > range.end || range.end > stable {
            return None;
        }
        // SAFETY: `range.start` is at most the length of the mapping, checked above.
        let start = unsafe { self.raw.as_ptr().add(range.start) };
        // SAFETY: the range lies in the mapping, which lives as long as `self`, and below
        // `stable`, where the module's invariant says that no byte changes.
        Some(unsafe { std::slice::from_raw_parts(start, range.end - range.start) })
    }
}
