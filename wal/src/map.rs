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
        if self.is_writable() && range.start < range.end && range.end <= self.raw.len() {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            let len = range.end - range.start;
            // SAFETY: of a shared mapping of a file nothing is lost: what was written is in the
            // page cache, where the next access finds it.
            let advised = unsafe { self.raw.unchecked_advise_range(advice, range.start, len) };
            // Only speed depends on it.
            drop(advised);
        }
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
