//! How a log is to be opened.

use std::{sync::Arc, time::Duration};

use crate::{
    access::Access,
    environment::{Environment, SystemEnvironment, Threads},
    error::OpenError,
    format::{FRAMES_START, SEGMENT_BYTES_MAX},
};

/// When what was appended is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// When it is on disk: after the `fdatasync` of its group.
    #[default]
    Always,
    /// When the operating system has it. A power failure may lose what was acknowledged in the
    /// last interval; a crash of the process loses nothing.
    Interval(Duration),
    /// When the operating system has it, which writes it when it likes. For tests.
    Never,
}

/// How sealed and active segments are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadMode {
    /// Through a memory map: no copy, no system call. A disk that cannot read a page ends the
    /// process with `SIGBUS`. The checksums of a frame are checked each time it is read.
    #[default]
    Map,
    /// As `Map`, but a frame that was whole once since the log was opened may be read again
    /// without a check: faster, and a bit that flips in memory, or on the disk below a page that
    /// is read again, is not noticed then.
    MapCheckedOnce,
    /// With `pread`: a disk that cannot read a page is an error like any other. Checksums are
    /// checked each time.
    Pread,
}

/// How a log is to be opened.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The size of a segment, in bytes. The first segments are smaller, so that a small log takes
    /// little room; a frame that needs more gets a larger one.
    pub segment_bytes: u64,
    /// When what was appended is acknowledged.
    pub sync_policy: SyncPolicy,
    /// How segments are read.
    pub read_mode: ReadMode,
    /// Who does the work that no caller waits for.
    pub threads: Threads,
    /// The clock and the randomness.
    pub environment: Arc<dyn Environment>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            sync_policy: SyncPolicy::default(),
            read_mode: ReadMode::default(),
            threads: Threads::default(),
            environment: Arc::new(SystemEnvironment),
        }
    }
}

/// The smallest segment: its header's page and as much for frames.
const SEGMENT_BYTES_MIN: u64 = 2 * FRAMES_START;

/// The size of a log's first segment, unless all are to be smaller. Each has twice the size of
/// the one before until they have the size that was asked for.
const FIRST_SEGMENT_BYTES: u64 = 1 << 20;

impl LogOptions {
    pub(crate) fn validate(&self) -> Result<(), OpenError> {
        let allowed = SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX;
        if !allowed.contains(&self.segment_bytes) {
            let what = format!(
                "segment_bytes is {}; set it to {SEGMENT_BYTES_MIN} (8 KiB) to \
                 {SEGMENT_BYTES_MAX} (16 GiB)",
                self.segment_bytes
            );
            return Err(OpenError::Options { what });
        }
        if self.sync_policy == SyncPolicy::Interval(Duration::ZERO) {
            let what = "the sync interval is zero; use SyncPolicy::Always".to_owned();
            return Err(OpenError::Options { what });
        }
        let syncs_in_intervals = matches!(self.sync_policy, SyncPolicy::Interval(_));
        if syncs_in_intervals && self.threads == Threads::Inline {
            let what = "without helper threads nobody syncs in intervals; use \
                        SyncPolicy::Always or Never, or Threads::Background";
            return Err(OpenError::Options { what: what.to_owned() });
        }
        Ok(())
    }

    /// What the segment at the end of the log is mapped for. Who must sync anyway writes groups
    /// with a system call: through a mapping, each page costs a fault before each sync.
    pub(crate) fn map_access(&self) -> Access {
        match self.sync_policy {
            SyncPolicy::Always => Access::Read,
            SyncPolicy::Interval(_) | SyncPolicy::Never => Access::Write,
        }
    }

    /// The size of segment `number`, from 1, in whole pages.
    pub(crate) fn capacity(&self, number: u64) -> u64 {
        let doublings = u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX).min(32);
        let capacity = (FIRST_SEGMENT_BYTES << doublings).min(self.segment_bytes);
        capacity.next_multiple_of(FRAMES_START)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small log takes little room, a large one few files.
    #[test]
    fn each_segment_is_twice_as_large_as_the_one_before_up_to_what_is_wanted() {
        let options =
            LogOptions { segment_bytes: 5 * FIRST_SEGMENT_BYTES, ..LogOptions::default() };
        let sizes = [0, 1, 2, 3, 4, 40, u64::MAX].map(|number| options.capacity(number));
        assert_eq!(sizes.map(|size| size / FIRST_SEGMENT_BYTES), [1, 1, 2, 4, 5, 5, 5]);
        let odd = LogOptions { segment_bytes: FRAMES_START + 1, ..LogOptions::default() };
        assert_eq!(odd.capacity(1), 2 * FRAMES_START, "whole pages");
    }
}
