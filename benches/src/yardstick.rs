//! What the disk itself can do: one caller that overwrites bytes of a prepared file and syncs,
//! again and again.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use annals::Annals;

use crate::{
    error::{BenchError, io_error},
    latency::Latency,
    number::{float, per, wide},
    process,
    scratch::Scratch,
    shape::{BATCH, Shape},
};

/// The smallest write that a disk knows.
pub(crate) const PAGE_BYTES: usize = 4096;

/// How large the prepared file is.
const FILE_BYTES: u64 = 64 << 20;

/// Zeroes are written in pieces of the size that the store itself uses, because it is the best:
/// smaller ones slow large syncs down, larger ones small syncs.
const FILL_BYTES: usize = 256 << 10;

/// How many bytes are written before they are synced, as in the store.
const SYNC_BYTES: u64 = 1 << 20;

/// Writes and syncs of one size.
#[derive(Debug)]
pub struct Yardstick {
    file: File,
    bytes: Vec<u8>,
    offset: u64,
    /// Everything measured so far.
    pub latency: Latency,
    cpu_seconds: f64,
}

impl Yardstick {
    /// Prepares a file: what is measured later neither grows it nor changes its extents.
    ///
    /// # Errors
    /// [`BenchError::Io`]: the file cannot be made.
    pub fn new(scratch: &Scratch, bytes: usize) -> Result<Self, BenchError> {
        let path = scratch.path(&format!("yardstick-{bytes}"));
        let file = create(&path).map_err(io_error("prepare the file of the yardstick"))?;
        Ok(Self {
            file,
            bytes: vec![0xA5; bytes],
            offset: 0,
            latency: Latency::new()?,
            cpu_seconds: 0.0,
        })
    }

    /// How many bytes each write has.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Overwrites and syncs for a while; returns how often in a second.
    ///
    /// # Errors
    /// [`BenchError::Io`]: the disk refused.
    pub fn rate(&mut self, length: Duration) -> Result<f64, BenchError> {
        let (start, cpu_before) = (Instant::now(), process::cpu_seconds());
        let mut now = start;
        let mut count = 0;
        while now - start < length {
            self.overwrite().map_err(io_error("overwrite the file of the yardstick"))?;
            let before = std::mem::replace(&mut now, Instant::now());
            self.latency.record(now - before);
            count += 1;
        }
        self.cpu_seconds += process::cpu_seconds() - cpu_before;
        Ok(float(count) / (now - start).as_secs_f64())
    }

    /// Processor time of one write and sync, in microseconds.
    pub(crate) fn cpu_micros(&self) -> f64 {
        per(self.cpu_seconds * 1e6, self.latency.count())
    }

    fn overwrite(&mut self) -> std::io::Result<()> {
        let len = wide(self.bytes.len());
        if self.offset + len > FILE_BYTES {
            self.offset = 0;
        }
        self.file.write_all_at(&self.bytes, self.offset)?;
        self.offset += len;
        self.file.sync_data()
    }
}

fn create(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let zeroes = vec![0; FILL_BYTES];
    for offset in (0..FILE_BYTES).step_by(FILL_BYTES) {
        file.write_all_at(&zeroes, offset)?;
        if (offset + wide(FILL_BYTES)).is_multiple_of(SYNC_BYTES) {
            file.sync_data()?;
        }
    }
    file.sync_all()?;
    Ok(file)
}

/// How many bytes an append of this shape takes in the log: what one caller in sequence has the
/// store write and sync.
pub(crate) fn frame_bytes(shape: &Shape) -> Result<usize, BenchError> {
    let annals = Annals::in_memory()?;
    let case = crate::case::Case::new(*shape, crate::case::Callers::Threads(1));
    let mut sizes = Vec::new();
    for request in &mut case.requests()? {
        let before = annals.stats().log.bytes_used;
        request.acknowledge(&annals.append(request.append()).wait()?);
        sizes.push(annals.stats().log.bytes_used - before);
    }
    let bytes = sizes.first().and_then(|bytes| usize::try_from(*bytes).ok());
    Ok(bytes.unwrap_or(PAGE_BYTES))
}

/// How many bytes the yardstick of a shape writes: those of a frame, but a page at least.
///
/// # Errors
/// If an append in memory fails.
pub fn bytes_for(shape: &Shape) -> Result<usize, BenchError> {
    if *shape == BATCH { frame_bytes(shape) } else { Ok(PAGE_BYTES) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::SINGLE;

    #[test]
    fn frames_have_the_size_of_their_events_and_little_more() {
        let (batch, single) = (frame_bytes(&BATCH).unwrap(), frame_bytes(&SINGLE).unwrap());
        assert!((10_000..12_000).contains(&batch), "{batch}");
        assert!((100..300).contains(&single), "{single}");
    }
}
