//! Planted defects: a disk interface that does not do what the store asked, as if the store had
//! forgotten to ask. Whoever checks must notice each of them.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use annals::{Directory, File};
use parking_lot::Mutex;

use crate::meddled::{Meddler, is_segment};

/// A planted defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Plant {
    /// Commits are acknowledged without a sync of the segment.
    AckBeforeSync,
    /// The same, but only every seventh time.
    AckBeforeSyncAtTimes,
    /// The directory is never synced after files were created and renamed.
    NoDirectorySync,
    /// A file gets its name although nothing in it was synced.
    NoSyncBeforeRename,
    /// A file gets its name only when the next one does.
    RenameLater,
    /// What is written is held back until after the next sync.
    WriteAfterSync,
    /// Only the first half of every 20th write is written.
    HalfAWrite,
    /// A sync that failed is tried again, and believed when it then succeeds.
    RetrySync,
    /// A sync that failed is taken for one that did not.
    SwallowErrors,
    /// Index images are not synced. They are derived, so nothing may be lost: whoever notices
    /// this one notices too much.
    NoImageSync,
}

impl Plant {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::AckBeforeSync,
        Self::AckBeforeSyncAtTimes,
        Self::NoDirectorySync,
        Self::NoSyncBeforeRename,
        Self::RenameLater,
        Self::WriteAfterSync,
        Self::HalfAWrite,
        Self::RetrySync,
        Self::SwallowErrors,
        Self::NoImageSync,
    ];

    /// Whether it breaks a promise.
    pub(crate) fn is_harmful(self) -> bool {
        self != Self::NoImageSync
    }

    /// Whether it shows only where the disk fails.
    pub(crate) fn needs_failures(self) -> bool {
        matches!(self, Self::RetrySync | Self::SwallowErrors)
    }

    /// As it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AckBeforeSync => "ack-before-sync",
            Self::AckBeforeSyncAtTimes => "ack-before-sync-at-times",
            Self::NoDirectorySync => "no-directory-sync",
            Self::NoSyncBeforeRename => "no-sync-before-rename",
            Self::RenameLater => "rename-later",
            Self::WriteAfterSync => "write-after-sync",
            Self::HalfAWrite => "half-a-write",
            Self::RetrySync => "retry-sync",
            Self::SwallowErrors => "swallow-errors",
            Self::NoImageSync => "no-image-sync",
        }
    }

    /// Who does the mischief.
    pub(crate) fn meddler(self) -> Arc<dyn Meddler> {
        match self {
            Self::RenameLater => Arc::new(RenameLater::default()),
            Self::WriteAfterSync => Arc::new(WriteAfterSync::default()),
            other => Arc::new(Omission { plant: other, count: AtomicU64::new(0) }),
        }
    }
}

/// Leaves something out.
#[derive(Debug)]
struct Omission {
    plant: Plant,
    count: AtomicU64,
}

impl Omission {
    /// Whether this is the n-th, 2n-th, 3n-th time that somebody asks.
    fn is_time(&self, n: u64) -> bool {
        // Relaxed: only the count matters.
        (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(n)
    }

    fn sync_with(&self, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        match (sync(), self.plant) {
            (Err(_), Plant::RetrySync) => sync(),
            (Err(_), Plant::SwallowErrors) => Ok(()),
            (outcome, _) => outcome,
        }
    }

    fn omits_sync_of(&self, name: &str) -> bool {
        match self.plant {
            Plant::AckBeforeSync => is_segment(name),
            Plant::AckBeforeSyncAtTimes => is_segment(name) && self.is_time(7),
            Plant::NoSyncBeforeRename => name.ends_with(".prepared"),
            Plant::NoImageSync => name.ends_with(".idx.tmp"),
            _ => false,
        }
    }
}

impl Meddler for Omission {
    fn write_at(
        &self,
        name: &str,
        file: &dyn File,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<usize> {
        if self.plant == Plant::HalfAWrite && is_segment(name) && self.is_time(20) {
            let (half, _) = bytes.split_at(bytes.len() / 2);
            file.write_at(offset, half)?;
            return Ok(bytes.len());
        }
        file.write_at(offset, bytes)
    }

    fn sync_data(&self, name: &str, file: &dyn File) -> io::Result<()> {
        if self.omits_sync_of(name) { Ok(()) } else { self.sync_with(&|| file.sync_data()) }
    }

    fn sync(&self, directory: &dyn Directory) -> io::Result<()> {
        let is_omitted = self.plant == Plant::NoDirectorySync;
        if is_omitted { Ok(()) } else { self.sync_with(&|| directory.sync()) }
    }
}

/// Renames when the next rename comes.
#[derive(Debug, Default)]
struct RenameLater(Mutex<VecDeque<(String, String)>>);

impl Meddler for RenameLater {
    fn rename(&self, directory: &dyn Directory, from: &str, to: &str) -> io::Result<()> {
        // The first one makes the log; without it there is nothing to lose.
        if !is_segment(to) || to.trim_start_matches('0') == "1.seg" {
            return directory.rename(from, to);
        }
        let mut waiting = self.0.lock();
        waiting.push_back((from.to_owned(), to.to_owned()));
        match (waiting.len() > 1).then(|| waiting.pop_front()).flatten() {
            Some((from, to)) => directory.rename(&from, &to),
            None => Ok(()),
        }
    }
}

/// Holds writes back. Syncs the file, then writes.
#[derive(Debug, Default)]
struct WriteAfterSync(Mutex<Vec<(u64, Vec<u8>)>>);

impl Meddler for WriteAfterSync {
    fn write_at(
        &self,
        name: &str,
        file: &dyn File,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<usize> {
        if !is_segment(name) {
            return file.write_at(offset, bytes);
        }
        self.0.lock().push((offset, bytes.to_vec()));
        Ok(bytes.len())
    }

    fn sync_data(&self, name: &str, file: &dyn File) -> io::Result<()> {
        file.sync_data()?;
        if is_segment(name) {
            for (offset, bytes) in self.0.lock().drain(..) {
                file.write_at(offset, &bytes)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_plant_is_listed_under_its_name() {
        assert_eq!(Plant::value_variants(), Plant::ALL);
        for plant in Plant::ALL {
            assert_eq!(plant.to_possible_value().unwrap().get_name(), plant.name());
        }
    }
}
