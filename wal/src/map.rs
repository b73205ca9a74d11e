//! A file mapped into memory. The only `unsafe` of Annals.
//!
//! Invariant: bytes below `stable` never change and stay mapped as long as the `Map` lives. The
//! log keeps it: files are append-only and keep their size, and one process writes. Bytes from
//! `stable` on are never lent; [`Map::write`] alone touches them, one call at a time.

use std::{
    fs::File,
    io,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use memmap2::{MmapOptions, MmapRaw};
use parking_lot::Mutex;

use crate::access::Access;

/// A mapping of the front of a file, readable as far as its owner says that nothing changes any
/// more.
#[derive(Debug)]
pub struct Map {
    raw: MmapRaw,
    stable: AtomicUsize,
    /// Held by who writes; `None` if the mapping is read-only.
    writing: Option<Mutex<()>>,
}

impl Map {
    /// Maps the first `len` bytes. None of them can be read yet.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file is shorter, or as the system says.
    pub fn new(file: &File, len: usize, access: Access) -> io::Result<Self> {
        if file.metadata()?.len() < crate::num::to_u64(len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut options = MmapOptions::new();
        let options = options.len(len);
        let (raw, writing) = match access {
            Access::Read => (options.map_raw_read_only(file)?, None),
            Access::Write => (options.map_raw(file)?, Some(Mutex::new(()))),
        };
        Ok(Self { raw, stable: AtomicUsize::new(0), writing })
    }

    /// Takes all of its memory now, so that an error is an error and writing does not fault.
    ///
    /// # Errors
    /// As the system says: no more memory.
    pub(crate) fn populate(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        self.raw.advise(memmap2::Advice::PopulateWrite)?;
        Ok(())
    }

    /// Takes written pages out of the process's page tables, all at once. A sync would do so with
    /// each by itself, and interrupt every core each time. Whoever touches them finds them again.
    #[expect(unsafe_code, reason = "what is advised is harmless only for files")]
    pub(crate) fn withdraw(&self, range: Range<usize>) {
        #[cfg(target_os = "linux")]
        if let Some(len) = self.withdrawn_len(&range) {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: of a shared mapping of a file nothing is lost: what was written is in the
            // page cache, where the next access finds it. The range lies in the mapping.
            let advised = unsafe { self.raw.unchecked_advise_range(advice, range.start, len) };
            // Only speed depends on it.
            drop(advised);
        }
    }

    /// How many bytes [`Map::withdraw`] withdraws: none behind the mapping, where other memory may lie
    /// that would be lost.
    #[cfg(target_os = "linux")]
    fn withdrawn_len(&self, range: &Range<usize>) -> Option<usize> {
        let len = range.end.checked_sub(range.start).filter(|len| *len > 0)?;
        (self.is_writable() && range.end <= self.raw.len()).then_some(len)
    }

    /// Whether [`Map::write`] can write.
    pub(crate) fn is_writable(&self) -> bool {
        self.writing.is_some()
    }

    /// Writes bytes, and others behind them, where nothing is stable yet. Says whether it did: not
    /// to a read-only mapping, nor outside of the mapping, nor over stable bytes.
    #[expect(unsafe_code, reason = "the one place that writes mapped memory")]
    pub(crate) fn write(&self, start: usize, front: &[u8], back: &[u8]) -> bool {
        let Some(writing) = &self.writing else { return false };
        let _guard = writing.lock();
        let end = start.checked_add(front.len()).and_then(|end| end.checked_add(back.len()));
        let is_inside = end.is_some_and(|end| end <= self.raw.len());
        // Acquire pairs with the Release in `stabilize`.
        if !is_inside || start < self.stable.load(Ordering::Acquire) {
            return false;
        }
        for (start, bytes) in [(start, front), (start + front.len(), back)] {
            // SAFETY: `start` is at most the length of the mapping, checked above.
            let target = unsafe { self.raw.as_mut_ptr().add(start) };
            // SAFETY: the target lies in the mapping, which is writable and lives as long as
            // `self`. Nobody else touches it: `bytes` lends nothing from `stable` on, so `bytes` is
            // elsewhere, and other writers wait for the guard.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
        }
        true
    }

    /// Says that the bytes below `end` will not change any more. Never goes back.
    pub(crate) fn stabilize(&self, end: usize) {
        // Release pairs with the Acquire in `bytes`: who sees the mark sees the bytes.
        self.stable.fetch_max(end, Ordering::Release);
    }

    /// The bytes that will not change any more.
    #[inline]
    #[expect(unsafe_code, reason = "the one place that reads mapped memory")]
    pub(crate) fn bytes(&self) -> &[u8] {
        let stable = self.stable.load(Ordering::Acquire).min(self.raw.len());
        // SAFETY: `stable` is at most the length of the mapping, which lives as long as `self`,
        // and below it, as the module's invariant says, no byte changes.
        unsafe { std::slice::from_raw_parts(self.raw.as_ptr(), stable) }
    }
}

/// Says that `bytes` will be read soon. A hint, without effect on anything but time.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "a hint that no safe function gives")]
        // SAFETY: a prefetch reads nothing that the program sees, and cannot fail; the address is
        // one of `bytes`.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const LEN: usize = 3 * 4096;

    fn mapped(access: Access) -> (File, Map) {
        let file = tempfile::tempfile().unwrap();
        file.set_len(crate::num::to_u64(LEN)).unwrap();
        let map = Map::new(&file, LEN, access).unwrap();
        (file, map)
    }

    #[test]
    fn what_is_written_is_lent_once_it_is_stable_and_never_changes_after_that() {
        let (file, map) = mapped(Access::Write);
        map.populate().unwrap();
        assert!(map.write(0, b"front", b"back"));
        assert!(map.bytes().is_empty(), "nothing is stable yet");
        map.stabilize(5);
        assert_eq!(map.bytes(), b"front");
        assert!(!map.write(4, b"x", b""), "over the last stable byte");
        assert!(map.write(5, b"B", b""), "behind it");
        map.stabilize(9);
        map.stabilize(3);
        assert_eq!(map.bytes(), b"frontBack", "what is stable stays so");
        assert!(!map.write(0, b"other", b""));
        assert_eq!(map.bytes(), b"frontBack");
        // The file has it, too.
        let again = Map::new(&file, LEN, Access::Read).unwrap();
        again.stabilize(9);
        assert_eq!(again.bytes(), b"frontBack");
    }

    #[test]
    fn nothing_is_written_outside_of_the_mapping() {
        let (_file, map) = mapped(Access::Write);
        assert!(!map.write(LEN, b"x", b""));
        assert!(!map.write(LEN - 2, b"xx", b"y"));
        assert!(!map.write(LEN - 2, b"x", b"yy"));
        assert!(!map.write(usize::MAX, b"x", b"y"));
        map.stabilize(LEN - 3);
        assert!(map.write(LEN - 3, b"x", b"yz"), "up to its end");
        map.stabilize(usize::MAX);
        assert!(map.bytes().ends_with(b"\0xyz"));
        assert_eq!(map.bytes().len(), LEN);
    }

    #[test]
    fn a_mapping_for_reading_is_not_written() {
        let (_file, map) = mapped(Access::Read);
        assert!(!map.is_writable());
        assert!(!map.write(0, b"x", b""));
        assert!(mapped(Access::Write).1.is_writable());
    }

    #[test]
    fn a_file_that_is_shorter_is_not_mapped() {
        let (file, _map) = mapped(Access::Read);
        let error = Map::new(&file, LEN + 1, Access::Read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn pages_that_are_withdrawn_are_found_again() {
        let (_file, map) = mapped(Access::Write);
        assert!(map.write(0, &[7; LEN], b""));
        map.stabilize(LEN);
        map.withdraw(4096..8192);
        map.withdraw(0..LEN);
        // Nothing, and more than there is.
        map.withdraw(4096..4096);
        map.withdraw(0..LEN + 4096);
        assert!(map.bytes().iter().all(|byte| *byte == 7));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_what_is_mapped_for_writing_is_withdrawn() {
        let (_file, map) = mapped(Access::Write);
        let (end, start) = (LEN + 1, 4096);
        for (range, len) in [
            (0..LEN, Some(LEN)),
            (start..LEN, Some(LEN - start)),
            (start..start + 1, Some(1)),
            (0..end, None),
            (LEN..end, None),
            (start..start, None),
            (Range { start, end: 0 }, None),
        ] {
            assert_eq!(map.withdrawn_len(&range), len, "{range:?}");
        }
        assert_eq!(mapped(Access::Read).1.withdrawn_len(&(0..LEN)), None);
    }
}
